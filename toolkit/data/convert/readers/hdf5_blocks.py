"""The pieces that an HDF5 file is built of: bytes at addresses, B-tree nodes, object headers.

Source: The HDF Group, "HDF5 File Format Specification Version 3.0": superblock versions 0 and 1 (II.A), version 1
B-trees (III.A.1) and version 1 object headers (IV.A.1.a).
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from toolkit.errors import UserError

DATASPACE, DATATYPE, LAYOUT, FILTERS, SYMBOLS = 0x01, 0x03, 0x08, 0x0B, 0x11
"""Types of the header messages that are kept."""


DAMAGED = (struct.error, zlib.error, ValueError, KeyError, IndexError, RecursionError, MemoryError, OverflowError)
"""What reading a damaged file may raise, beside OSError and EOFError."""


_SIGNATURE = b"\x89HDF\r\n\x1a\n"


_CONTINUATION = 0x10


_LONGEST_NAME = 256  # bytes


_SHARED = 2  # flag of a header message that stands elsewhere


@dataclass(frozen=True)
class Node:
    """What a B-tree's node says of itself."""

    level: int
    used: int


class Blocks:
    """A file's bytes, by address.

    Attributes:
        path: The file.
        root: Address of the root group's header.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        self._size = path.stat().st_size
        self._base = self._find_base()
        block = self.bytes_at(0, 96)
        if block[8] > 1 or block[13:15] != b"\x08\x08":
            self.refuse(f"superblock version {block[8]}")
        tables = 24 if block[8] == 0 else 28
        _, _, end, _ = struct.unpack_from("<4Q", block, tables)
        if self._size < end:
            raise UserError(
                f"{path}: the file is cut short",
                cause=f"it has {self._size} of {end} bytes",
                remedy="the download was interrupted: continue it, or begin it anew",
            )
        self.root = struct.unpack_from("<Q", block, tables + 32 + 8)[0]

    def refuse(self, what: str) -> NoReturn:
        """Raise the UserError of what the specification allows, but this does not read."""
        raise UserError(
            f"{self.path}: {what} of HDF5 is not known here",
            cause="the file was written anew by another program than the set's authors'",
            remedy="download the set's own file",
        )

    def _find_base(self) -> int:
        """Where the HDF5 file begins: MATLAB puts 512 bytes of its own before."""
        start = 0
        while start < self._size:
            self._file.seek(start)
            if self._file.read(8) == _SIGNATURE:
                return start
            start = max(512, 2 * start)
        raise UserError(
            f"{self.path}: this is no HDF5 file",
            cause="its signature is nowhere in it",
            remedy="the download is damaged, or the file was saved in another format: get it again",
        )

    def bytes_at(self, address: int, size: int) -> bytes:
        """So many bytes; EOFError if there are fewer."""
        left = self._size - self._base - address
        if size > left:  # before reading: a damaged size would ask for any amount of memory
            raise EOFError(f"{size} bytes are wanted at {self._base + address}, {max(left, 0)} are there")
        self._file.seek(self._base + address)
        return self._file.read(size)

    def word_at(self, address: int) -> str:
        """A name, which ends in a zero byte."""
        self._file.seek(self._base + address)
        return self._file.read(_LONGEST_NAME).partition(b"\0")[0].decode()

    def node(self, address: int, kind: int) -> Node:
        """The head of a node of a B-tree of that kind."""
        signature, found, level, used = struct.unpack("<4sBBH", self.bytes_at(address, 8))
        if signature != b"TREE" or found != kind:
            raise ValueError(f"there is no B-tree at {address}")
        return Node(level, used)

    def messages(self, address: int) -> Mapping[int, bytes]:
        """The messages of an object's header by type; of several of one type the first."""
        version, _, count, _, size = struct.unpack("<BBHII", self.bytes_at(address, 12))
        if version != 1:
            self.refuse("an object header of another version than 1")
        blocks, found = [(address + 16, size)], dict[int, bytes]()
        for start, length in blocks:
            data, at = self.bytes_at(start, length), 0
            while at + 8 <= length and count:
                kind, wide, flags = struct.unpack_from("<HHB", data, at)
                body = data[at + 8 : at + 8 + wide]
                at, count = at + 8 + wide, count - 1
                if kind == _CONTINUATION:
                    blocks.append(struct.unpack("<2Q", body[:16]))
                elif kind in (DATASPACE, DATATYPE, LAYOUT, FILTERS, SYMBOLS):
                    if flags & _SHARED:
                        self.refuse("a shared header message")
                    found.setdefault(kind, body)
        return found
