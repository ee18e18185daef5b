"""Reads the numbers of a depth map's file; what it says of its size is checked before it is decoded."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.frames.depth_head import EXR, stored_size
from toolkit.errors import UserError
from toolkit.utils.array_file import ArrayFile
from toolkit.utils.bounded_file import LONGEST_SIDE, MOST_BYTES, MOST_PIXELS, read_bounded
from toolkit.utils.system_errors import file_error

_PNG, _PNG_END = b"\x89PNG", b"IEND"
_PER_PIXEL = 32  # bytes that a file may have for each pixel: four channels of 64 bits
_BESIDES = 1 << 26  # bytes that it may have besides, for colour profiles and further pictures


def read_stored_depth(path: Path, size: tuple[int, int], turned: bool = False) -> NDArray[Any]:
    """The numbers (h, w) of a depth map, as they are stored.

    Args:
        path: A picture file of more than 8 bits, or a .npy array.
        size: The width and height of its picture [px].
        turned: Whether it may have the height as its width and the width as its height.

    Raises:
        UserError: If the file is missing, damaged, of another size, or no depth map.
    """
    sizes = (size, size[::-1]) if turned else (size,)
    try:
        array = path.suffix.lower() == ".npy"
        stored = _read_array(path, sizes) if array else _decode(path, _read_file(path, size), sizes)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{path}: there is no such depth map",
            remedy="check its path; a manifest's paths are relative to the manifest",
        ) from None
    except OSError as error:
        raise file_error(path, error, "read") from None
    if stored.dtype == np.uint8:
        raise _unreadable(path, "it has 8 bits: a picture of the depth, not the depth")
    if stored.ndim != 2 or stored.dtype.kind not in "iuf":
        raise _unreadable(path, f"it holds {stored.dtype} of shape {stored.shape}, not one channel")
    return stored


def decode_depth(path: Path, content: bytes) -> NDArray[Any]:
    """The numbers (h, w, …) in a picture file of any possible size.

    Args:
        path: The file, for messages.
        content: Its bytes.

    Raises:
        UserError: If OpenCV cannot read it, or could read only a part of it, or if it is too large.
    """
    return _decode(path, content, ())


def _read_file(path: Path, size: tuple[int, int]) -> bytes:
    return read_bounded(path, min(MOST_BYTES, _BESIDES + _PER_PIXEL * size[0] * size[1]))


def _read_array(path: Path, sizes: tuple[tuple[int, int], ...]) -> NDArray[Any]:
    """The array in a .npy file; only if it has two dimensions, one of ``sizes`` (width, height)."""
    try:
        file = ArrayFile(path)
    except UserError as fault:
        raise _unreadable(path, fault.cause) from None
    with file as found:
        shape = found.header.shape
        if len(shape) != 2:
            raise _unreadable(path, f"it holds {found.header.dtype} of shape {shape}, not one channel")
        _check_size(path, shape[::-1], sizes)
        return found.read()


def _decode(path: Path, content: bytes, sizes: tuple[tuple[int, int], ...]) -> NDArray[Any]:
    """The numbers (h, w, …) in a picture file of one of ``sizes`` (width, height); of any size if there are none."""
    if content.startswith(_PNG) and _PNG_END not in content[-12:]:
        raise _unreadable(path, "it is cut short")  # OpenCV would decode a part of it, and not report it
    strange = "EXR is not read" if content.startswith(EXR) else "OpenCV does not recognise it"
    stated = stored_size(content)
    if stated is None:
        raise _unreadable(path, strange)
    _check_size(path, stated, sizes)
    try:
        stored = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise _unreadable(path, strange if content.startswith(EXR) else str(error)) from None
    if stored is None:
        raise _unreadable(path, strange)
    _check_size(path, stored.shape[1::-1], sizes)
    return np.asarray(stored)


def _check_size(path: Path, stated: tuple[int, int], sizes: tuple[tuple[int, int], ...]) -> None:
    """Raise a UserError if a depth map has a width and height that it cannot have, or none of ``sizes``."""
    width, height = stated
    if sizes and stated not in sizes:
        raise UserError(
            f"{path}: the depth map is {width} x {height}, its picture {sizes[0][0]} x {sizes[0][1]}",
            remedy="resample the depth map to the picture's size with nearest neighbours",
        )
    if width * height > MOST_PIXELS or max(stated) > LONGEST_SIDE:
        raise _unreadable(path, f"it states {width} x {height} px, which are too many")


def _unreadable(path: Path, cause: str) -> UserError:
    return UserError(
        f"{path}: the depth map cannot be read",
        cause=cause,
        remedy="convert it to a one-channel 16-bit PNG, a float TIFF or a .npy array",
    )
