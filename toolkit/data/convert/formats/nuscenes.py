"""nuScenes: six cameras and one LiDAR, described by JSON tables; each datum has the vehicle's pose at its own moment.

Source: Caesar et al. 2020, and the devkit's docs/schema_nuscenes.md: pictures are undistorted, calibrated_sensor leads
from the sensor to the vehicle and ego_pose from the vehicle to the world, quaternions are w, x, y, z. Points are five
float32: x, y, z in the LiDAR's frame, intensity, ring (devkit, utils/data_classes.py). A sweep is dated by its end, a
picture by its exposure (https://www.nuscenes.org/nuscenes#data-collection).
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, Skipped, chosen, not_this_set
from toolkit.data.convert.readers.pose_files import from_quaternion
from toolkit.data.convert.readers.read_files import naming, need, read_records, reading
from toolkit.data.convert.shared.lidar.project import (
    Scanner,
    camera_from_lidar,
    labels_from_lidar,
    lidar_in_camera,
    nearest_sweep,
)
from toolkit.data.convert.shared.workspace import Desk
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

_SIDES = ("FRONT", "FRONT_LEFT", "FRONT_RIGHT", "BACK", "BACK_LEFT", "BACK_RIGHT")


_CAMERAS, _LIDAR = tuple(f"CAM_{side}" for side in _SIDES), "LIDAR_TOP"


_TABLES = {"train": "v1.0-trainval", "val": "v1.0-trainval", "test": "v1.0-test", "mini": "v1.0-mini"}


_SWEEP = 50_000  # microseconds


_FARTHEST = 100_000  # microseconds between a picture and the middle of its sweep


# Velodyne HDL-32E, 20 turns a second: beams 1.33 degrees apart, some 1,080 points a turn.
_SCANNER = Scanner(across=0.34, down=1.34)


_AGAIN = "download the metadata again"


# First and last scenes of the validation split (devkit, utils/splits.py).
_VAL = (
    *((3, 3), (12, 18), (35, 36), (38, 39), (92, 110), (221, 221), (268, 278), (329, 332), (344, 346), (519, 524)),
    *((552, 565), (625, 627), (629, 630), (632, 638), (770, 771), (775, 775), (777, 778), (780, 784), (794, 800)),
    *((802, 802), (904, 917), (919, 931), (962, 963), (966, 969), (971, 972), (1059, 1073)),
)


ABOUT = About(
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


_Pose = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Datum:
    """A picture or a sweep.

    Attributes:
        file: Its name in the set.
        moment: When it was taken [microseconds].
        mount: Rotation (w, x, y, z) and translation [m] from the sensor to the vehicle.
        vehicle: The same from the vehicle to the world, at that moment.
    """

    file: str
    moment: int
    mount: _Pose
    vehicle: _Pose

    def world_from_sensor(self) -> Array:
        """Its pose (4, 4)."""
        return from_quaternion(*self.vehicle) @ from_quaternion(*self.mount)


@dataclass(frozen=True)
class Shot(Item):
    """A picture and the sweep during which it was taken.

    Attributes:
        tables: The folder of the tables.
        scene: Its recording.
        picture: The picture.
        intrinsics: fx, fy, cx, cy, width, height [px].
        sweep: The sweep; None if there is none at its time.
    """

    tables: Path
    scene: str
    picture: Datum
    intrinsics: tuple[float, ...]
    sweep: Datum | None


def items(source: Path, options: Options) -> Listing:
    """The pictures that the tables list, in order of scenes and time."""
    splits = chosen(options.splits, _splits(source), "split", source)
    if not options.splits and "train" in splits:
        splits = [split for split in splits if split != "mini"]  # its scenes are among the others
    wanted = _Wanted(chosen(options.cameras, _CAMERAS, "camera", source), splits, _between(source))
    shots: list[Shot] = []
    faults: list[UserError] = []
    for name in dict.fromkeys(_TABLES[split] for split in splits):
        try:
            shots += _shots(source / name, wanted)
        except UserError as fault:
            faults.append(fault)
    return Listing(shots, faults)


def _splits(source: Path) -> list[str]:
    folders = [path.name for path in sorted(source.glob("v*.*-*")) if path.is_dir()]
    unknown = [name for name in folders if not name.startswith("v1.0-")]
    if unknown:
        raise UserError(
            f"{source / unknown[0]}: this version of nuScenes is not known here",
            remedy="update the toolkit, or keep version 1.0 in a folder of its own",
        )
    splits = [split for split, name in _TABLES.items() if name in folders]
    if not splits:
        raise not_this_set(source, ABOUT, "folder v1.0-trainval, v1.0-mini or v1.0-test")
    return splits


def _between(source: Path) -> Collection[str]:
    """The channels of which more than the key frames are there."""
    return [channel for channel in (*_CAMERAS, _LIDAR) if (source / "sweeps" / channel).is_dir()]


class _Wanted(NamedTuple):
    cameras: Sequence[str]
    splits: Sequence[str]
    between: Collection[str]

    def scene(self, folder: Path, name: str) -> bool:
        if folder.name != _TABLES["train"]:
            return True
        number = int(name.removeprefix("scene-"))
        return ("val" if any(first <= number <= last for first, last in _VAL) else "train") in self.splits


class _Sensor(NamedTuple):
    channel: str
    mount: _Pose
    k: tuple[float, ...]


class _Found(NamedTuple):
    """A row of sample_data."""

    scene: str
    channel: str
    moment: int
    file: str
    sensor: _Sensor
    pose: str
    size: tuple[int, int]


def _shots(folder: Path, wanted: _Wanted) -> list[Shot]:
    """The pictures of one folder of tables, each with its sweep."""
    rows = sorted(_data(folder, wanted), key=lambda row: (row.scene, row.moment, row.file))
    used = {row.pose for row in rows}
    poses = dict(_rows(folder, "ego_pose", lambda row: _vehicle(row, used)))
    shots = []
    for scene, group in groupby(rows, lambda row: row.scene):
        data = [(row, _datum(row, poses, folder)) for row in group]
        sweeps = [datum for row, datum in data if row.channel == _LIDAR]
        middles = [sweep.moment - _SWEEP // 2 for sweep in sweeps]
        for row, picture in data:
            if row.channel != _LIDAR:
                place = nearest_sweep(middles, picture.moment, _FARTHEST)
                sweep = None if place is None else sweeps[place]
                name = f"{scene}/{Path(picture.file).stem}"
                shots.append(Shot(name, folder, scene, picture, _intrinsics(row, folder), sweep))
    return shots


def _data(folder: Path, wanted: _Wanted) -> list[_Found]:
    """What the wanted cameras and the LiDAR have recorded of the wanted scenes."""
    channels = dict(_rows(folder, "sensor", lambda row: (row("token", str), row("channel", str))))
    scenes = dict(_rows(folder, "scene", lambda row: (row("token", str), row("name", str))))
    samples = dict(_rows(folder, "sample", lambda row: (row("token", str), row("scene_token", str))))
    sensors = dict(_rows(folder, "calibrated_sensor", lambda row: (row("token", str), _sensor(row, channels, folder))))

    def found(row: _Get) -> _Found | None:
        sensor = _linked(sensors, row("calibrated_sensor_token", str), "calibrated_sensor", folder)
        if sensor.channel not in (*wanted.cameras, _LIDAR):
            return None
        scene = _linked(scenes, _linked(samples, row("sample_token", str), "sample", folder), "scene", folder)
        if not wanted.scene(folder, scene) or not (row("is_key_frame", bool) or sensor.channel in wanted.between):
            return None
        size = (row("width", int), row("height", int)) if sensor.channel != _LIDAR else (0, 0)
        return _Found(
            scene, sensor.channel, row("timestamp", int), row("filename", str), sensor, row("ego_pose_token", str), size
        )

    return _rows(folder, "sample_data", found)


_Get = Callable[..., Any]


def _rows(folder: Path, table: str, keep: Callable[[_Get], Any]) -> list[Any]:
    """What ``keep`` makes of each row while the table is read: some have millions of rows; None is left out."""
    path = folder / f"{table}.json"

    def kept(row: Mapping[str, Any]) -> Any:
        return keep(lambda key, kind: need(row, key, path, kind))

    with reading(path, ValueError, TypeError, RecursionError):
        rows = json.loads(path.read_text(encoding="utf-8"), object_hook=kept)
    if not isinstance(rows, list):
        raise UserError(f"{path}: this is no table", remedy=_AGAIN)
    return [row for row in rows if row is not None]


def _linked(table: Mapping[str, Any], token: str, name: str, folder: Path) -> Any:
    """The row that another one names."""
    if token not in table:
        raise UserError(f"{folder / name}.json: there is no {token!r}", "other tables name it", _AGAIN)
    return table[token]


def _sensor(row: _Get, channels: Mapping[str, str], folder: Path) -> _Sensor:
    channel = _linked(channels, row("sensor_token", str), "sensor", folder)
    k = [number for line in row("camera_intrinsic", list) for number in line]
    return _Sensor(channel, _pose(row), _numbers(k, 9) if k else ())


def _vehicle(row: _Get, used: Collection[str]) -> tuple[str, _Pose] | None:
    token = row("token", str)
    return (token, _pose(row)) if token in used else None


def _pose(row: _Get) -> _Pose:
    return _numbers(row("rotation", list), 4), _numbers(row("translation", list), 3)


def _numbers(values: Sequence[Any], count: int) -> tuple[float, ...]:
    if len(values) != count:
        raise ValueError(f"{values} are not {count} numbers")
    return tuple(float(value) for value in values)


def _datum(row: _Found, poses: Mapping[str, _Pose], folder: Path) -> Datum:
    return Datum(row.file, row.moment, row.sensor.mount, _linked(poses, row.pose, "ego_pose", folder))


def _intrinsics(row: _Found, folder: Path) -> tuple[float, ...]:
    k = row.sensor.k
    if not k:
        raise UserError(f"{folder}/calibrated_sensor.json: {row.channel} has no camera_intrinsic", remedy=_AGAIN)
    return (k[0], k[4], k[2], k[5], *row.size)


def convert(item: Shot, desk: Desk) -> Row:
    """The line of one picture, with the points of the sweep during which it was taken."""
    image = desk.picture(desk.source / item.picture.file)
    if item.sweep is None:
        raise Skipped("no LiDAR sweep was taken at its time")
    with naming(item.tables):
        camera = Camera.from_intrinsics(item.intrinsics)
        world_from_camera, world_from_lidar = item.picture.world_from_sensor(), item.sweep.world_from_sensor()
    points = read_records(desk.source / item.sweep.file, "<f4", 5)
    xyz = lidar_in_camera(camera_from_lidar(world_from_camera, world_from_lidar), points)
    labels = desk.sparse(item, camera, labels_from_lidar(camera, xyz, _SCANNER), "z")
    return Row(image, camera, labels, world_from_camera, item.scene)
