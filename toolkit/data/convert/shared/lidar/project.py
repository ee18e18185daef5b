"""LiDAR points as labels of a picture: moved to the moment of the picture, projected, the hidden ones removed.

A sweep and a picture are taken at two moments, and the vehicle moves between them. With a pose for each moment,
camera_from_lidar = inverse(world_from_camera) @ world_from_lidar is right for all that stands still.
Conventions: see ``toolkit.geometry.camera``.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.shared.label_selection import nearest_pixels
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse, transform
from toolkit.utils.arrays import Array

_FAR = np.float32(1e30)  # m; where nothing was measured


_HIDING_SIDES = 3  # of four: nearer points on so many sides hide a point


@dataclass(frozen=True)
class Scanner:
    """How densely a LiDAR measures.

    Attributes:
        across: Angle between neighbouring points of a beam [deg].
        down: Angle between neighbouring beams, where they are widest apart [deg].
        nearest: Points nearer than this are of the vehicle itself [m].
    """

    across: float
    down: float
    nearest: float = 1.0


def camera_from_lidar(world_from_camera: Array, world_from_lidar: Array) -> Array:
    """The transform (4, 4) from the LiDAR at its moment to the camera at its own, both poses (4, 4)."""
    return inverse(world_from_camera) @ world_from_lidar


def nearest_sweep(middles: Sequence[int], moment: int, most: int) -> int | None:
    """Which sweep is nearest to a picture in time, None if none is.

    Args:
        middles: Moments in the middle of each sweep, ascending.
        moment: Of the picture, in the same unit.
        most: How far apart they may be.
    """
    place = bisect_left(middles, moment)
    near = [index for index in (place - 1, place) if 0 <= index < len(middles)]
    best = min(near, key=lambda index: abs(middles[index] - moment), default=None)
    return best if best is not None and abs(middles[best] - moment) <= most else None


def labels_from_lidar(camera: Camera, xyz: Array, scanner: Scanner) -> tuple[Array, Array]:
    """Pixels (M, 2) and depth_z (M,) [m] of the points (N, 3) [m, camera frame] that the camera sees."""
    pixels, depth_z = project(camera, xyz, scanner.nearest)
    seen = ~hidden(pixels, depth_z, camera, scanner)
    return pixels[seen], depth_z[seen]


def lidar_in_camera(camera_from_lidar: Array, points: NDArray[np.floating]) -> Array:
    """Points (N, 3) [m, camera frame] of a sweep (N, 3 or more) [m, LiDAR frame]; those not finite are left out."""
    xyz = np.asarray(points[:, :3], dtype=np.float64)
    return transform(camera_from_lidar, xyz[np.isfinite(xyz).all(axis=1)])


def project(camera: Camera, xyz: Array, nearest: float = 0.0) -> tuple[Array, Array]:
    """Pixels (M, 2) and depth_z (M,) [m] of the points (N, 3) [m, camera frame] that fall into the picture."""
    front = xyz[xyz[:, 2] > nearest]
    pixels = camera.project(front)
    inside = camera.contains(pixels)
    return pixels[inside], front[inside, 2]


def hidden(
    pixels: Array, depth_z: Array, camera: Camera, scanner: Scanner, step: float = 1.05, least: float = 0.3
) -> NDArray[np.bool_]:
    """Which points (N,) are seen through nearer surfaces: the LiDAR looks past what stands in the camera's way.

    A point is hidden if clearly nearer points lie around it: in at least three of the four quadrants, as far as the
    scanner leaves gaps. Ground and walls seen at a slant have nearer points on one side only, and stay; so does the
    background beside an edge.
    After Pintus, Gobbetti, Agus 2011, "Real-time rendering of massive unstructured raw point clouds using
    screen-space operators", section 4 (there: the free solid angle, summed over sectors).

    Args:
        pixels: (N, 2).
        depth_z: (N,) [m].
        camera: Of the picture.
        scanner: How densely it was measured.
        step: Factor by which a nearer surface is nearer.
        least: And by how much at least [m].
    """
    size = (camera.width, camera.height)
    columns, rows = nearest_pixels(pixels, size)
    near = np.full(size[::-1], _FAR)
    np.minimum.at(near, (rows, columns), depth_z.astype(np.float32))
    limit = np.minimum(depth_z / step, depth_z - least)
    reach_u, reach_v = _reach(camera.fx, scanner.across), _reach(camera.fy, scanner.down)
    window = np.ones((reach_v + 1, reach_u + 1), dtype=np.uint8)
    sides = np.zeros(len(pixels), dtype=np.intp)
    for anchor in ((0, 0), (reach_u, 0), (0, reach_v), (reach_u, reach_v)):
        sides += cv2.erode(near, window, anchor=anchor)[rows, columns] < limit
    return sides >= _HIDING_SIDES


def _reach(focal: float, angle: float) -> int:
    """Pixels that surely hold a neighbour: one and a half gaps."""
    return max(int(np.ceil(1.5 * focal * np.tan(np.radians(angle)))), 1)
