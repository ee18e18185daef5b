"""A tiny day of KITTI's raw recordings."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from tests.support.convert_scenes import FORWARD, grey, pose, sweep
from toolkit.data.convert.readers.pose_files import rigid
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array

LENS = Camera(300, 300, 158.25, 101.5, 320, 200)
DAY, DRIVE = "2011_09_26", "2011_09_26_drive_0001_sync"
EARTH, LATITUDE, LONGITUDE = 6378137.0, 49.0, 8.4

# The car: where the IMU stands, and what stands where on the car.
IMUS = [pose(0.0, 0.1, 0.9, yaw=1.0), pose(1.2, 0.15, 0.91, yaw=2.5)]
VELO_FROM_IMU = rigid(Rotation.from_euler("z", 0.4, degrees=True).as_matrix(), [-0.81, 0.32, -0.8])

REFERENCE_FROM_VELO = inverse(
    rigid(Rotation.from_euler("xyz", [0.3, -0.5, 0.6], degrees=True).as_matrix(), [0.27, 0.06, -0.08]) @ FORWARD
)

RECTIFIES = Rotation.from_euler("xyz", [0.4, -0.6, 0.3], degrees=True).as_matrix()
OFFSETS = {"02": np.array([0.06, -0.003, 0.005]), "03": np.array([-0.47, 0.002, 0.003])}


def eye(imu: Array, number: str = "02") -> Array:
    """world_from_camera."""
    camera_from_velo = rigid(np.eye(3), OFFSETS[number]) @ rigid(RECTIFIES, np.zeros(3)) @ REFERENCE_FROM_VELO
    return imu @ inverse(camera_from_velo @ VELO_FROM_IMU)


def packet(imu: Array) -> str:
    """What the GPS and IMU unit writes of a pose: Mercator's projection undone."""
    scale = np.cos(np.radians(LATITUDE))
    north = np.log(np.tan(np.radians(90 + LATITUDE) / 2)) + (imu[1, 3] - IMUS[0][1, 3]) / (scale * EARTH)
    latitude = np.degrees(2 * np.arctan(np.exp(north))) - 90
    longitude = LONGITUDE + np.degrees((imu[0, 3] - IMUS[0][0, 3]) / (scale * EARTH))
    turns = Rotation.from_matrix(imu[:3, :3]).as_euler("xyz")
    return f"{latitude:.13f} {longitude:.13f} {imu[2, 3]:.6f} " + " ".join(f"{turn:.12f}" for turn in turns) + " 0" * 24


def text(matrix: Array) -> str:
    return " ".join(f"{value:.9e}" for value in np.ravel(matrix))


def write_day(root: Path, drive: str = DRIVE, step: float = 1.0) -> Path:
    day = root / drive[:10]
    folder = day / drive
    k = LENS.matrix
    lines = ["calib_time: 09-Jan-2012 13:57:47", "corner_dist: 9.950000e-02", f"R_rect_00: {text(RECTIFIES)}"]
    for number, offset in OFFSETS.items():
        lines += [f"S_rect_{number}: {text(np.array([320, 200]))}", f"R_rect_{number}: {text(RECTIFIES)}"]
        lines.append(f"P_rect_{number}: {text(k @ np.c_[np.eye(3), offset])}")
    day.mkdir(parents=True, exist_ok=True)
    (day / "calib_cam_to_cam.txt").write_text("\n".join(lines) + "\n")
    for name, b_from_a in (("velo_to_cam", REFERENCE_FROM_VELO), ("imu_to_velo", VELO_FROM_IMU)):
        head = "calib_time: 15-Mar-2012 11:37:16"
        (day / f"calib_{name}.txt").write_text(f"{head}\nR: {text(b_from_a[:3, :3])}\nT: {text(b_from_a[:3, 3])}\n")
    for part in ("velodyne_points/data", "oxts/data"):
        (folder / part).mkdir(parents=True)
    for number, imu in enumerate(IMUS):
        for camera in OFFSETS:
            grey(folder / f"image_{camera}/data/{number:010d}.png", LENS)
        points = sweep(imu @ inverse(VELO_FROM_IMU), step)
        np.c_[points, np.zeros(len(points))].astype("<f4").tofile(folder / f"velodyne_points/data/{number:010d}.bin")
        (folder / f"oxts/data/{number:010d}.txt").write_text(packet(imu))
    (folder / "velodyne_points/timestamps.txt").write_text("2011-09-26 13:02:25.9\n2011-09-26 13:02:26.0\n")
    return folder
