"""Tests of the Waymo converter: tiny segments in the layout of version 2."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from scipy.spatial.transform import Rotation

from tests.support.convert_scenes import FORWARD, cast, converted, pose, true_depth
from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.frames.frame import Frame
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

pytestmark = pytest.mark.slow

FRAMES = [1550083485748805, 1550083485848805]  # microseconds
CAMERAS = {1: "FRONT", 4: "SIDE_LEFT"}
LENSES = {
    1: Camera(300, 310, 160.5, 99.0, 320, 200, (0.05, -0.02, 0.001, -0.002, 0.0)),
    4: Camera(250, 250, 158.0, 101.0, 320, 200),
}
MOUNTS = {1: pose(1.5, 0.0, 2.1), 4: pose(1.4, 0.1, 2.1, yaw=25)}  # camera to vehicle: x forward, y left, z up
DIRECTIONS = {1: 4, 4: 1}  # right to left, top to bottom
LIDARS = {1: pose(1.43, 0.0, 2.18, yaw=148), 2: pose(4.07, 0.0, 0.7, yaw=2)}
EXPOSURE, READ_OUT = 0.004, 0.040  # s
TAKEN, BEFORE = {1: 0.013, 4: -0.021}, 0.017  # s: pose after the frame's, trigger before the pose


def at(seconds: float | Array) -> Array:
    """world_from_vehicle (..., 4, 4): 12 m/s, turning by 10 degrees a second, pitched by 1 degree."""
    moments = np.asarray(seconds, dtype=float)
    world_from_vehicle = np.zeros((*moments.shape, 4, 4))
    yaw = Rotation.from_euler("z", 10 * moments.reshape(-1, 1), degrees=True)
    rotations = (yaw * Rotation.from_euler("y", 1, degrees=True)).as_matrix()
    world_from_vehicle[..., :3, :3] = rotations.reshape(*moments.shape, 3, 3)
    world_from_vehicle[..., 0, 3], world_from_vehicle[..., 1, 3] = 12 * moments, 0.2
    world_from_vehicle[..., 3, 3] = 1
    return world_from_vehicle


def seconds(frame: int) -> float:
    return (frame - FRAMES[0]) / 1e6


TURNING = Rotation.from_euler("y", 1, degrees=True).inv().apply([0, 0, np.radians(10)])  # in the vehicle's frame


def inclinations(laser: int, rows: int) -> Array:
    """(rows,) [rad], ascending; those of the front LiDAR divide 50 degrees evenly."""
    even = -25 + (np.arange(rows) + 0.5) * 50 / rows
    return np.radians(even if laser == 2 else even + 0.1 * np.sin(np.arange(rows)))


def range_image(frame: int, laser: int, rows: int, columns: int) -> tuple[Array, Array]:
    """Ranges (H, W) and poses (H, W, 6); the top LiDAR turns once in 0.1 s, the other is seen from the frame's pose."""
    mount = LIDARS[laser]
    azimuths = np.radians(180 - (np.arange(columns) + 0.5) * 360 / columns) - np.arctan2(mount[1, 0], mount[0, 0])
    azimuth, inclination = np.meshgrid(azimuths, inclinations(laser, rows)[::-1])
    rays = [np.cos(inclination) * np.cos(azimuth), np.cos(inclination) * np.sin(azimuth), np.sin(inclination)]
    vehicle = at(seconds(frame) + (0.1 * (np.arange(columns) / columns - 0.5) if laser == 1 else np.zeros(columns)))
    world_from_lidar = np.broadcast_to(vehicle @ mount, (rows, columns, 4, 4)).reshape(-1, 4, 4)
    directions = (world_from_lidar[:, :3, :3] @ np.stack(rays, axis=-1).reshape(-1, 3, 1))[..., 0]
    ranges = cast(world_from_lidar[:, :3, 3], directions).reshape(rows, columns)
    rolls = Rotation.from_matrix(vehicle[:, :3, :3]).as_euler("ZYX")[:, ::-1]
    poses = np.broadcast_to(np.c_[rolls, vehicle[:, :3, 3]], (rows, columns, 6))
    return np.where(np.isfinite(ranges), ranges, -1.0), poses


_TYPES = {
    "transform": pa.list_(pa.float64(), 16),
    "range_image_return1.values": pa.list_(pa.float32()),
    "range_image_return1.shape": pa.list_(pa.int32(), 3),
    "beam_inclination.values": pa.list_(pa.float64()),
}


def write(path: Path, prefix: str, rows: Sequence[dict[str, Any]]) -> None:
    """A component, in row groups of three; names that do not begin with "key" get its prefix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"key.segment_context_name": pa.array([path.stem] * len(rows))}
    for name in rows[0]:
        kind = next((kind for end, kind in _TYPES.items() if name.endswith(end)), None)
        columns[name if name.startswith("key") else f"[{prefix}].{name}"] = pa.array([row[name] for row in rows], kind)
    parquet.write_table(pa.table(columns), path, row_group_size=3)


def tensor(name: str, values: Array) -> dict[str, Any]:
    return {f"{name}.values": values.astype("f4").ravel(), f"{name}.shape": list(values.shape)}


def _picture(frame: int, camera: int) -> dict[str, Any]:
    lens = LENSES[camera]
    pixels = np.random.default_rng(camera).integers(40, 200, (lens.height, lens.width, 3), dtype=np.uint8)
    taken = TAKEN[camera] + seconds(frame)
    row = {"image": cv2.imencode(".jpg", pixels)[1].tobytes(), "pose.transform": at(taken).ravel()}
    row |= dict(zip((f"velocity.linear_velocity.{axis}" for axis in "xyz"), (12.0, 0.0, 0.0), strict=True))
    row |= dict(zip((f"velocity.angular_velocity.{axis}" for axis in "xyz"), TURNING.tolist(), strict=True))
    row |= {"pose_timestamp": 1.5e9 + taken, "rolling_shutter_params.shutter": EXPOSURE}
    start = 1.5e9 + taken - BEFORE
    row["rolling_shutter_params.camera_trigger_time"] = start
    row["rolling_shutter_params.camera_readout_done_time"] = start + EXPOSURE + READ_OUT
    return {"key.camera_name": camera} | row


def _lens(camera: int) -> dict[str, Any]:
    """Pixels are counted from the left edge of the first one."""
    lens = LENSES[camera]
    values = (lens.fx, lens.fy, lens.cx + 0.5, lens.cy + 0.5, *(lens.distortion or [0.0] * 5))
    row = dict(zip(("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3"), map(float, values), strict=True))
    row = {f"intrinsic.{name}": value for name, value in row.items()} | {"extrinsic.transform": MOUNTS[camera].ravel()}
    size = {"width": lens.width, "height": lens.height}
    return {"key.camera_name": camera} | row | size | {"rolling_shutter_direction": DIRECTIONS[camera]}


def _laser(laser: int, rows: int) -> dict[str, Any]:
    row = {"beam_inclination.min": np.radians(-25), "beam_inclination.max": np.radians(25)}
    row["beam_inclination.values"] = inclinations(laser, rows) if laser == 1 else None
    return {"key.laser_name": laser} | row | {"extrinsic.transform": LIDARS[laser].ravel()}


def write_segment(folder: Path, rows: int = 40, columns: int = 180) -> Path:
    """A segment of two frames, two cameras and two LiDARs, in a split's folder."""
    ranges, poses = [], []
    for frame in FRAMES:
        for laser in (2, 1):
            found, own = range_image(frame, laser, rows, columns)
            now = {"key.frame_timestamp_micros": frame, "key.laser_name": laser}
            ranges.append(now | tensor("range_image_return1", np.stack([found, *[found * 0] * 3], axis=-1)))
            poses += [now | tensor("range_image_return1", own)] if laser == 1 else []
    moments = [{"key.frame_timestamp_micros": frame} for frame in FRAMES]
    pictures = [now | _picture(frame, camera) for frame, now in zip(FRAMES, moments, strict=True) for camera in LENSES]
    vehicle = [
        now | {"world_from_vehicle.transform": at(seconds(frame)).ravel()}
        for frame, now in zip(FRAMES, moments, strict=True)
    ]
    name = "1005_0_1025_0.parquet"
    write(folder / "camera_calibration" / name, "CameraCalibrationComponent", [_lens(camera) for camera in LENSES])
    write(folder / "lidar_calibration" / name, "LiDARCalibrationComponent", [_laser(laser, rows) for laser in LIDARS])
    write(folder / "lidar" / name, "LiDARComponent", ranges)
    write(folder / "lidar_pose" / name, "LiDARPoseComponent", poses)
    write(folder / "camera_image" / name, "CameraImageComponent", pictures)
    write(folder / "vehicle_pose" / name, "VehiclePoseComponent", vehicle)
    return folder


def label_errors(frame: Frame, camera: int, moment: int) -> Array:
    """How far (N,) [m] labels are from what their pixels saw, each at the moment of its own exposure."""
    assert frame.labels is not None
    pixels, depth_z = frame.labels.read(frame.camera)
    place = 1 - (pixels[:, 0] + 0.5) / 320 if camera == 1 else (pixels[:, 1] + 0.5) / 200
    exposed = seconds(moment) + TAKEN[camera] - BEFORE + EXPOSURE / 2 + READ_OUT * place
    world_from_camera = at(exposed) @ MOUNTS[camera] @ FORWARD
    rays = (world_from_camera[:, :3, :3] @ LENSES[camera].rays(pixels)[..., None])[..., 0]
    return np.abs(depth_z - cast(world_from_camera[:, :3, 3], rays))


def test_every_label_is_true_to_a_millimetre(tmp_path: Path) -> None:
    write_segment(tmp_path / "waymo" / "training", rows=120, columns=1080)
    frames = converted("waymo", tmp_path / "waymo", tmp_path / "out", points=3000, edge_margin=4)
    shots = [(moment, camera) for moment in FRAMES for camera in CAMERAS]
    assert len(frames) == len(shots)
    for frame, (moment, camera) in zip(frames, shots, strict=True):
        assert frame.name == str(tmp_path / f"out/images/training/1005_0_1025_0/{CAMERAS[camera]}/{moment}.jpg")
        known = at(seconds(moment) + TAKEN[camera]) @ MOUNTS[camera] @ FORWARD
        np.testing.assert_allclose(frame.world_from_camera, known, atol=1e-8)
        assert frame.camera == LENSES[camera]
        assert frame.sequence == "1005_0_1025_0"
        assert "Non-Commercial" in str(frame.license)
        errors = label_errors(frame, camera, moment)
        assert len(errors) == 3000
        assert errors.max() < 1e-3


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_segment(tmp_path_factory.mktemp("waymo") / "training").parent


@pytest.fixture
def source(tmp_path: Path, pristine: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "waymo"))


def copy_segment(folder: Path, segment: str) -> None:
    """Another segment of the same contents."""
    for path in (folder.parent / "training").glob("*/1005_0_1025_0.parquet"):
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / path.parent.name / f"{segment}.parquet")


def edit(path: Path, column: str, change: Callable[[list[Any]], list[Any]]) -> None:
    """Change a column of a file."""
    table = parquet.read_table(path)
    (name,) = [name for name in table.column_names if name.endswith(column)]
    place = table.column_names.index(name)
    new = pa.array(change(table[name].to_pylist()), table.schema.field(place).type)
    parquet.write_table(table.set_column(place, name, new), path)


def test_pictures_are_those_of_the_set(source: Path) -> None:
    frames = converted("waymo", source, source.parent / "out", cameras=("SIDE_LEFT",))
    stored = parquet.read_table(source / "training/camera_image/1005_0_1025_0.parquet")["[CameraImageComponent].image"]
    assert [Path(frame.name).read_bytes() for frame in frames] == [stored[1].as_py(), stored[3].as_py()]


def test_a_global_shutter_does_not_roll(source: Path) -> None:
    """Then all is seen from the pose, and the world's depth is that of the pose."""
    path = source / "training/camera_calibration/1005_0_1025_0.parquet"
    edit(path, "rolling_shutter_direction", lambda rows: [5] * len(rows))
    for index, frame in enumerate(converted("waymo", source, source.parent / "out", edge_margin=4)):
        assert frame.labels is not None
        assert frame.world_from_camera is not None
        pixels, depth_z = frame.labels.read(frame.camera)
        errors = np.abs(depth_z - true_depth(LENSES[list(CAMERAS)[index % 2]], frame.world_from_camera, pixels))
        assert np.median(errors) < 1e-4


def test_splits_and_cameras_are_chosen_and_source_may_be_one_split(source: Path) -> None:
    copy_segment(source / "validation", "77")
    for place, options in {"": {"splits": ("validation",)}, "validation": {}}.items():
        frames = converted("waymo", source / place, source.parent / f"out{place}", cameras=("FRONT",), **options)
        assert [Path(frame.name).parts[-3:-1] for frame in frames] == [("77", "FRONT")] * 2
    for wrong in (ConvertOptions(splits=("testing",)), ConvertOptions(cameras=("REAR",))):
        with pytest.raises(UserError, match="there is no"):
            convert(ConvertJob("waymo", source, source.parent / "out", wrong))


COMPONENTS = ("camera_image", "camera_calibration", "lidar", "lidar_calibration", "lidar_pose", "vehicle_pose")


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "another"])
def test_a_damaged_file_is_one_fault_and_the_other_segments_are_converted(
    source: Path, component: str, damage: str
) -> None:
    copy_segment(source / "training", "77")
    path = source / "training" / component / "77.parquet"
    content = path.read_bytes()
    path.unlink()
    if damage in ("cut", "empty"):
        path.write_bytes(content[: -50 if damage == "cut" else 0])
    elif damage == "another":
        parquet.write_table(pa.table({"key.x": [1]}), path)
    outcome = convert(ConvertJob("waymo", source, source.parent / "out", skip_bad=True))
    assert (outcome.pictures, len(outcome.faults)) == (4, 1)
    assert outcome.faults[0].problem.startswith(f"{path}: ")
    assert outcome.faults[0].remedy


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_missing_component_is_one_fault(source: Path, component: str) -> None:
    copy_segment(source / "validation", "77")
    (source / "validation" / component).rename(source.parent / "elsewhere")
    outcome = convert(ConvertJob("waymo", source, source.parent / "out", skip_bad=True))
    assert (outcome.pictures, len(outcome.faults)) == (4, 1)
    assert outcome.faults[0].problem.startswith(str(source / "validation" / component))


@pytest.mark.parametrize(
    ("component", "column", "change", "message", "left"),
    [
        ("camera_image", "image", lambda rows: [rows[0][:-300], *rows[1:]], "row 0: this is no whole JPEG", 3),
        ("camera_image", "image", lambda rows: [*rows[:3], None], "row 3: this is no whole JPEG", 3),
        ("camera_image", "pose.transform", lambda rows: [None, *rows[1:]], "a transform has 1 numbers", 3),
        ("camera_calibration", "camera_name", lambda rows: [2, 4], "there is no camera 1", 2),
        ("camera_calibration", "f_u", lambda rows: [0.0, *rows[1:]], "focal length", 2),
        ("lidar", "frame_timestamp_micros", lambda rows: [*rows[:2], 5, 5], f"no range image at {FRAMES[1]}", 2),
        ("lidar", "shape", lambda rows: [*rows[:3], [40, 180, 3]], "row 3: 28800 values are no", 2),
        ("lidar_pose", "frame_timestamp_micros", lambda rows: [5, *rows[1:]], f"no poses at {FRAMES[0]}", 2),
        ("lidar_pose", "shape", lambda rows: [[180, 40, 6], *rows[1:]], f"no poses at {FRAMES[0]}", 2),
        ("lidar_calibration", "beam_inclination.values", lambda rows: [rows[0][:-1], *rows[1:]], "has 39 beams", 0),
        ("lidar_calibration", "laser_name", lambda rows: [1, 3], "there is no LiDAR 2", 0),
        ("vehicle_pose", "frame_timestamp_micros", lambda rows: [5, rows[1]], f"there is no frame {FRAMES[0]}", 2),
    ],
)
def test_damaged_rows_are_faults_of_their_pictures(
    source: Path, component: str, column: str, change: Callable[[list[Any]], list[Any]], message: str, left: int
) -> None:
    path = source / "training" / component / "1005_0_1025_0.parquet"
    edit(path, column, change)
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("waymo", source, source.parent / "out"))
    assert len(caught.value.faults) == 4 - left
    assert caught.value.faults[0].problem.startswith(str(path))
    assert message in caught.value.faults[0].problem


def test_version_1_is_refused_with_the_layout(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "segment-1.tfrecord").touch()
    with pytest.raises(UserError, match="not Waymo") as caught:
        convert(ConvertJob("waymo", tmp_path, tmp_path / "out"))
    assert "segment-1.tfrecord is of version 1" in caught.value.cause
    assert "training/lidar_pose/SEGMENT.parquet" in caught.value.remedy
