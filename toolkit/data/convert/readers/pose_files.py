"""Poses as the sets write them, made ``b_from_a`` matrices; conventions: see ``toolkit.geometry.camera``."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from toolkit.data.convert.readers.read_files import read_numbers
from toolkit.errors import UserError
from toolkit.geometry.pose import checked_pose
from toolkit.utils.arrays import Array

CV_FROM_GL = np.diag([1.0, -1.0, -1.0, 1.0])
"""OpenCV camera frame from OpenGL's (x right, y up, z backward), and the other way round."""


_UNIT = 1e-2  # how far a quaternion's length may be from 1


def rigid(rotation: ArrayLike, translation: ArrayLike) -> Array:
    """b_from_a (4, 4) from a rotation (3, 3) and a translation (3,) [m]."""
    b_from_a = np.eye(4)
    b_from_a[:3, :3] = np.asarray(rotation, dtype=np.float64).reshape(3, 3)
    b_from_a[:3, 3] = np.asarray(translation, dtype=np.float64).reshape(3)
    return b_from_a


def from_quaternion(wxyz: ArrayLike, translation: ArrayLike) -> Array:
    """b_from_a (4, 4) from a unit quaternion (w, x, y, z) and a translation (3,) [m].

    Raises:
        UserError: If the quaternion's length is not about 1.
    """
    quaternion = np.asarray(wxyz, dtype=np.float64)
    if not abs(np.linalg.norm(quaternion) - 1) < _UNIT:
        raise UserError(f"the quaternion {quaternion.tolist()} has not length 1", remedy="get its file again")
    return rigid(Rotation.from_quat(np.roll(quaternion, -1)).as_matrix(), translation)


def world_from_gl(world_from_gl_camera: ArrayLike) -> Array:
    """``world_from_camera`` (4, 4) from the pose of a camera in OpenGL's convention; the world stays as it is."""
    return np.asarray(world_from_gl_camera, dtype=np.float64) @ CV_FROM_GL


def split_projection(projection: ArrayLike) -> tuple[Array, Array]:
    """K (3, 3) and camera_from_rig (4, 4) of a rectified camera's projection (3, 4) = K [I | t].

    Source: Geiger et al. 2013, "Vision meets Robotics", equation 4.
    """
    matrix = np.asarray(projection, dtype=np.float64).reshape(3, 4)
    k = matrix[:, :3]
    return k, rigid(np.eye(3), np.linalg.solve(k, matrix[:, 3]))


def read_pose(path: Path) -> Array:
    """``world_from_camera`` (4, 4) from a text file that holds it by rows.

    Raises:
        UserError: If the file is missing or damaged, or holds no rigid pose.
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
