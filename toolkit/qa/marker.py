"""Markers: the mark drawn on a View that says which pixel is meant, and how a mark already drawn is found.

Every shape leaves the meant pixel itself unpainted, and is outlined in black or white, whichever differs
more from its colour, so that it shows on dark, light and busy pictures. Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.errors import UserError, did_you_mean
from toolkit.qa.query import Point
from toolkit.utils.arrays import Pixels
from toolkit.utils.colors import COLORS, rgb

Shape = Literal["arrow", "cross", "dot", "box"]


SHAPES: tuple[str, ...] = get_args(Shape)


_WHITE_OUTLINE = {"red", "blue", "magenta"}


# Found marks: hue and saturation near the named colour, and small against the picture.
_HUE_TOLERANCE = 10  # degrees


_MIN_SATURATION = 0.7


_MIN_VALUE = 0.55


_MIN_AREA = 9  # px; smaller blobs are noise of compression


_MAX_SIDE_SHARE = 0.08  # of the picture's longer side


_MAX_SIDE = 24  # px; a mark may be this large in a picture however small


_MIN_FILL = 0.3  # share of its bounding box that a compact mark covers


@dataclass(frozen=True)
class Marker:
    """How points are marked.

    Attributes:
        shape: arrow (points right, its tip one pixel left of the meant pixel; turned round where it does
            not fit beside the left border), cross, dot or box.
        size: Length of the arrow, or half the extent of the other shapes [px of the View].
        outline: Width of the contrasting outline [px].
        colors: Colour names, in the order in which points take them.
    """

    shape: Shape = "arrow"
    size: int = 5
    outline: int = 1
    colors: tuple[str, ...] = tuple(COLORS)

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise UserError(f"unknown marker shape {self.shape!r}", remedy=did_you_mean(self.shape, SHAPES))
        if self.size < 1 or self.outline < 0:
            raise UserError(
                f"a marker of size {self.size} with an outline of {self.outline} px cannot be drawn",
                remedy="give a size of at least 1 px and an outline of at least 0",
            )
        for color in self.colors:
            rgb(color)

    @property
    def reach(self) -> int:
        """How far [px] a mark extends from the pixel it means."""
        return self.size + self.outline

    def draw(self, pixels: Pixels, points: Sequence[Point]) -> Pixels:
        """A copy of a picture (H, W, 3) with one mark for each Point, in the colour of its name.

        Raises:
            UserError: If a Point's name is not a colour, or it lies outside the picture.
        """
        marked = pixels.copy()
        meant = [_nearest(point, pixels) for point in points]
        for point, (u, v) in zip(points, meant, strict=True):
            self._draw_one(marked, point.name, u, v)
        for u, v in meant:
            marked[v, u] = pixels[v, u]
        return marked

    def _draw_one(self, marked: Pixels, name: str, u: int, v: int) -> None:
        stencil = self._stencil(u, v, marked.shape[1])
        color, outline = rgb(name), (255,) * 3 if name in _WHITE_OUTLINE else (0,) * 3
        reach = stencil.shape[0] // 2
        top, left = v - reach, u - reach
        rows = slice(max(top, 0), min(top + stencil.shape[0], marked.shape[0]))
        columns = slice(max(left, 0), min(left + stencil.shape[1], marked.shape[1]))
        part = stencil[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        marked[rows, columns][part == _OUTLINE] = outline
        marked[rows, columns][part == _FILL] = color

    def _stencil(self, u: int, v: int, width: int) -> NDArray[np.uint8]:
        """A square patch (S, S) around the meant pixel: 0 untouched, else _OUTLINE or _FILL."""
        size = self.size
        reach = self.reach
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        if self.shape == "arrow":
            x = -x if u < reach and u < width - 1 - u else x
            head = (size + 1) // 2
            fill = (x >= -size) & (np.abs(y) <= np.where(x >= -head, -x - 1, head // 3))
        elif self.shape == "cross":
            # The gap is as wide as an arm, so that the arms touch at its corners: one blob for find_marks.
            arm = size // 4
            ring = np.maximum(np.abs(x), np.abs(y))
            fill = (np.minimum(np.abs(x), np.abs(y)) <= arm) & (ring > arm) & (ring <= size)
        elif self.shape == "dot":
            square = x * x + y * y
            fill = (square <= (size + 0.5) ** 2) & (square > max(0.5, (size / 4) ** 2))
        else:
            ring = np.maximum(np.abs(x), np.abs(y))
            fill = (ring <= size) & (ring > size - max(1, (size + 2) // 4))
        kernel = np.ones((2 * self.outline + 1,) * 2, np.uint8)
        grown = cv2.dilate(fill.astype(np.uint8), kernel)
        kept = x >= 0 if self.shape == "arrow" else (x == 0) & (y == 0)
        return np.where(fill, _FILL, np.where((grown > 0) & ~kept, _OUTLINE, 0)).astype(np.uint8)


_OUTLINE, _FILL = 1, 2


def _nearest(point: Point, pixels: Pixels) -> tuple[int, int]:
    """The pixel (u, v) of a picture (H, W, 3) nearest to a Point.

    The Point may lie half a pixel outside: a canonical picture's size is rounded.
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
    """Centres (N, 2) of compact marks of a named colour in a picture (H, W, 3).

    A mark is a connected blob of at least ``_MIN_AREA`` px whose hue is the colour's, strongly
    saturated, and whose bounding box is small against the picture and well filled.

    Raises:
        UserError: If the colour is unknown or has no hue (white).
    """
    if color == "white":
        raise UserError("a white mark cannot be told from the picture", remedy="pass --point white=U,V")
    wanted = cv2.cvtColor(np.array([[rgb(color)]], np.float32) / 255, cv2.COLOR_RGB2HSV)[0, 0]
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
