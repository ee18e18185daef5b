"""Planes among labelled pixels. A plane n . X = 1 seen along the ray r (z = 1) has 1 / z = n . r: it is linear.

Conventions: see ``toolkit.geometry.camera``. Search: Fischler and Bolles 1981, "Random sample consensus".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.utils.arrays import Array

_DRAWS = 400  # triples drawn for a plane: one of them lies on a plane of 20 % of the points, but once in 25 frames


_FLAT = 1e-4  # determinant of three rays below which they lie in one plane with the camera centre


_REFITS = 2


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane in front of the camera.

    Attributes:
        normal: n (3,) [1/m] with n . X = 1 for its points X in the camera frame; 1 / |n| is its distance.
        members: Which of the points lie on it, (N,).
    """

    normal: Array
    members: NDArray[np.bool_]

    @property
    def distance(self) -> float:
        """From the camera centre [m]."""
        return float(1 / np.linalg.norm(self.normal))


def find_planes(
    rays: Array, depth_z: Array, rng: np.random.Generator, tolerance: float = 0.01, count: int = 3, least: int = 6
) -> list[Plane]:
    """The largest planes, each among the points that the ones before left over.

    Args:
        rays: Rays (N, 3) with z = 1, camera frame.
        depth_z: Their depth_z (N,) [m].
        rng: Draws the triples.
        tolerance: Greatest relative error of depth_z of a plane's point.
        count: How many planes at most.
        least: Points that a plane must have.
    """
    planes: list[Plane] = []
    left = np.flatnonzero(np.isfinite(rays).all(axis=-1) & np.isfinite(depth_z) & (depth_z > 0))
    while len(planes) < count and len(left) >= least:
        points = rays[left] * depth_z[left, None]
        normal = _largest(points, rng, tolerance)
        on = np.abs(points @ normal - 1) < tolerance
        if on.sum() < least:
            break
        members = np.zeros(len(rays), dtype=bool)
        members[left[on]] = True
        planes.append(Plane(normal, members))
        left = left[~on]
    return planes


def _largest(points: Array, rng: np.random.Generator, tolerance: float) -> Array:
    """The normal (3,) of the plane with the most points (N, 3) within ``tolerance``, refined by least squares."""
    triples = points[rng.integers(len(points), size=(_DRAWS, 3))]
    spread = np.abs(np.linalg.det(triples / triples[..., 2:]))
    triples = triples[spread > _FLAT]
    if not len(triples):
        return np.zeros(3)
    normals = np.linalg.solve(triples, np.ones((len(triples), 3, 1)))[..., 0]
    counts = (np.abs(points @ normals.T - 1) < tolerance).sum(axis=0)
    best, most = normals[counts.argmax()], counts.max()
    for _ in range(_REFITS):
        on = np.abs(points @ best - 1) < tolerance
        refined = np.linalg.lstsq(points[on], np.ones(on.sum()), rcond=None)[0]
        now = (np.abs(points @ refined - 1) < tolerance).sum()
        if now < most:
            break
        best, most = refined, now
    return best
