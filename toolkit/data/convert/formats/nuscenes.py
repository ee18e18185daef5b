"""nuScenes: six cameras and one LiDAR, described by JSON tables; each recording has the vehicle's pose at its moment.

Source: Caesar et al. 2020, and the devkit's docs/schema_nuscenes.md: pictures are undistorted, calibrated_sensor is the
transform from the sensor to the vehicle, ego_pose is the one from the vehicle to the world, and quaternions are w, x,
y, z. Points are five float32: x, y, z in the LiDAR's frame, intensity, ring (devkit, utils/data_classes.py). The
timestamp of a sweep is its end, and that of a picture its exposure
(https://www.nuscenes.org/nuscenes#data-collection).
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from toolkit.data.convert.base_format import (
    ConvertOptions,
    DatasetInfo,
    DatasetItem,
    DatasetListing,
    ManifestRow,
    Skipped,
    list_parts,
    not_this_set,
    select_names,
)
from toolkit.data.convert.readers.pose_files import from_quaternion
from toolkit.data.convert.readers.read_files import naming_file, need, read_binary_rows, reading
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
from toolkit.utils.bounded_file import read_bounded

_SIDES = ("FRONT", "FRONT_LEFT", "FRONT_RIGHT", "BACK", "BACK_LEFT", "BACK_RIGHT")
_CAMERAS, _LIDAR = tuple(f"CAM_{side}" for side in _SIDES), "LIDAR_TOP"
_TABLES = {"train": "v1.0-trainval", "val": "v1.0-trainval", "test": "v1.0-test", "mini": "v1.0-mini"}
_SWEEP = 50_000  # the duration of a sweep [microseconds]
_FARTHEST = 100_000  # the longest time between a picture and the middle of its sweep [microseconds]

# Velodyne HDL-32E, 20 turns in a second: beams are 1.33 degrees apart, and have some 1,080 points in a turn.
_SCANNER = Scanner(across=0.34, down=1.34)
_AGAIN = "download the metadata again"

# The first and last scene of each range in the validation split (devkit, utils/splits.py).
_VAL = (
    *((3, 3), (12, 18), (35, 36), (38, 39), (92, 110), (221, 221), (268, 278), (329, 332), (344, 346), (519, 524)),
    *((552, 565), (625, 627), (629, 630), (632, 638), (770, 771), (775, 775), (777, 778), (780, 784), (794, 800)),
    *((802, 802), (904, 917), (919, 931), (962, 963), (966, 969), (971, 972), (1059, 1073)),
)

INFO = DatasetInfo(
    title="nuScenes",
    home="https://www.nuscenes.org/nuscenes#download",
    license="CC BY-NC-SA 4.0",
    attribution="nuScenes, Caesar et al. 2020, Motional",
    depth_type="z",
    layout="""
v1.0-trainval/*.json     (or v1.0-mini, v1.0-test)
samples/CAM_FRONT/*.jpg
samples/LIDAR_TOP/*.pcd.bin
sweeps/                  (what is between the key frames; converted too if it is there)
""",
    splits=tuple(_TABLES),
    cameras=_CAMERAS,
)

_Pose = tuple[tuple[float, ...], tuple[float, ...]]  # quaternion (w, x, y, z) and translation [m]


@dataclass(frozen=True)
class SensorRecording:
    """A picture or a sweep.

    Attributes:
        file: The path of its file in the data set.
        moment: Its timestamp [microseconds].
        mount: The rotation (w, x, y, z) and translation [m] from the sensor to the vehicle.
        vehicle: The rotation (w, x, y, z) and translation [m] from the vehicle to the world, at that moment.
    """

    file: str
    moment: int
    mount: _Pose
    vehicle: _Pose

    def world_from_sensor(self) -> Array:
        """The pose (4, 4) of the sensor at that moment [m]."""
        return from_quaternion(*self.vehicle) @ from_quaternion(*self.mount)


@dataclass(frozen=True)
class NuscenesPicture(DatasetItem):
    """A picture, and the sweep during which it was taken.

    Attributes:
        tables: The folder of the tables.
        scene: The name of its scene.
        picture: The picture.
        intrinsics: fx, fy, cx, cy, width, height [px].
        sweep: The sweep; None if there is none at this time.
    """

    tables: Path
    scene: str
    picture: SensorRecording
    intrinsics: tuple[float, ...]
    sweep: SensorRecording | None


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """The pictures that the tables list, in order of scenes and time."""
    splits = select_names(options.splits, _splits_there(source), "split", source)
    if not options.splits and "train" in splits:
        splits = [split for split in splits if split != "mini"]  # its scenes are among the others
    wanted = _Wanted(select_names(options.cameras, _CAMERAS, "camera", source), splits, _dense_channels(source))
    names = dict.fromkeys(_TABLES[split] for split in splits)
    return list_parts(names, lambda name: _list_pictures(source / name, wanted))


def _splits_there(source: Path) -> list[str]:
    folders = [path.name for path in sorted(source.glob("v*.*-*")) if path.is_dir()]
    unknown = [name for name in folders if not name.startswith("v1.0-")]
    if unknown:
        raise UserError(
            f"{source / unknown[0]}: this version of nuScenes is not known here",
            remedy="update the toolkit, or keep version 1.0 in a folder of its own",
        )
    splits = [split for split, name in _TABLES.items() if name in folders]
    if not splits:
        raise not_this_set(source, INFO, "folder v1.0-trainval, v1.0-mini or v1.0-test")
    return splits


def _dense_channels(source: Path) -> Collection[str]:
    """The channels whose recordings between the key frames are there too."""
    return [channel for channel in (*_CAMERAS, _LIDAR) if (source / "sweeps" / channel).is_dir()]


class _Wanted(NamedTuple):
    """What is converted. For the channels in ``dense_channels``, that includes recordings between the key frames."""

    cameras: Sequence[str]
    splits: Sequence[str]
    dense_channels: Collection[str]

    def has_scene(self, folder: Path, name: str) -> bool:
        """Whether a scene that a folder of tables lists is in a wanted split."""
        if folder.name != _TABLES["train"]:
            return True
        number = int(name.removeprefix("scene-"))
        return ("val" if any(first <= number <= last for first, last in _VAL) else "train") in self.splits


class _Sensor(NamedTuple):
    """A row of calibrated_sensor; ``k`` holds the nine numbers of K by rows, and is () for a LiDAR."""

    channel: str
    mount: _Pose
    k: tuple[float, ...]


class _SampleData(NamedTuple):
    """A row of sample_data; ``pose`` is the token of its ego_pose."""

    scene: str
    channel: str
    moment: int
    file: str
    sensor: _Sensor
    pose: str
    size: tuple[int, int]


def _list_pictures(folder: Path, wanted: _Wanted) -> list[NuscenesPicture]:
    """The pictures of one folder of tables, each with its sweep."""
    rows = sorted(_read_sample_data(folder, wanted), key=lambda row: (row.scene, row.moment, row.file))
    used = {row.pose for row in rows}
    poses = dict(_read_rows(folder, "ego_pose", lambda row: _ego_pose(row, used)))
    pictures = []
    for scene, group in groupby(rows, lambda row: row.scene):
        data = [(row, _recording(row, poses, folder)) for row in group]
        sweeps = [recording for row, recording in data if row.channel == _LIDAR]
        middles = [sweep.moment - _SWEEP // 2 for sweep in sweeps]
        for row, picture in data:
            if row.channel != _LIDAR:
                place = nearest_moment(middles, picture.moment, _FARTHEST)
                sweep = None if place is None else sweeps[place]
                name = f"{scene}/{Path(picture.file).stem}"
                pictures.append(NuscenesPicture(name, folder, scene, picture, _intrinsics(row, folder), sweep))
    return pictures


def _read_sample_data(folder: Path, wanted: _Wanted) -> list[_SampleData]:
    """The rows of sample_data for the wanted cameras and the LiDAR in the wanted scenes."""
    channels = dict(_read_rows(folder, "sensor", lambda row: (row("token", str), row("channel", str))))
    scenes = dict(_read_rows(folder, "scene", lambda row: (row("token", str), row("name", str))))
    samples = dict(_read_rows(folder, "sample", lambda row: (row("token", str), row("scene_token", str))))
    sensors = dict(
        _read_rows(folder, "calibrated_sensor", lambda row: (row("token", str), _sensor(row, channels, folder)))
    )

    def wanted_row(row: _Get) -> _SampleData | None:
        sensor = _look_up(sensors, row("calibrated_sensor_token", str), "calibrated_sensor", folder)
        if sensor.channel not in (*wanted.cameras, _LIDAR):
            return None
        scene = _look_up(scenes, _look_up(samples, row("sample_token", str), "sample", folder), "scene", folder)
        if not wanted.has_scene(folder, scene):
            return None
        if not (row("is_key_frame", bool) or sensor.channel in wanted.dense_channels):
            return None
        size = (row("width", int), row("height", int)) if sensor.channel != _LIDAR else (0, 0)
        return _SampleData(
            scene, sensor.channel, row("timestamp", int), row("filename", str), sensor, row("ego_pose_token", str), size
        )

    return _read_rows(folder, "sample_data", wanted_row)


_Get = Callable[..., Any]  # takes a key and the type of its value, and returns the value in a row


def _read_rows(folder: Path, table: str, convert_row: Callable[[_Get], Any]) -> list[Any]:
    """The rows of a table as ``convert_row`` makes them; rows for which it returns None are left out.

    Rows are converted while the table is read, because some tables have millions of rows.
    """
    path = folder / f"{table}.json"

    def convert_object(row: Mapping[str, Any]) -> Any:
        return convert_row(lambda key, kind: need(row, key, path, kind))

    with reading(path, ValueError, TypeError, OverflowError, RecursionError):
        rows = json.loads(read_bounded(path), object_hook=convert_object)
    if not isinstance(rows, list):
        raise UserError(f"{path}: this is not a table", remedy=_AGAIN)
    return [row for row in rows if row is not None]


def _look_up(table: Mapping[str, Any], token: str, name: str, folder: Path) -> Any:
    """The row of a table that has a token."""
    if token not in table:
        raise UserError(f"{folder / name}.json: there is no {token!r}", "other tables refer to it", _AGAIN)
    return table[token]


def _sensor(row: _Get, channels: Mapping[str, str], folder: Path) -> _Sensor:
    channel = _look_up(channels, row("sensor_token", str), "sensor", folder)
    k = [number for line in row("camera_intrinsic", list) for number in line]
    return _Sensor(channel, _pose(row), _numbers(k, 9) if k else ())


def _ego_pose(row: _Get, used: Collection[str]) -> tuple[str, _Pose] | None:
    """The token and the pose of a row of ego_pose; None if no recording uses it."""
    token = row("token", str)
    return (token, _pose(row)) if token in used else None


def _pose(row: _Get) -> _Pose:
    return _numbers(row("rotation", list), 4), _numbers(row("translation", list), 3)


def _numbers(values: Sequence[Any], count: int) -> tuple[float, ...]:
    if len(values) != count:
        raise ValueError(f"{values} are not {count} numbers")
    return tuple(float(value) for value in values)


def _recording(row: _SampleData, poses: Mapping[str, _Pose], folder: Path) -> SensorRecording:
    return SensorRecording(row.file, row.moment, row.sensor.mount, _look_up(poses, row.pose, "ego_pose", folder))


def _intrinsics(row: _SampleData, folder: Path) -> tuple[float, ...]:
    """The intrinsics fx, fy, cx, cy, width, height of a picture [px]."""
    k = row.sensor.k
    if not k:
        raise UserError(f"{folder}/calibrated_sensor.json: {row.channel} has no camera_intrinsic", remedy=_AGAIN)
    return (k[0], k[4], k[2], k[5], *row.size)


def convert(item: NuscenesPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture, with points of the sweep during which it was taken."""
    image = workspace.reference_picture(workspace.source / item.picture.file)
    if item.sweep is None:
        raise Skipped("no LiDAR sweep was taken at its time")
    with naming_file(item.tables):
        camera = Camera.from_intrinsics(item.intrinsics)
        world_from_camera, world_from_lidar = item.picture.world_from_sensor(), item.sweep.world_from_sensor()
    points = read_binary_rows(workspace.source / item.sweep.file, "<f4", 5)
    xyz = lidar_in_camera(camera_from_lidar(world_from_camera, world_from_lidar), points)
    labels = workspace.sample_labels(item, camera, labels_from_lidar(camera, xyz, _SCANNER), "z")
    return ManifestRow(image, camera, labels, world_from_camera, item.scene)
