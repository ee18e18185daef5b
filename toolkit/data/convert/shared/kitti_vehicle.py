"""KITTI's car as its raw recordings describe it: cameras and LiDAR of a day, and where the car was.

Source: Geiger et al. 2013, "Vision meets Robotics: The KITTI Dataset", section 3, and the raw data development kit's
readme.txt and convertOxtsToPose.m.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from toolkit.data.convert.readers.pose_files import rigid, split_projection
from toolkit.data.convert.readers.read_files import check_picture, matrix_of, read_keyed_numbers, read_numbers
from toolkit.data.convert.shared.lidar.project import Scanner
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array

HDL64 = Scanner(across=0.2, down=0.45)
"""Velodyne HDL-64E at 10 Hz."""


CALIBRATION = ("calib_cam_to_cam.txt", "calib_velo_to_cam.txt", "calib_imu_to_velo.txt")
"""Files that a day's folder must hold; they come as 2011_MM_DD_calib.zip."""


_EARTH = 6378137.0  # m; the radius that the development kit takes


@dataclass(frozen=True)
class Rig:
    """One rectified camera and what stands fast beside it.

    Attributes:
        camera: Intrinsics of its rectified pictures.
        camera_from_velodyne: (4, 4).
        camera_from_imu: (4, 4).
    """

    camera: Camera
    camera_from_velodyne: Array
    camera_from_imu: Array


@lru_cache(maxsize=8)
def read_rig(day: Path, number: str) -> Rig:
    """The camera of that number ("02" or "03") on one day.

    Args:
        day: The folder with the calibration files.
        number: Of the camera.

    Raises:
        UserError: If a calibration file is missing or damaged.
    """
    cameras, velodyne, imu = (day / name for name in CALIBRATION)
    numbers = read_keyed_numbers(cameras)
    k, camera_from_rectified = split_projection(matrix_of(numbers, f"P_rect_{number}", (3, 4), cameras))
    size = matrix_of(numbers, f"S_rect_{number}", (1, 2), cameras)[0]
    rectified_from_reference = rigid(matrix_of(numbers, "R_rect_00", (3, 3), cameras), np.zeros(3))
    camera_from_velodyne = camera_from_rectified @ rectified_from_reference @ _rigid_of(velodyne)
    camera = Camera.from_intrinsics([k[0, 0], k[1, 1], k[0, 2], k[1, 2], *size])
    return Rig(camera, camera_from_velodyne, camera_from_velodyne @ _rigid_of(imu))


def _rigid_of(path: Path) -> Array:
    """b_from_a (4, 4) of a file with R and T."""
    numbers = read_keyed_numbers(path)
    return rigid(matrix_of(numbers, "R", (3, 3), path), matrix_of(numbers, "T", (3, 1), path))


def check_fits(rig: Rig, picture: Path) -> None:
    """Raise a UserError if a picture is not of the size that the calibration is of."""
    size, calibrated = check_picture(picture), (rig.camera.width, rig.camera.height)
    if size != calibrated:
        raise UserError(
            f"{picture}: it is {size[0]} x {size[1]}, but the calibration of its day says "
            f"{calibrated[0]} x {calibrated[1]}",
            cause="it was resized, or is not of the synced and rectified data",
            remedy="get the drive again as 2011_MM_DD_drive_NNNN_sync.zip",
        )


def world_from_camera(rig: Rig, drive: Path, stem: str) -> Array:
    """The camera's pose (4, 4) at a frame; the world is the frame of the IMU at the drive's first packet.

    Raises:
        UserError: If a packet of oxts/data is missing or damaged.
    """
    first = drive / "oxts" / "data" / f"{0:010d}.txt"
    latitude = float(_packet(first)[0])
    now = _mercator_from_imu(_packet(drive / "oxts" / "data" / f"{stem}.txt"), latitude)
    return inverse(_mercator_from_imu(_packet(first), latitude)) @ now @ inverse(rig.camera_from_imu)


@lru_cache(maxsize=8)
def _packet(path: Path) -> Array:
    """Latitude, longitude [deg], altitude [m], roll, pitch, yaw [rad], and more."""
    numbers = read_numbers(path)
    if numbers.size < 6:
        raise UserError(f"{path}: it holds {numbers.size} numbers, not a pose", remedy="get this file again")
    return numbers


def _mercator_from_imu(packet: Array, latitude: float) -> Array:
    """The IMU's pose (4, 4): x east, y north, z up [m], of Mercator's projection scaled for a latitude [deg].

    Source: convertOxtsToPose.m and latlonToMercator.m of the raw data development kit.
    """
    scale = np.cos(np.radians(latitude))
    x = scale * np.radians(packet[1]) * _EARTH
    y = scale * _EARTH * np.log(np.tan(np.radians(90 + packet[0]) / 2))
    turn = Rotation.from_euler("xyz", packet[3:6]).as_matrix()  # about fixed axes: Rz(yaw) Ry(pitch) Rx(roll)
    return rigid(turn, [x, y, packet[2]])
