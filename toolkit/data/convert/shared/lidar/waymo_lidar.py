"""The points of a frame of the Waymo Open Dataset, version 2, from its range images.

Source: the devkit (waymo-open-dataset), v2/perception/lidar.py, context.py, pose.py and utils/lidar_utils.py. The range
image of the top LiDAR has a pose for every pixel; those of the others are of the vehicle's frame at the pose in
vehicle_pose.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.readers.arrow import Columns, ParquetRows, read_parquet
from toolkit.data.convert.shared.lidar.project import Scanner
from toolkit.data.convert.shared.lidar.range_image import moved_by_pixel, points_of, uniform_inclinations
from toolkit.errors import UserError
from toolkit.geometry.pose import transform
from toolkit.utils.arrays import Array

_TOP = 1


_MOMENT, _LASER = "key.frame_timestamp_micros", "key.laser_name"


_TENSORS = {"lidar": "[LiDARComponent].range_image_return1", "lidar_pose": "[LiDARPoseComponent].range_image_return1"}


_MOUNT = "[LiDARCalibrationComponent].extrinsic.transform"


_LOWEST, _HIGHEST, _BEAMS = (
    f"[LiDARCalibrationComponent].beam_inclination.{name}" for name in ("min", "max", "values")
)


_VEHICLE = "[VehiclePoseComponent].world_from_vehicle.transform"


FILES: Mapping[str, tuple[str, ...]] = {
    **{name: (_MOMENT, _LASER, f"{tensor}.values", f"{tensor}.shape") for name, tensor in _TENSORS.items()},
    "lidar_calibration": (_LASER, _MOUNT, _LOWEST, _HIGHEST, _BEAMS),
    "vehicle_pose": (_MOMENT, _VEHICLE),
}
"""The columns that are read of each component."""


AGAIN = "download this segment again, or leave it out with --skip-bad"


@lru_cache(maxsize=2)
def frame_points(folder: Path, segment: str, moment: int) -> tuple[Array, Scanner]:
    """Points (N, 3) [m, world] of all LiDARs, first returns, and how densely those of the first LiDAR lie.

    Args:
        folder: Of the split.
        segment: Name of the segment.
        moment: Of the frame [microseconds].

    Raises:
        UserError: If a file is missing or damaged, or has nothing of this moment.
    """
    path = _file(folder, "lidar", segment)
    lasers = sorted(laser for when, laser in _places(path) if when == moment)
    seen = [found for laser in lasers if (found := _laser_points(folder, segment, moment, laser)) is not None]
    if not seen:
        raise UserError(f"{path}: there is no range image at {moment}", remedy=AGAIN)
    return np.concatenate([points for points, _ in seen]), seen[0][1]


def matrix(values: Any, path: Path) -> Array:
    """A transform (4, 4) from a cell of 16 numbers."""
    if np.size(values) != 16:
        raise UserError(f"{path}: a transform has {np.size(values)} numbers, not 16", remedy=AGAIN)
    return np.asarray(values, dtype=np.float64).reshape(4, 4)


def row_of(column: NDArray[Any], wanted: int, what: str, path: Path) -> int:
    """Where a key stands in its column."""
    rows = np.flatnonzero(column == wanted)
    if not rows.size:
        raise UserError(f"{path}: there is no {what} {wanted}", remedy=AGAIN)
    return int(rows[0])


def _file(folder: Path, component: str, segment: str) -> Path:
    return folder / component / f"{segment}.parquet"


def _laser_points(folder: Path, segment: str, moment: int, laser: int) -> tuple[Array, Scanner] | None:
    """Points (N, 3) [m, world] of one LiDAR, None if it has no range image."""
    ranges = _tensor(folder, "lidar", segment, (moment, laser))
    if ranges is None:
        return None
    beams, mount = _calibration(_file(folder, "lidar_calibration", segment), laser, ranges.shape[0])
    xyz, pixels = points_of(ranges[..., 0], beams, mount)
    scanner = Scanner(360 / ranges.shape[1], float(np.degrees(np.abs(np.diff(beams)).max(initial=0))))
    poses = _tensor(folder, "lidar_pose", segment, (moment, laser))
    if poses is None and laser != _TOP:
        return transform(_vehicle(_file(folder, "vehicle_pose", segment), moment), xyz), scanner
    if poses is None or poses.shape != (*ranges.shape[:2], 6):
        path = _file(folder, "lidar_pose", segment)
        raise UserError(f"{path}: LiDAR {laser} has no poses at {moment} that fit its range image", remedy=AGAIN)
    return moved_by_pixel(poses[pixels[:, 0], pixels[:, 1]], xyz), scanner


def _tensor(folder: Path, component: str, segment: str, key: tuple[int, int]) -> Array | None:
    """A range image (H, W, ...), None where there is none."""
    path = _file(folder, component, segment)
    row = _places(path).get(key)
    if row is None:
        return None
    cells = _reader(path, component, key[1]).row(row)
    values, shape = (cells[f"{_TENSORS[component]}.{name}"] for name in ("values", "shape"))
    if values is None or not len(values):
        return None
    if np.size(shape) != 3 or np.prod(shape) != len(values):
        raise UserError(f"{path}, row {row}: {len(values)} values are no {shape} range image", remedy=AGAIN)
    return np.asarray(values, dtype=np.float64).reshape([int(side) for side in shape])


@lru_cache(maxsize=16)
def _reader(path: Path, component: str, laser: int) -> ParquetRows:
    """One a LiDAR, so that each goes forward, in whatever order the rows of the LiDARs stand."""
    return ParquetRows(path, FILES[component][2:])


@lru_cache(maxsize=4)
def _places(path: Path) -> Mapping[tuple[int, int], int]:
    """The row of each moment and LiDAR."""
    keys = read_parquet(path, (_MOMENT, _LASER))
    return {key: row for row, key in enumerate(zip(keys[_MOMENT].tolist(), keys[_LASER].tolist(), strict=True))}


@lru_cache(maxsize=4)
def _table(path: Path, component: str) -> Columns:
    return read_parquet(path, FILES[component])


def _calibration(path: Path, laser: int, rows: int) -> tuple[Array, Array]:
    """Inclinations (rows,) [rad] from the top row down, and vehicle_from_lidar (4, 4)."""
    table = _table(path, "lidar_calibration")
    row = row_of(table[_LASER], laser, "LiDAR", path)
    beams = table[_BEAMS][row]
    if beams is None or not len(beams):
        beams = uniform_inclinations(float(table[_LOWEST][row]), float(table[_HIGHEST][row]), rows)
    if len(beams) != rows:
        raise UserError(f"{path}: LiDAR {laser} has {len(beams)} beams, its range image {rows} rows", remedy=AGAIN)
    return np.asarray(beams, dtype=np.float64)[::-1], matrix(table[_MOUNT][row], path)


def _vehicle(path: Path, moment: int) -> Array:
    """world_from_vehicle (4, 4) of a frame."""
    table = _table(path, "vehicle_pose")
    return matrix(table[_VEHICLE][row_of(table[_MOMENT], moment, "frame", path)], path)
