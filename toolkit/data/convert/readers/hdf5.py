"""Reads HDF5 files of MATLAB (-v7.3) with h5py, the extra ``hdf5``: arrays row by row, and cell arrays of text.

Nothing outside of the file is read: links to other places, external storage and virtual datasets are refused. Sizes are
checked before memory is taken. Arrays have MATLAB's dimensions in reverse order: H x W x N is (N, W, H) here.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.readers.read_files import must_exist, reading
from toolkit.data.convert.readers.read_once import read_once
from toolkit.errors import UserError

if TYPE_CHECKING:
    import h5py

_MOST_BYTES = 1 << 28  # read at once: 256 MiB; a picture of 640 x 480 has one
_MOST_TEXTS, _LONGEST_TEXT = 1 << 16, 1 << 12  # in one cell array; in one text
_DAMAGED = (ValueError, KeyError, TypeError, RuntimeError, OverflowError, MemoryError)
"""The exceptions of h5py for a damaged file, besides OSError."""


@read_once(2)
def open_hdf5(path: Path) -> "Hdf5File":
    """Open an HDF5 file; neighbouring pictures share one open file.

    Raises:
        UserError: If it is missing, cut short or not HDF5, or if the package h5py is missing.
    """
    must_exist(path)
    try:
        import h5py
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "h5py":
            raise
        raise UserError(
            f"{path}: this file cannot be read yet",
            cause="HDF5 files are read with the package h5py, which is not installed",
            remedy="pip install '3dqa-toolkit[hdf5]'",
        ) from None
    with reading(path, *_DAMAGED):
        # Not locked: nothing is written, and some network file systems know no locks.
        return Hdf5File(path, h5py.File(path, "r", locking=False))


class Hdf5File:
    """An open file.

    Args:
        path: The path of the file, for messages.
        file: The file, opened by h5py.
    """

    def __init__(self, path: Path, file: "h5py.File") -> None:
        self._path, self._file = path, file
        self._arrays: dict[str, Hdf5Array] = {}

    def array(self, name: str) -> "Hdf5Array":
        """The array of numbers of that name in the root group.

        Raises:
            UserError: If there is none, or its values lie elsewhere, were never written, or are no numbers.
        """
        if name not in self._arrays:
            with reading(self._path, *_DAMAGED):
                self._arrays[name] = self._find_array(name)
        return self._arrays[name]

    def texts(self, name: str) -> list[str]:
        """The texts of the cell array of that name: it holds references to arrays of characters.

        Raises:
            UserError: If there is none, or it holds anything else.
        """
        import h5py

        with reading(self._path, *_DAMAGED):
            cells = self._find(name)
            if h5py.check_ref_dtype(cells.dtype) is not h5py.Reference:
                raise _foreign(self._path, f"{name!r} holds {cells.dtype}, not references to texts")
            if cells.size > _MOST_TEXTS:
                raise _foreign(self._path, f"{name!r} holds {cells.size} texts, more than {_MOST_TEXTS}")
            return [self._read_text(reference, name) for reference in np.ravel(cells[()])]

    def _find_array(self, name: str) -> "Hdf5Array":
        found = self._find(name)
        if found.dtype.kind not in "iuf":
            raise _foreign(self._path, f"{name!r} holds {found.dtype}, not numbers")
        array = Hdf5Array(self._path, found)
        if array.row_bytes > _MOST_BYTES:
            raise _foreign(self._path, f"a row of {name!r} has {array.row_bytes} bytes, more than {_MOST_BYTES}")
        return array

    def _find(self, name: str) -> "h5py.Dataset":
        """The dataset of that name, without following links."""
        import h5py

        links = self._file.id.links
        if not links.exists(name.encode()):
            raise _foreign(self._path, f"{name!r} is missing")
        if links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
            raise _foreign(self._path, f"{name!r} is a link to another place, which is not followed")
        return self._check_dataset(self._file[name], repr(name))

    def _read_text(self, reference: "h5py.Reference", name: str) -> str:
        """The text that an element of the cell array ``name`` refers to; MATLAB stores it in UTF-16."""
        found = self._check_dataset(self._file[reference], f"a text of {name!r}")
        if found.dtype.kind != "u" or found.dtype.itemsize > 2 or found.size > _LONGEST_TEXT:
            raise _foreign(self._path, f"a text of {name!r} is {found.shape} of {found.dtype}, not characters")
        return found[()].astype("<u2").tobytes().decode("utf-16-le")

    def _check_dataset(self, found: Any, name: str) -> "h5py.Dataset":
        """Raise a UserError unless this object is a dataset whose values are in the file, all of them."""
        import h5py

        if not isinstance(found, h5py.Dataset):
            raise _foreign(self._path, f"{name} is no array")
        properties = found.id.get_create_plist()
        # Checked before the shape is asked for, because that would open the files of a virtual dataset.
        if properties.get_layout() == h5py.h5d.VIRTUAL or properties.get_external_count():
            raise _foreign(self._path, f"the values of {name} lie in other files, which are not read")
        if found.shape is None:
            raise _foreign(self._path, f"{name} is empty")
        chunk_bytes = prod(found.chunks or ()) * found.dtype.itemsize
        if chunk_bytes > _MOST_BYTES:
            raise _foreign(self._path, f"a chunk of {name} has {chunk_bytes} bytes, more than {_MOST_BYTES}")
        if not _is_complete(found):
            raise _foreign(self._path, f"some values of {name} were never written")
        return found


@dataclass(frozen=True, eq=False)
class Hdf5Array:
    """An array of numbers on disk.

    Attributes:
        path: The path of its file, for messages.
        dataset: The dataset of h5py.
    """

    path: Path
    dataset: "h5py.Dataset"

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The dimensions of the array, in reverse of MATLAB's order."""
        return tuple(self.dataset.shape)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The type of the numbers."""
        return self.dataset.dtype

    @property
    def row_bytes(self) -> int:
        """The size of one row in memory [bytes]."""
        return prod(self.shape[1:]) * self.dtype.itemsize

    def row(self, index: int) -> NDArray[Any]:
        """The part ``array[index]`` (...) along the first dimension, with the other dimensions of the array.

        Raises:
            UserError: If its part of the file is damaged.
        """
        with reading(self.path, *_DAMAGED):
            start = index - index % self._rows_at_once
            return _read_rows(self, start, self._rows_at_once)[index - start]

    @cached_property
    def _rows_at_once(self) -> int:
        """The rows that share chunks, as many as memory allows: one row costs the decompression of all of them."""
        chunk = self.dataset.chunks or (1,)
        return max(1, min(chunk[0], _MOST_BYTES // max(1, self.row_bytes)))


@read_once(2)
def _read_rows(array: Hdf5Array, start: int, count: int) -> NDArray[Any]:
    """Some rows, kept for the next picture: one set of them from the pictures, and one from the depth maps."""
    return array.dataset[start : start + count]


def _is_complete(dataset: "h5py.Dataset") -> bool:
    """Whether the file holds all values of a dataset; HDF5 would read the others as zeros."""
    if dataset.chunks is None:
        return dataset.id.get_storage_size() >= dataset.nbytes
    expected = prod(ceil(side / step) for side, step in zip(dataset.shape, dataset.chunks, strict=True))
    return dataset.id.get_num_chunks() == expected


def _foreign(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path}: {problem}",
        cause="the file is damaged, or was written by a program other than that of the set's authors",
        remedy="download the set's own file again",
    )
