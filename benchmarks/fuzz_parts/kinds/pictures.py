"""Pictures of all usual formats."""

import struct
import zlib
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.kinds.sound import wall, write_recipe
from benchmarks.fuzz_parts.mutations import mutate_bytes, repeatedly

_PNGS = ("rgb.png", "grey.png", "palette.png", "alpha.png", "sixteen.png")
_FORMATS = (*_PNGS, "p.jpg", "p.webp", "p.tif", "p.gif", "p.bmp")
_SIDES = (0, 1, 15, 16, 48, 255, 4096, 30_000, 65_535, 100_000, 2**31 - 1, 2**32 - 1)
_LAYOUTS = (0, 1, 2, 3, 4, 6, 8, 16, 255)
_IHDR = slice(16, 29)  # where the header of a PNG holds size and layout, before its checksum


def _prepare() -> None:
    write_recipe()
    picture = Image.fromarray(wall(0))
    for name in _FORMATS:
        _converted(picture, name).save(name)


def _converted(picture: Image.Image, name: str) -> Image.Image:
    if name == "sixteen.png":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 256)
    modes = {"grey.png": "L", "palette.png": "P", "alpha.png": "RGBA"}
    return picture.convert(modes.get(name, "RGB"))


def mutate_png(content: bytes, rng: Random) -> bytes:
    """A PNG with another size or layout in its header, and a checksum that fits."""
    width, height, *layout = struct.unpack(">IIBBBBB", content[_IHDR])
    if rng.random() < 0.5:
        width, height = rng.choice(_SIDES), rng.choice([height, *_SIDES])
    else:
        layout[rng.randrange(5)] = rng.choice(_LAYOUTS)
    header = struct.pack(">IIBBBBB", width, height, *layout)
    checksum = zlib.crc32(b"IHDR" + header)
    return content[: _IHDR.start] + header + struct.pack(">I", checksum) + content[_IHDR.stop + 4 :]


def _commands(name: str) -> tuple[tuple[str, ...], ...]:
    ask = ("ask", name, "how far is the red point", "--point", "red=9,9", "--fov", "60", "--model", "tiny", "--json")
    return (
        *(ask, ask),
        ("cloud", name, "-o", "cloud.ply", "--fov", "60", "--depth", "depth.png", "--depth-type", "z"),
        ("data", "validate", "manifest.jsonl"),
        ("data", "audit", "manifest.jsonl", "--frames", "4", "--json"),
        ("data", "preview", "recipe.yaml", "--count", "1"),
    )


def _draw(sound: Path, rng: Random) -> Case:
    name = rng.choice(_FORMATS)
    content = (sound / name).read_bytes()
    change = mutate_png if name in _PNGS and rng.random() < 0.4 else mutate_bytes
    content = repeatedly(change, content, rng) if change is mutate_bytes else change(content, rng)
    if rng.random() < 0.2:  # the ending of the name is another one
        name = rng.choice(["p.png", "p.jpg", "p.tif", "p.heic", "p.dng"])
    words = rng.choice(_commands(name))
    return Case(words, {name if words[0] != "data" else "1.png": content})


KIND = Kind("pictures", _prepare, _draw, tuple(words for name in _FORMATS for words in _commands(name)[1:2]))
