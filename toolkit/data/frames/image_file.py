"""Picture files of every kind that Pillow and its plug-ins read, and clear errors for files that cannot be used."""

import importlib
import os
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from toolkit.errors import UserError
from toolkit.utils.bounded_file import LONGEST_SIDE, MOST_PIXELS, open_bounded, read_bounded
from toolkit.utils.system_errors import file_error

DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
)
"""What Pillow raises for damaged files, depending on the format; found by damaging files of 22 formats at random."""

_Number = TypeVar("_Number", bound=np.generic)

RAW_ENDINGS = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw")
"""The endings of camera raw files."""

_NO_TAGS = 20  # bytes of an EXIF block that holds no tag
_MOST_COUNTED = 1000  # pictures in a TIFF; the time that Pillow takes grows with their number squared
_HEAD = 64  # bytes at the beginning of a file that tell what it is


class MissingReader(UserError):
    """A picture is of a kind that needs a plug-in of Pillow, which is not installed."""


@dataclass(frozen=True)
class _Reader:
    """A plug-in that lets Pillow read one more kind of picture.

    Attributes:
        heads: The bytes with which such files begin, after ``start`` other bytes.
        start: The number of bytes before these.
        kind: The name of the kind, for messages.
        module: The module to import.
        package: The package to install.
    """

    heads: tuple[bytes, ...]
    start: int
    kind: str
    module: str
    package: str


_READERS = (
    _Reader((b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1"), 4, "HEIC", "pillow_heif", "pillow-heif"),
    _Reader((b"ftypavi",), 4, "AVIF", "pillow_avif", "pillow-avif-plugin"),
    _Reader((b"\xff\x0a", b"\0\0\0\x0cJXL "), 0, "JPEG XL", "pillow_jxl", "pillow-jxl-plugin"),
)

_FRAME = "take a frame of it: ffmpeg -i VIDEO -frames:v 1 frame.png"

_STRANGERS = (
    (0, b"version https://git-lfs", "it is a Git LFS pointer, not the picture itself", "git lfs pull"),
    (0, b"%PDF", "it is a PDF document", "save the page as PNG: pdftoppm -png FILE page"),
    (4, b"ftyp", "it is a video", _FRAME),
    (8, b"AVI ", "it is a video", _FRAME),
    (0, b"\x1aE\xdf\xa3", "it is a video", _FRAME),
    (0, b"\x93NUMPY", "it is a NumPy array", "save it as PNG; from Python, give the array itself"),
    (0, b"v/1\x01", "it is an OpenEXR picture, which holds floating-point numbers", "convert it to PNG"),
)
"""Files that users give for pictures: a place, the bytes there, what such a file is, and what to do about it."""


_ENDS = {"PNG": b"IEND\xaeB`\x82", "JPEG": b"\xff\xd9"}
"""The last bytes of a whole file of a format."""

_DECODED_AT = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Open a picture file without decoding it; whatever goes wrong with it until it is closed becomes a UserError.

    Raises:
        UserError: If the file is missing, damaged, too large, or no picture.
    """
    if path.suffix.lower() in RAW_ENDINGS:
        raise UserError(
            f"{path}: camera raw files cannot be asked about",
            cause="they hold what the sensor saw, and a small preview that passes for the picture",
            remedy="develop it to TIFF or JPEG in full size",
        )
    if os.path.exists(path) and not path.is_file():
        raise _no_file(path)
    try:
        with without_guard(), _open(path) as image:
            _check_size(path, image)
            yield image
    except UnidentifiedImageError:
        raise _no_picture(path) from None
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{path}: there is no such picture",
            remedy="check the path; a manifest's paths are relative to the manifest",
        ) from None
    except DAMAGED as error:
        raise _unreadable(path, error) from None


def read_rgb(path: Path, factor: int = 1) -> tuple[NDArray[np.uint8], int]:
    """A picture file as upright 8-bit RGB; see ``rgb_pixels``.

    Plain PNG and JPEG files are decoded by OpenCV, which gives the same pixels in two thirds of the time. Whatever is
    unusual in a file, or wrong with it, is left to Pillow, whose faults are told in words. A JPEG that is damaged
    in its middle may pass, however: libjpeg fills in what is lost, and OpenCV only warns of it on standard error.

    Args:
        path: The file.
        factor: 1, 2, 4 or 8: a plain JPEG is decoded at this part of its width and height. Its blocks are then decoded
            to fewer pixels, each of which is the mean of ``factor`` x ``factor``.

    Returns:
        The picture (ceil(height / factor), ceil(width / factor), 3), and its factor, which is 1 for all other files.

    Raises:
        UserError: If the file is missing, damaged, too large, or no picture.
    """
    with open_image(path) as image:
        orientation = orientation_of(image)
        # Where a turned picture does not fill its last pixels, they would come to lie at its left or upper border.
        if image.format != "JPEG" or (orientation != 1 and any(side % factor for side in image.size)):
            factor = 1
        decoded = _decode_plain(path, image, factor)
        if decoded is None:
            return rgb_pixels(image, path), 1
        return turn_upright(decoded, orientation), factor


def _decode_plain(path: Path, image: Image.Image, factor: int = 1) -> NDArray[np.uint8] | None:
    """The stored pixels of a PNG or JPEG of 8 bits without transparency; None for others, and for what cannot be read.

    Returns:
        The picture (h, w, 3) RGB; with a ``factor`` of 2, 4 or 8, a JPEG at this part of its size.
    """
    end = _ENDS.get(image.format or "")
    if end is None or image.mode not in ("RGB", "L") or "transparency" in image.info or _raw_mode(image) != image.mode:
        return None
    stored = read_bounded(path)
    if not stored.endswith(end):
        return None  # it may be cut off, which OpenCV does not tell
    decoded = cv2.imdecode(np.frombuffer(stored, np.uint8), _DECODED_AT[factor] | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None or decoded.shape[1::-1] != tuple(-(-side // factor) for side in image.size):
        return None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded), dtype=np.uint8)


def _raw_mode(image: Image.Image) -> str:
    """How the pixels of an opened PNG or JPEG are stored: "RGB" or "L" for 8 bits a channel."""
    arguments = image.tile[0][3] if isinstance(image, ImageFile) and image.tile else None
    return str(arguments[0]) if isinstance(arguments, tuple) else str(arguments)


def rgb_pixels(image: Image.Image, name: object) -> NDArray[np.uint8]:
    """A PIL picture as upright 8-bit RGB (height, width, 3).

    The EXIF orientation is applied. A 16-bit grey picture keeps its high bytes, while Pillow would clip them.
    Transparent pixels keep the colour that is stored for them. Of several pictures in a file, the current one is taken.

    Args:
        image: The picture.
        name: The name of the picture in messages.

    Raises:
        UserError: If the numbers of the picture are no brightness of 8 or 16 bits.
    """
    if image.mode == "F":
        raise UserError(
            f"{name}: the picture holds floating-point numbers",
            cause="which of them is black and which is white is not known; a depth map is not a picture",
            remedy="convert it to PNG or JPEG with 8 bits",
        )
    if image.mode.startswith("I"):
        shown = _from_integers(image, name)
    elif image.mode == "P" and "transparency" in image.info:
        shown = image.convert("RGBA")  # Pillow warns where it drops transparency from a palette
    else:
        shown = image
    return turn_upright(np.asarray(shown.convert("RGB")), orientation_of(image))


def _from_integers(image: Image.Image, name: object) -> Image.Image:
    grey = np.asarray(image)
    if grey.max(initial=0) > np.iinfo(np.uint16).max or grey.min(initial=0) < 0:
        raise UserError(
            f"{name}: the picture holds whole numbers from {grey.min()} to {grey.max()}",
            cause="which of them is black and which is white is not known",
            remedy="convert it to PNG or JPEG with 8 bits",
        )
    return Image.fromarray((grey >> 8).astype(np.uint8))


def turn_upright(pixels: NDArray[_Number], orientation: int) -> NDArray[_Number]:
    """The upright picture or depth map (height, width, …).

    Args:
        pixels: The picture or depth map as it is stored (height, width, …).
        orientation: Its EXIF orientation, 1 to 8 (TIFF 6.0, tag 274).
    """
    if orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation of a picture, 1 to 8, without decoding it; 1 if it is missing or none of these."""
    # This is not image.getexif(), which for PNG decodes the pixels to find EXIF behind them.
    try:
        orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except DAMAGED:
        return 1
    return orientation if orientation in range(1, 9) else 1


def exif_of(image: Image.Image) -> Mapping[int, Any] | None:
    """The EXIF tags about how a picture was taken, by number; None if they are damaged."""
    try:
        tags = image.getexif()
        # For JPEG, Pillow has read them before; if they are damaged, it finds none from then on.
        if not tags and len(image.info.get("exif") or b"") > _NO_TAGS:
            return None
        return dict(tags.get_ifd(ExifTags.IFD.Exif))
    except DAMAGED:
        return None


def count_frames(image: Image.Image) -> int:
    """The number of pictures in a file; 1 if those after the first one are damaged. Many in a TIFF are not counted."""
    try:
        return _count_pages(image) if image.format == "TIFF" else int(getattr(image, "n_frames", 1))
    except DAMAGED:
        return 1


def _count_pages(image: Image.Image) -> int:
    """The number of pictures in a TIFF, at most ``_MOST_COUNTED``. Pillow's own count is wrong after a failed seek."""
    current, found = image.tell(), 0
    try:
        for found in range(1, _MOST_COUNTED):
            image.seek(found)
    except EOFError:
        return found
    finally:
        image.seek(current)
    return _MOST_COUNTED


def _no_file(path: Path) -> UserError:
    if path.is_dir():
        return UserError(f"{path}: this is a folder, not a picture", remedy="name a picture in it")
    return UserError(f"{path}: this is not a file", "pictures are read at random places", "save it as a file first")


def _unreadable(path: Path, error: Exception) -> UserError:
    """The error for a file that cannot be read, from what the operating system or Pillow said.

    Only errors of the operating system have a number.
    """
    problem = f"{path}: the picture cannot be read"
    if isinstance(error, OSError) and error.errno:
        said = file_error(path, error, "read")
        return UserError(problem, said.cause, said.remedy)
    return UserError(problem, str(error), "the file is damaged or cut short: copy it again")


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except UnidentifiedImageError:
        if not _add_reader(path):
            raise
    return Image.open(path)


def _add_reader(path: Path) -> bool:
    """Load the plug-in that reads a file, and say whether there is one.

    Raises:
        MissingReader: If the plug-in is not installed.
    """
    head = _head(path)
    for reader in _READERS:
        if head[reader.start :].startswith(reader.heads):
            try:
                plug_in = importlib.import_module(reader.module)
            except ImportError:
                raise MissingReader(
                    f"{path}: {reader.kind} pictures cannot be read here",
                    cause=f"the package {reader.package} is not installed",
                    remedy=f"pip install {reader.package}, or convert it to PNG or JPEG",
                ) from None
            if hasattr(plug_in, "register_heif_opener"):
                plug_in.register_heif_opener()
            return True
    return False


def _no_picture(path: Path) -> UserError:
    """The error for a file that is no picture, which says what it is instead."""
    problem, head = f"{path}: this is not a picture that Pillow reads", _head(path)
    if not head:
        return UserError(problem, "the file is empty", "copy or download it again")
    for start, begin, what, remedy in _STRANGERS:
        if head[start:].startswith(begin):
            return UserError(problem, what, remedy)
    if head.isascii() and head.decode("ascii").replace("\n", " ").replace("\r", " ").replace("\t", " ").isprintable():
        words = " ".join(head.decode("ascii").split())
        return UserError(problem, f"it holds text: {words}", "a download may have saved an error page: get it again")
    return UserError(problem, "it is damaged, or of an unknown kind", "convert it to PNG or JPEG")


def _head(path: Path) -> bytes:
    with open_bounded(path) as file:
        return file.read(_HEAD)


def _check_size(path: Path, image: Image.Image) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise UserError(
            f"{path}: {width} x {height} px are too many",
            cause=f"at most {MOST_PIXELS // 1_000_000} million pixels are read, and {LONGEST_SIDE} a side",
            remedy="make it smaller, and its focal length and points with it; or cut it",
        )


class _Guard:
    """The limit of Pillow's guard against large pictures, and the number of pictures that are open without it."""

    lock = threading.Lock()
    limit: int | None = None
    open = 0


@contextmanager
def without_guard() -> Iterator[None]:
    """Switch off Pillow's guard, which warns of pictures that are fine; ``_check_size`` replaces it."""
    with _Guard.lock:
        if not _Guard.open:
            _Guard.limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _Guard.open += 1
    try:
        yield
    finally:
        with _Guard.lock:
            _Guard.open -= 1
            if not _Guard.open:
                Image.MAX_IMAGE_PIXELS = _Guard.limit
