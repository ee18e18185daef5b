"""Waymo Open Dataset, perception, version 2: Parquet files, one a component and segment; pictures lie in them as JPEG.

Source: Sun et al. 2020, and the devkit (waymo-open-dataset): v2/perception/camera_image.py and context.py, with the
names of columns as v2/component.py makes them; dataset.proto. A camera's frame is x forward, y left, z up; pixels are
counted from the left edge of the first one; shutters roll.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, chosen, not_this_set
from toolkit.data.convert.readers.arrow import ParquetRows, check_parquet, read_parquet
from toolkit.data.convert.readers.read_files import naming
from toolkit.data.convert.shared.lidar.project import labels_from_lidar
from toolkit.data.convert.shared.lidar.rolling_shutter import Shutter, at_exposure
from toolkit.data.convert.shared.lidar.waymo_lidar import AGAIN, FILES, frame_points, matrix, row_of
from toolkit.data.convert.shared.workspace import Desk
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse, transform
from toolkit.utils.arrays import Array

_SPLITS = ("training", "validation", "testing", "testing_location")


_CAMERAS = {"FRONT": 1, "FRONT_LEFT": 2, "FRONT_RIGHT": 3, "SIDE_LEFT": 4, "SIDE_RIGHT": 5}


_MOMENT, _CAMERA = "key.frame_timestamp_micros", "key.camera_name"


_IMAGE, _CALIBRATION = "[CameraImageComponent]", "[CameraCalibrationComponent]"


_JPEG, _POSE, _POSE_TIME = f"{_IMAGE}.image", f"{_IMAGE}.pose.transform", f"{_IMAGE}.pose_timestamp"


_EXPOSURE = f"{_IMAGE}.rolling_shutter_params.shutter"


_TRIGGER = f"{_IMAGE}.rolling_shutter_params.camera_trigger_time"


_READ_OUT = f"{_IMAGE}.rolling_shutter_params.camera_readout_done_time"


_VELOCITY = tuple(f"{_IMAGE}.velocity.linear_velocity.{axis}" for axis in "xyz")


_TURNING = tuple(f"{_IMAGE}.velocity.angular_velocity.{axis}" for axis in "xyz")


_PICTURE = (_JPEG, _POSE, _POSE_TIME, _EXPOSURE, _TRIGGER, _READ_OUT, *_VELOCITY, *_TURNING)


_LENS = tuple(f"{_CALIBRATION}.intrinsic.{name}" for name in ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3"))


_MOUNT, _DIRECTION = f"{_CALIBRATION}.extrinsic.transform", f"{_CALIBRATION}.rolling_shutter_direction"


_WIDTH, _HEIGHT = f"{_CALIBRATION}.width", f"{_CALIBRATION}.height"


_DOWN, _RIGHTWARD, _UP, _LEFTWARD = 1, 2, 3, 4  # directions of the shutter (context.py); others: all at once


_FILES = {
    "camera_image": (_MOMENT, _CAMERA, *_PICTURE),
    "camera_calibration": (_CAMERA, *_LENS, _MOUNT, _WIDTH, _HEIGHT, _DIRECTION),
    **FILES,
}


_TAIL = 4096  # bytes at the end of a JPEG among which its end marker stands


_WAYMO_FROM_CV = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


ABOUT = About(
    title="Waymo Open Dataset, perception, version 2",
    home="https://waymo.com/open/download",
    license="Waymo Dataset License Agreement for Non-Commercial Use",
    attribution="Waymo Open Dataset, provided by Waymo LLC under the Waymo Dataset License Agreement for "
    "Non-Commercial Use, available at https://waymo.com/open/terms; Sun et al. 2020",
    depth_type="z",
    layout="""
training/camera_image/SEGMENT.parquet        (the pictures in it are written to DEST)
training/camera_calibration/SEGMENT.parquet
training/lidar/SEGMENT.parquet
training/lidar_calibration/SEGMENT.parquet
training/lidar_pose/SEGMENT.parquet
training/vehicle_pose/SEGMENT.parquet
""",
    splits=_SPLITS,
    cameras=tuple(_CAMERAS),
)


@dataclass(frozen=True)
class Shot(Item):
    """A picture of one camera at one moment.

    Attributes:
        folder: Of the split.
        segment: Its segment.
        camera: Its number.
        moment: Of its frame [microseconds].
        row: In the segment's file of pictures.
    """

    folder: Path
    segment: str
    camera: int
    moment: int
    row: int

    def file(self, component: str) -> Path:
        """The segment's file of a component."""
        return self.folder / component / f"{self.segment}.parquet"


def items(source: Path, options: Options) -> Listing:
    """All pictures of all segments; segments of which a file is missing or cut short are faults."""
    names = chosen(options.cameras, list(_CAMERAS), "camera", source)
    cameras = {_CAMERAS[name]: name for name in names}
    shots: list[Shot] = []
    faults: list[UserError] = []
    for prefix, folder in _splits(source, options).items():
        missing = [component for component in _FILES if not (folder / component).is_dir()]
        faults += [UserError(f"{folder / name}: there is no such folder", "", AGAIN) for name in missing]
        for segment in [] if missing else _segments(folder):
            try:
                shots += _shots(prefix, folder, segment, cameras)
            except UserError as fault:
                faults.append(fault)
    return Listing(shots, faults)


def _splits(source: Path, options: Options) -> Mapping[str, Path]:
    """The folders of the splits by what their pictures' names begin with; SOURCE may be one of them."""
    there = [split for split in _SPLITS if any((source / split / component).is_dir() for component in _FILES)]
    if there:
        return {f"{split}/": source / split for split in chosen(options.splits, there, "split", source)}
    if any((source / component).is_dir() for component in _FILES):
        chosen(options.splits, [source.name], "split", source)
        return {"": source}
    old = [*source.glob("*.tfrecord"), *source.glob("*/*.tfrecord")]
    raise not_this_set(source, ABOUT, f"Parquet file ({old[0].name} is of version 1)" if old else "folder camera_image")


def _segments(folder: Path) -> list[str]:
    return sorted({path.stem for component in _FILES for path in (folder / component).glob("*.parquet")})


def _shots(prefix: str, folder: Path, segment: str, cameras: Mapping[int, str]) -> list[Shot]:
    for component, columns in _FILES.items():
        check_parquet(folder / component / f"{segment}.parquet", columns)
    keys = read_parquet(folder / "camera_image" / f"{segment}.parquet", (_MOMENT, _CAMERA))
    return [
        Shot(f"{prefix}{segment}/{cameras[camera]}/{moment}", folder, segment, camera, moment, row)
        for row, (moment, camera) in enumerate(zip(keys[_MOMENT].tolist(), keys[_CAMERA].tolist(), strict=True))
        if camera in cameras
    ]


def convert(item: Shot, desk: Desk) -> Row:
    """The line of one picture, with the points of all LiDARs in its frame; the picture is written to DEST."""
    path = item.file("camera_image")
    picture = _pictures(path).row(item.row)
    camera, vehicle_from_camera, direction = _camera(item.file("camera_calibration"), item.camera)
    world_from_vehicle = matrix(picture[_POSE], path)
    points, scanner = frame_points(item.folder, item.segment, item.moment)
    seen = transform(inverse(world_from_vehicle), points)
    xyz = at_exposure(camera, vehicle_from_camera, seen, _shutter(picture, world_from_vehicle, direction))
    labels = desk.sparse(item, camera, labels_from_lidar(camera, xyz, scanner), "z")
    image = desk.write(f"images/{item.name}.jpg", _whole(picture[_JPEG], f"{path}, row {item.row}"))
    return Row(image, camera, labels, world_from_vehicle @ vehicle_from_camera, item.segment)


@lru_cache(maxsize=2)
def _pictures(path: Path) -> ParquetRows:
    return ParquetRows(path, _PICTURE)


def _whole(data: bytes | None, where: str) -> bytes:
    """A JPEG that has its beginning and its end."""
    if not data or not data.startswith(b"\xff\xd8") or b"\xff\xd9" not in data[-_TAIL:]:
        raise UserError(f"{where}: this is no whole JPEG", remedy=AGAIN)
    return data


@lru_cache(maxsize=16)
def _camera(path: Path, number: int) -> tuple[Camera, Array, int]:
    """The camera, vehicle_from_camera (4, 4) in OpenCV's axes, and the direction of its shutter."""
    table = read_parquet(path, _FILES["camera_calibration"])
    row = row_of(table[_CAMERA], number, "camera", path)
    fu, fv, cu, cv, *distortion = (float(table[name][row]) for name in _LENS)
    with naming(path):
        size = (table[_WIDTH][row], table[_HEIGHT][row])
        camera = Camera.from_intrinsics([fu, fv, cu - 0.5, cv - 0.5, *size], distortion)
    return camera, matrix(table[_MOUNT][row], path) @ _WAYMO_FROM_CV, int(table[_DIRECTION][row])


def _shutter(picture: Mapping[str, Any], world_from_vehicle: Array, direction: int) -> Shutter:
    """The velocity is the world's, the angular velocity the vehicle's, as in the devkit's camera model."""
    rolling = direction in (_DOWN, _RIGHTWARD, _UP, _LEFTWARD)
    first = picture[_TRIGGER] + picture[_EXPOSURE] / 2 - picture[_POSE_TIME]
    return Shutter(
        first=first if rolling else 0.0,
        duration=picture[_READ_OUT] - picture[_TRIGGER] - picture[_EXPOSURE] if rolling else 0.0,
        columns=direction in (_RIGHTWARD, _LEFTWARD),
        backward=direction in (_UP, _LEFTWARD),
        velocity=np.array([picture[name] for name in _VELOCITY]) @ world_from_vehicle[:3, :3],
        turning=np.array([picture[name] for name in _TURNING]),
    )
