"""Pictures that users ask about, read once from a path, from PIL or from an array."""

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
from toolkit.data.frames.image_file import count_frames, exif_of, open_image, orientation_of, rgb_pixels
from toolkit.errors import UserError
from toolkit.utils.arrays import Pixels

_SMALLEST = 16  # px; a picture with a shorter side shows nothing
_DARK = 4096  # a 16-bit picture without brighter values probably uses 12 bits or fewer
_TAG_READER = "TiffImagePlugin"  # the part of Pillow that reads EXIF
_URL_SCHEMES = ("http:", "https:", "ftp:", "s3:", "gs:", "data:")


@dataclass(frozen=True)
class OpenedPicture:
    """A picture that was read.

    Attributes:
        picture: The upright pixels.
        path: The file of the picture; None if the picture was given in memory.
        stored: The width and height [px] of the stored picture, before it was turned upright.
        tags: The EXIF tags by their numbers.
        warnings: What the user should know about the picture.
        orientation: The EXIF orientation by which it was turned, 1 to 8.
    """

    picture: ImageArray
    path: Path | None = None
    stored: tuple[int, int] = (0, 0)
    tags: Mapping[int, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    orientation: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """The width and height [px] of the upright picture."""
        height, width = self.picture.pixels.shape[:2]
        return width, height


PictureInput = str | Path | Image.Image | Pixels | OpenedPicture
"""What a user may give as a picture: a path, a PIL picture, an upright array (height, width, 3), or an opened one."""


def open_picture(given: PictureInput) -> OpenedPicture:
    """Read a picture.

    Args:
        given: A path, a PIL picture, an upright array (height, width, 3) uint8 RGB, or a picture that is already open.

    Raises:
        UserError: If the picture is missing, damaged, not a picture, or too small to be asked about.
    """
    if isinstance(given, OpenedPicture):
        return given
    if isinstance(given, np.ndarray):
        opened = _from_array(given)
    elif isinstance(given, Image.Image):
        pixels = rgb_pixels(given, "the picture")
        found, turn = _warnings_about(given, count_frames(given)), orientation_of(given)
        opened = OpenedPicture(ImageArray(pixels), None, given.size, exif_of(given) or {}, found, turn)
    else:
        opened = _from_file(Path(given))
    width, height = opened.size
    if min(width, height) < _SMALLEST:
        raise UserError(
            f"{opened.picture.name}: {width} x {height} px are too few to be asked about",
            remedy=f"give a picture of {_SMALLEST} px a side at least",
        )
    return opened


def _from_array(pixels: Pixels) -> OpenedPicture:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise UserError(
            f"the picture is an array of {pixels.dtype} with shape {pixels.shape}",
            remedy="give uint8 RGB of shape (height, width, 3)",
        )
    return OpenedPicture(ImageArray(pixels), None, (pixels.shape[1], pixels.shape[0]))


def _from_file(path: Path) -> OpenedPicture:
    if not os.path.exists(path):  # Path.exists raises an error if the name is too long
        raise _missing_error(path)
    with warnings.catch_warnings(record=True) as complaints, open_image(path) as image:
        warnings.simplefilter("always")
        image.load()  # the EXIF tags may come after the pixels
        tags, count = exif_of(image), count_frames(image)
        pixels = ImageArray(rgb_pixels(image, path), str(path))
        found = (*_warnings_about(image, count), *_damage_warnings(tags is None, complaints))
        turn = orientation_of(image)
    return OpenedPicture(pixels, path, image.size, tags or {}, found, turn)


def _damage_warnings(untagged: bool, complaints: Sequence[warnings.WarningMessage]) -> Iterator[str]:
    """Yield warnings about damage in a picture that can be read. Pillow's own words are for programmers.

    Args:
        untagged: Whether the EXIF tags cannot be read.
        complaints: The warnings that Pillow gave while it read the picture.
    """
    of_tags = [Path(complaint.filename).stem == _TAG_READER for complaint in complaints]
    if untagged or any(of_tags):
        yield "its EXIF tags are damaged: what they say of the camera and of its orientation may be missing"
    if not all(of_tags):
        yield "the file is damaged in places that may not show"


def _missing_error(path: Path) -> UserError:
    """The error for a picture that does not exist."""
    if path.parts and path.parts[0] in _URL_SCHEMES:
        return UserError(f"{path}: pictures are read from disk, not from the web", remedy="download it first")
    beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.85)
    remedy = f"did you mean {path.parent / close[0]}?" if close else "check the path"
    return UserError(f"{path}: there is no such picture", remedy=remedy)


def _warnings_about(image: Image.Image, count: int) -> tuple[str, ...]:
    """Warnings about what the model will not see, or not see as intended, of a file with ``count`` pictures."""
    found = []
    if count > 1:
        found.append(f"the file holds {count} pictures; the first is asked about")
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        found.append("the picture is transparent in places; the colours stored beneath are what the model sees")
    if image.mode.startswith("I") and (brightest := int(np.asarray(image).max())) < _DARK:
        found.append(
            f"the picture has 16 bits, and is almost black: its brightest value is {brightest} of 65535; "
            "if it uses fewer bits, stretch it to all of them"
        )
    return tuple(found)
