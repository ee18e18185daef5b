"""Range images of a turning LiDAR, which have one row for each beam and one column for each direction, as points.

Source: Waymo Open Dataset (Sun et al. 2020), utils/range_image_utils.py and utils/transform_utils.py of its devkit.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from toolkit.geometry.pose import transform
from toolkit.utils.arrays import Array


def uniform_inclinations(lowest: float, highest: float, rows: int) -> Array:
    """The inclinations (rows,) [rad] of beams, ascending.

    The beams divide the range from ``lowest`` to ``highest`` [rad] evenly; each lies in the middle of its share.
    """
    return lowest + (np.arange(rows) + 0.5) / rows * (highest - lowest)


def points_from_range_image(ranges: Array, inclinations: Array, vehicle_from_lidar: Array) -> tuple[Array, Array]:
    """The points that a range image holds.

    Args:
        ranges: Euclidean distances (H, W) [m] from the LiDAR; not positive where nothing was measured.
        inclinations: The inclination (H,) [rad] of each row, from the top row down.
        vehicle_from_lidar: The transform (4, 4) from the LiDAR frame to the vehicle frame [m]. The middle column looks
            along the vehicle's x, whatever the yaw of this transform.

    Returns:
        The points (N, 3) in the vehicle frame [m], and the row and column (N, 2) of each.
    """
    rows, columns = np.nonzero(ranges > 0)
    yaw = np.arctan2(vehicle_from_lidar[1, 0], vehicle_from_lidar[0, 0])
    azimuth = np.pi * (1 - 2 * (columns + 0.5) / ranges.shape[1]) - yaw
    inclination, distance = inclinations[rows], ranges[rows, columns].astype(np.float64)
    level = distance * np.cos(inclination)
    xyz = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), distance * np.sin(inclination)], axis=-1)
    return transform(vehicle_from_lidar, xyz), np.stack([rows, columns], axis=-1)


def move_by_pixel_pose(poses: ArrayLike, xyz: Array) -> Array:
    """Points (N, 3) in the world [m], each moved by a pose of its own.

    Args:
        poses: The poses (N, 6) of the vehicle in the world: roll, pitch, yaw [rad], x, y, z [m]. The vehicle is turned
            by yaw about z, then by pitch about its own y, then by roll about its own x.
        xyz: The points (N, 3) in the vehicle frame [m].
    """
    if not len(xyz):
        return xyz  # older versions of scipy know no empty Rotation
    six = np.asarray(poses, dtype=np.float64)
    return Rotation.from_euler("ZYX", six[:, 2::-1]).apply(xyz) + six[:, 3:]
