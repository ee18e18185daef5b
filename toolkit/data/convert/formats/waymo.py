"""Waymo Open Dataset, perception, version 2: one Parquet file for each component and segment; they hold JPEG pictures.

Source: Sun et al. 2020, and the devkit (waymo-open-dataset): v2/perception/camera_image.py and context.py, with the
names of columns as v2/component.py makes them; dataset.proto. A camera's frame is x forward, y left, z up. Pixel
coordinates begin at the left edge of the first pixel. The shutters are rolling shutters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.convert.base_format import (
    ConvertOptions,
    DatasetInfo,
    DatasetItem,
    DatasetListing,
    ManifestRow,
    not_this_set,
    select_names,
)
from toolkit.data.convert.readers.arrow import ParquetRows, check_parquet, read_parquet
from toolkit.data.convert.readers.read_files import is_whole_jpeg, naming_file
from toolkit.data.convert.readers.read_once import read_once
from toolkit.data.convert.shared.lidar.project import labels_from_lidar
from toolkit.data.convert.shared.lidar.rolling_shutter import Shutter, points_at_exposure
from toolkit.data.convert.shared.lidar.waymo_lidar import (
    AGAIN,
    FILES,
    component_path,
    find_row,
    frame_points,
    transform_from_cell,
)
from toolkit.data.convert.shared.workspace import Workspace
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

_WAYMO_FROM_CV = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])

INFO = DatasetInfo(
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
class WaymoPicture(DatasetItem):
    """A picture of one camera at one moment.

    Attributes:
        folder: The folder of its split.
        segment: The name of its segment.
        camera: The number of its camera.
        moment: The moment of its frame [microseconds].
        row: The number of its row in the segment's file of pictures.
    """

    folder: Path
    segment: str
    camera: int
    moment: int
    row: int

    def file(self, component: str) -> Path:
        """The path of the segment's file of a component."""
        return component_path(self.folder, component, self.segment)


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All pictures of all segments; a segment of which a file is missing or cut short is a fault."""
    names = select_names(options.cameras, list(_CAMERAS), "camera", source)
    cameras = {_CAMERAS[name]: name for name in names}
    pictures: list[WaymoPicture] = []
    faults: list[UserError] = []
    for prefix, folder in _split_folders(source, options).items():
        missing = [component for component in _FILES if not (folder / component).is_dir()]
        faults += [UserError(f"{folder / name}: there is no such folder", "", AGAIN) for name in missing]
        for segment in [] if missing else _list_segments(folder):
            try:
                pictures += _list_pictures(prefix, folder, segment, cameras)
            except UserError as fault:
                faults.append(fault)
    return DatasetListing(pictures, faults)


def _split_folders(source: Path, options: ConvertOptions) -> Mapping[str, Path]:
    """The folders of the splits, by the prefix of their pictures' names; SOURCE may be the folder of one split."""
    there = [split for split in _SPLITS if any((source / split / component).is_dir() for component in _FILES)]
    if there:
        return {f"{split}/": source / split for split in select_names(options.splits, there, "split", source)}
    if any((source / component).is_dir() for component in _FILES):
        select_names(options.splits, [source.name], "split", source)
        return {"": source}
    old = [*source.glob("*.tfrecord"), *source.glob("*/*.tfrecord")]
    raise not_this_set(source, INFO, f"Parquet file ({old[0].name} is of version 1)" if old else "folder camera_image")


def _list_segments(folder: Path) -> list[str]:
    return sorted({path.stem for component in _FILES for path in (folder / component).glob("*.parquet")})


def _list_pictures(prefix: str, folder: Path, segment: str, cameras: Mapping[int, str]) -> list[WaymoPicture]:
    for component, columns in _FILES.items():
        check_parquet(component_path(folder, component, segment), columns)
    keys = read_parquet(component_path(folder, "camera_image", segment), (_MOMENT, _CAMERA))
    return [
        WaymoPicture(f"{prefix}{segment}/{cameras[camera]}/{moment}", folder, segment, camera, moment, row)
        for row, (moment, camera) in enumerate(zip(keys[_MOMENT].tolist(), keys[_CAMERA].tolist(), strict=True))
        if camera in cameras
    ]


def convert(item: WaymoPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture, with points of all LiDARs in its frame; the picture is written to DEST."""
    path = item.file("camera_image")
    picture = _open_pictures(path).row(item.row)
    camera, vehicle_from_camera, direction = _read_camera(item.file("camera_calibration"), item.camera)
    world_from_vehicle = transform_from_cell(picture[_POSE], path)
    points, scanner = frame_points(item.folder, item.segment, item.moment)
    in_vehicle = transform(inverse(world_from_vehicle), points)
    xyz = points_at_exposure(camera, vehicle_from_camera, in_vehicle, _shutter(picture, world_from_vehicle, direction))
    labels = workspace.sample_labels(item, camera, labels_from_lidar(camera, xyz, scanner), "z")
    image = workspace.write(f"images/{item.name}.jpg", _check_jpeg(picture[_JPEG], f"{path}, row {item.row}"))
    return ManifestRow(image, camera, labels, world_from_vehicle @ vehicle_from_camera, item.segment)


@read_once(2)
def _open_pictures(path: Path) -> ParquetRows:
    return ParquetRows(path, _PICTURE)


def _check_jpeg(data: bytes | None, where: str) -> bytes:
    """The content of a JPEG file, checked to be whole."""
    if not data or not is_whole_jpeg(data, data):
        raise UserError(f"{where}: this is no whole JPEG", remedy=AGAIN)
    return data


@read_once(16)
def _read_camera(path: Path, number: int) -> tuple[Camera, Array, int]:
    """The camera, vehicle_from_camera (4, 4) [m] in OpenCV's axes, and the direction of its shutter."""
    table = read_parquet(path, _FILES["camera_calibration"])
    row = find_row(table[_CAMERA], number, "camera", path)
    fu, fv, cu, cv, *distortion = (float(table[name][row]) for name in _LENS)
    with naming_file(path):
        size = (table[_WIDTH][row], table[_HEIGHT][row])
        camera = Camera.from_intrinsics([fu, fv, cu - 0.5, cv - 0.5, *size], distortion)
    return camera, transform_from_cell(table[_MOUNT][row], path) @ _WAYMO_FROM_CV, int(table[_DIRECTION][row])


def _shutter(picture: Mapping[str, Any], world_from_vehicle: Array, direction: int) -> Shutter:
    """The shutter of a picture.

    As in the devkit's camera model, the velocity in the file is in the world frame, and the angular velocity in the
    vehicle frame.
    """
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
