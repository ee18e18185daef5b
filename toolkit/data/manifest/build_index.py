"""Building the index of a manifest: every line is checked, once."""

import codecs
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np

from toolkit.data.frames.frame import DepthType, Frame
from toolkit.data.manifest.index import LABELLED, NAMED, POSED, ROW, UNTYPED, Index, Posed, Rows, Stamp
from toolkit.data.manifest.parse_line import ManifestLine
from toolkit.errors import UserError, raise_all
from toolkit.geometry.camera import Camera
from toolkit.utils.progress import Bar, bar

_SHOWN_FROM = 2_000  # lines from which on a bar is shown


def build_index(path: Path, file: BinaryIO, depth_type: DepthType | None, decode: bool) -> Index:
    """Check every line of a manifest, and gather what must be known of all.

    Args:
        path: The JSON-lines file.
        file: It, opened.
        depth_type: What the depths of lines without ``depth_type`` are.
        decode: Whether pictures and depth maps are read whole.

    Raises:
        UserError: If it holds no line, is no text, or is written to meanwhile.
        UserErrors: If lines are faulty.
    """
    stamp = Stamp.of(file).read(file)
    builder = _Builder(stamp.lines)
    faults: list[UserError] = []
    last = 0
    with _progress(path, stamp.lines) as shown:
        for number, offset, text in written_lines(path, file):
            if shown is not None:
                shown.advance(number - last)  # blank lines come in between
                last = number
            line = ManifestLine(f"{path}, line {number}", path.parent, depth_type)
            frame = line.frame(text, decode)
            faults += line.faults
            if frame is not None:
                builder.add(number, offset, line, frame)
        if shown is not None:
            shown.advance(stamp.lines - last)
    if Stamp.of(file).state != stamp.state:
        raise UserError(f"{path}: the manifest was changed while it was read", remedy="start again when it is complete")
    raise_all(str(path), faults)
    if not builder.count:
        raise UserError(f"{path}: the manifest is empty", remedy="it needs one JSON object a line, one a picture")
    return builder.index(stamp)


def _progress(path: Path, lines: int) -> AbstractContextManager[Bar | None]:
    return bar(f"checking {path.name}", lines) if lines >= _SHOWN_FROM else nullcontext()


def written_lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, int, str]]:
    """Number, offset and text of each line that is not blank."""
    offset = 0
    # Not the text's splitlines: JSON strings may hold U+2028 and its like, which end no line.
    for number, line in enumerate(file, start=1):
        start = len(codecs.BOM_UTF8) if number == 1 and line.startswith(codecs.BOM_UTF8) else 0
        text = _text(path, line[start:])
        if text.strip():
            yield number, offset + start, text
        offset += len(line)


def _text(path: Path, line: bytes) -> str:
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise UserError(
            f"{path}: this is not a manifest", cause="it is not UTF-8 text", remedy="give a .jsonl file"
        ) from None


class _Builder:
    """Rows as they come."""

    def __init__(self, lines: int) -> None:
        self.count = 0
        self._rows: Rows = np.zeros(lines, ROW)
        self._names: dict[str, dict[str, int]] = {key: {"": 0} for key in NAMED}
        self._cameras: dict[Camera, int] = {}

    def add(self, number: int, offset: int, line: ManifestLine, frame: Frame) -> None:
        """Take a sound line in."""
        words = (names.setdefault(line.word(key), len(names)) for key, names in self._names.items())
        camera = self._cameras.setdefault(frame.camera, len(self._cameras))
        flags = POSED * (frame.world_from_camera is not None) + LABELLED * (frame.labels is not None)
        flags += UNTYPED * (not line.has("depth_type"))
        self._rows[self.count] = (offset, number, *words, camera, 0, 0, flags, line.orientation)
        self.count += 1

    def index(self, stamp: Stamp) -> Index:
        """The index of all lines."""
        rows = self._rows[: self.count]
        return Index(stamp, rows, _ranges(rows), None, {key: list(names) for key, names in self._names.items()})


def _ranges(rows: Rows) -> Posed:
    """The posed Frames, sequence after sequence; each row is told where those of its sequence are."""
    indices = np.flatnonzero((rows["flags"] & POSED > 0) & (rows["sequence"] > 0))
    sequences = rows["sequence"][indices]
    order = np.argsort(sequences, kind="stable")
    ordered = sequences[order]
    rows["first"][indices] = np.searchsorted(ordered, sequences, "left")
    rows["last"][indices] = np.searchsorted(ordered, sequences, "right")
    return indices[order].astype(np.uint32)
