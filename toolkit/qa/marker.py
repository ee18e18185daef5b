"""Markers: how a mark is drawn on a View to say which pixel is meant, and how a drawn mark is found in a picture.

Every shape leaves the meant pixel itself unpainted. All shapes but the thin arrow have an outline that is black or
white, whichever differs more from their colour, so that they can be seen on dark, light and busy pictures. Conventions:
see ``toolkit.geometry.camera``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from toolkit.errors import UserError, did_you_mean
from toolkit.qa.query import Point
from toolkit.utils.arrays import Pixels
from toolkit.utils.colors import COLORS, unknown_color
from toolkit.utils.setting_types import NUMBER

Shape = Literal["arrow", "cross", "dot", "box", "thin_arrow"]
"""A shape that a mark can have."""
SHAPES: tuple[str, ...] = get_args(Shape)
_ARROWS = ("arrow", "thin_arrow")
_BARBS = 3  # how far the barbs of a thin arrow reach from the meant pixel [px]
_LARGEST, _WIDEST_OUTLINE = 200, 20  # px
_WHITE_OUTLINE = {"red", "blue", "magenta"}

# A found mark has about the hue of the named colour, is strongly saturated, and is small compared with the picture.
_HUE_TOLERANCE = 10  # degrees
_MIN_SATURATION = 0.7
_MIN_VALUE = 0.55
_MIN_AREA = 9  # px; smaller blobs are noise from compression
_MAX_SIDE_SHARE = 0.08  # the longest side of a mark, as a share of the picture's longer side
_MAX_SIDE = 24  # px; a side of a mark may be this long even in a small picture
_MIN_FILL = 0.3  # the least share of its bounding box that a mark covers
_OUTLINE, _FILL = 1, 2  # the values of a stencil


def _check_colors(colors: tuple[str, ...]) -> tuple[str, ...]:
    """Check that a recipe names at least one colour, all of them known and different, and return them."""
    for color in colors:
        if color not in COLORS:
            error = unknown_color(color)
            raise ValueError(f"{error.problem}; {error.remedy}")
    if not colors or len(set(colors)) < len(colors):
        raise ValueError("give at least one colour, and none of them twice")
    return colors


@dataclass(frozen=True)
class Marker:
    """The mark that shows which pixel is meant. It is a section of the recipe.

    Attributes:
        shape: The shape: arrow, cross, dot, box or thin_arrow. Arrows point right, and their tip is one pixel left of
            the meant pixel. If they do not fit beside the left border, they point left. A thin_arrow is drawn with
            lines of one pixel, nine pixels at a size of 5, as published models of this method know it.
        size: The length of an arrow, or half the extent of the other shapes [px of the View].
        outline: The width of the contrasting outline [px]. A thin_arrow has none.
        colors: The names of the colours that points get, in this order. A question about two points needs two.

    Raises:
        UserError: If there is no such shape or colour, or a mark of this size cannot be drawn.
    """

    shape: Shape = "arrow"
    size: Annotated[int, Field(ge=2, le=_LARGEST), NUMBER] = 5
    outline: Annotated[int, Field(ge=0, le=_WIDEST_OUTLINE), NUMBER] = 1
    colors: Annotated[tuple[str, ...], AfterValidator(_check_colors)] = tuple(COLORS)[:6]

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise UserError(f"unknown marker shape {self.shape!r}", remedy=did_you_mean(self.shape, SHAPES))
        if not (1 <= self.size <= _LARGEST and 0 <= self.outline <= _WIDEST_OUTLINE):
            raise UserError(
                f"a marker of size {self.size} with an outline of {self.outline} px cannot be drawn",
                remedy=f"give a size of 1 to {_LARGEST} px and an outline of 0 to {_WIDEST_OUTLINE}",
            )
        for color in self.colors:
            if color not in COLORS:
                raise unknown_color(color)

    @property
    def reach(self) -> int:
        """How far [px] a mark extends from the pixel that it points out."""
        return max(self.size, _BARBS) if self.shape == "thin_arrow" else self.size + self.outline

    @property
    def noun(self) -> str:
        """What questions call a mark of this shape."""
        return noun_of(self.shape)

    def draw(self, pixels: Pixels, points: Sequence[Point]) -> Pixels:
        """Draw one mark for each Point, in the colour of its name, on a copy of a picture.

        Args:
            pixels: The picture (H, W, 3) uint8 RGB. It is not changed.
            points: The Points, whose names are colours.

        Returns:
            The marked picture (H, W, 3) uint8 RGB.

        Raises:
            UserError: If the name of a Point is not a colour, or a Point lies outside the picture.
        """
        for point in points:
            if point.name not in COLORS:
                raise unknown_color(point.name)
        marked = pixels.copy()
        meant = [_nearest_pixel(point, pixels) for point in points]
        for point, (u, v) in zip(points, meant, strict=True):
            self._draw_one(marked, point.name, u, v)
        for u, v in meant:
            marked[v, u] = pixels[v, u]
        return marked

    def _draw_one(self, marked: Pixels, name: str, u: int, v: int) -> None:
        """Paint one mark on a picture; (u, v) is the meant pixel."""
        stencil = self._stencil(u, v, marked.shape[1])
        color, outline = COLORS[name], (255,) * 3 if name in _WHITE_OUTLINE else (0,) * 3
        reach = stencil.shape[0] // 2
        top, left = v - reach, u - reach
        rows = slice(max(top, 0), min(top + stencil.shape[0], marked.shape[0]))
        columns = slice(max(left, 0), min(left + stencil.shape[1], marked.shape[1]))
        part = stencil[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        marked[rows, columns][part == _OUTLINE] = outline
        marked[rows, columns][part == _FILL] = color

    def _stencil(self, u: int, v: int, width: int) -> NDArray[np.uint8]:
        """A square (S, S) around the meant pixel that says what is painted: 0 nothing, else _OUTLINE or _FILL."""
        size = self.size
        reach = self.reach
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        if self.shape in _ARROWS:
            x = -x if u < reach and u < width - 1 - u else x
        if self.shape == "arrow":
            head = (size + 1) // 2
            fill = (x >= -size) & (np.abs(y) <= np.where(x >= -head, -x - 1, head // 3))
        elif self.shape == "thin_arrow":
            shaft = (y == 0) & (x >= -size) & (x <= -1)
            fill = shaft | ((x >= -_BARBS) & (x <= -2) & (np.abs(y) == -x - 1))
        elif self.shape == "cross":
            # The gap is as wide as an arm, so that the arms touch at its corners and find_marks sees one blob.
            arm = size // 4
            ring = np.maximum(np.abs(x), np.abs(y))
            fill = (np.minimum(np.abs(x), np.abs(y)) <= arm) & (ring > arm) & (ring <= size)
        elif self.shape == "dot":
            square = x * x + y * y
            fill = (square <= (size + 0.5) ** 2) & (square > max(0.5, (size / 4) ** 2))
        else:
            ring = np.maximum(np.abs(x), np.abs(y))
            fill = (ring <= size) & (ring > size - max(1, (size + 2) // 4))
        if self.shape == "thin_arrow":
            return np.where(fill, _FILL, 0).astype(np.uint8)
        kernel = np.ones((2 * self.outline + 1,) * 2, np.uint8)
        grown = cv2.dilate(fill.astype(np.uint8), kernel)
        kept = x >= 0 if self.shape == "arrow" else (x == 0) & (y == 0)
        return np.where(fill, _FILL, np.where((grown > 0) & ~kept, _OUTLINE, 0)).astype(np.uint8)


def noun_of(shape: str) -> str:
    """What questions call marks of a shape: both kinds of arrows are arrows."""
    return shape.removeprefix("thin_")


def _nearest_pixel(point: Point, pixels: Pixels) -> tuple[int, int]:
    """The pixel (u, v) of a picture (H, W, 3) that is nearest to a Point.

    The Point may lie half a pixel outside, because the size of a canonical picture is rounded.
    """
    size = np.array(pixels.shape[1::-1])
    if not np.all((point.pixel >= -1) & (point.pixel <= size)):
        raise UserError(
            f"the {point.name} point ({point.pixel[0]:g}, {point.pixel[1]:g}) lies outside the "
            f"{size[0]} x {size[1]} picture",
            remedy="mark points of this picture only",
        )
    u, v = np.rint(point.pixel).clip(0, size - 1).astype(int)
    return int(u), int(v)


def find_marks(pixels: Pixels, color: str) -> NDArray[np.float64]:
    """Find compact marks of a colour in a picture.

    A mark is a connected blob of at least ``_MIN_AREA`` pixels with the hue of the colour and a strong saturation. Its
    bounding box is small compared with the picture, and the blob fills enough of it.

    Args:
        pixels: The picture (H, W, 3) uint8 RGB.
        color: The name of the colour.

    Returns:
        The centres (N, 2) of the marks, (u, v) [px].

    Raises:
        UserError: If the colour is unknown, or is white, which has no hue.
    """
    if color not in COLORS:
        raise unknown_color(color)
    if color == "white":
        raise UserError("a white mark cannot be told from the picture", remedy="pass --point white=U,V")
    wanted = cv2.cvtColor(np.array([[COLORS[color]]], np.float32) / 255, cv2.COLOR_RGB2HSV)[0, 0]
    hue, saturation, value = np.moveaxis(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2HSV), -1, 0)
    turn = np.abs((hue - wanted[0] + 180) % 360 - 180)
    like = (turn <= _HUE_TOLERANCE) & (saturation >= _MIN_SATURATION) & (value >= _MIN_VALUE)
    _, _, boxes, centres = cv2.connectedComponentsWithStats(like.astype(np.uint8), connectivity=8)
    largest = max(_MAX_SIDE_SHARE * max(pixels.shape[:2]), _MAX_SIDE)
    compact = (
        (boxes[:, cv2.CC_STAT_AREA] >= _MIN_AREA)
        & (boxes[:, cv2.CC_STAT_WIDTH] <= largest)
        & (boxes[:, cv2.CC_STAT_HEIGHT] <= largest)
        & (boxes[:, cv2.CC_STAT_AREA] >= _MIN_FILL * boxes[:, cv2.CC_STAT_WIDTH] * boxes[:, cv2.CC_STAT_HEIGHT])
    )
    compact[0] = False
    return centres[compact]
