"""What is taught besides the answers, by the same loss and without a token more, to a model that cannot see yet.

A pretrained model knows edges, floors and marks before its first 3D question; one with random weights learns them
very slowly from one answer a picture. Two hints help it, both words on tokens that carry no loss otherwise:

- **Patch words**, on image tokens: the name of the mark in the patch, else a letter for the distance at its middle.
  In a second picture that is the distance from the first one's camera, so that it teaches how the camera moved.
- **Point words**, on the name of a mark where a question first says it, and on the two tokens after it: the column
  and the row in which it lies, and the letter of its distance. They teach looking at the mark, which takes longest.

Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Sequence
from string import ascii_letters

import numpy as np

from toolkit.geometry.pose import transform
from toolkit.qa.canonical_view import View
from toolkit.qa.query import Point
from toolkit.qa.sample import Hints
from toolkit.utils.arrays import Array

NEAREST = 0.5
"""Distance [m] at which the first letter begins; nearer places have it too."""


RATIO = 24 ** (1 / 26)
"""Distance at which a letter ends, divided by that at which it begins: finer than what delta_1 tells apart."""


CELLS = 10
"""Columns and rows that point words tell apart, from 0 to 9 in reading order."""


_NEAR_CENTRE = 0.75  # px; a patch has the distance of a label this near to its centre, along both axes


def letter(distance: float) -> str:
    """The letter of a distance [m]: a from 0.5 m, b from 0.57 m, ..., Z from 255 m."""
    step = int(np.log(max(distance, NEAREST) / NEAREST) / np.log(RATIO))
    return ascii_letters[min(step, len(ascii_letters) - 1)]


def patch_words(
    view: View, points: Sequence[Point], side: int, hints: Hints, first_from_view: Array | None = None
) -> list[str]:
    """A word for each patch of a View, row after row: the name of the mark in it, else its distance's letter, or "".

    Args:
        view: The picture and its labels.
        points: What is marked in it; where nothing is, ().
        side: Of a patch [px].
        hints: How many of the letters are told; the others are "".
        first_from_view: Pose (4, 4) [m] of the View's camera in the frame of the camera from which distances count;
            None for its own.
    """
    rows, columns = view.camera.height // side, view.camera.width // side
    words = np.full((rows, columns), "", dtype=object)
    off_centre = np.abs((view.points + 0.5) % side - side / 2)
    central = np.flatnonzero((off_centre <= _NEAR_CENTRE).all(axis=1) & view.camera.contains(view.points))
    pixels = view.points[central]
    xyz = view.camera.unproject(pixels, view.depth_z[central])
    distances = np.linalg.norm(xyz if first_from_view is None else transform(first_from_view, xyz), axis=-1)
    told = np.random.default_rng(hints.seed).random((rows, columns)) < hints.patches
    for (u, v), distance in zip(((pixels + 0.5) // side).astype(int), distances, strict=True):
        if v < rows and u < columns and told[v, u]:
            words[v, u] = letter(distance)
    for point in points:
        u, v = ((point.pixel + 0.5) // side).astype(int)
        if v < rows and u < columns:
            words[v, u] = f" {point.name}"
    return [str(word) for word in words.ravel()]


def point_words(view: View, point: Point) -> tuple[str, str, str]:
    """Column and row of a point in a View, in tenths of its sides, and the letter of its distance."""
    size = (view.camera.width, view.camera.height)
    column, row = np.clip((point.pixel + 0.5) / size * CELLS, 0, CELLS - 1).astype(int)
    return str(column), str(row), letter(point.distance)
