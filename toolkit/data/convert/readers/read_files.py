"""Reads the files of a data set: whatever is missing, cut short or unexpected becomes a UserError with its path."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from toolkit.data.frames.frame import ImageFile
from toolkit.errors import UserError
from toolkit.utils.array_file import is_archive, read_array, read_named_arrays
from toolkit.utils.arrays import Array
from toolkit.utils.bounded_file import MOST_BYTES, open_bounded, read_bounded
from toolkit.utils.json import read_json_file, shown
from toolkit.utils.system_errors import system_error

_TAIL = 4096  # bytes at the end of a JPEG; its end marker is among them
_MOST_NUMBERS = MOST_BYTES // 8  # elements of a variable of a MATLAB file
_AGAIN = "the download is incomplete or damaged: get this file again, or leave it out with --skip-bad"


def must_exist(path: Path) -> None:
    """Raise a UserError if there is no such file."""
    if not os.path.isfile(path):  # Path.is_file raises an error if the name is too long
        raise UserError(f"{path}: there is no such file", remedy=_AGAIN)


@contextmanager
def reading(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Turn what goes wrong while a file is read into a UserError with its path.

    Args:
        path: The file.
        errors: The exceptions that a damaged file may cause, besides OSError, EOFError and UnicodeDecodeError.

    Raises:
        UserError: If the file is missing, or one of the exceptions occurs.
    """
    must_exist(path)
    foreseen: tuple[type[Exception], ...] = (OSError, EOFError, UnicodeDecodeError, *errors)
    try:
        yield
    except foreseen as error:
        damaged = UserError(f"{path}: the file cannot be read", f"{type(error).__name__}: {error}", _AGAIN)
        raise system_error(path, error, "read") or damaged from None


@contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Add the path of a file to the UserErrors of checks that get only the file's numbers."""
    try:
        yield
    except UserError as fault:
        raise UserError(f"{path}: {fault.problem}", fault.cause, fault.remedy) from None


def check_picture(path: Path) -> tuple[int, int]:
    """Check that a picture is whole: JPEG and PNG by how they end, other files by decoding them.

    Returns:
        Its width and height as stored [px].

    Raises:
        UserError: If it is missing, cut short or not a picture.
    """
    must_exist(path)
    width, height, _ = ImageFile(path).stored_size()
    with reading(path), open_bounded(path, None) as file:
        head = file.read(8)
        file.seek(-min(_TAIL, path.stat().st_size), 2)
        tail = file.read()
    if not (is_whole_jpeg(head, tail) or (head[1:4] == b"PNG" and b"IEND" in tail[-12:])):
        ImageFile(path).read()
    return width, height


def is_whole_jpeg(head: bytes, tail: bytes) -> bool:
    """Whether the first and the last bytes of a file are those of a JPEG that has its end marker."""
    return head.startswith(b"\xff\xd8") and b"\xff\xd9" in tail[-_TAIL:]


def check_size(path: Path, size: Sequence[int], expected: tuple[int, int], cause: str, remedy: str) -> None:
    """Raise a UserError, with its cause and remedy, if a picture has another width and height [px] than expected."""
    if tuple(size) != expected:
        raise UserError(
            f"{path}: it is {size[0]} x {size[1]}, not {expected[0]} x {expected[1]}", cause=cause, remedy=remedy
        )


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: If it is missing or damaged.
    """
    with reading(path):
        return read_json_file(path, MOST_BYTES)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not blank, without line ends.

    Raises:
        UserError: If it is missing or not text.
    """
    with reading(path):
        return [line for line in read_bounded(path).decode("utf-8-sig").splitlines() if line.strip()]


def read_numbers(path: Path) -> Array:
    """All numbers (N,) of a text file, separated by spaces, commas or line ends; "#" begins a comment.

    Raises:
        UserError: If it is missing, or holds anything else.
    """
    words = " ".join(line.partition("#")[0] for line in read_lines(path)).replace(",", " ").split()
    with reading(path, ValueError):
        return np.array([float(word) for word in words])


def read_keyed_numbers(path: Path) -> dict[str, Array]:
    """The numbers (N,) of each line "key: number number ..." of a text file, by key; other lines are left out.

    Raises:
        UserError: If it is missing.
    """
    found = {}
    for line in read_lines(path):
        key, _, rest = line.partition(":")
        try:
            found[key.strip()] = np.array([float(word) for word in rest.split()])
        except ValueError:
            continue
    return found


def read_binary_rows(path: Path, dtype: DTypeLike, columns: int) -> NDArray[Any]:
    """The rows (N, columns) of a binary file without a header, such as a LiDAR sweep.

    Args:
        path: The file.
        dtype: The type of each number.
        columns: The number of numbers in a row.

    Raises:
        UserError: If it is missing, or its size is not a whole number of rows.
    """
    with reading(path):
        content = read_bounded(path)
        row = np.dtype(dtype).itemsize * columns
        if len(content) % row:
            raise UserError(f"{path}: {len(content)} bytes are no whole number of {row}-byte points", remedy=_AGAIN)
        return np.frombuffer(content, dtype).reshape(-1, columns)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file by name, or the array of a .npy file under the name "data"; of any shape (...).

    Raises:
        UserError: If it is missing or damaged.
    """
    with reading(path):
        return read_named_arrays(path) if is_archive(path) else {"data": read_array(path)}


def read_matlab(path: Path, *names: str, simplify: bool = False) -> dict[str, Any]:
    """The variables of a MATLAB file (up to version 7.2) by name.

    Args:
        path: The file.
        names: The variables to read; without names, all of them.
        simplify: Whether structs become dictionaries, and dimensions of length 1 are dropped.

    Raises:
        UserError: If it is missing or damaged.
    """
    from zlib import error as ZlibError

    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    with reading(
        path, MatReadError, ValueError, TypeError, NotImplementedError, ZlibError, ArithmeticError, MemoryError
    ):
        open_bounded(path).close()
        for name, shape, kind in whosmat(path):
            if prod(map(int, shape)) > _MOST_NUMBERS:
                raise UserError(f"{path}: {name[:80]!r} is {kind} of shape {shape}, which is too large", remedy=_AGAIN)
        return dict(loadmat(path, simplify_cells=simplify, variable_names=names or None))


def need(mapping: Any, key: str, where: Path, kind: Any = object) -> Any:
    """The value under a key.

    Args:
        mapping: The mapping, possibly nested.
        key: The key; dots separate the keys of nested mappings: "datum.image.filename".
        where: The file that the mapping was read from, for messages.
        kind: The type, or types, that the value must have.

    Raises:
        UserError: If it is missing or of another type, because the version of the data set is not known here.
    """
    value = mapping
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise UserError(
                f"{where}: {key!r} is missing",
                cause="the file is damaged, or of a version of the set that this toolkit does not know",
                remedy=_AGAIN,
            )
        value = value[part]
    if not isinstance(value, kind):
        raise UserError(f"{where}: {key!r} is {shown(value)}, not {getattr(kind, '__name__', kind)}", remedy=_AGAIN)
    return value


def need_matrix(numbers: Mapping[str, Array], key: str, shape: tuple[int, int], where: Path) -> Array:
    """A matrix of the given shape (rows, columns), from the numbers (N,) that ``read_keyed_numbers`` returns.

    Raises:
        UserError: If its key is missing, or it has another number of entries.
    """
    values = need(numbers, key, where)
    if values.size != shape[0] * shape[1]:
        raise UserError(f"{where}: {key!r} has {values.size} numbers, not {shape[0]} x {shape[1]}", remedy=_AGAIN)
    return np.asarray(values.reshape(shape), dtype=np.float64)
