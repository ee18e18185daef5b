"""Builds the index of a manifest; every line is checked once."""

import codecs
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np

from toolkit.data.frames.frame import DepthType, Frame
from toolkit.data.manifest.index import (
    LABELLED,
    NAMED,
    POSED,
    ROW,
    UNTYPED,
    IndexRows,
    ManifestIndex,
    ManifestStamp,
    PosedIndices,
)
from toolkit.data.manifest.parse_line import ManifestLine
from toolkit.errors import UserError, raise_all
from toolkit.geometry.camera import Camera
from toolkit.utils.progress import Bar, bar

_SHOWN_FROM = 2_000  # the number of lines from which on a progress bar is shown


def build_index(path: Path, file: BinaryIO, depth_type: DepthType | None, decode: bool) -> ManifestIndex:
    """Check every line of a manifest, and gather what must be known of all lines.

    Args:
        path: The JSON-lines file.
        file: The same file, opened.
        depth_type: The depth type of lines that state none, or None.
        decode: Whether pictures and depth maps are read whole.

    Raises:
        UserError: If the file holds no line, is not text, or is changed while it is read.
        UserErrors: If lines are faulty.
    """
    stamp = ManifestStamp.of(file).read(file)
    builder = _Builder(stamp.lines)
    faults: list[UserError] = []
    last = 0
    with _progress(path, stamp.lines) as shown:
        for number, offset, text in nonblank_lines(path, file):
            if shown is not None:
                shown.advance(number - last)  # there may be blank lines in between
                last = number
            line = ManifestLine(f"{path}, line {number}", path.parent, depth_type)
            frame = line.frame(text, decode)
            faults += line.faults
            if frame is not None:
                builder.add(number, offset, line, frame)
        if shown is not None:
            shown.advance(stamp.lines - last)
    if ManifestStamp.of(file).state != stamp.state:
        raise UserError(
            f"{path}: the manifest was changed while it was read", remedy="start the command again when it is complete"
        )
    raise_all(str(path), faults)
    if not builder.count:
        raise UserError(f"{path}: the manifest is empty", remedy="it needs one JSON object a line, one a picture")
    return builder.index(stamp)


def _progress(path: Path, lines: int) -> AbstractContextManager[Bar | None]:
    return bar(f"checking {path.name}", lines) if lines >= _SHOWN_FROM else nullcontext()


def nonblank_lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, int, str]]:
    """The number, the offset [bytes] and the text of each line that is not blank.

    Raises:
        UserError: If the file is not UTF-8 text.
    """
    offset = 0
    # This is not str.splitlines: JSON strings may hold U+2028 and similar characters, which do not end a line.
    for number, line in enumerate(file, start=1):
        start = len(codecs.BOM_UTF8) if number == 1 and line.startswith(codecs.BOM_UTF8) else 0
        text = _decode(path, line[start:])
        if text.strip():
            yield number, offset + start, text
        offset += len(line)


def _decode(path: Path, line: bytes) -> str:
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise UserError(
            f"{path}: this is not a manifest", cause="it is not UTF-8 text", remedy="give a .jsonl file"
        ) from None


class _Builder:
    """Gathers the rows of an index, line by line."""

    def __init__(self, lines: int) -> None:
        self.count = 0
        self._rows: IndexRows = np.zeros(lines, ROW)
        self._names: dict[str, dict[str, int]] = {key: {"": 0} for key in NAMED}
        self._cameras: dict[Camera, int] = {}

    def add(self, number: int, offset: int, line: ManifestLine, frame: Frame) -> None:
        """Add the row of a line without faults.

        Args:
            number: The number of the line.
            offset: The offset of its first byte.
            line: The line.
            frame: The Frame of the line.
        """
        words = (names.setdefault(line.word(key), len(names)) for key, names in self._names.items())
        camera = self._cameras.setdefault(frame.camera, len(self._cameras))
        flags = POSED * (frame.world_from_camera is not None) + LABELLED * (frame.labels is not None)
        flags += UNTYPED * (not line.has("depth_type"))
        self._rows[self.count] = (offset, number, *words, camera, 0, 0, flags, line.orientation)
        self.count += 1

    def index(self, stamp: ManifestStamp) -> ManifestIndex:
        """The index of all lines that were added."""
        rows = self._rows[: self.count]
        return ManifestIndex(
            stamp, rows, _posed_indices(rows), None, {key: list(names) for key, names in self._names.items()}
        )


def _posed_indices(rows: IndexRows) -> PosedIndices:
    """The indices of Frames with a pose and a sequence, sequence after sequence.

    Each row gets the range ("first" to "last") of its sequence in the result.
    """
    indices = np.flatnonzero((rows["flags"] & POSED > 0) & (rows["sequence"] > 0))
    sequences = rows["sequence"][indices]
    order = np.argsort(sequences, kind="stable")
    ordered = sequences[order]
    rows["first"][indices] = np.searchsorted(ordered, sequences, "left")
    rows["last"][indices] = np.searchsorted(ordered, sequences, "right")
    return indices[order].astype(np.uint32)
