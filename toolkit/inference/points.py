"""The points that a user means: given by pixel, or as marks already drawn in the picture."""

import re
from collections.abc import Mapping

import numpy as np

from toolkit.data.frames.frame import Frame
from toolkit.errors import UserError, did_you_mean
from toolkit.geometry.camera import Camera
from toolkit.inference.answer import Located
from toolkit.inference.point_syntax import Place
from toolkit.qa.marker import find_marks
from toolkit.qa.routing import colors_in
from toolkit.qa.sample import Presenter
from toolkit.utils.arrays import Array, Pixels
from toolkit.utils.colors import COLORS

Named = Place | tuple[float, float]
"""A point that a user gives: a place, or (u, v) [px of the upright picture]."""


MOST_POINTS = 100_000
"""Questions that are asked at once, and whose answers are held in memory until the last has come."""


def find_points(question: str, given: Mapping[str, Named], frame: Frame) -> dict[str, Located]:
    """Each point's place, in the order of the question.

    Args:
        question: The user's words; where they name a colour and no point is given, a mark of it is looked for.
        given: Places by name.
        frame: The picture, and its camera.

    Raises:
        UserError: If a point is unknown, outside, or given twice, or there is not one mark of a colour.
    """
    named = colors_in(question)
    if not given:
        return {color: Located(_found(frame.picture.read(), color), "a mark in the picture") for color in named}
    pixels = {name: pixel_of(place, frame.camera) for name, place in given.items()}
    check_points(given, frame.camera)
    strangers = [name for name in named if name not in given]
    if strangers:
        raise UserError(
            f"the question names a {strangers[0]} point, and --point gives {', '.join(given)}",
            remedy=f"add --point {strangers[0]}=U,V, or name the point that you mean",
        )
    order = [*named, *(name for name in given if name not in named)]
    return {name: Located(pixels[name], "--point") for name in order}


def pixel_of(place: Named, camera: Camera) -> tuple[float, float]:
    """(u, v) [px] of a place in the upright picture."""
    return place.pixel(camera.width, camera.height) if isinstance(place, Place) else place


def check_points(given: Mapping[str, Named], camera: Camera) -> None:
    """Check that points have colours for names, and different places in the picture.

    Raises:
        UserError: If they have not.
    """
    pixels = {name: pixel_of(place, camera) for name, place in given.items()}
    for name, pixel in pixels.items():
        if name not in COLORS:
            raise UserError(
                f"--point {name}={pixel[0]:g},{pixel[1]:g}: unknown marker colour {name!r}",
                remedy=did_you_mean(name.lower(), COLORS),
            )
        check_place(pixel, camera, f"{name}=")
    if len(set(pixels.values())) < len(pixels):
        raise UserError(f"the points {' and '.join(given)} are at the same place", remedy="give each its own pixel")


def parse_grid(given: str) -> tuple[int, int]:
    """Columns and rows from ``16x12``.

    Raises:
        UserError: If these are not two positive numbers.
    """
    match = re.fullmatch(r"(\d{1,4})[xX*](\d{1,4})", given)
    if match is None or not (columns := int(match[1])) or not (rows := int(match[2])):
        raise UserError(f"--grid {given}: this is not COLUMNSxROWS", remedy="write it like --grid 16x12")
    return columns, rows


def grid_points(columns: int, rows: int, width: int, height: int) -> Array:
    """The middles (columns * rows, 2) of equal cells of a picture of ``width`` x ``height`` [px], row by row.

    Raises:
        UserError: If there are more of them than pixels, or than ``MOST_POINTS``.
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


def check_place(place: tuple[float, float], camera: Camera, name: str = "") -> None:
    """Check that a pixel lies in a picture.

    Raises:
        UserError: If it does not.
    """
    if not camera.contains(place):
        raise UserError(
            f"the point {name}{place[0]:g},{place[1]:g} lies outside the {camera.width} x {camera.height} picture",
            remedy="give U,V in pixels of the upright picture, U to the right and V down",
        )


def blindness(presenter: Presenter) -> list[str]:
    """A warning where the model was trained to heed no points."""
    if presenter.reference != "none":
        return []
    return ["this model was not trained to be told which point is meant: its answer is the same for all"]


def unheeded(places: Mapping[str, Located], presenter: Presenter) -> list[str]:
    """A warning where points are given and the model was trained to heed none, or not with marks of their colours."""
    if places and (blind := blindness(presenter)):
        return blind
    unknown = [name for name in places if name not in presenter.marker.colors and name in COLORS]
    if presenter.reference != "marker" or not unknown:
        return []
    return [
        f"this model was not trained with {', '.join(unknown)} marks, but with {', '.join(presenter.marker.colors)}"
    ]


def _found(pixels: Pixels, color: str) -> tuple[float, float]:
    """The one mark of a colour in a picture."""
    marks = find_marks(pixels, color)
    if len(marks) == 1:
        return float(marks[0][0]), float(marks[0][1])
    places = ", ".join(f"({u:.0f}, {v:.0f})" for u, v in marks[:5])
    raise UserError(
        f"the question names a {color} point, and the picture has {len(marks) or 'no'} compact {color} "
        f"mark{'s' if len(marks) != 1 else ''}" + (f": {places}" if places else ""),
        remedy=f"say where it is: --point {color}=U,V",
    )
