"""Reading NumPy's files from outside: their headers say how large the arrays would be, and are checked first.

Format: NumPy documentation, "numpy.lib.format"; a .npz file is a ZIP archive of .npy files.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, TYPE_CHECKING, Any
from warnings import catch_warnings, filterwarnings

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from toolkit.errors import UserError
from toolkit.utils.bounded_file import MOST_BYTES, open_bounded, size_in_words

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

_ARCHIVE = b"PK"  # the first bytes of a ZIP archive
_MOST_DIMENSIONS = 32
_MOST_MEMBERS = 10_000  # arrays in an archive
_MOST_INFLATED = 1032  # bytes that one byte of a deflate stream can stand for (zlib manual, "Maximum Expansion Factor")
_BAD_HEADER = (
    ValueError,
    SyntaxError,
    TokenError,
    TypeError,
    LookupError,
    ArithmeticError,
    RecursionError,
    MemoryError,
    EOFError,
)
"""What NumPy raises for damaged headers; found by damaging them at random."""


@dataclass(frozen=True)
class ArrayHeader:
    """What the header of a .npy file says.

    Attributes:
        shape: The shape of the array.
        dtype: The type of its elements.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """The size of the array [bytes]."""
        return prod(self.shape) * self.dtype.itemsize


class ArrayFile(AbstractContextManager["ArrayFile"]):
    """An open .npy file whose header is sound.

    Args:
        path: The path of the file.

    Raises:
        OSError: If the file is missing or cannot be opened.
        UserError: If it is no array, or its header says what cannot be.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_bounded(path)
        try:
            self.header = _read_header(str(path), self._file, os.fstat(self._file.fileno()).st_size)
        except UserError:
            self._file.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self) -> NDArray[Any]:
        """The array, of the shape and the type that ``header`` says."""
        self._file.seek(0)
        with _old_headers_too():
            return np.asarray(np.load(self._file, allow_pickle=False))


def read_array(path: Path) -> NDArray[Any]:
    """The array (...) in a .npy file.

    Raises:
        OSError: If the file is missing or cannot be read.
        UserError: If it is no array, or its header says what cannot be.
    """
    with ArrayFile(path) as found:
        return found.read()


def is_archive(path: Path) -> bool:
    """Whether a file is a ZIP archive, as .npz files are.

    Raises:
        OSError: If the file is missing or cannot be read.
        UserError: If it is no regular file.
    """
    with open_bounded(path, None) as file:
        return file.read(len(_ARCHIVE)) == _ARCHIVE


def read_named_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays (...) in a .npz file by name.

    Raises:
        OSError: If the file is missing or cannot be read.
        UserError: If it is no such file, is damaged, or holds more than may be read.
    """
    from zipfile import BadZipFile, ZipFile
    from zlib import error as ZlibError

    with open_bounded(path) as file:
        try:
            with ZipFile(file) as archive:
                _check_members(path, archive.infolist())
                return {each.filename.removesuffix(".npy"): _member(path, archive, each) for each in archive.infolist()}
        except (BadZipFile, ZlibError, NotImplementedError, RuntimeError, *_BAD_HEADER) as error:
            raise _damaged(str(path), str(error)) from None


def _check_members(path: Path, members: "list[ZipInfo]") -> None:
    """Check what an archive says of its size before it is unpacked.

    Raises:
        UserError: If it has too many members, or states for one what its compressed bytes cannot hold.
    """
    size = sum(each.file_size for each in members)
    if len(members) > _MOST_MEMBERS or size > MOST_BYTES:
        raise UserError(
            f"{path}: the file is too large when it is unpacked",
            cause=f"it says that it holds {len(members)} arrays of {size_in_words(size)}, and at most {_MOST_MEMBERS} "
            f"of {size_in_words(MOST_BYTES)} are read",
            remedy="check that this is the file you mean; if it is, make it smaller",
        )
    for each in members:
        if each.file_size > _MOST_INFLATED * (each.compress_size + 1):
            raise _damaged(f"{path}, {each.filename[:80]}", "it cannot be as large as it says")


def _member(path: Path, archive: "ZipFile", member: "ZipInfo") -> NDArray[Any]:
    """The array (...) of one member."""
    with archive.open(member) as file:
        _read_header(f"{path}, {member.filename[:80]}", file, member.file_size)
    with archive.open(member) as file, _old_headers_too():
        return np.asarray(npy.read_array(file, allow_pickle=False))


@contextmanager
def _old_headers_too() -> Iterator[None]:
    """Read what Python 2 wrote without NumPy's advice to write it again: the file is the user's own matter."""
    with catch_warnings():
        filterwarnings("ignore", "Reading `.npy`")
        yield


def _read_header(where: str, file: IO[bytes], size: int) -> ArrayHeader:
    """The header at the beginning of a file.

    Args:
        where: What messages call the file.
        file: The file, at its beginning.
        size: Its size [bytes].

    Raises:
        UserError: If it is no header, or says what cannot be.
    """
    try:
        version = npy.read_magic(file)
        # Versions 2 and 3 differ in the encoding of the names of fields alone.
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with _old_headers_too():
            shape, _, dtype = read(file)
    except _BAD_HEADER as error:
        raise _damaged(where, " ".join(str(error).split())[:120]) from None
    header = ArrayHeader(shape, dtype)
    if dtype.hasobject:
        raise _damaged(where, "it holds Python objects, which are pickled and not read")
    if not _is_possible(header):
        raise _damaged(where, f"it says that it holds {str(dtype)[:40]} of shape {str(header.shape)[:60]}")
    there = size - file.tell()
    if header.size > there:
        raise _damaged(where, f"it says that it holds {size_in_words(header.size)}, and has {size_in_words(there)}")
    return header


def _is_possible(header: ArrayHeader) -> bool:
    """Whether NumPy can make such an array, without objects and in the memory that there may be."""
    if not header.dtype.itemsize or len(header.shape) > _MOST_DIMENSIONS:
        return False
    if any(type(side) is not int or side < 0 for side in header.shape):
        return False
    return prod(max(side, 1) for side in header.shape) * header.dtype.itemsize <= MOST_BYTES


def _damaged(where: str, cause: str) -> UserError:
    return UserError(f"{where}: this is no NumPy array", cause, "save it again with numpy.save, without objects")
