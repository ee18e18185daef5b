"""HDF5 files as MATLAB (-v7.3) and h5py write them by default: arrays of numbers and of references, row by row.

Source: The HDF Group, "HDF5 File Format Specification Version 3.0": symbol tables (III.B
to III.D), and datatypes, layouts version 3 and filters deflate and shuffle (IV.A.2). What else the newest library can
write is refused by name.
Arrays have MATLAB's dimensions in reverse: H x W x N is (N, W, H) here.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.readers.hdf5_blocks import DAMAGED, DATASPACE, DATATYPE, FILTERS, LAYOUT, SYMBOLS, Blocks
from toolkit.data.convert.readers.read_files import must_exist, need, reading

_INTEGER, _FLOAT, _REFERENCE = 0, 1, 7


_COMPACT, _CONTIGUOUS, _CHUNKED = 0, 1, 2


_DEFLATE, _SHUFFLE = 1, 2


_OF_GROUPS, _OF_CHUNKS = 0, 1  # kinds of B-trees


_ENTRY = 40  # bytes of a symbol table entry


@lru_cache(maxsize=2)
def open_hdf5(path: Path) -> "Hdf5":
    """An HDF5 file, opened once for neighbouring pictures.

    Raises:
        UserError: If it is missing, cut short, or not of a version that is known here.
    """
    must_exist(path)
    with reading(path, *DAMAGED):
        return Hdf5(Blocks(path))


class Hdf5:
    """The datasets of a file's root group, by name, and those that references lead to."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._opened: dict[str, Dataset] = {}

    def __getitem__(self, name: str) -> "Dataset":
        """The dataset of that name.

        Raises:
            UserError: If there is none.
        """
        if name not in self._opened:
            self._opened[name] = self.at(need(self._names, name, self._blocks.path))
        return self._opened[name]

    def at(self, address: int) -> "Dataset":
        """The dataset that a reference leads to."""
        with reading(self._blocks.path, *DAMAGED):
            found = Dataset(self._blocks, self._blocks.messages(address))
            _ = found.shape, found.dtype  # what is no dataset has neither
            return found

    @cached_property
    def _names(self) -> Mapping[str, int]:
        """Addresses of the root group's objects."""
        with reading(self._blocks.path, *DAMAGED):
            tree, heap = struct.unpack("<2Q", self._blocks.messages(self._blocks.root)[SYMBOLS][:16])
            names = struct.unpack("<Q", self._blocks.bytes_at(heap + 24, 8))[0]
            found = {}
            for node in self._leaves(tree):
                count = struct.unpack("<H", self._blocks.bytes_at(node + 6, 2))[0]
                for place in range(count):
                    name, header = struct.unpack("<2Q", self._blocks.bytes_at(node + 8 + _ENTRY * place, 16))
                    found[self._blocks.word_at(names + name)] = header
            return found

    def _leaves(self, address: int) -> Iterator[int]:
        """The nodes that a group's B-tree leads to."""
        head = self._blocks.node(address, _OF_GROUPS)
        for place in range(head.used):
            child = struct.unpack("<Q", self._blocks.bytes_at(address + 24 + 16 * place + 8, 8))[0]
            if head.level:
                yield from self._leaves(child)
            else:
                yield child


@dataclass(frozen=True, eq=False)
class Dataset:
    """An array on disk.

    Attributes:
        file: The file that holds it.
        messages: Its header.
    """

    file: Blocks = field(repr=False)
    messages: Mapping[int, bytes] = field(repr=False)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions, MATLAB's in reverse."""
        data = self.messages[DATASPACE]
        return struct.unpack_from(f"<{data[1]}Q", data, 8 if data[0] == 1 else 4)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Of its elements; references are addresses."""
        data = self.messages[DATATYPE]
        kind, size = data[0] & 15, struct.unpack_from("<I", data, 4)[0]
        order = ">" if data[1] & 1 else "<"
        if kind == _INTEGER and size in (1, 2, 4, 8):
            return np.dtype(f"{order}{'i' if data[1] & 8 else 'u'}{size}")
        if kind == _FLOAT and size in (2, 4, 8):
            return np.dtype(f"{order}f{size}")
        if kind != _REFERENCE or size != 8:
            self.file.refuse(f"datatype {kind} of {size} bytes")
        return np.dtype("<u8")

    def read(self) -> NDArray[Any]:
        """All of it."""
        with reading(self.file.path, *DAMAGED):
            if not self.shape:
                return self._slab(0).reshape(())
            return np.concatenate([self._slab(start) for start in range(0, self.shape[0], self._deep)])

    def row(self, index: int) -> NDArray[Any]:
        """``array[index]`` along the first dimension.

        Raises:
            UserError: If its part of the file is missing or damaged.
        """
        with reading(self.file.path, *DAMAGED):
            start = index - index % self._deep
            return _slab_of(self, start)[index - start]

    @cached_property
    def _chunk_shape(self) -> tuple[int, ...]:
        """Dimensions of the chunks; () where the array is stored in one piece."""
        data = self.messages[LAYOUT]
        if data[0] != 3 or data[1] not in (_COMPACT, _CONTIGUOUS, _CHUNKED):
            self.file.refuse(f"data layout version {data[0]} class {data[1]}")
        return struct.unpack_from(f"<{data[2] - 1}I", data, 11) if data[1] == _CHUNKED else ()

    @property
    def _deep(self) -> int:
        """Rows that are read together."""
        return self._chunk_shape[0] if self._chunk_shape else 1

    def _slab(self, start: int) -> NDArray[Any]:
        """The rows that are read together with ``start``, their first."""
        chunk = self._chunk_shape
        if not chunk:
            return self._piece(start)
        slab = np.empty((min(chunk[0], self.shape[0] - start), *self.shape[1:]), self.dtype)
        for offset in product(*(range(0, side, step) for side, step in zip(self.shape[1:], chunk[1:], strict=True))):
            values = self._chunk((start, *offset))
            places = tuple(slice(at, at + step) for at, step in zip(offset, chunk[1:], strict=True))
            part = slab[(slice(None), *places)]
            part[...] = values[tuple(slice(side) for side in part.shape)]
        return slab

    def _piece(self, row: int) -> NDArray[Any]:
        """One row (1, ...) of an array that is stored in one piece."""
        data = self.messages[LAYOUT]
        wide = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        if data[1] == _COMPACT:
            values = data[4 + row * wide : 4 + (row + 1) * wide]
        else:
            values = self.file.bytes_at(struct.unpack_from("<Q", data, 2)[0] + row * wide, wide)
        return np.frombuffer(values, self.dtype).reshape(1, *self.shape[1:])

    def _chunk(self, offset: tuple[int, ...]) -> NDArray[Any]:
        if offset not in self._chunks:
            raise KeyError(f"the values at {offset} were never written")
        size, mask, address = self._chunks[offset]
        data = self.file.bytes_at(address, size)
        for place, (filter_, wide) in reversed(list(enumerate(self._filters))):
            if not mask >> place & 1:
                data = _undo(filter_, wide, data)
        return np.frombuffer(data, self.dtype).reshape(self._chunk_shape)

    @cached_property
    def _chunks(self) -> Mapping[tuple[int, ...], tuple[int, int, int]]:
        """Stored size, mask of filters left out, and address of each chunk, by its first element."""
        address = struct.unpack_from("<Q", self.messages[LAYOUT], 3)[0]
        return dict(self._entries(address, len(self._chunk_shape) + 1))

    def _entries(self, address: int, rank: int) -> Iterator[tuple[tuple[int, ...], tuple[int, int, int]]]:
        node = self.file.node(address, _OF_CHUNKS)
        entry = struct.Struct(f"<II{rank}QQ")
        for size, mask, *offset, child in entry.iter_unpack(self.file.bytes_at(address + 24, entry.size * node.used)):
            if node.level:
                yield from self._entries(child, rank)
            else:
                yield tuple(offset[:-1]), (size, mask, child)

    @cached_property
    def _filters(self) -> list[tuple[int, int]]:
        """Number of each filter and its first parameter, in the order in which they were applied."""
        data = self.messages.get(FILTERS, b"\1\0")
        if data[0] not in (1, 2):
            self.file.refuse(f"filter pipeline version {data[0]}")
        found, at = [], 8 if data[0] == 1 else 2
        for _ in range(data[1]):
            filter_ = struct.unpack_from("<H", data, at)[0]
            if filter_ not in (_DEFLATE, _SHUFFLE):
                self.file.refuse(f"filter {filter_}")
            # Version 1 has a length of the name before, and pads the parameters; version 2 neither for these filters.
            name = struct.unpack_from("<H", data, at + 2)[0] if data[0] == 1 else 0
            at += 6 if data[0] == 1 else 4
            count = struct.unpack_from("<H", data, at)[0]
            at += 2 + name
            found.append((filter_, struct.unpack_from("<I", data, at)[0] if count else 0))
            at += 4 * (count + count % 2 if data[0] == 1 else count)
        return found


@lru_cache(maxsize=2)
def _slab_of(dataset: Dataset, start: int) -> NDArray[Any]:
    """Kept for the next row; a slab of a large set's pictures is some hundred megabytes."""
    return dataset._slab(start)


def _undo(filter_: int, wide: int, data: bytes) -> bytes:
    """What a filter was given; the shuffle's ``wide`` is the bytes of an element, which it sorts by significance."""
    if filter_ == _DEFLATE:
        return zlib.decompress(data)
    return np.frombuffer(data, np.uint8).reshape(wide, -1).T.tobytes()
