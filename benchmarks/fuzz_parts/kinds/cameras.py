"""Cameras: options, ``photo.json``, ``camera.json`` and EXIF tags."""

import io
import json
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import IFDRational

from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.kinds.sound import CAMERA, HEIGHT, WIDTH, wall, write_folder, write_pictures
from benchmarks.fuzz_parts.mutations import dump_json, mutate_bytes, mutate_json, mutate_text, repeatedly

_COMMANDS = (
    ("ask", "0.png", "how far is the red point", "--point", "red=20,15", "--model", "tiny", "--json"),
    ("cloud", "0.png", "-o", "cloud.ply", "--depth", "depth.png", "--depth-type", "z"),
    ("data", "convert", "folder", "source", "dest", "--workers", "1", "--points", "5"),
)
_OPTIONS = {"--intrinsics": "40,40,23.5,17.5", "--focal": "40", "--fov": "61.9"}
_TAGS = (
    *(Base.FocalLength, Base.FocalLengthIn35mmFilm, Base.FocalPlaneXResolution, Base.FocalPlaneResolutionUnit),
    *(Base.ExifImageWidth, Base.ExifImageHeight, Base.DigitalZoomRatio),
)
_SHARES = (IFDRational(1, 0), IFDRational(10**9, 1), IFDRational(1, 10**9))
_TAG_VALUES: tuple[Any, ...] = (0, 1, 24, 48, 65535, 0.5, "x", *_SHARES)
_ORIENTATIONS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255, 65535)


def _prepare() -> None:
    write_pictures()
    write_folder("source")


def _jpeg(rng: Random) -> bytes:
    """A JPEG with EXIF tags, some of which make no sense."""
    exif = Image.Exif()
    exif[Base.Orientation] = rng.choice(_ORIENTATIONS)
    inner = exif.get_ifd(IFD.Exif)
    inner.update({Base.ExifImageWidth: WIDTH, Base.ExifImageHeight: HEIGHT, Base.FocalLengthIn35mmFilm: 28})
    for tag in rng.sample(_TAGS, rng.randint(0, 4)):
        inner[tag] = rng.choice(_TAG_VALUES)
    file = io.BytesIO()
    try:
        Image.fromarray(wall(0)).save(file, "JPEG", exif=exif)
    except (ValueError, TypeError, OverflowError, ArithmeticError):  # Pillow cannot write every nonsense
        return _jpeg(rng)
    content = file.getvalue()
    begin, end = content.find(b"Exif"), content.find(b"\xff\xdb")
    if rng.random() < 0.5:
        return content
    return content[:begin] + repeatedly(mutate_bytes, content[begin:end], rng) + content[end:]


def _json(value: Any, rng: Random) -> bytes:
    if rng.random() < 0.8:
        return dump_json(repeatedly(mutate_json, value, rng)).encode("utf-8", "surrogatepass")
    return repeatedly(mutate_bytes, json.dumps(value).encode(), rng)


def _draw(sound: Path, rng: Random) -> Case:
    words = rng.choice(_COMMANDS[:2])
    kind = rng.randrange(4)
    if kind == 0:
        camera = {key: CAMERA[key] for key in ("intrinsics", "distortion", "model")}
        return Case(words, {"0.json": _json(camera, rng)})
    if kind == 1:
        return Case((words[0], "0.jpg", *words[2:]), {"0.jpg": _jpeg(rng)})
    if kind == 2:
        return Case(_COMMANDS[2], {"source/camera.json": _json(CAMERA, rng)})
    option, value = rng.choice(list(_OPTIONS.items()))
    return Case((*words, option, repeatedly(mutate_text, value, rng).replace("\x00", "")))


KIND = Kind("cameras", _prepare, _draw, _COMMANDS)
