"""Poses as data sets write them, as ``b_from_a`` matrices (4, 4); conventions: see ``toolkit.geometry.camera``."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from toolkit.data.convert.readers.read_files import read_numbers
from toolkit.errors import UserError
from toolkit.geometry.pose import checked_pose
from toolkit.utils.arrays import Array

CV_FROM_GL = np.diag([1.0, -1.0, -1.0, 1.0])
"""The transform (4, 4) from OpenGL's camera frame (x right, y up, z backward) to OpenCV's; it is its own inverse."""

_UNIT_TOLERANCE = 1e-2  # how far the length of a quaternion may be from 1


def rigid(rotation: ArrayLike, translation: ArrayLike) -> Array:
    """The transform b_from_a (4, 4) [m] of a rotation (3, 3) and a translation (3,) [m]."""
    b_from_a = np.eye(4)
    b_from_a[:3, :3] = np.asarray(rotation, dtype=np.float64).reshape(3, 3)
    b_from_a[:3, 3] = np.asarray(translation, dtype=np.float64).reshape(3)
    return b_from_a


def from_quaternion(wxyz: ArrayLike, translation: ArrayLike) -> Array:
    """The transform b_from_a (4, 4) [m] of a unit quaternion (w, x, y, z) and a translation (3,) [m].

    Raises:
        UserError: If the length of the quaternion is not about 1.
    """
    quaternion = np.asarray(wxyz, dtype=np.float64)
    if not abs(np.linalg.norm(quaternion) - 1) < _UNIT_TOLERANCE:
        raise UserError(f"the quaternion {quaternion.tolist()} has not length 1", remedy="get its file again")
    return rigid(Rotation.from_quat(np.roll(quaternion, -1)).as_matrix(), translation)


def world_from_gl(world_from_gl_camera: ArrayLike) -> Array:
    """``world_from_camera`` (4, 4) [m] from the pose (4, 4) of a camera in OpenGL's axes; the world frame stays."""
    return np.asarray(world_from_gl_camera, dtype=np.float64) @ CV_FROM_GL


def split_projection(projection: ArrayLike) -> tuple[Array, Array]:
    """Split the projection (3, 4) = K [I | t] of a rectified camera.

    Returns:
        K (3, 3) [px], and camera_from_rig (4, 4) [m].

    Source: Geiger et al. 2013, "Vision meets Robotics", equation 4.
    """
    matrix = np.asarray(projection, dtype=np.float64).reshape(3, 4)
    k = matrix[:, :3]
    return k, rigid(np.eye(3), np.linalg.solve(k, matrix[:, 3]))


def read_pose(path: Path) -> Array:
    """The pose ``world_from_camera`` (4, 4) [m] that a text file holds by rows.

    Raises:
        UserError: If the file is missing or damaged, or does not hold a rigid pose.
    """
    numbers = read_numbers(path)
    if numbers.size != 16:
        raise UserError(
            f"{path}: these are not 4 x 4 numbers",
            cause=f"there are {numbers.size}",
            remedy="get this file again, or write world_from_camera by rows",
        )
    try:
        return checked_pose(numbers.reshape(4, 4))
    except UserError as fault:
        raise UserError(f"{path}: {fault.problem}", fault.cause, fault.remedy) from None
