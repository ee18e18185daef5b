"""Reading a set's files: whatever is missing, cut short or unexpected becomes a UserError with its path."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from toolkit.data.frames.frame import ImageFile
from toolkit.errors import UserError
from toolkit.utils.arrays import Array

_TAIL = 4096  # bytes at the end of a JPEG among which its end marker stands


_AGAIN = "the download is incomplete or damaged: get this file again, or leave it out with --skip-bad"


def must_exist(path: Path) -> None:
    """Raise a UserError if there is no such file."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such file", remedy=_AGAIN)


@contextmanager
def reading(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Turn what goes wrong while a file is read, OSError and ``errors``, into a UserError with its path."""
    must_exist(path)
    foreseen: tuple[type[Exception], ...] = (OSError, EOFError, UnicodeDecodeError, *errors)
    try:
        yield
    except foreseen as error:
        raise UserError(f"{path}: the file cannot be read", f"{type(error).__name__}: {error}", _AGAIN) from None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in the UserErrors of what is made of its numbers."""
    try:
        yield
    except UserError as fault:
        raise UserError(f"{path}: {fault.problem}", fault.cause, fault.remedy) from None


def check_picture(path: Path) -> tuple[int, int]:
    """Width and height of a whole picture, as stored; JPEG and PNG are judged by their ends, others are decoded.

    Raises:
        UserError: If it is missing, cut short or not a picture.
    """
    must_exist(path)
    width, height, _ = ImageFile(path).stored_size()
    with reading(path), path.open("rb") as file:
        head = file.read(8)
        file.seek(-min(_TAIL, path.stat().st_size), 2)
        tail = file.read()
    ended = b"\xff\xd9" in tail if head.startswith(b"\xff\xd8") else head[1:4] == b"PNG" and b"IEND" in tail[-12:]
    if not ended:
        ImageFile(path).read()
    return width, height


def read_json(path: Path) -> Any:
    """A JSON file.

    Raises:
        UserError: If it is missing or damaged.
    """
    with reading(path, ValueError, RecursionError):
        return json.loads(path.read_text(encoding="utf-8-sig"))


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not blank, without line ends.

    Raises:
        UserError: If it is missing or not text.
    """
    with reading(path):
        return [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


def read_numbers(path: Path) -> Array:
    """All numbers of a text file (N,), separated by spaces, commas or line ends; "#" begins a comment.

    Raises:
        UserError: If it is missing, or something else stands in it.
    """
    words = " ".join(line.partition("#")[0] for line in read_lines(path)).replace(",", " ").split()
    with reading(path, ValueError):
        return np.array([float(word) for word in words])


def read_keyed_numbers(path: Path) -> dict[str, Array]:
    """Lines "key: number number ..." as KITTI's calibration has them; lines that hold words are left out.

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


def read_records(path: Path, dtype: DTypeLike, columns: int) -> NDArray[Any]:
    """A headerless binary file of rows (N, columns), such as a LiDAR sweep.

    Raises:
        UserError: If it is missing, or its size is no whole number of rows.
    """
    with reading(path):
        size = path.stat().st_size
        row = np.dtype(dtype).itemsize * columns
        if size % row:
            raise UserError(f"{path}: {size} bytes are no whole number of {row}-byte points", remedy=_AGAIN)
        return np.fromfile(path, dtype).reshape(-1, columns)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file; that of a .npy file under the name "data".

    Raises:
        UserError: If it is missing or damaged.
    """
    from zipfile import BadZipFile
    from zlib import error as ZlibError

    with reading(path, ValueError, BadZipFile, ZlibError):
        loaded = np.load(path)
        return {"data": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}


def need(mapping: Any, key: str, where: Path, kind: Any = object) -> Any:
    """What stands under a key, possibly nested: "datum.image.filename".

    Raises:
        UserError: If it is missing or of another kind: the set's version is another than the format knows.
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
        raise UserError(f"{where}: {key!r} is {value!r}, not {getattr(kind, '__name__', kind)}", remedy=_AGAIN)
    return value


def matrix_of(numbers: Mapping[str, Array], key: str, shape: tuple[int, int], where: Path) -> Array:
    """A matrix from ``read_keyed_numbers``.

    Raises:
        UserError: If it is missing or has another number of entries.
    """
    values = need(numbers, key, where)
    if values.size != shape[0] * shape[1]:
        raise UserError(f"{where}: {key!r} has {values.size} numbers, not {shape[0]} x {shape[1]}", remedy=_AGAIN)
    return np.asarray(values.reshape(shape), dtype=np.float64)
