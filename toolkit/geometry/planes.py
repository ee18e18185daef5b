"""Finds planes among points that a camera sees.

A plane n . X = 1 that is seen along the ray r (with z = 1) has 1 / z = n . r, so 1 / z is linear in r.

Conventions: see ``toolkit.geometry.camera``. The search is that of Fischler and Bolles 1981, "Random sample
consensus".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.utils.arrays import Array

_DRAWS = 400  # triples drawn for a plane; a plane with 20 % of the points is missed in one of 25 frames
_FLAT = 1e-4  # three rays whose determinant is below this lie nearly in one plane with the camera centre
_REFITS = 2


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane in front of the camera.

    Attributes:
        normal: The vector n (3,) [1/m] with n . X = 1 for the points X of the plane, in the camera frame; 1 / |n| is
            the distance of the plane.
        members: For each point (N,), whether it lies on the plane.
    """

    normal: Array
    members: NDArray[np.bool_]

    @property
    def distance(self) -> float:
        """The distance of the plane from the camera centre [m]."""
        return float(1 / np.linalg.norm(self.normal))


def find_planes(
    rays: Array, depth_z: Array, rng: np.random.Generator, tolerance: float = 0.01, count: int = 3, least: int = 6
) -> list[Plane]:
    """The largest planes among points; each is searched among the points that are on none of those before it.

    Args:
        rays: The viewing rays (N, 3) of the points in the camera frame, with z = 1.
        depth_z: The z-depth (N,) of the points [m]; points without a finite positive depth are on no plane.
        rng: Draws the triples of points.
        tolerance: The greatest relative error of z-depth that a point of a plane may have.
        count: The number of planes, at most.
        least: The number of points that a plane must have.

    Returns:
        The planes in the order in which they were found.
    """
    planes: list[Plane] = []
    left = np.flatnonzero(np.isfinite(rays).all(axis=-1) & np.isfinite(depth_z) & (depth_z > 0))
    while len(planes) < count and len(left) >= least:
        points = rays[left] * depth_z[left, None]
        normal = largest_plane(points, rng, tolerance)
        on = np.abs(points @ normal - 1) < tolerance
        if on.sum() < least:
            break
        members = np.zeros(len(rays), dtype=bool)
        members[left[on]] = True
        planes.append(Plane(normal, members))
        left = left[~on]
    return planes


def largest_plane(
    points: Array,
    rng: np.random.Generator,
    tolerance: float,
    wanted: Callable[[Array], NDArray[np.bool_]] = lambda normals: np.ones(len(normals), dtype=bool),
) -> Array:
    """The plane that has the most points, refined by least squares.

    Args:
        points: The points (N, 3) [m] in the camera frame.
        rng: Draws the triples of points.
        tolerance: The greatest relative error of z-depth that a point of the plane may have.
        wanted: A function that tells which planes n . X = 1 may be found, given their vectors n (K, 3) [1/m].

    Returns:
        The vector n (3,) [1/m] of the plane; zero if no three points make a plane that is wanted.
    """
    triples = points[rng.integers(len(points), size=(_DRAWS, 3))]
    spread = np.abs(np.linalg.det(triples / triples[..., 2:]))
    triples = triples[spread > _FLAT]
    normals = np.linalg.solve(triples, np.ones((len(triples), 3, 1)))[..., 0]
    normals = normals[wanted(normals)]
    if not len(normals):
        return np.zeros(3)
    gains = _gains(points, normals, tolerance)
    best, most = normals[gains.argmax()], gains.max()
    for _ in range(_REFITS):
        on = np.abs(points @ best - 1) < tolerance
        refined = np.linalg.lstsq(points[on], np.ones(on.sum()), rcond=None)[0]
        now = _gains(points, refined[None], tolerance)[0]
        if now < most or not wanted(refined[None])[0]:
            break
        best, most = refined, now
    return best


def _gains(points: Array, normals: Array, tolerance: float) -> Array:
    """How well planes (K, 3) fit points (N, 3): each point counts from 1 on the plane to 0 at the tolerance.

    Such weights tell the plane in the middle of its points from others within the tolerance (Torr and Zisserman 2000,
    "MLESAC", section 3).
    """
    errors = (points @ normals.T - 1) / tolerance
    gains: Array = np.maximum(0, 1 - errors**2).sum(axis=0)
    return gains
