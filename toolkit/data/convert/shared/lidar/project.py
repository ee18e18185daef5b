"""LiDAR points as labels of a picture: moved to the moment of the picture, projected, and without the hidden ones.

A sweep and a picture are taken at two moments, and the vehicle moves between them. With a pose for each moment,
camera_from_lidar = inverse(world_from_camera) @ world_from_lidar is right for everything that stands still.
Conventions: see ``toolkit.geometry.camera``.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.shared.label_selection import NOT_MEASURED, pixels_at
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse, transform
from toolkit.utils.arrays import Array

_HIDING_SIDES = 3  # of four; a point with nearer points on at least so many sides is hidden


@dataclass(frozen=True)
class Scanner:
    """How densely a LiDAR measures.

    Attributes:
        across: The angle between neighbouring points of a beam [deg].
        down: The angle between neighbouring beams, where they are widest apart [deg].
        nearest: The smallest depth_z [m] of a label; nearer points belong to the vehicle itself.
    """

    across: float
    down: float
    nearest: float = 1.0


def camera_from_lidar(world_from_camera: Array, world_from_lidar: Array) -> Array:
    """The transform (4, 4) from the LiDAR at the moment of the sweep to the camera at the moment of the picture.

    Args:
        world_from_camera: The pose (4, 4) of the camera [m] at the moment of the picture.
        world_from_lidar: The pose (4, 4) of the LiDAR [m] at the moment of the sweep.
    """
    return inverse(world_from_camera) @ world_from_lidar


def labels_from_lidar(camera: Camera, xyz: Array, scanner: Scanner) -> tuple[Array, Array]:
    """Pixels (M, 2) and depth_z (M,) [m] of those points (N, 3) [m, camera frame] that the camera sees."""
    pixels, depth_z = project_points(camera, xyz, scanner.nearest)
    seen = ~find_hidden(pixels, depth_z, camera, scanner)
    return pixels[seen], depth_z[seen]


def lidar_in_camera(camera_from_lidar: Array, points: NDArray[np.floating]) -> Array:
    """The points of a sweep (N, 3) in the camera frame [m], without those that are not finite.

    Args:
        camera_from_lidar: The transform (4, 4) from the LiDAR frame to the camera frame [m].
        points: The sweep (N, 3 or more); its first columns are x, y, z in the LiDAR frame [m].
    """
    xyz = np.asarray(points[:, :3], dtype=np.float64)
    return transform(camera_from_lidar, xyz[np.isfinite(xyz).all(axis=1)])


def project_points(camera: Camera, xyz: Array, nearest: float = 0.0) -> tuple[Array, Array]:
    """Project points into the picture; those outside of it are left out.

    Args:
        camera: The camera of the picture.
        xyz: Points (N, 3) in the camera frame [m].
        nearest: The smallest depth_z [m]; nearer points are left out.

    Returns:
        Their pixels (M, 2) and depth_z (M,) [m].
    """
    front = xyz[xyz[:, 2] > nearest]
    pixels = camera.project(front)
    inside = camera.contains(pixels)
    return pixels[inside], front[inside, 2]


def find_hidden(
    pixels: Array, depth_z: Array, camera: Camera, scanner: Scanner, step: float = 1.05, least: float = 0.3
) -> NDArray[np.bool_]:
    """Which points the camera cannot see because nearer surfaces hide them; the LiDAR looks past these surfaces.

    A point is hidden if clearly nearer points lie around it: in at least three of its four quadrants, within the gaps
    that the scanner leaves. Ground and walls seen at a slant have nearer points on one side only, and stay. So does the
    background beside an edge.

    Source: after Pintus, Gobbetti, Agus 2011, "Real-time rendering of massive unstructured raw point clouds using
    screen-space operators", section 4 (they sum the free solid angle over sectors).

    Args:
        pixels: The pixels (N, 2) of the points.
        depth_z: Their depth_z (N,) [m].
        camera: The camera of the picture.
        scanner: How densely the points were measured.
        step: The factor by which the depth of a clearly nearer point is smaller, at least.
        least: The length [m] by which the depth of a clearly nearer point is smaller, at least.

    Returns:
        Whether each point (N,) is hidden.
    """
    size = (camera.width, camera.height)
    columns, rows = pixels_at(pixels, size)
    near = np.full(size[::-1], NOT_MEASURED)
    np.minimum.at(near, (rows, columns), depth_z.astype(np.float32))
    limit = np.minimum(depth_z / step, depth_z - least)
    reach_u, reach_v = _reach(camera.fx, scanner.across), _reach(camera.fy, scanner.down)
    window = np.ones((reach_v + 1, reach_u + 1), dtype=np.uint8)
    sides = np.zeros(len(pixels), dtype=np.intp)
    for anchor in ((0, 0), (reach_u, 0), (0, reach_v), (reach_u, reach_v)):
        sides += cv2.erode(near, window, anchor=anchor)[rows, columns] < limit
    return sides >= _HIDING_SIDES


def _reach(focal: float, angle: float) -> int:
    """The distance [px] within which a neighbour is sure to lie: one and a half gaps of an angle [deg]."""
    return max(int(np.ceil(1.5 * focal * np.tan(np.radians(angle)))), 1)
