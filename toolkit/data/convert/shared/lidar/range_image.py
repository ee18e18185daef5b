"""Range images: what a turning LiDAR measured, a row a beam and a column a direction, made points.

Source: Waymo Open Dataset (Sun et al. 2020), utils/range_image_utils.py and utils/transform_utils.py of its devkit.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from toolkit.geometry.pose import transform
from toolkit.utils.arrays import Array


def uniform_inclinations(lowest: float, highest: float, rows: int) -> Array:
    """Inclinations (rows,) [rad], ascending, of beams that divide a range evenly; each in the middle of its share."""
    return lowest + (np.arange(rows) + 0.5) / rows * (highest - lowest)


def points_of(ranges: Array, inclinations: Array, vehicle_from_lidar: Array) -> tuple[Array, Array]:
    """Points (N, 3) [m, vehicle frame] of the pixels that hold one, and these pixels' rows and columns (N, 2).

    Args:
        ranges: (H, W) [m]; not positive where nothing was measured.
        inclinations: (H,) [rad], of the rows from the top one down.
        vehicle_from_lidar: (4, 4); the middle column looks along the vehicle's x, whatever this transform's yaw.
    """
    rows, columns = np.nonzero(ranges > 0)
    yaw = np.arctan2(vehicle_from_lidar[1, 0], vehicle_from_lidar[0, 0])
    azimuth = np.pi * (1 - 2 * (columns + 0.5) / ranges.shape[1]) - yaw
    inclination, distance = inclinations[rows], ranges[rows, columns].astype(np.float64)
    level = distance * np.cos(inclination)
    xyz = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), distance * np.sin(inclination)], axis=-1)
    return transform(vehicle_from_lidar, xyz), np.stack([rows, columns], axis=-1)


def moved_by_pixel(poses: ArrayLike, xyz: Array) -> Array:
    """Points (N, 3) [m, world] of points (N, 3) [m, vehicle frame], each with a pose (N, 6) of its own.

    Args:
        poses: Roll, pitch, yaw [rad], turned about z, y, x in this order; x, y, z [m]: from the vehicle to the world.
        xyz: The points.
    """
    if not len(xyz):
        return xyz  # older versions of scipy know no empty Rotation
    six = np.asarray(poses, dtype=np.float64)
    return Rotation.from_euler("ZYX", six[:, 2::-1]).apply(xyz) + six[:, 3:]
