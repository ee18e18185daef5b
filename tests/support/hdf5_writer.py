"""HDF5 files for the tests, written byte by byte as the specification says; independent of the reader's code.

Layout: superblock version 0, one symbol table node, version 1 object headers, as MATLAB and h5py write them.
"""

import struct
import zlib
from itertools import product
from pathlib import Path

import numpy as np

LEAF, CHUNKS = 16, 64  # most symbols in a node, halved in the superblock; most chunks in a B-tree's node
_NONE = 0xFFFFFFFFFFFFFFFF


class Hdf5Writer:
    """Put arrays, then ``save``."""

    def __init__(self, user_block: int = 512) -> None:
        self._user_block = user_block
        self._data = bytearray(96)
        self._names: dict[str, int] = {}

    def put(self, name: str, array: np.ndarray, chunk: tuple[int, ...] = (), references: bool = False) -> int:
        """An array, deflated if in chunks; its address, which references hold."""
        size = array.itemsize
        if references:
            datatype = struct.pack("<B3sI", 0x17, b"\0\0\0", 8)
        elif array.dtype.kind == "f":
            body = {4: (0, 32, 23, 8, 0, 23, 127), 8: (0, 64, 52, 11, 0, 52, 1023)}[size]
            datatype = struct.pack("<B3sIHHBBBBI", 0x11, bytes([0x20, size * 8 - 1, 0]), size, *body)
        else:
            datatype = struct.pack("<B3sIHH", 0x10, b"\0\0\0", size, 0, 8 * size)
        messages = [(0x01, struct.pack(f"<BBB5x{array.ndim}Q", 1, array.ndim, 0, *array.shape)), (0x03, datatype)]
        messages.append((0x05, struct.pack("<BBBB", 2, 2, 0, 0)))
        if chunk:
            tree = self._chunks(array, chunk)
            messages.append((0x08, struct.pack(f"<BBBQ{array.ndim + 1}I", 3, 2, array.ndim + 1, tree, *chunk, size)))
            messages.append((0x0B, struct.pack("<BB6xHHHHI4x", 1, 1, 1, 0, 0, 1, 3)))
        else:
            messages.append((0x08, struct.pack("<BBQQ", 3, 1, self._add(array.tobytes()), array.nbytes)))
        self._names[name] = self._header(messages)
        return self._names[name]

    def save(self, path: Path) -> None:
        """Write the file."""
        names, heap = sorted(self._names), b"\0" * 8
        places = {}
        for name in names:
            places[name] = len(heap)
            heap += name.encode() + b"\0" * (8 - len(name) % 8)
        segment = self._add(heap)
        header = self._add(struct.pack("<4sB3xQQQ", b"HEAP", 0, len(heap), 1, segment))
        entries = b"".join(struct.pack("<QQI4x16x", places[name], self._names[name], 0) for name in names)
        node = struct.pack("<4sBBH", b"SNOD", 1, 0, len(names)) + entries
        tree = struct.pack("<4sBBHQQ", b"TREE", 0, 0, 1, _NONE, _NONE)
        tree += struct.pack("<QQQ", 0, self._add(node.ljust(8 + 40 * LEAF, b"\0")), places[names[-1]])
        root = self._header([(0x11, struct.pack("<QQ", self._add(tree.ljust(24 + 8 * 65, b"\0")), header))])
        block = b"\x89HDF\r\n\x1a\n" + struct.pack("<8BHHI", 0, 0, 0, 0, 0, 8, 8, 0, LEAF // 2, 16, 0)
        block += struct.pack("<4Q", self._user_block, _NONE, self._user_block + len(self._data), _NONE)
        self._data[:96] = block + struct.pack("<QQI4x16x", 0, root, 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(self._user_block, b" ")[: self._user_block] + self._data)

    def _add(self, data: bytes) -> int:
        address = len(self._data)
        self._data += data + b"\0" * (-len(data) % 8)
        return address

    def _header(self, messages: list[tuple[int, bytes]]) -> int:
        body = b""
        for kind, data in messages:
            padded = data + b"\0" * (-len(data) % 8)
            body += struct.pack("<HHB3x", kind, len(padded), 0) + padded
        return self._add(struct.pack("<BBHII4x", 1, 0, len(messages), 1, len(body)) + body)

    def _chunks(self, array: np.ndarray, chunk: tuple[int, ...]) -> int:
        entries = b""
        starts = list(product(*(range(0, side, step) for side, step in zip(array.shape, chunk, strict=True))))
        for start in starts:
            part = array[tuple(slice(at, at + step) for at, step in zip(start, chunk, strict=True))]
            whole = np.zeros(chunk, array.dtype)
            whole[tuple(slice(side) for side in part.shape)] = part
            data = zlib.compress(whole.tobytes(), 1)
            key = struct.pack(f"<II{array.ndim + 1}Q", len(data), 0, *start, 0)
            entries += key + struct.pack("<Q", self._add(data))
        tree = struct.pack("<4sBBHQQ", b"TREE", 1, 0, len(starts), _NONE, _NONE) + entries
        ends = [-(-side // step) * step for side, step in zip(array.shape, chunk, strict=True)]
        tree += struct.pack(f"<II{array.ndim + 1}Q", 0, 0, *ends, 0)
        key_size = 8 + 8 * (array.ndim + 1)
        return self._add(tree.ljust(24 + CHUNKS * (key_size + 8) + key_size, b"\0"))
