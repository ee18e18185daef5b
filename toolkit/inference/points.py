"""The points that a user means: given in pixels or per cent, or as marks that are already drawn in the picture."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from toolkit.data.frames.frame import Frame
from toolkit.errors import UserError, did_you_mean
from toolkit.geometry.camera import Camera
from toolkit.inference.point_syntax import Place
from toolkit.qa.marker import find_marks
from toolkit.qa.sample import Presenter
from toolkit.qa.tasks.routing import colors_in
from toolkit.utils.arrays import Array, Pixels
from toolkit.utils.colors import COLORS


class PointSource(StrEnum):
    """How the place of a point is known. The values appear in the JSON of answers."""

    FLAG = "--point"
    MARK = "a mark in the picture"
    GIVEN = "given"


@dataclass(frozen=True)
class LocatedPoint:
    """A point of a picture, and how its place is known.

    Attributes:
        pixel: The pixel (u, v) [px of the upright picture]. It lies in the picture.
        source: How the pixel is known.
    """

    pixel: tuple[float, float]
    source: PointSource


PointInput = Place | tuple[float, float]
"""A point that a user gives: a Place, or (u, v) [px of the upright picture]."""

MOST_POINTS = 100_000
"""The highest number of points that are asked about in one go. Their answers are all held in memory."""


def find_points(question: str, located: Mapping[str, LocatedPoint], frame: Frame) -> dict[str, LocatedPoint]:
    """Find the points of a question, in the order in which the question names them.

    Args:
        question: The user's words. If no points are given, marks of the colours that they name are looked for.
        located: The points that the user gives, by name.
        frame: The picture with its camera.

    Raises:
        UserError: If the question names a colour that is not among the given points, or if no point is given and the
            picture does not have exactly one mark of a colour that the question names.
    """
    named = colors_in(question)
    if not located:
        return {color: LocatedPoint(_find_mark(frame.picture.read(), color), PointSource.MARK) for color in named}
    missing = [name for name in named if name not in located]
    if missing:
        raise UserError(
            f"the question names a {missing[0]} point, and --point gives {', '.join(located)}",
            remedy=f"add --point {missing[0]}=U,V, or name the point that you mean",
        )
    order = [*named, *(name for name in located if name not in named)]
    return {name: located[name] for name in order}


def find_named(names: Collection[str], located: Mapping[str, LocatedPoint], frame: Frame) -> dict[str, LocatedPoint]:
    """Find the points of known lengths.

    Args:
        names: The names of the points.
        located: The points that the user gives, by name. If there are none, marks of these colours are looked for.
        frame: The picture with its camera.

    Raises:
        UserError: If a name is not among the given points, or is no colour, or the picture does not have exactly one
            mark of it.
    """
    if not names:
        return {}
    missing = [name for name in names if name not in (located or COLORS)]
    if missing:
        raise UserError(
            f"a known length names the point {missing[0]!r}, and the points are {', '.join(located) or 'not given'}",
            remedy=f"{did_you_mean(missing[0], located or COLORS)}; or say where it is: --point {missing[0]}=U,V",
        )
    if located:
        return {name: located[name] for name in names}
    pixels = frame.picture.read()
    return {name: LocatedPoint(_find_mark(pixels, name, "a known length"), PointSource.MARK) for name in names}


def without_known(question: str, points: Mapping[str, LocatedPoint], known: Collection[str]) -> dict[str, LocatedPoint]:
    """The points of a question without those that only known lengths need, because the question does not name them."""
    asked = colors_in(question)
    return {name: point for name, point in points.items() if name in asked or name not in known}


def locate_points(given: Mapping[str, PointInput], camera: Camera) -> dict[str, LocatedPoint]:
    """Find the pixels of the points that a user gives.

    Args:
        given: The points by name, in pixels or per cent of the upright picture.
        camera: The camera of the upright picture.

    Raises:
        UserError: If a name is not a marker colour, a point lies outside the picture, or two are at the same place.
    """
    located = {}
    for name, place in given.items():
        pixel = place.pixel(camera.width, camera.height) if isinstance(place, Place) else place
        if name not in COLORS:
            raise UserError(
                f"--point {name}={pixel[0]:g},{pixel[1]:g}: unknown marker colour {name!r}",
                remedy=did_you_mean(name.lower(), COLORS),
            )
        check_inside(pixel, camera, f"{name}=")
        located[name] = LocatedPoint(pixel, PointSource.FLAG)
    pixels = [point.pixel for point in located.values()]
    if len(set(pixels)) < len(pixels):
        raise UserError(f"the points {' and '.join(given)} are at the same place", remedy="give each its own pixel")
    return located


def parse_grid(given: str) -> tuple[int, int]:
    """Parse the columns and rows of a grid like ``16x12``.

    Raises:
        UserError: If the text is not two positive whole numbers like these.
    """
    match = re.fullmatch(r"(\d{1,4})[xX*](\d{1,4})", given)
    if match is None or not (columns := int(match[1])) or not (rows := int(match[2])):
        raise UserError(f"--grid {given}: this is not COLUMNSxROWS", remedy="write it like --grid 16x12")
    return columns, rows


def grid_points(columns: int, rows: int, width: int, height: int) -> Array:
    """The centres of the cells of a grid that divides a picture into equal cells.

    Args:
        columns: The number of columns of the grid.
        rows: The number of rows of the grid.
        width: The width of the picture [px].
        height: The height of the picture [px].

    Returns:
        The centres (columns * rows, 2), (u, v) [px], row by row.

    Raises:
        UserError: If the grid is finer than the pixels, or has more cells than ``MOST_POINTS``.
    """
    if columns > width or rows > height:
        raise UserError(
            f"--grid {columns}x{rows} is finer than the pixels of the {width} x {height} picture",
            remedy="ask about fewer points, like --grid 16x12",
        )
    if columns * rows > MOST_POINTS:
        raise UserError(
            f"--grid {columns}x{rows} asks {columns * rows} questions, and at most {MOST_POINTS} are asked at once",
            remedy="ask about fewer points; or try toolkit cloud, which asks more where the depth changes",
        )
    u = (np.arange(columns) + 0.5) / columns * width - 0.5
    v = (np.arange(rows) + 0.5) / rows * height - 0.5
    return np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)


def check_inside(pixel: tuple[float, float], camera: Camera, name: str = "") -> None:
    """Check that a pixel lies in the picture of a camera.

    Args:
        pixel: The pixel (u, v) [px].
        camera: The camera of the picture.
        name: The text that goes before the pixel in the message.

    Raises:
        UserError: If the pixel lies outside.
    """
    if not camera.contains(pixel):
        raise UserError(
            f"the point {name}{pixel[0]:g},{pixel[1]:g} lies outside the {camera.width} x {camera.height} picture",
            remedy="give U,V in pixels of the upright picture, U to the right and V down",
        )


def no_points_warning(presenter: Presenter) -> list[str]:
    """A warning if the model was trained without being told which point is meant; else an empty list."""
    if presenter.reference != "none":
        return []
    return ["this model was not trained to be told which point is meant: its answer is the same for all points"]


def point_warnings(points: Mapping[str, LocatedPoint], presenter: Presenter) -> list[str]:
    """A warning if the model was trained without points, or without marks of these colours; else an empty list."""
    if points and (warning := no_points_warning(presenter)):
        return warning
    names = presenter.shown_names(list(points))
    unknown = [name for name in names if name not in presenter.marker.colors and name in COLORS]
    if presenter.reference != "marker" or not unknown:
        return []
    return [
        f"this model was not trained with {', '.join(unknown)} marks, but with {', '.join(presenter.marker.colors)}"
    ]


def _find_mark(pixels: Pixels, color: str, named_by: str = "the question") -> tuple[float, float]:
    """The centre (u, v) [px] of the only mark of a colour in a picture (H, W, 3). ``named_by`` is for messages."""
    marks = find_marks(pixels, color)
    if len(marks) == 1:
        return float(marks[0][0]), float(marks[0][1])
    places = ", ".join(f"({u:.0f}, {v:.0f})" for u, v in marks[:5])
    raise UserError(
        f"{named_by} names a {color} point, and the picture has {len(marks) or 'no'} compact {color} "
        f"mark{'s' if len(marks) != 1 else ''}" + (f": {places}" if places else ""),
        remedy=f"say where it is: --point {color}=U,V",
    )
