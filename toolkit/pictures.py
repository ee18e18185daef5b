"""Pictures that are asked about: from a path, from PIL or from an array, read once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from toolkit.errors import UserError
from toolkit.frame import ImageArray, ImageFile, Pixels, rgb_pixels

_SMALLEST = 16  # px a side; less shows nothing
_WITH_READERS = {".heic": "pillow-heif", ".heif": "pillow-heif", ".avif": "pillow-avif-plugin", ".jxl": "pillow-jxl"}


@dataclass(frozen=True)
class Opened:
    """A picture that was read.

    Attributes:
        picture: Its upright pixels.
        path: Its file, None if it was given in memory.
        stored: Its (width, height) as stored, before EXIF orientation.
        tags: Its EXIF tags, by number.
        warnings: What the user should know.
    """

    picture: ImageArray
    path: Path | None = None
    stored: tuple[int, int] = (0, 0)
    tags: Mapping[int, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright picture."""
        height, width = self.picture.pixels.shape[:2]
        return width, height


Given = str | Path | Image.Image | Pixels | Opened
"""What a user may call a picture."""


def open_picture(given: Given) -> Opened:
    """Read a picture.

    Args:
        given: A path, a PIL picture, an array (height, width, 3) uint8 RGB that is upright, or what was opened.

    Raises:
        UserError: If it is missing, damaged, no picture, or too small to be asked about.
    """
    if isinstance(given, Opened):
        return given
    if isinstance(given, np.ndarray):
        opened = _from_array(given)
    elif isinstance(given, Image.Image):
        pixels = rgb_pixels(given, "the picture")
        opened = Opened(ImageArray(pixels), None, given.size, _tags(given), _said_of(given))
    else:
        opened = _from_file(Path(given))
    width, height = opened.size
    if min(width, height) < _SMALLEST:
        raise UserError(
            f"{opened.picture.name}: {width} x {height} px are too few to be asked about",
            remedy=f"give a picture of {_SMALLEST} px a side at least",
        )
    return opened


def _from_array(pixels: Pixels) -> Opened:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise UserError(
            f"the picture is an array of {pixels.dtype} with shape {pixels.shape}",
            remedy="give uint8 RGB of shape (height, width, 3)",
        )
    return Opened(ImageArray(pixels), None, (pixels.shape[1], pixels.shape[0]))


def _from_file(path: Path) -> Opened:
    needed = _WITH_READERS.get(path.suffix.lower())
    if needed and path.is_file() and path.suffix.lower() not in Image.registered_extensions():
        raise UserError(
            f"{path}: Pillow has no reader for {path.suffix.lower()} pictures here",
            remedy=f"pip install {needed}, or convert it to PNG or JPEG",
        )
    pixels = ImageFile(path).read()
    with Image.open(path) as image:
        return Opened(ImageArray(pixels, str(path)), path, image.size, _tags(image), _said_of(image))


def _tags(image: Image.Image) -> Mapping[int, Any]:
    return dict(image.getexif().get_ifd(ExifTags.IFD.Exif))


def _said_of(image: Image.Image) -> tuple[str, ...]:
    """What of a picture is not looked at."""
    said = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        said.append(f"the file holds {frames} pictures; the first is asked about")
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        said.append("the picture is transparent in places; the colours stored beneath are what the model sees")
    return tuple(said)
