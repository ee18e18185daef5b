"""Auxiliary words: what a model that has not learnt to see yet is taught besides the answers.

A pretrained model recognises edges, floors and marks before its first 3D question. A model with random weights learns
them very slowly from one answer per picture. Two kinds of hints help it. Both are target words for tokens that would
otherwise carry no loss, so they use the same loss, and the sequence does not grow:

- **Patch words** are taught on image tokens. The word is the name of the mark in the patch if there is one, otherwise
  a letter that stands for the distance at the centre of the patch. In a second picture it stands for the distance from
  the first picture's camera, which teaches how the camera moved.
- **Point words** are taught on the name of a mark, where a question first says it, and on the two tokens after it. The
  words are the column and the row of the mark, and the letter for its distance. They teach the model to look at the
  mark, which is what takes longest to learn.

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
"""The distance [m] at which the first letter begins. Nearer places have the first letter too."""

RATIO = 24 ** (1 / 26)
"""The distance at which a letter ends, divided by the distance at which it begins. It is finer than delta_1's 1.25."""

CELLS = 10
"""How many columns and how many rows point words distinguish. They are numbered from 0, left to right and downwards."""

_NEAR_CENTRE = 0.75  # px; a label counts for a patch if it is this near to the patch's centre along both axes


def distance_letter(distance: float) -> str:
    """The letter that stands for a distance [m]: a from 0.5 m, b from 0.57 m, ..., Z from 255 m."""
    step = int(np.log(max(distance, NEAREST) / NEAREST) / np.log(RATIO))
    return ascii_letters[min(step, len(ascii_letters) - 1)]


def patch_words(
    view: View, points: Sequence[Point], side: int, hints: Hints, first_from_view: Array | None = None
) -> list[str]:
    """The word for each patch of a View, row after row.

    A word is the name of the mark in the patch, otherwise the letter for the patch's distance, or "" for no word.

    Args:
        view: The picture and its labels.
        points: The points that are marked in the picture; () if there are none.
        side: The side length of a patch [px].
        hints: The share of patches that get a letter, and the seed that draws them. All marks get their names.
        first_from_view: The pose (4, 4) [m] of the View's camera in the frame of the camera that distances are
            measured from; None if they are measured from the View's own camera.

    Returns:
        One word per patch.
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
            words[v, u] = distance_letter(distance)
    for point in points:
        u, v = ((point.pixel + 0.5) // side).astype(int)
        if v < rows and u < columns:
            words[v, u] = f" {point.name}"
    return [str(word) for word in words.ravel()]


def point_words(view: View, point: Point) -> tuple[str, str, str]:
    """The column and the row of a point, in tenths of its View's width and height, and the letter for its distance."""
    size = (view.camera.width, view.camera.height)
    column, row = np.clip((point.pixel + 0.5) / size * CELLS, 0, CELLS - 1).astype(int)
    return str(column), str(row), distance_letter(point.distance)
