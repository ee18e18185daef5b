"""Pictures that are asked about: from a path, from PIL or from an array, read once."""

import difflib
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from toolkit.data.frames.frame import ImageArray
from toolkit.data.frames.image_file import exif_of, frames_in, opened, rgb_pixels
from toolkit.errors import UserError
from toolkit.utils.arrays import Pixels

_SMALLEST = 16  # px a side; less shows nothing


_DARK = 4096  # a 16-bit picture without brighter values is likely to use 12 bits or fewer


_TAG_READER = "TiffImagePlugin"  # the part of Pillow that reads EXIF


_SCHEMES = ("http:", "https:", "ftp:", "s3:", "gs:", "data:")


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
        opened = Opened(ImageArray(pixels), None, given.size, exif_of(given) or {}, _said_of(given))
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
    if not os.path.exists(path):  # Path.exists raises where a name is too long to be one
        raise _missing(path)
    with warnings.catch_warnings(record=True) as complaints, opened(path) as image:
        warnings.simplefilter("always")
        image.load()  # tags may stand behind the pixels
        tags, said = exif_of(image), _said_of(image)
        pixels = ImageArray(rgb_pixels(image, path), str(path))
    return Opened(pixels, path, image.size, tags or {}, (*said, *_damage(tags is None, complaints)))


def _damage(untagged: bool, complaints: Sequence[warnings.WarningMessage]) -> Iterator[str]:
    """What Pillow found damaged in a picture that can be read; its own words are for programmers."""
    of_tags = [Path(complaint.filename).stem == _TAG_READER for complaint in complaints]
    if untagged or any(of_tags):
        yield "its EXIF tags are damaged: what they say of the camera and of its orientation may be missing"
    if not all(of_tags):
        yield "the file is damaged in places that may not show"


def _missing(path: Path) -> UserError:
    if path.parts and path.parts[0] in _SCHEMES:
        return UserError(f"{path}: pictures are read from disk, not from the web", remedy="download it first")
    beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.85)
    remedy = f"did you mean {path.parent / close[0]}?" if close else "check the path"
    return UserError(f"{path}: there is no such picture", remedy=remedy)


def _said_of(image: Image.Image) -> tuple[str, ...]:
    """What of a picture is not looked at, or not as its maker meant it."""
    said = []
    frames = frames_in(image)
    if frames > 1:
        said.append(f"the file holds {frames} pictures; the first is asked about")
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        said.append("the picture is transparent in places; the colours stored beneath are what the model sees")
    if image.mode.startswith("I") and (brightest := int(np.asarray(image).max())) < _DARK:
        said.append(
            f"the picture has 16 bits, and is almost black: its brightest value is {brightest} of 65535; "
            "if it uses fewer bits, stretch it to all of them"
        )
    return tuple(said)
