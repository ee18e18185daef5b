"""The floor that a camera sees, and the camera's height above it.

Conventions: see ``toolkit.geometry.camera``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.geometry.planes import largest_plane
from toolkit.utils.arrays import Array

_TOLERANCES = (0.02, 0.05, 0.1)  # relative errors of depth that are tried; the last is what a model's depths may have
_STEEPEST = 45.0  # degrees between the floor's normal and the picture's vertical: how much a camera is tilted at most
_LEAST_SHARE = 0.1  # share of the points that must lie on the floor
_MOST_BELOW = 0.05  # share of the points that may lie below the floor, because depths are not exact
_FEWEST = 6  # points that make a floor


@dataclass(frozen=True)
class FloorPlane:
    """The floor below a camera.

    Attributes:
        height: The height of the camera centre above the floor [m].
        spread: The root mean square of the relative errors with which the points of the floor lie on one plane.
        count: The number of these points.
    """

    height: float
    spread: float
    count: int


def find_floor(xyz: Array, rng: np.random.Generator) -> FloorPlane | None:
    """Find the floor among points: the largest plane below the camera that hardly any point lies below.

    A table also lies below the camera, but the points of the floor lie below the table. The search is that of Fischler
    and Bolles 1981, "Random sample consensus". The narrowest tolerance with which a floor is found makes its height the
    most exact, because fewer points of walls count as floor.

    Args:
        xyz: The points (N, 3) [m] in the camera frame. The camera may be tilted by up to 45 degrees.
        rng: Draws triples of points.

    Returns:
        The floor; None if too few of the points lie on such a plane.
    """
    least = max(_FEWEST, _LEAST_SHARE * len(xyz))
    if len(xyz) < least:
        return None
    for tolerance in _TOLERANCES:
        normal = largest_plane(xyz, rng, tolerance, lambda normals: _is_floor(normals, xyz))
        errors = xyz @ normal - 1
        if normal.any() and (np.abs(errors) < tolerance).sum() >= least:
            on = np.abs(errors) < _TOLERANCES[-1]
            return FloorPlane(
                float(1 / np.linalg.norm(normal)), float(np.sqrt(np.mean(errors[on] ** 2))), int(on.sum())
            )
    return None


def _is_floor(normals: Array, xyz: Array) -> NDArray[np.bool_]:
    """Which planes n . X = 1 (K,) are level and have hardly any of the points (N, 3) below them; n is (K, 3) [1/m]."""
    level = normals[:, 1] > np.cos(np.radians(_STEEPEST)) * np.linalg.norm(normals, axis=1)
    below = (xyz @ normals.T > 1 + _TOLERANCES[-1]).mean(axis=0)
    return level & (below < _MOST_BELOW)
