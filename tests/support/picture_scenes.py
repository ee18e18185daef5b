"""Pictures of every kind, that can be asked about or not: each function writes one file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import ExifTags, Image

WIDTH, HEIGHT = 120, 90

Write = Callable[[Path], None]


def blocks() -> np.ndarray:
    """Four blocks of different colours, (90, 120, 3): upright, it looks like no turned or mirrored self."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:45, :60], pixels[:45, 60:] = (180, 60, 40), (70, 150, 60)
    pixels[45:, :60], pixels[45:, 60:] = (40, 60, 170), (200, 200, 190)
    return pixels


def grey() -> np.ndarray:
    """The same in grey, (90, 120)."""
    return np.asarray(Image.fromarray(blocks()).convert("L"))


def picture() -> Image.Image:
    return Image.fromarray(blocks())


def exif(orientation: object = None, **tags: Any) -> Image.Exif:
    """EXIF tags, of types that they should not have too."""
    made = Image.Exif()
    if orientation is not None:
        made[ExifTags.Base.Orientation] = orientation
    inner = made.get_ifd(ExifTags.IFD.Exif)
    for name, value in tags.items():
        inner[ExifTags.Base[name]] = value
    return made


def saved(mode: str = "RGB", palette: Image.Palette = Image.Palette.WEB, **how: Any) -> Write:
    """The blocks in another mode."""
    return lambda path: picture().convert(mode, palette=palette).save(path, **how)


def animated(**how: Any) -> Write:
    """The blocks, and other pictures behind them."""
    others = [Image.fromarray(255 - blocks()), Image.fromarray(blocks()[::-1])]
    return lambda path: picture().save(path, save_all=True, append_images=others, **how)


def sixteen_bits(path: Path) -> None:
    cv2.imwrite(str(path), grey().astype(np.uint16) * 257)


def sixteen_bits_of_colour(path: Path) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(blocks(), cv2.COLOR_RGB2BGR).astype(np.uint16) * 257)


def twelve_bits(path: Path) -> None:
    cv2.imwrite(str(path), grey().astype(np.uint16) * 16)


def lab(path: Path) -> None:
    """The blocks in CIE Lab, by the colour management that Pillow brings."""
    from PIL import ImageCms

    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    made = ImageCms.applyTransform(picture(), to_lab)
    assert made is not None
    made.save(path)


def heic(path: Path) -> None:
    import pillow_heif

    pillow_heif.from_pillow(picture()).save(path, quality=95)


def with_alpha(alpha: int, **how: Any) -> Write:
    def write(path: Path) -> None:
        Image.fromarray(np.dstack([blocks(), np.full((HEIGHT, WIDTH), alpha, np.uint8)])).save(path, **how)

    return write


def clear_palette(path: Path) -> None:
    """Every colour of the palette is transparent."""
    picture().convert("P", palette=Image.Palette.ADAPTIVE).save(path, transparency=bytes(256))


def turned(orientation: int, **how: Any) -> Write:
    """Stored as a camera held otherwise would have stored it."""
    stored = {3: blocks()[::-1, ::-1], 6: np.rot90(blocks()), 8: np.rot90(blocks(), -1), 5: blocks().swapaxes(0, 1)}
    return lambda path: Image.fromarray(stored[orientation]).save(path, exif=exif(orientation), **how)


def plain(array: np.ndarray) -> Write:
    return lambda path: Image.fromarray(array).save(path)


def cut(kind: str, share: float = 0.5) -> Write:
    """The first part of a picture file."""

    def write(path: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path, kind)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return write


def holding(data: bytes) -> Write:
    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


def blank(width: int, height: int, mode: str = "L") -> Write:
    return lambda path: Image.new(mode, (width, height)).save(path)


def named_like_raw(path: Path) -> None:
    """A TIFF with a small preview, as DNG is."""
    picture().save(path, "TIFF")
