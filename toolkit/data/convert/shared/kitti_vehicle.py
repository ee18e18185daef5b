"""KITTI's car as its raw recordings describe it: the cameras and the LiDAR of a day, and the path of the car.

Source: Geiger et al. 2013, "Vision meets Robotics: The KITTI Dataset", section 3, and the raw data development kit's
readme.txt and convertOxtsToPose.m.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from toolkit.data.convert.readers.camera_matrix import camera_from_matrix
from toolkit.data.convert.readers.pose_files import rigid, split_projection
from toolkit.data.convert.readers.read_files import check_picture, need_matrix, read_keyed_numbers, read_numbers
from toolkit.data.convert.readers.read_once import read_once
from toolkit.data.convert.shared.lidar.project import Scanner
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array

HDL64 = Scanner(across=0.2, down=0.45)
"""The car's LiDAR: a Velodyne HDL-64E at 10 Hz."""

CALIBRATION = ("calib_cam_to_cam.txt", "calib_velo_to_cam.txt", "calib_imu_to_velo.txt")
"""The files that the folder of a day must hold; they come as 2011_MM_DD_calib.zip."""

_EARTH = 6378137.0  # m; the radius that the development kit uses


@dataclass(frozen=True)
class KittiRig:
    """One rectified camera, and where it is on the car.

    Attributes:
        camera: The camera of its rectified pictures.
        camera_from_velodyne: The transform (4, 4) from the LiDAR frame to the camera frame [m].
        camera_from_imu: The transform (4, 4) from the frame of the IMU to the camera frame [m].
    """

    camera: Camera
    camera_from_velodyne: Array
    camera_from_imu: Array


@read_once(8)
def read_rig(day: Path, number: str) -> KittiRig:
    """One camera as it was calibrated on one day.

    Args:
        day: The folder with the calibration files.
        number: The number of the camera, "02" or "03".

    Raises:
        UserError: If a calibration file is missing or damaged.
    """
    cameras, velodyne, imu = (day / name for name in CALIBRATION)
    numbers = read_keyed_numbers(cameras)
    k, camera_from_rectified = split_projection(need_matrix(numbers, f"P_rect_{number}", (3, 4), cameras))
    size = need_matrix(numbers, f"S_rect_{number}", (1, 2), cameras)[0]
    rectified_from_reference = rigid(need_matrix(numbers, "R_rect_00", (3, 3), cameras), np.zeros(3))
    camera_from_velodyne = camera_from_rectified @ rectified_from_reference @ _read_rigid(velodyne)
    camera = camera_from_matrix(k, size)
    return KittiRig(camera, camera_from_velodyne, camera_from_velodyne @ _read_rigid(imu))


def _read_rigid(path: Path) -> Array:
    """The transform b_from_a (4, 4) [m] of a file that holds R and T."""
    numbers = read_keyed_numbers(path)
    return rigid(need_matrix(numbers, "R", (3, 3), path), need_matrix(numbers, "T", (3, 1), path))


def check_fits(rig: KittiRig, picture: Path) -> None:
    """Raise a UserError if a picture has another size than the one that was calibrated."""
    size, calibrated = check_picture(picture), (rig.camera.width, rig.camera.height)
    if size != calibrated:
        raise UserError(
            f"{picture}: it is {size[0]} x {size[1]}, but the calibration of its day says "
            f"{calibrated[0]} x {calibrated[1]}",
            cause="it was resized, or is not of the synced and rectified data",
            remedy="get the drive again as 2011_MM_DD_drive_NNNN_sync.zip",
        )


def world_from_camera(rig: KittiRig, drive: Path, stem: str) -> Array:
    """The pose (4, 4) of the camera at a frame [m]; the world is the frame of the IMU at the drive's first packet.

    Args:
        rig: The camera.
        drive: The folder of the drive, which has oxts.
        stem: The number of the frame, ten digits.

    Raises:
        UserError: If a packet of oxts/data is missing or damaged.
    """
    first = drive / "oxts" / "data" / f"{0:010d}.txt"
    latitude = float(_read_packet(first)[0])
    now = _mercator_from_imu(_read_packet(drive / "oxts" / "data" / f"{stem}.txt"), latitude)
    return inverse(_mercator_from_imu(_read_packet(first), latitude)) @ now @ inverse(rig.camera_from_imu)


@read_once(8)
def _read_packet(path: Path) -> Array:
    """Latitude, longitude [deg], altitude [m], roll, pitch, yaw [rad], and further numbers."""
    numbers = read_numbers(path)
    if numbers.size < 6:
        raise UserError(f"{path}: it holds {numbers.size} numbers, not a pose", remedy="get this file again")
    return numbers


def _mercator_from_imu(packet: Array, latitude: float) -> Array:
    """The pose (4, 4) of the IMU in a frame with x east, y north, z up [m], by a Mercator projection.

    The projection is scaled so that lengths are true at a latitude [deg].
    Source: convertOxtsToPose.m and latlonToMercator.m of the raw data development kit.
    """
    scale = np.cos(np.radians(latitude))
    x = scale * np.radians(packet[1]) * _EARTH
    y = scale * _EARTH * np.log(np.tan(np.radians(90 + packet[0]) / 2))
    rotation = Rotation.from_euler("xyz", packet[3:6]).as_matrix()  # about fixed axes: Rz(yaw) Ry(pitch) Rx(roll)
    return rigid(rotation, [x, y, packet[2]])
