"""Poses: rigid transforms between the camera frame and the world frame.

A pose is the matrix ``world_from_camera``, (4, 4). Its upper left (3, 3) part is a rotation; the last column holds the
camera centre [m, world frame]; the last row is 0 0 0 1. It maps a point of the camera frame (x right, y down,
z forward, origin at the camera centre) to the world frame, which may be any right-handed frame in metres.

Transforms are named ``b_from_a`` for the frames that they connect, so that names match when matrices are multiplied:
``c_from_a = c_from_b @ b_from_a``. All other conventions: see ``toolkit.geometry.camera``.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.errors import UserError
from toolkit.geometry.camera import EXIF_TURNS
from toolkit.utils.arrays import Array

_ROTATION_TOLERANCE = 1e-3  # the largest element by which R R^T may differ from the identity
_LAST_ROW_TOLERANCE = 1e-6  # the largest element by which the last row may differ from 0 0 0 1
_FARTHEST_CENTRE = 1e8  # m; geocentric coordinates, which are the greatest in use, stay below 1e7
_SURELY = 0.9  # the part of a tolerance within which another order of sums makes no difference


def turn_pose(world_from_camera: Array, orientation: int) -> Array:
    """The pose of the camera of the upright picture, from the pose of the camera of the stored picture.

    Args:
        world_from_camera: The pose (4, 4) of the stored picture's camera.
        orientation: The EXIF orientation of the stored picture, 1 to 8.

    Returns:
        The pose ``world_from_camera`` (4, 4) of the upright picture's camera.

    Raises:
        UserError: If the orientation mirrors the picture, because no rigid pose describes that.
    """
    turn = np.array(EXIF_TURNS[orientation])
    if np.linalg.det(turn) < 0:
        raise UserError(
            f"a picture with a pose has the mirroring EXIF orientation {orientation}",
            remedy="store the picture upright, without the orientation tag",
        )
    stored_from_upright = np.eye(4)
    stored_from_upright[:2, :2] = turn.T
    return world_from_camera @ stored_from_upright


def checked_pose(values: ArrayLike) -> Array:
    """A pose ``world_from_camera`` (4, 4) [m], checked.

    Args:
        values: Four rows of four numbers.

    Raises:
        UserError: If the matrix is not a finite rigid transform.
    """
    remedy = "give world_from_camera as 4 rows of 4: a rotation, the camera centre [m], and 0 0 0 1"
    try:
        pose = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError("the pose is not a 4 x 4 matrix of numbers", remedy=remedy) from None
    if pose.shape != (4, 4) or not np.all(np.isfinite(pose)):
        raise UserError("the pose is not a finite 4 x 4 matrix", remedy=remedy)
    if np.abs(pose).max() > _FARTHEST_CENTRE:
        raise UserError(
            f"the pose holds {np.abs(pose).max():.4g}",
            cause=f"no camera is {_FARTHEST_CENTRE:g} m from the origin; the unit must be metres",
            remedy=remedy,
        )
    rotation = pose[:3, :3]
    rigid = np.abs(rotation @ rotation.T - np.eye(3)).max() <= _ROTATION_TOLERANCE and np.linalg.det(rotation) > 0
    if not rigid and np.linalg.matrix_rank(rotation) < 3:
        raise UserError("the pose is singular", cause="its rotation part has no inverse", remedy=remedy)
    if not rigid or np.abs(pose[3] - (0, 0, 0, 1)).max() > _LAST_ROW_TOLERANCE:
        raise UserError(
            "the pose is not a rigid transform",
            cause="its upper left 3 x 3 part is not a rotation (a scale or a mirroring is in it), "
            "or its last row is not 0 0 0 1",
            remedy=remedy,
        )
    return pose


def surely_poses(matrices: Array) -> NDArray[np.bool_]:
    """Which of many matrices (N, 4, 4) ``checked_pose`` surely accepts; it judges one, this judges a million."""
    rotations, last = matrices[:, :3, :3], matrices[:, 3]
    with np.errstate(over="ignore", invalid="ignore"):  # numbers that are not finite, or whose squares are not
        skew = np.abs(rotations @ rotations.swapaxes(1, 2) - np.eye(3)).max(axis=(1, 2))
        shift = np.abs(last - (0, 0, 0, 1)).max(axis=1)
        right_handed = np.linalg.det(rotations) > 0
    with np.errstate(invalid="ignore"):
        near = np.abs(matrices).max(axis=(1, 2)) <= _FARTHEST_CENTRE  # not if NaN
    rigid = near & (skew <= _SURELY * _ROTATION_TOLERANCE) & (shift <= _SURELY * _LAST_ROW_TOLERANCE)
    return np.asarray(rigid & right_handed)


def inverse(b_from_a: Array) -> Array:
    """The inverse ``a_from_b`` (4, 4) of a rigid transform ``b_from_a`` (4, 4)."""
    a_from_b = np.eye(4)
    a_from_b[:3, :3] = b_from_a[:3, :3].T
    a_from_b[:3, 3] = -b_from_a[:3, :3].T @ b_from_a[:3, 3]
    return a_from_b


def transform(b_from_a: Array, xyz: ArrayLike) -> Array:
    """Move points (..., 3) [m] from frame a to frame b."""
    return np.asarray(xyz, dtype=np.float64) @ b_from_a[:3, :3].T + b_from_a[:3, 3]


def rotation_angle(rotation: Array) -> float:
    """The angle [deg], 0 to 180, of a rotation (3, 3).

    Source: Rodrigues' formula. With r = (R32 - R23, R13 - R31, R21 - R12), |r| = 2 sin(angle) and
    trace(R) - 1 = 2 cos(angle). Their arc tangent keeps the digits of small angles, which the arc cosine loses.
    """
    axis = [
        rotation[2, 1] - rotation[1, 2],
        rotation[0, 2] - rotation[2, 0],
        rotation[1, 0] - rotation[0, 1],
    ]
    return float(np.degrees(np.arctan2(np.linalg.norm(axis), np.trace(rotation) - 1)))
