"""The index of a manifest: where each line begins, and what must be known of all lines without parsing them again.

It is built once, when every line is checked, and kept in a file that all processes map into memory: beside the
manifest, or in the user's cache folder where that cannot be written. An index serves a manifest of the same size,
modification time, change time and inode, if the manifest had rested for two seconds when the index was begun; and
else one of the same size whose SHA-256 over all bytes is the same.
"""

import hashlib
import io
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from toolkit.data.sources.overview import Column, Overview
from toolkit.errors import UserError
from toolkit.utils.files import write_bytes

ROW = np.dtype(
    [
        ("offset", "<u8"),  # of the line's first byte
        ("line", "<u4"),  # its number, for messages
        ("sequence", "<u4"),
        ("license", "<u4"),
        ("attribution", "<u4"),
        ("camera", "<u4"),
        ("first", "<u4"),  # where its sequence's posed Frames begin among all posed Frames, and where they end
        ("last", "<u4"),
        ("flags", "u1"),
        ("orientation", "u1"),  # EXIF turn that camera and labels need
    ]
)


POSED, LABELLED, UNTYPED = 1, 2, 4
"""Flags of a row; UNTYPED: the line has depth and does not say of which type."""


SUFFIX = ".index"


NAMED = ("sequence", "license", "attribution")
"""Columns of words; their names are kept beside the rows."""


_FORMAT = 1


_HEAD = 1024  # bytes of the header


_REST_NS = 2 * 10**9  # file systems store times in steps of up to two seconds


_CHUNK = 1 << 20


Rows = NDArray[Any]


Posed = NDArray[np.uint32]


@dataclass(frozen=True)
class Stamp:
    """Which state of a manifest an index is of.

    Attributes:
        size: Bytes.
        modified: Time of the last modification [ns].
        changed: Time of the last change of its entry [ns], which no program can set.
        inode: Its number in the file system.
        begun: When the manifest was looked at [ns].
        sha256: Of all its bytes.
        lines: How many it has.
    """

    size: int
    modified: int
    changed: int
    inode: int
    begun: int
    sha256: str = ""
    lines: int = 0

    @classmethod
    def of(cls, file: BinaryIO) -> "Stamp":
        """The stamp of an open file, without reading it."""
        found = os.fstat(file.fileno())
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, time.time_ns())

    def read(self, file: BinaryIO) -> "Stamp":
        """The same with what needs all bytes read."""
        digest, lines, last = hashlib.sha256(), 0, b"\n"
        file.seek(0)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            last = chunk[-1:]
        file.seek(0)
        return replace(self, sha256=digest.hexdigest(), lines=lines + (last != b"\n"))

    @property
    def state(self) -> tuple[int, int, int, int]:
        """What changes when the file does."""
        return self.size, self.modified, self.changed, self.inode

    def rested(self) -> bool:
        """Whether a later change would show in the times."""
        return max(self.modified, self.changed) + _REST_NS < self.begun


@dataclass(frozen=True, eq=False)
class Index:
    """What is known of all lines.

    Attributes:
        stamp: Of the manifest that it is of.
        rows: (N,) of ``ROW``, one a line that is not blank.
        posed: Indices of the Frames with a pose and a sequence, sequence after sequence, ascending within each.
        file: Where it is kept, None if only in memory.
        names: Names by the column, of an index that is only in memory.
    """

    stamp: Stamp
    rows: Rows
    posed: Posed
    file: Path | None = None
    names: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled by its file's name: workers map the same file."""
        if self.file is not None:
            return _mapped_again, (self.file, self.stamp)
        return Index, (self.stamp, self.rows, self.posed, None, self.names)

    def overview(self) -> Overview:
        """What is known of all Frames."""
        flags = self.rows["flags"]
        return Overview(
            sequences=self._column("sequence"),
            licenses=self._column("license"),
            attributions=self._column("attribution"),
            cameras=np.array(self.rows["camera"]),
            posed=(flags & POSED) > 0,
            labelled=(flags & LABELLED) > 0,
            objects=np.zeros(len(flags), dtype=bool),  # no line names any
        )

    def serves(self, typed: bool) -> bool:
        """Whether all lines say what their depth is, or the caller does."""
        return typed or not (self.rows["flags"] & UNTYPED).any()

    def save(self, file: Path) -> "Index":
        """Write it, and map what was written.

        Raises:
            UserError: If it cannot be written.
        """
        names = json.dumps(self.names, ensure_ascii=False).encode("utf-8", "surrogatepass")
        sizes = {"rows": len(self.rows), "posed": len(self.posed), "names": len(names)}
        head = json.dumps({"format": _FORMAT, "stamp": asdict(self.stamp), **sizes}).encode().ljust(_HEAD)
        write_bytes(file, b"".join((head, self.rows.tobytes(), self.posed.tobytes(), names)))
        return _mapped_again(file, self.stamp)

    def _column(self, key: str) -> Column:
        return Column(np.array(self.rows[key]), lambda: self._names(key))

    def _names(self, key: str) -> Sequence[str]:
        if self.file is None:
            return self.names[key]
        with self.file.open("rb") as file:
            _check_same(_head(file), self.stamp, self.file)
            file.seek(_HEAD + self.rows.nbytes + self.posed.nbytes)
            names: dict[str, list[str]] = json.loads(file.read().decode("utf-8", "surrogatepass"))
            return names[key]


def places(manifest: Path) -> Iterator[Path]:
    """Where the index of a manifest may be kept: beside it, or in the user's cache folder."""
    yield manifest.with_name(f".{manifest.name}{SUFFIX}")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(str(manifest.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    yield cache / "3dqa-toolkit" / f"{name}{SUFFIX}"


def kept_index(manifest: Path, file: BinaryIO) -> Index | None:
    """The index that was kept of an open manifest as it is now, if there is one."""
    now, whole = Stamp.of(file), None
    for place in places(manifest):
        index = _mapped(place)
        if index is None or index.stamp.size != now.size:
            continue
        if index.stamp.state == now.state and index.stamp.rested():
            return index
        whole = whole or now.read(file)
        if whole.sha256 == index.stamp.sha256:
            return index
    return None


def keep(index: Index, manifest: Path) -> Index:
    """Keep an index where that is possible; else it stays in memory."""
    for place in places(manifest):
        try:
            return index.save(place)
        except UserError:  # a folder that cannot be written: the next place, or none, does as well
            continue
    return index


def _mapped(path: Path) -> Index | None:
    """The index in a file; None if there is none that is whole."""
    try:
        with path.open("rb") as file:
            head = _head(file)
            if head is None:
                return None
            stamp, rows, posed, names = head
            if file.seek(0, io.SEEK_END) != _HEAD + rows * ROW.itemsize + posed * 4 + names or not rows:
                return None
            table = np.memmap(file, ROW, "r", _HEAD, (rows,))
            beyond = _HEAD + table.nbytes
            order = np.memmap(file, np.uint32, "r", beyond, (posed,)) if posed else np.empty(0, np.uint32)
            return Index(stamp, np.asarray(table), np.asarray(order), path)
    except OSError:
        return None


def _mapped_again(path: Path, stamp: Stamp) -> Index:
    """The index that another process mapped."""
    index = _mapped(path)
    _check_same((index.stamp,) if index else None, stamp, path)
    assert index is not None
    return index


def _head(file: BinaryIO) -> tuple[Stamp, int, int, int] | None:
    try:
        head = json.loads(file.read(_HEAD))
        if head["format"] != _FORMAT:
            return None
        return Stamp(**head["stamp"]), head["rows"], head["posed"], head["names"]
    except (ValueError, KeyError, TypeError):
        return None


def _check_same(found: tuple[Any, ...] | None, stamp: Stamp, path: Path) -> None:
    if found is None or found[0].sha256 != stamp.sha256:
        raise UserError(f"{path}: the index was changed while it was in use", remedy="start the command again")
