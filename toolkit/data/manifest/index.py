"""The index of a manifest: where each line begins, and what must be known of all lines without parsing them again.

It is built once, when every line is checked, and kept in a file that all processes map into memory. The file is beside
the manifest, or in the user's cache folder if the manifest's folder cannot be written to. An index is used for a
manifest of the same size, modification time, change time and inode, if the manifest had not changed for two seconds
when the index was begun. Otherwise, it is used for a manifest of the same size and the same SHA-256 over all bytes.
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

from toolkit.data.sources.overview import Overview, WordColumn
from toolkit.errors import UserError
from toolkit.utils.files import write_parts

ROW = np.dtype(
    [
        ("offset", "<u8"),  # the offset of the line's first byte
        ("line", "<u4"),  # the number of the line, for messages
        ("sequence", "<u4"),
        ("license", "<u4"),
        ("attribution", "<u4"),
        ("camera", "<u4"),
        ("first", "<u4"),  # where the posed Frames of its sequence begin among all posed Frames
        ("last", "<u4"),  # where they end
        ("flags", "u1"),
        ("turn", "u1"),  # the EXIF turn that camera, points and pose need
        ("orientation", "u1"),  # the EXIF orientation of the picture, with which a depth map turns
    ]
)

POSED, LABELLED, UNTYPED = 1, 2, 4
"""Flags of a row; UNTYPED means that the line does not state its depth type."""

SUFFIX = ".index"
"""The ending of the files that hold an index."""

NAMED = ("sequence", "license", "attribution")
"""The columns of words; the rows hold numbers, and the words are kept after the rows."""

_FORMAT = 2
_HEAD = 1024  # bytes of the header of an index file
_REST_NS = 2 * 10**9  # file systems store times in steps of up to two seconds
_CHUNK = 1 << 20  # bytes that are read at once
IndexRows = NDArray[Any]
"""The rows (N,) of an index, of type ``ROW``."""

PosedIndices = NDArray[np.uint32]
"""Indices of Frames that have a pose and a sequence."""


@dataclass(frozen=True)
class ManifestStamp:
    """The state of a manifest when its index was built.

    Attributes:
        size: The size of the file [bytes].
        modified: The time of the last modification [ns].
        changed: The time of the last change of the file's inode [ns], which no program can set.
        inode: The number of the file in the file system.
        begun: The time at which the file was looked at [ns].
        sha256: The SHA-256 of all its bytes; "" if they were not read.
        lines: The number of lines; 0 if they were not read.
    """

    size: int
    modified: int
    changed: int
    inode: int
    begun: int
    sha256: str = ""
    lines: int = 0

    @classmethod
    def of(cls, file: BinaryIO) -> "ManifestStamp":
        """The stamp of an open file, without reading it."""
        found = os.fstat(file.fileno())
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, time.time_ns())

    def read(self, file: BinaryIO) -> "ManifestStamp":
        """The same stamp with the SHA-256 and the number of lines, for which all bytes are read."""
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
        """The values that change when the file changes."""
        return self.size, self.modified, self.changed, self.inode

    def rested(self) -> bool:
        """Whether the file had been unchanged for so long that any later change shows in its times."""
        return max(self.modified, self.changed) + _REST_NS < self.begun


@dataclass(frozen=True, eq=False)
class ManifestIndex:
    """What is known of all lines.

    Attributes:
        stamp: The state of the manifest.
        rows: One row (N,) of type ``ROW`` for each line that is not blank.
        posed: The indices of Frames with a pose and a sequence, sequence after sequence, ascending within each.
        file: The file that holds the index, or None if it is only in memory.
        names: The words by the name of their column; empty if the index is kept in a file.
    """

    stamp: ManifestStamp
    rows: IndexRows
    posed: PosedIndices
    file: Path | None = None
    names: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the name of the file instead of its contents, so that workers map the same file."""
        if self.file is not None:
            return _map_again, (self.file, self.stamp)
        return ManifestIndex, (self.stamp, self.rows, self.posed, None, self.names)

    def overview(self) -> Overview:
        """What is known of all Frames at once."""
        flags = self.rows["flags"]
        return Overview(
            sequences=self._column("sequence"),
            licenses=self._column("license"),
            attributions=self._column("attribution"),
            cameras=np.array(self.rows["camera"]),
            posed=(flags & POSED) > 0,
            labelled=(flags & LABELLED) > 0,
            objects=np.zeros(len(flags), dtype=bool),  # manifests name no objects
        )

    def serves(self, typed: bool) -> bool:
        """Whether the depth type of all lines is known.

        Args:
            typed: Whether the caller knows the depth type of lines that state none.
        """
        return typed or not (self.rows["flags"] & UNTYPED).any()

    def save(self, file: Path) -> "ManifestIndex":
        """Write the index to a file, and return it as it is mapped from there.

        Raises:
            UserError: If the file cannot be written.
        """
        names = json.dumps(self.names, ensure_ascii=False).encode("utf-8", "surrogatepass")
        sizes = {"rows": len(self.rows), "posed": len(self.posed), "names": len(names)}
        head = json.dumps({"format": _FORMAT, "stamp": asdict(self.stamp), **sizes}).encode().ljust(_HEAD)
        write_parts(file, (head, _bytes_of(self.rows), _bytes_of(self.posed), names))
        return _map_again(file, self.stamp)

    def _column(self, key: str) -> WordColumn:
        return WordColumn(np.array(self.rows[key]), lambda: self._names(key))

    def _names(self, key: str) -> Sequence[str]:
        if self.file is None:
            return self.names[key]
        with self.file.open("rb") as file:
            _check_same(_head(file), self.stamp, self.file)
            file.seek(_HEAD + self.rows.nbytes + self.posed.nbytes)
            names: dict[str, list[str]] = json.loads(file.read().decode("utf-8", "surrogatepass"))
            return names[key]


def index_places(manifest: Path) -> Iterator[Path]:
    """The files in which the index of a manifest may be kept: beside it, and in the user's cache folder."""
    yield manifest.with_name(f".{manifest.name}{SUFFIX}")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser(Path("~", ".cache")))
    if not cache.is_absolute():  # this machine has no home folder
        return
    name = hashlib.sha256(str(manifest.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    yield cache / "3dqa-toolkit" / f"{name}{SUFFIX}"


def find_index(manifest: Path, file: BinaryIO) -> ManifestIndex | None:
    """The kept index of a manifest in its present state, or None.

    Args:
        manifest: The path of the manifest.
        file: The same file, opened.
    """
    now, whole = ManifestStamp.of(file), None
    for place in index_places(manifest):
        index = _map_index(place)
        if index is None or index.stamp.size != now.size:
            continue
        if index.stamp.state == now.state and index.stamp.rested():
            return index
        whole = whole or now.read(file)
        if whole.sha256 == index.stamp.sha256:
            return index
    return None


def keep_index(index: ManifestIndex, manifest: Path) -> ManifestIndex:
    """Keep an index in the first file that can be written; if there is none, it stays in memory."""
    for place in index_places(manifest):
        try:
            return index.save(place)
        except UserError:  # the folder cannot be written to; the next one may, and without any the index still works
            continue
    return index


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return array.view(np.uint8).data


def _map_index(path: Path) -> ManifestIndex | None:
    """The index in a file, mapped into memory; None if the file is missing or damaged."""
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
            return ManifestIndex(stamp, np.asarray(table), np.asarray(order), path)
    except OSError:
        return None


def _map_again(path: Path, stamp: ManifestStamp) -> ManifestIndex:
    """The index in a file that had this stamp before.

    Raises:
        UserError: If the file was changed.
    """
    index = _map_index(path)
    _check_same((index.stamp,) if index else None, stamp, path)
    assert index is not None
    return index


def _head(file: BinaryIO) -> tuple[ManifestStamp, int, int, int] | None:
    """The stamp, and the sizes of rows, posed indices and words; None if the file is no index of this format."""
    try:
        head = json.loads(file.read(_HEAD))
        if head["format"] != _FORMAT:
            return None
        return ManifestStamp(**head["stamp"]), head["rows"], head["posed"], head["names"]
    except (ValueError, KeyError, TypeError):
        return None


def _check_same(found: tuple[Any, ...] | None, stamp: ManifestStamp, path: Path) -> None:
    if found is None or found[0].sha256 != stamp.sha256:
        raise UserError(f"{path}: the index was changed while it was in use", remedy="start the command again")
