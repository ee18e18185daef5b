"""Argoverse 2 sensor dataset: seven ring cameras, two stereo cameras, and two LiDARs that make ten sweeps a second.

Source: Wilson et al. 2021, and the user guide (av2-api, guide/src/datasets/sensor.md): pictures are undistorted (the
coefficients in intrinsics.feather are those of the lens and do not apply to them); the points of a sweep are in the
frame of the vehicle at the beginning of the sweep, the moment that names its file (av2-api, structures/sweep.py). The
file city_SE3_egovehicle.feather holds the vehicle's pose at the moment of every sweep and picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.data.convert.base_format import (
    ConvertOptions,
    DatasetInfo,
    DatasetItem,
    DatasetListing,
    ManifestRow,
    Skipped,
    not_this_set,
    select_names,
)
from toolkit.data.convert.readers.arrow import ArrowColumns, read_feather
from toolkit.data.convert.readers.pose_files import from_quaternion
from toolkit.data.convert.readers.read_files import naming_file
from toolkit.data.convert.readers.read_once import read_once
from toolkit.data.convert.shared.lidar.project import (
    Scanner,
    camera_from_lidar,
    labels_from_lidar,
    lidar_in_camera,
)
from toolkit.data.convert.shared.nearest_moment import nearest_moment
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

_SPLITS = ("train", "val", "test")
_RING = ("rear_left", "side_left", "front_left", "front_center", "front_right", "side_right", "rear_right")
_CAMERAS = (*(f"ring_{name}" for name in _RING), "stereo_front_left", "stereo_front_right")
_POSES, _PICTURES, _SWEEPS = "city_SE3_egovehicle.feather", "sensors/cameras", "sensors/lidar"
_INTRINSICS, _MOUNTS = "calibration/intrinsics.feather", "calibration/egovehicle_SE3_sensor.feather"
_PARTS = (_POSES, _INTRINSICS, _MOUNTS, _SWEEPS)
_POSE = ("qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m")
_LENS = ("fx_px", "fy_px", "cx_px", "cy_px", "width_px", "height_px")
_SWEEP_NS = 100_000_000  # the duration of a sweep

# Two Velodyne VLP-32C, one upside down: together they leave gaps of about a degree between -15 and 15 degrees.
_SCANNER = Scanner(across=0.2, down=1.5)
_AGAIN = "download this log again, or leave it out with --skip-bad"

INFO = DatasetInfo(
    title="Argoverse 2 sensor dataset",
    home="https://www.argoverse.org/av2.html",
    license="CC BY-NC-SA 4.0",
    attribution="Argoverse 2, Wilson et al. 2021, Argo AI",
    depth_type="z",
    layout="""
train/LOG/city_SE3_egovehicle.feather
train/LOG/calibration/intrinsics.feather
train/LOG/calibration/egovehicle_SE3_sensor.feather
train/LOG/sensors/cameras/ring_front_center/*.jpg
train/LOG/sensors/lidar/*.feather
""",
    splits=_SPLITS,
    cameras=_CAMERAS,
)


@dataclass(frozen=True)
class ArgoversePicture(DatasetItem):
    """A picture of one camera at one moment.

    Attributes:
        log: The folder of its log.
        camera: The name of its camera.
        moment: The moment at which it was taken, which is the name of its file [ns].
        sweep: The moment of the sweep during which it was taken [ns]; None if there is none.
    """

    log: Path
    camera: str
    moment: int
    sweep: int | None


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All pictures of all logs; each missing part of a log is a fault."""
    logs = _list_logs(source, options)
    there = {camera for log in logs for camera in _CAMERAS if (log / _PICTURES / camera).is_dir()}
    cameras = select_names(options.cameras, [camera for camera in _CAMERAS if camera in there], "camera", source)
    found: list[ArgoversePicture] = []
    faults: list[UserError] = []
    for log in logs:
        missing = [part for part in _PARTS if not (log / part).exists()]
        pictures = {} if missing else {camera: log / _PICTURES / camera for camera in cameras}
        missing += [f"{_PICTURES}/{camera}" for camera, folder in pictures.items() if not folder.is_dir()]
        faults += [UserError(f"{log / part}: there is no such file or folder", remedy=_AGAIN) for part in missing]
        found += _list_pictures(source, log, [camera for camera, folder in pictures.items() if folder.is_dir()])
    return DatasetListing(found, faults)


def _list_logs(source: Path, options: ConvertOptions) -> list[Path]:
    """The folders of the logs; SOURCE may be the folder of one split."""
    there = {split: source / split for split in _SPLITS if (source / split).is_dir()} or {source.name: source}
    logs = {split: sorted(path for path in folder.iterdir() if path.is_dir()) for split, folder in there.items()}
    if not any((log / "sensors").is_dir() for each in logs.values() for log in each):
        raise not_this_set(source, INFO, "folder LOG/sensors")
    return [log for split in select_names(options.splits, list(there), "split", source) for log in logs[split]]


def _list_pictures(source: Path, log: Path, cameras: list[str]) -> list[ArgoversePicture]:
    """The pictures of a log, each with the sweep during which it was taken."""
    name = log.relative_to(source).as_posix()
    sweeps = _moments(log / _SWEEPS, "feather")
    middles = [sweep + _SWEEP_NS // 2 for sweep in sweeps]
    pictures = []
    for camera in cameras:
        for moment in _moments(log / _PICTURES / camera, "jpg"):
            place = nearest_moment(middles, moment, _SWEEP_NS)
            sweep = None if place is None else sweeps[place]
            pictures.append(ArgoversePicture(f"{name}/{camera}/{moment}", log, camera, moment, sweep))
    return pictures


def _moments(folder: Path, suffix: str) -> list[int]:
    """The moments [ns] after which the files of a folder are named, sorted."""
    return sorted(int(path.stem) for path in folder.glob(f"*.{suffix}") if path.stem.isdecimal())


def convert(item: ArgoversePicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture, with points of the sweep during which it was taken."""
    image = workspace.reference_picture(item.log / _PICTURES / item.camera / f"{item.moment}.jpg")
    if item.sweep is None:
        raise Skipped("no LiDAR sweep was taken at its time")
    camera, vehicle_from_camera = _read_calibration(item.log, item.camera)
    world_from_camera = _world_from_vehicle(item.log, item.moment) @ vehicle_from_camera
    points = read_feather(item.log / _SWEEPS / f"{item.sweep}.feather", "xyz")
    camera_from_points = camera_from_lidar(world_from_camera, _world_from_vehicle(item.log, item.sweep))
    xyz = lidar_in_camera(camera_from_points, np.stack([points[axis] for axis in "xyz"], axis=-1))
    labels = workspace.sample_labels(item, camera, labels_from_lidar(camera, xyz, _SCANNER), "z")
    return ManifestRow(image, camera, labels, world_from_camera, item.log.name)


@read_once(32)
def _read_calibration(log: Path, camera: str) -> tuple[Camera, Array]:
    """The camera, and vehicle_from_camera (4, 4) [m]."""
    lenses = read_feather(log / _INTRINSICS, ("sensor_name", *_LENS))
    mounts = read_feather(log / _MOUNTS, ("sensor_name", *_POSE))
    lens = _sensor_row(lenses, camera, log / _INTRINSICS)
    mount = _sensor_row(mounts, camera, log / _MOUNTS)
    with naming_file(log / _INTRINSICS):
        pinhole = Camera.from_intrinsics([lenses[key][lens] for key in _LENS])
    return pinhole, _transform_from_row(mounts, mount, log / _MOUNTS)


def _sensor_row(table: ArrowColumns, sensor: str, path: Path) -> int:
    """The number of the row of a sensor."""
    names = table["sensor_name"].tolist()
    if sensor not in names:
        raise UserError(f"{path}: there is no sensor {sensor}", remedy=_AGAIN)
    return names.index(sensor)


def _transform_from_row(table: ArrowColumns, row: int, path: Path) -> Array:
    with naming_file(path):
        return from_quaternion([table[key][row] for key in _POSE[:4]], [table[key][row] for key in _POSE[4:]])


def _world_from_vehicle(log: Path, moment: int) -> Array:
    """The pose (4, 4) of the vehicle [m] at a moment [ns]."""
    rows, poses = _read_trajectory(log)
    if moment not in rows:
        raise UserError(f"{log / _POSES}: there is no pose at {moment} ns", remedy=_AGAIN)
    return _transform_from_row(poses, rows[moment], log / _POSES)


@read_once(4)
def _read_trajectory(log: Path) -> tuple[Mapping[int, int], ArrowColumns]:
    """The number of the row of each moment [ns], and the table of the poses."""
    poses = read_feather(log / _POSES, ("timestamp_ns", *_POSE))
    return {moment: row for row, moment in enumerate(poses["timestamp_ns"].tolist())}, poses
