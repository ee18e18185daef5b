"""Pictures that can be asked about although something is odd, and what users are told of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from tests.support import picture_scenes as scenes
from tests.support.bad_questions import GOOD_CAMERA
from tests.support.picture_scenes import exif


@dataclass(frozen=True)
class Good:
    """A picture that can be asked about.

    Attributes:
        write: Writes it.
        shown: What the model is to see of it, before canonicalisation.
        tolerance: Greatest difference from that.
        told: What the user is told of it.
        needs: A package that reads it.
    """

    write: scenes.Write
    shown: np.ndarray = field(default_factory=scenes.blocks)
    tolerance: int = 0
    told: str = ""
    needs: str = ""


GREY = np.repeat(scenes.grey()[..., None], 3, axis=2)
BLACK_AND_WHITE = np.asarray(scenes.picture().convert("1").convert("RGB"))
FIRST = "the file holds 3 pictures; the first is asked about"
CLEAR = "the picture is transparent in places"

GOOD = {
    "plain.jpg": Good(scenes.saved(quality=95), tolerance=8),
    "progressive.jpg": Good(scenes.saved(quality=95, progressive=True), tolerance=8),
    "CMYK.jpg": Good(scenes.saved("CMYK", quality=95), tolerance=8),
    "CMYK.tif": Good(scenes.saved("CMYK"), tolerance=1),
    "lab.tif": Good(scenes.lab, tolerance=4),
    "ycbcr.tif": Good(scenes.saved("YCbCr"), tolerance=3),
    "grey.png": Good(scenes.saved("L"), GREY),
    "grey.jpg": Good(scenes.saved("L", quality=95), GREY, tolerance=8),
    "grey_alpha.png": Good(scenes.saved("LA"), GREY),
    "one_bit.png": Good(scenes.saved("1"), BLACK_AND_WHITE),
    "sixteen_bits.png": Good(scenes.sixteen_bits, GREY),
    "sixteen_bits.tif": Good(scenes.sixteen_bits, GREY),
    "sixteen_bits_of_colour.png": Good(scenes.sixteen_bits_of_colour),
    "twelve_bits.png": Good(scenes.twelve_bits, GREY >> 4, told="almost black: its brightest value is"),
    "palette.png": Good(scenes.saved("P", palette=Image.Palette.ADAPTIVE)),
    "palette.gif": Good(scenes.saved("P", palette=Image.Palette.ADAPTIVE)),
    "clear_palette.png": Good(scenes.clear_palette, told=CLEAR),
    "opaque.png": Good(scenes.with_alpha(255)),
    "clear.png": Good(scenes.with_alpha(0), told=CLEAR),
    "half_clear.webp": Good(scenes.with_alpha(128, lossless=True), told=CLEAR),
    "animated.gif": Good(scenes.animated(), told=FIRST),
    "animated.png": Good(scenes.animated(), told=FIRST),
    "animated.webp": Good(scenes.animated(lossless=True), told=FIRST),
    "pages.tif": Good(scenes.animated(), told=FIRST),
    "several.mpo": Good(scenes.animated(quality=95), tolerance=8, told=FIRST),
    "lossless.webp": Good(scenes.saved(lossless=True)),
    "plain.tif": Good(scenes.saved()),
    "packed.tif": Good(scenes.saved(compression="tiff_lzw")),
    "plain.bmp": Good(scenes.saved()),
    "plain.ppm": Good(scenes.saved()),
    "plain.tga": Good(scenes.saved()),
    "plain.jp2": Good(scenes.saved()),
    "plain.ico": Good(scenes.saved(sizes=[(120, 90)])),
    "turned_6.png": Good(scenes.turned(6)),
    "turned_8.tif": Good(scenes.turned(8)),
    "turned_3.webp": Good(scenes.turned(3, lossless=True)),
    "mirrored_5.png": Good(scenes.turned(5)),
    "turned_6.jpg": Good(scenes.turned(6, quality=95), tolerance=8),
    "wrong name.jpg": Good(scenes.saved(format="PNG")),
    "no_ending": Good(scenes.saved(format="PNG")),
    "CAPITALS.PNG": Good(scenes.saved()),
    "k\N{LATIN SMALL LETTER U WITH DIAERESIS}che \N{HOUSE BUILDING}.png": Good(scenes.saved()),
    "photo.heic": Good(scenes.heic, tolerance=12, needs="pillow_heif"),
}

KNOWN = "EXIF FocalLengthIn35mmFilm"
UNKNOWN = "nothing is known of the camera"
TAGS = {
    "orientation 0": (exif(0, FocalLengthIn35mmFilm=28), KNOWN, ""),
    "orientation 9": (exif(9, FocalLengthIn35mmFilm=28), KNOWN, ""),
    "two orientations": (exif((6, 8), FocalLengthIn35mmFilm=28), KNOWN, ""),
    "zero": (exif(FocalLengthIn35mmFilm=0), "assumed", UNKNOWN),
    "huge": (exif(FocalLengthIn35mmFilm=65535), "assumed", f"{KNOWN} is not believed"),
    "tiny": (exif(FocalLengthIn35mmFilm=1), "assumed", f"{KNOWN} is not believed"),
    "tele": (exif(FocalLengthIn35mmFilm=400), KNOWN, "the tags may be wrong"),
    "words": (exif(FocalLengthIn35mmFilm="twenty-eight"), "assumed", UNKNOWN),
    "two numbers": (exif(FocalLengthIn35mmFilm=(28, 35)), "assumed", UNKNOWN),
    "width in words": (exif(FocalLengthIn35mmFilm=28, ExifImageWidth="wide", ExifImageHeight="0"), KNOWN, ""),
    "two widths": (exif(FocalLengthIn35mmFilm=28, ExifImageWidth=(1, 2), ExifImageHeight=(3, 4)), KNOWN, ""),
    "cropped": (exif(FocalLengthIn35mmFilm=28, ExifImageWidth=400, ExifImageHeight=100), "assumed", "cropped since"),
    "a denominator of 0": (
        exif(FocalLength=IFDRational(4, 0), FocalPlaneXResolution=IFDRational(1, 0), ExifImageWidth=120),
        "assumed",
        UNKNOWN,
    ),
    "no tags at all": (b"Exif\0\0neither little nor big endian", "assumed", "its EXIF tags are damaged"),
    "cut short": (exif(FocalLengthIn35mmFilm=28).tobytes()[:-8], "assumed", "its EXIF tags are damaged"),
}


def beside(**content: object) -> Callable[[Path], object]:
    return lambda folder: (folder / "a.json").write_text(json.dumps({"intrinsics": GOOD_CAMERA, **content}))


def nothing(folder: Path) -> None:
    """There is no file beside the picture."""


DOUBTS = {
    "nothing known": ((), UNKNOWN, nothing),
    "a folder beside it": ((), UNKNOWN, lambda folder: (folder / "a.json").mkdir()),
    # The diagonal is 150 px, so 28 mm of 43.27 mm are 97 px.
    "millimetres of film": (("--focal", "28"), "28 may be the 35 mm-equivalent", nothing),
    "its pixels": (("--focal", "28"), "then pass --focal 97", nothing),
    "millimetres of a lens": (("--focal", "4.3"), "4.3 may be the lens's own focal length in millimetres", nothing),
    "another size": (("--focal", "900"), "in pixels of this very picture", nothing),
    "a narrow angle": (("--fov", "10"), "the whole angle between the left and the right border", nothing),
    "a smaller picture": (
        ("--intrinsics", "50,50,29.5,22"),
        "those of a picture of about 60 x 45 px; then pass --intrinsics 100,100,59.5,44.5",
        nothing,
    ),
    "a cut picture": (("--intrinsics", "100,100,10,44.5"), "if it was cut from a larger one", nothing),
    "wild distortion": ((), "may be in another order than k1, k2, p1, p2, k3", beside(distortion=[3, -9, 0, 0, 0])),
}
