"""The points of a frame of the Waymo Open Dataset, version 2, from its range images.

Source: the devkit (waymo-open-dataset), v2/perception/lidar.py, context.py, pose.py and utils/lidar_utils.py. The range
image of the top LiDAR has a pose of the vehicle for every pixel. The range images of the other LiDARs have one pose for
all pixels, the one in vehicle_pose.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.readers.arrow import ArrowColumns, ParquetRows, read_parquet
from toolkit.data.convert.readers.read_once import read_once
from toolkit.data.convert.shared.lidar.project import Scanner
from toolkit.data.convert.shared.lidar.range_image import (
    move_by_pixel_pose,
    points_from_range_image,
    uniform_inclinations,
)
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
"""The columns that are read from the file of each component."""

AGAIN = "download this segment again, or leave it out with --skip-bad"


@read_once(2)
def frame_points(folder: Path, segment: str, moment: int) -> tuple[Array, Scanner]:
    """The first returns of all LiDARs of one frame.

    Args:
        folder: The folder of the split.
        segment: The name of the segment.
        moment: The moment of the frame [microseconds].

    Returns:
        The points (N, 3) in the world [m], and how densely those of the first LiDAR were measured.

    Raises:
        UserError: If a file is missing or damaged, or has nothing for this moment.
    """
    path = component_path(folder, "lidar", segment)
    lasers = sorted(laser for when, laser in _row_numbers(path) if when == moment)
    seen = [found for laser in lasers if (found := _laser_points(folder, segment, moment, laser)) is not None]
    if not seen:
        raise UserError(f"{path}: there is no range image at {moment}", remedy=AGAIN)
    return np.concatenate([points for points, _ in seen]), seen[0][1]


def transform_from_cell(values: Any, path: Path) -> Array:
    """The transform (4, 4) that a table cell of 16 numbers holds.

    Args:
        values: The cell.
        path: The file that holds it, for the message.

    Raises:
        UserError: If there are not 16 numbers.
    """
    if np.size(values) != 16:
        raise UserError(f"{path}: a transform has {np.size(values)} numbers, not 16", remedy=AGAIN)
    return np.asarray(values, dtype=np.float64).reshape(4, 4)


def find_row(column: NDArray[Any], wanted: int, what: str, path: Path) -> int:
    """The number of the row that has a key.

    Args:
        column: The column of the keys (N,).
        wanted: The key.
        what: The thing that the key names, for the message.
        path: The file that holds the column, for the message.

    Raises:
        UserError: If no row has the key.
    """
    rows = np.flatnonzero(column == wanted)
    if not rows.size:
        raise UserError(f"{path}: there is no {what} {wanted}", remedy=AGAIN)
    return int(rows[0])


def component_path(folder: Path, component: str, segment: str) -> Path:
    """The file of a component (camera_image, lidar, ...) of one segment.

    Args:
        folder: The folder of the split.
        component: The name of the component.
        segment: The name of the segment.
    """
    return folder / component / f"{segment}.parquet"


def _laser_points(folder: Path, segment: str, moment: int, laser: int) -> tuple[Array, Scanner] | None:
    """The points (N, 3) of one LiDAR in the world [m]; None if it has no range image."""
    ranges = _read_range_image(folder, "lidar", segment, (moment, laser))
    if ranges is None:
        return None
    beams, mount = _read_calibration(component_path(folder, "lidar_calibration", segment), laser, ranges.shape[0])
    xyz, pixels = points_from_range_image(ranges[..., 0], beams, mount)
    scanner = Scanner(360 / ranges.shape[1], float(np.degrees(np.abs(np.diff(beams)).max(initial=0))))
    poses = _read_range_image(folder, "lidar_pose", segment, (moment, laser))
    if poses is None and laser != _TOP:
        return transform(_world_from_vehicle(component_path(folder, "vehicle_pose", segment), moment), xyz), scanner
    if poses is None or poses.shape != (*ranges.shape[:2], 6):
        path = component_path(folder, "lidar_pose", segment)
        raise UserError(f"{path}: LiDAR {laser} has no poses at {moment} that fit its range image", remedy=AGAIN)
    return move_by_pixel_pose(poses[pixels[:, 0], pixels[:, 1]], xyz), scanner


def _read_range_image(folder: Path, component: str, segment: str, key: tuple[int, int]) -> Array | None:
    """A range image (H, W, ...); None where there is none."""
    path = component_path(folder, component, segment)
    row = _row_numbers(path).get(key)
    if row is None:
        return None
    cells = _open_rows(path, component, key[1]).row(row)
    values, shape = (cells[f"{_TENSORS[component]}.{name}"] for name in ("values", "shape"))
    if values is None or not len(values):
        return None
    if np.size(shape) != 3 or np.prod(shape) != len(values):
        raise UserError(f"{path}, row {row}: {len(values)} values are no {shape} range image", remedy=AGAIN)
    return np.asarray(values, dtype=np.float64).reshape([int(side) for side in shape])


@read_once(16)
def _open_rows(path: Path, component: str, laser: int) -> ParquetRows:
    """One reader for each LiDAR, so that each reader only goes forward, whatever the order of the LiDARs' rows."""
    return ParquetRows(path, FILES[component][2:])


@read_once(4)
def _row_numbers(path: Path) -> Mapping[tuple[int, int], int]:
    """The number of the row of each moment and LiDAR."""
    keys = read_parquet(path, (_MOMENT, _LASER))
    return {key: row for row, key in enumerate(zip(keys[_MOMENT].tolist(), keys[_LASER].tolist(), strict=True))}


@read_once(4)
def _read_table(path: Path, component: str) -> ArrowColumns:
    return read_parquet(path, FILES[component])


def _read_calibration(path: Path, laser: int, rows: int) -> tuple[Array, Array]:
    """The inclinations (rows,) [rad] from the top row down, and vehicle_from_lidar (4, 4) [m]."""
    table = _read_table(path, "lidar_calibration")
    row = find_row(table[_LASER], laser, "LiDAR", path)
    beams = table[_BEAMS][row]
    if beams is None or not len(beams):
        beams = uniform_inclinations(float(table[_LOWEST][row]), float(table[_HIGHEST][row]), rows)
    if len(beams) != rows:
        raise UserError(f"{path}: LiDAR {laser} has {len(beams)} beams, its range image {rows} rows", remedy=AGAIN)
    return np.asarray(beams, dtype=np.float64)[::-1], transform_from_cell(table[_MOUNT][row], path)


def _world_from_vehicle(path: Path, moment: int) -> Array:
    """The pose (4, 4) of the vehicle at the moment of a frame [m]."""
    table = _read_table(path, "vehicle_pose")
    return transform_from_cell(table[_VEHICLE][find_row(table[_MOMENT], moment, "frame", path)], path)
