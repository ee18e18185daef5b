"""Builds the index of a manifest; every line is checked once."""

import codecs
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from toolkit.data.frames.frame import DepthType
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
from toolkit.data.manifest.other_format import check_format
from toolkit.data.manifest.parse_line import ManifestLine, frame_of_checked_line
from toolkit.data.manifest.plain_lines import LineFacts, ParsedLines, PlainLines, parse_lines
from toolkit.errors import UserError, raise_all
from toolkit.geometry.camera import Camera
from toolkit.utils.bounded_file import MOST_TEXT, size_in_words
from toolkit.utils.progress import Bar, bar

_SHOWN_FROM = 2_000  # the number of lines from which on a progress bar is shown
_SHOWN_EVERY = 100  # the number of lines between two steps of it
_PLAIN_FROM = 1 << 20  # the size of a manifest [bytes] from which on it pays to import Arrow
_AHEAD = 2  # the number of batches that are parsed ahead
_BATCH = 1 << 20  # characters of the lines that are parsed together


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """A line that is not blank.

    Attributes:
        number: The number of the line.
        offset: The offset of its first byte.
        text: The text of the line, with the character that ends it.
    """

    number: int
    offset: int
    text: str


def build_index(path: Path, file: BinaryIO, depth_type: DepthType | None, decode: bool) -> ManifestIndex:
    """Check every line of a manifest, and gather what must be known of all lines.

    Args:
        path: The JSON-lines file.
        file: The same file, opened.
        depth_type: The depth type of lines that state none, or None.
        decode: Whether pictures and depth maps are read whole.

    Raises:
        UserError: If the file holds no line, is not text, is of another format, or is changed while it is read.
        UserErrors: If lines are faulty.
    """
    stamp = ManifestStamp.of(file).read(file)
    builder, check = _Builder(stamp.lines), _Check(path, depth_type, decode, stamp.size)
    last = 0
    with _progress(path, stamp.lines) as shown:
        for line, facts in check.facts(nonblank_lines(path, file)):
            if facts is not None:
                builder.add(line, facts)
            if shown is not None and line.number >= last + _SHOWN_EVERY:
                shown.advance(line.number - last)
                last = line.number
        if shown is not None:
            shown.advance(stamp.lines - last)
    if ManifestStamp.of(file).state != stamp.state:
        raise UserError(
            f"{path}: the manifest was changed while it was read", remedy="start the command again when it is complete"
        )
    if check.faults:
        check_format(path)
    raise_all(str(path), check.faults)
    if not builder.count:
        raise UserError(f"{path}: the manifest is empty", remedy="it needs one JSON object a line, one a picture")
    return builder.index(stamp)


def _progress(path: Path, lines: int) -> AbstractContextManager[Bar | None]:
    return bar(f"checking {path.name}", lines) if lines >= _SHOWN_FROM else nullcontext()


def nonblank_lines(path: Path, file: BinaryIO) -> Iterator[NumberedLine]:
    """The lines that are not blank.

    Raises:
        UserError: If the file is not UTF-8 text, or has an enormous line.
    """
    offset = 0
    # This is not str.splitlines: JSON strings may hold U+2028 and similar characters, which do not end a line.
    for number, line in enumerate(iter(partial(file.readline, MOST_TEXT + 1), b""), start=1):
        if len(line) > MOST_TEXT:
            raise UserError(
                f"{path}, line {number}: it is longer than {size_in_words(MOST_TEXT)}",
                remedy="each line must be one whole JSON object, for one picture",
            )
        start = len(codecs.BOM_UTF8) if number == 1 and line.startswith(codecs.BOM_UTF8) else 0
        text = _decode(path, line[start:])
        if text.strip():
            yield NumberedLine(number, offset + start, text)
        offset += len(line)


def _decode(path: Path, line: bytes) -> str:
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise UserError(
            f"{path}: this is not a manifest", cause="it is not UTF-8 text", remedy="give a .jsonl file"
        ) from None


class _Check:
    """Checks lines, and gathers their faults.

    Args:
        path: The manifest.
        depth_type: The depth type of lines that state none, or None.
        decode: Whether pictures and depth maps are read whole.
        size: The size of the manifest [bytes].
    """

    def __init__(self, path: Path, depth_type: DepthType | None, decode: bool, size: int) -> None:
        self.faults: list[UserError] = []
        self._path = path
        self._depth_type = depth_type
        self._decode = decode
        self._plain = PlainLines(path.parent, depth_type) if size >= _PLAIN_FROM else None

    def facts(self, lines: Iterable[NumberedLine]) -> Iterator[tuple[NumberedLine, LineFacts | None]]:
        """Each line with what the index keeps of it, or with None if it is faulty."""
        if self._plain is None:
            yield from ((line, self._judged(line)) for line in lines)
            return
        for batch, columns in _parsed_ahead(_batches(lines)):
            for line, facts in zip(batch, self._plain.facts(columns), strict=True):
                yield line, self._judged(line) if facts is None else self._decoded(line, facts)

    def _judged(self, line: NumberedLine) -> LineFacts | None:
        """What the index keeps of a line that may be faulty."""
        read = self._line(line)
        frame = read.frame(line.text, self._decode)
        self.faults += read.faults
        return None if frame is None else LineFacts.of(read, frame)

    def _decoded(self, line: NumberedLine, facts: LineFacts) -> LineFacts:
        """The same facts, after the files of the line have been read whole if that is wanted."""
        if self._decode:
            read = self._line(line)
            read.decode(frame_of_checked_line(line.text, self._path.parent, self._depth_type, facts.turn))
            self.faults += read.faults
        return facts

    def _line(self, line: NumberedLine) -> ManifestLine:
        return ManifestLine(f"{self._path}, line {line.number}", self._path.parent, self._depth_type)


def _batches(lines: Iterable[NumberedLine]) -> Iterator[list[NumberedLine]]:
    """The lines in lists of about ``_BATCH`` characters."""
    batch: list[NumberedLine] = []
    length = 0
    for line in lines:
        batch.append(line)
        length += len(line.text)
        if length >= _BATCH:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch


def _parsed_ahead(
    batches: Iterable[list[NumberedLine]],
) -> Iterator[tuple[list[NumberedLine], list[ParsedLines]]]:
    """Each batch with its parsed lines; the next one is parsed in a thread meanwhile, which takes half of the time."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[tuple[list[NumberedLine], Future[list[ParsedLines]]]] = deque()
        for batch in batches:
            waiting.append((batch, pool.submit(parse_lines, [line.text for line in batch])))
            if len(waiting) > _AHEAD:
                ready, columns = waiting.popleft()
                yield ready, columns.result()
        for ready, columns in waiting:
            yield ready, columns.result()


class _Builder:
    """Gathers the rows of an index, line by line."""

    def __init__(self, lines: int) -> None:
        self.count = 0
        self._rows: IndexRows = np.zeros(lines, ROW)
        self._names: dict[str, dict[str, int]] = {key: {"": 0} for key in NAMED}
        self._cameras: dict[bytes, int] = {}

    def add(self, line: NumberedLine, facts: LineFacts) -> None:
        """Add the row of a line without faults."""
        words = (
            names.setdefault(word, len(names)) for names, word in zip(self._names.values(), facts.words, strict=True)
        )
        camera = self._cameras.setdefault(_packed(facts.camera), len(self._cameras))
        flags = LABELLED + POSED * facts.posed + UNTYPED * (not facts.typed)
        self._rows[self.count] = (
            line.offset,
            line.number,
            *words,
            camera,
            0,
            0,
            flags,
            facts.turn.line,
            facts.turn.picture,
        )
        self.count += 1

    def index(self, stamp: ManifestStamp) -> ManifestIndex:
        """The index of all lines that were added."""
        rows = self._rows[: self.count]
        return ManifestIndex(
            stamp, rows, _posed_indices(rows), None, {key: list(names) for key, names in self._names.items()}
        )


def _packed(camera: Camera) -> bytes:
    """A camera as bytes, of which a million take a third of the memory; equal cameras give the same."""
    numbers = (*camera.intrinsics, *camera.distortion)
    return struct.pack(f"{len(numbers)}d", *(number + 0.0 for number in numbers))  # -0.0 becomes 0.0


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
