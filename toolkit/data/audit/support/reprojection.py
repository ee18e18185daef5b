"""Points of one frame carried into another by the poses: do they land on the depth that is labelled there?

Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from toolkit.data.audit.audited_frame import Shot
from toolkit.geometry.pose import transform
from toolkit.utils.arrays import Array

AGREE = 0.03
"""Relative difference of depth_z up to which two labels are of one surface; sensors and poses err by 1 or 2 %."""


POINTS = 600
"""Points of a frame that are carried into another."""


_AHEAD = 3  # how many later frames of its sequence a frame is compared with


_SEEN = 0.1  # share of the points that must land in the other picture


_LEAST = 20  # points that must


@dataclass(frozen=True, eq=False)
class Pair:
    """Two frames of one sequence.

    Attributes:
        one: Where points are taken.
        two: Where they are looked for.
        chosen: Which labels of ``one`` are carried over, (N,).
    """

    one: Shot
    two: Shot
    chosen: NDArray[np.intp]

    def agreement(self, two_from_one: Array, scale: float = 1.0) -> float:
        """How well the frames agree, 0 to 1, under a relative pose (4, 4) and with all depth times ``scale``.

        With depth maps it is the share of the points in view whose depth_z is as labelled there. With sparse
        labels it is the correlation of brightness between the pictures, where a negative one counts as none.
        """
        seen, pixels, depth_z = self.carried(two_from_one, scale)
        if len(seen) < max(_LEAST, _SEEN * len(self.chosen)):
            return 0.0
        if not self.two.dense:
            here = self.one.cells[self.chosen[seen]]
            there = map_coordinates(self.two.grey, pixels[:, ::-1].T, order=1)
            return max(0.0, _correlation(self.one.grey[here[:, 1], here[:, 0]], there))
        columns, rows = np.rint(pixels).astype(int).T
        labelled = self.two.grid[rows, columns] * scale
        known = np.isfinite(labelled)
        if known.sum() < _LEAST:
            return 0.0
        return float((np.abs(np.log(depth_z[known] / labelled[known])) < AGREE).mean())

    def carried(self, two_from_one: Array, scale: float = 1.0) -> tuple[NDArray[np.intp], Array, Array]:
        """Which points land in the other small picture (M,), where (M, 2), and with what depth_z (M,) [m]."""
        points = self.one.rays[self.chosen] * (scale * self.one.depth_z[self.chosen])[:, None]
        points = transform(two_from_one, points)
        camera = self.two.small_camera
        pixels = np.nan_to_num(camera.project(points), nan=-9.0)
        seen = np.flatnonzero(camera.contains(pixels))
        return seen, np.clip(pixels[seen], 0, (camera.width - 1, camera.height - 1)), points[seen, 2]


def _correlation(one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    spread = float(one.std() * two.std())
    return float(((one - one.mean()) * (two - two.mean())).mean() / spread) if spread > 0 else 0.0


def make_pairs(sequence: Sequence[Shot], rng: np.random.Generator) -> list[tuple[int, int, Pair]]:
    """Pairs of near frames of one sequence, with their places in it."""
    return [
        (first, second, Pair(sequence[first], sequence[second], _some(sequence[first], rng)))
        for first in range(len(sequence))
        for second in range(first + 1, min(first + 1 + _AHEAD, len(sequence)))
    ]


def thinned(pairs: list[tuple[int, int, Pair]], count: float, rng: np.random.Generator) -> list[tuple[int, int, Pair]]:
    """At most ``count`` of the pairs, at least two."""
    keep = np.sort(rng.permutation(len(pairs))[: max(2, round(count))])
    return [pairs[index] for index in keep]


def _some(shot: Shot, rng: np.random.Generator) -> NDArray[np.intp]:
    return rng.permutation(len(shot.pixels))[:POINTS]
