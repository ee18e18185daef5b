"""What lies at each patch of a picture, as a word: taught to image tokens of a tower that has seen no pictures yet.

A pretrained tower knows edges, floors and walls before its first 3D question; one with random weights learns them
very slowly from one answer a picture. Words on all of its image tokens teach it as many things a picture as it has
tokens, by the same loss and without a token more. Conventions: see ``toolkit.camera``.
"""

from collections.abc import Sequence
from string import ascii_letters

import numpy as np

from toolkit.frame import View
from toolkit.query import Point

NEAREST = 0.5
"""Distance [m] at which the first letter begins; nearer patches have it too."""

RATIO = 24 ** (1 / 26)
"""Distance at which a letter ends, divided by that at which it begins: finer than what delta_1 tells apart."""

_NEAR_CENTRE = 0.75  # px; a patch has the distance of a label this near to its centre, along both axes


def letter(distance: float) -> str:
    """The letter of a distance [m]: a from 0.5 m, b from 0.57 m, ..., Z from 260 m."""
    step = int(np.log(max(distance, NEAREST) / NEAREST) / np.log(RATIO))
    return ascii_letters[min(step, len(ascii_letters) - 1)]


def patch_words(view: View, points: Sequence[Point], side: int) -> list[str]:
    """A word for each patch of a View, row after row: the name of the mark in it, else its distance's letter, or "".

    Args:
        view: The picture and its labels.
        points: What is marked in it; where nothing is, ().
        side: Of a patch [px].
    """
    rows, columns = view.camera.height // side, view.camera.width // side
    words = np.full((rows, columns), "", dtype=object)
    off_centre = np.abs((view.points + 0.5) % side - side / 2)
    central = np.flatnonzero((off_centre <= _NEAR_CENTRE).all(axis=1) & view.camera.contains(view.points))
    pixels = view.points[central]
    distances = view.camera.distance_from_z(pixels, view.depth_z[central])
    for (u, v), distance in zip(((pixels + 0.5) // side).astype(int), distances, strict=True):
        if v < rows and u < columns:
            words[v, u] = letter(distance)
    for point in points:
        u, v = ((point.pixel + 0.5) // side).astype(int)
        if v < rows and u < columns:
            words[v, u] = f" {point.name}"
    return [str(word) for word in words.ravel()]
