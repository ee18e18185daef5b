"""Contact sheets: pictures as the model sees them, with the question and the answer beneath each."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from toolkit.errors import UserError
from toolkit.foreign_text import visible
from toolkit.utils.arrays import Pixels
from toolkit.utils.files import make_folder, write_bytes
from toolkit.utils.overwrite import mark_of

_MARGIN = 12  # px around a cell
_GAP = 6  # px between two pictures of one cell
_TITLE, _BODY = 15, 13  # font sizes [px]
_PAPER, _INK, _FAINT, _ACCENT = (255, 255, 255), (25, 25, 30), (120, 120, 125), (10, 90, 170)


@dataclass(frozen=True)
class Cell:
    """One entry of a sheet.

    Attributes:
        title: The heading.
        images: One or two pictures, each (H, W, 3) uint8 RGB.
        question: The text beneath the pictures; may be empty.
        answer: The text beneath the question; may be empty.
        footnote: The small print at the bottom; may be empty.
    """

    title: str
    images: tuple[Pixels, ...]
    question: str
    answer: str
    footnote: str = ""


def draw_sheet(cells: Sequence[Cell], columns: int = 4, width: int = 300) -> Image.Image:
    """Draw a sheet of cells, each ``width`` px wide. Small pictures are enlarged without smoothing."""
    drawn = [_draw_cell(cell, width) for cell in cells]
    columns = min(columns, len(drawn))
    lines = [drawn[start : start + columns] for start in range(0, len(drawn), columns)]
    heights = [max(cell.height for cell in line) for line in lines]
    sheet = Image.new("RGB", (columns * (width + 2 * _MARGIN), sum(heights) + 2 * _MARGIN * len(lines)), _PAPER)
    top = _MARGIN
    for line, height in zip(lines, heights, strict=True):
        for column, cell in enumerate(line):
            sheet.paste(cell, (_MARGIN + column * (width + 2 * _MARGIN), top))
        top += height + 2 * _MARGIN
    return sheet


def save_sheet(cells: Sequence[Cell], path: Path, command: str, columns: int = 4, width: int = 300) -> None:
    """Draw a sheet and write it as a PNG file that names the command."""
    save_png(np.asarray(draw_sheet(cells, columns, width)), path, command)


def check_png(path: Path) -> None:
    """Check that a PNG file can be written, before the long work that makes it.

    Raises:
        UserError: If the name does not end in .png, is that of a folder, or lies in a folder that cannot be written to.
    """
    if path.suffix.lower() != ".png":
        raise UserError(f"{path}: only PNG is written, which keeps every pixel", remedy="name it .png")
    if path.is_dir():
        raise UserError(f"{path}: this is a folder", remedy="name a .png file in it")
    make_folder(path.parent)


def save_png(pixels: Pixels, path: Path, command: str) -> None:
    """Write a picture (H, W, 3) uint8 RGB as a PNG file that names the command, completely or not at all."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=png_mark(command))
    write_bytes(path, buffer.getvalue())


def png_mark(command: str) -> PngInfo:
    """The text in a PNG file that says which command wrote it."""
    text = PngInfo()
    text.add_text("Software", mark_of(command))
    return text


def side_by_side(images: Sequence[Pixels]) -> Pixels:
    """The pictures of one question next to each other on white: one picture (H, W, 3) uint8 RGB."""
    height = max(image.shape[0] for image in images)
    padded = [np.pad(image, ((0, height - image.shape[0]), (0, _GAP), (0, 0)), constant_values=255) for image in images]
    return np.concatenate(padded, axis=1)[:, :-_GAP]


def _draw_cell(cell: Cell, width: int) -> Image.Image:
    picture = _draw_strip(cell.images, width)
    body = ImageFont.load_default(_BODY)
    blocks = [
        (cell.title, ImageFont.load_default(_TITLE), _INK),
        *([(f"Q: {cell.question}", body, _INK)] if cell.question else []),
        *([(f"A: {cell.answer}", body, _ACCENT)] if cell.answer else []),
        *([(cell.footnote, body, _FAINT)] if cell.footnote else []),
    ]
    lines = [(line, font, color) for text, font, color in blocks for line in _wrap(text, font, width)]
    title, rest = lines[0], lines[1:]
    step = _BODY + 5
    drawn = Image.new("RGB", (width, _TITLE + 8 + picture.height + 6 + step * len(rest)), _PAPER)
    pen = ImageDraw.Draw(drawn)
    pen.text((0, 0), title[0], font=title[1], fill=title[2])
    drawn.paste(picture, (0, _TITLE + 8))
    top = _TITLE + 8 + picture.height + 6
    for text, font, color in rest:
        pen.text((0, top), text, font=font, fill=color)
        top += step
    return drawn


def _draw_strip(images: Sequence[Pixels], width: int) -> Image.Image:
    each = (width - _GAP * (len(images) - 1)) // len(images)
    scaled = [_scale_to_width(Image.fromarray(image), each) for image in images]
    strip = Image.new("RGB", (width, max(image.height for image in scaled)), _PAPER)
    for index, image in enumerate(scaled):
        strip.paste(image, (index * (each + _GAP), 0))
    return strip


def _scale_to_width(image: Image.Image, width: int) -> Image.Image:
    height = ceil(image.height * width / image.width)
    enlarged = image.width < width
    return image.resize((width, height), Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS)


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Split a text into lines of whole words. A line is wider than ``width`` px only if a single word is."""
    lines = [""]
    for word in visible(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
