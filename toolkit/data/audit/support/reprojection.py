"""Carries points of one frame into another by their poses, and compares them with the depth that is labelled there.

Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.geometry.pose import transform
from toolkit.utils.arrays import Array

AGREE = 0.03
"""The relative difference of z-depth up to which two labels count as one surface; sensors and poses err by 1 or 2 %."""

POINTS = 600
"""The number of points of a frame that are carried into another."""

_AHEAD = 3  # the number of later frames of its sequence with which a frame is compared
_SEEN = 0.1  # the share of the points that must land in the other picture
_LEAST = 20  # the number of points that must land there


@dataclass(frozen=True, eq=False)
class FramePair:
    """Two frames of one sequence.

    Attributes:
        one: The frame from which points are taken.
        two: The frame into which they are carried.
        chosen: The indices (N,) of the labels of ``one`` that are carried over.
    """

    one: AuditedFrame
    two: AuditedFrame
    chosen: NDArray[np.intp]

    def agreement(self, two_from_one: Array, scale: float = 1.0) -> float:
        """How well the two frames agree, from 0 to 1.

        With depth maps, this is the share of the points in view whose z-depth agrees with the label there. With
        sparse labels, it is the correlation of brightness between the pictures; a negative one counts as 0.

        Args:
            two_from_one: The relative pose (4, 4) of the two cameras.
            scale: The factor by which the depth of both frames is multiplied.
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
        """The points that land in the small picture of the other frame.

        Args:
            two_from_one: The relative pose (4, 4) of the two cameras.
            scale: The factor by which the depth of the points is multiplied.

        Returns:
            The indices (M,) of these points in ``chosen``, their pixels (M, 2) in the small picture, and their z-depth
            (M,) [m] there.
        """
        points = self.one.rays[self.chosen] * (scale * self.one.depth_z[self.chosen])[:, None]
        points = transform(two_from_one, points)
        camera = self.two.small_camera
        pixels = np.nan_to_num(camera.project(points), nan=-9.0)
        seen = np.flatnonzero(camera.contains(pixels))
        return seen, np.clip(pixels[seen], 0, (camera.width - 1, camera.height - 1)), points[seen, 2]


def _correlation(one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    spread = float(one.std() * two.std())
    return float(((one - one.mean()) * (two - two.mean())).mean() / spread) if spread > 0 else 0.0


def make_pairs(sequence: Sequence[AuditedFrame], rng: np.random.Generator) -> list[tuple[int, int, FramePair]]:
    """Pairs of neighbouring frames of one sequence, each with the two indices of its frames in the sequence."""
    return [
        (first, second, FramePair(sequence[first], sequence[second], _draw_labels(sequence[first], rng)))
        for first in range(len(sequence))
        for second in range(first + 1, min(first + 1 + _AHEAD, len(sequence)))
    ]


def draw_pairs(
    pairs: list[tuple[int, int, FramePair]], count: float, rng: np.random.Generator
) -> list[tuple[int, int, FramePair]]:
    """About ``count`` of the pairs in their order, at least two of them (or all, if there are fewer)."""
    keep = np.sort(rng.permutation(len(pairs))[: max(2, round(count))])
    return [pairs[index] for index in keep]


def _draw_labels(frame: AuditedFrame, rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices of at most ``POINTS`` labels of a frame."""
    return rng.permutation(len(frame.pixels))[:POINTS]
