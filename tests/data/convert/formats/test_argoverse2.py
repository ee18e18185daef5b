"""Tests of the Argoverse 2 converter: tiny logs in the sensor dataset's layout."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather
from scipy.spatial.transform import Rotation

from tests.support.convert_scenes import FORWARD, converted, grey, label_errors, pose, sweep
from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import transform
from toolkit.utils.arrays import Array

START, MS = 315968112437425433, 1_000_000  # ns
SWEEPS = [START, START + 100 * MS]
# The first picture is taken late in the first sweep, nearer to the beginning of the second; the last one after both.
PICTURES = [START + 80 * MS, START + 130 * MS, START + 900 * MS]
LENSES = {
    "ring_front_center": Camera(300, 310, 99.0, 160.5, 200, 320),
    "stereo_front_left": Camera(*[250] * 2, 160, 99, 320, 200),
}
MOUNTS = {"ring_front_center": pose(1.6, 0.0, 1.4) @ FORWARD, "stereo_front_left": pose(1.6, 0.1, 1.2, yaw=8) @ FORWARD}
LIDAR = pose(1.35, 0.0, 1.6)


def vehicle(moment: int) -> Array:
    """world_from_vehicle: 12 m/s, turning by 10 degrees a second."""
    seconds = (moment - START) / 1e9
    return pose(12 * seconds, 0.2, 0.0, yaw=10 * seconds)


def write_table(path: Path, columns: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    feather.write_feather(pa.table(columns), str(path), compression="zstd")


def poses(matrices: list[Array]) -> dict[str, Any]:
    quaternions = Rotation.from_matrix([matrix[:3, :3] for matrix in matrices]).as_quat()
    columns = {f"q{axis}": quaternions[:, place] for place, axis in enumerate("xyzw")}
    return columns | {f"t{axis}_m": [matrix[place, 3] for matrix in matrices] for place, axis in enumerate("xyz")}


def write_log(log: Path, step: float = 2.0, dtype: str = "f4") -> Path:
    """A log of two sweeps and two cameras; points stand in the vehicle's frame at the sweep's moment."""
    for moment in SWEEPS:
        points = transform(LIDAR, sweep(vehicle(moment) @ LIDAR, step)).astype(dtype)
        count = len(points)
        others = {
            "intensity": np.zeros(count, "u1"),
            "laser_number": np.zeros(count, "u1"),
            "offset_ns": np.zeros(count, "i4"),
        }
        write_table(log / f"sensors/lidar/{moment}.feather", dict(zip("xyz", points.T.copy(), strict=True)) | others)
    for name, lens in LENSES.items():
        for moment in PICTURES:
            grey(log / f"sensors/cameras/{name}/{moment}.jpg", lens, moment % 97)
    moments = sorted([*SWEEPS, *PICTURES, START - 5])
    write_table(
        log / "city_SE3_egovehicle.feather", {"timestamp_ns": moments} | poses([vehicle(each) for each in moments])
    )
    names = ["up_lidar", *MOUNTS]
    write_table(
        log / "calibration" / "egovehicle_SE3_sensor.feather",
        {"sensor_name": names} | poses([LIDAR, *MOUNTS.values()]),
    )
    keys = ("fx_px", "fy_px", "cx_px", "cy_px", "width_px", "height_px")
    columns = {key: [lens.intrinsics[place] for lens in LENSES.values()] for place, key in enumerate(keys)}
    lens = {"k1": [-0.3, -0.3], "k2": [-0.2, -0.2], "k3": [0.3, 0.3]}  # of the lens: pictures are undistorted
    write_table(log / "calibration" / "intrinsics.feather", {"sensor_name": list(LENSES)} | columns | lens)
    return log


# The set stores half precision: at 25 m, its points are 8 mm apart.
@pytest.mark.parametrize(("dtype", "error"), [("f4", 1e-3), ("f2", 2e-2)])
def test_every_label_is_true_to_a_millimetre(tmp_path: Path, dtype: str, error: float) -> None:
    write_log(tmp_path / "av2" / "train" / "log1", 0.25, dtype)
    frames = converted("argoverse2", tmp_path / "av2", tmp_path / "out", points=3000, edge_margin=4)
    assert [frame.name.split("cameras/")[1] for frame in frames] == [
        f"{name}/{moment}.jpg" for name in LENSES for moment in PICTURES[:2]
    ]
    for index, frame in enumerate(frames):
        name, moment = list(LENSES)[index // 2], PICTURES[index % 2]
        known = vehicle(moment) @ MOUNTS[name]
        np.testing.assert_allclose(frame.world_from_camera, known, atol=1e-8)
        assert frame.camera == LENSES[name]
        assert (frame.sequence, frame.license) == ("log1", "CC BY-NC-SA 4.0")
        errors = label_errors(frame, known)
        assert len(errors) == 3000
        assert errors.max() < error


def test_points_behind_the_pillar_are_no_labels(tmp_path: Path) -> None:
    write_log(tmp_path / "av2" / "train" / "log1", step=0.25)
    for frame in converted("argoverse2", tmp_path / "av2", tmp_path / "out", points=100_000)[:1]:
        assert frame.world_from_camera is not None
        assert np.mean(label_errors(frame, frame.world_from_camera) > 1e-3) < 0.01


def test_a_picture_belongs_to_the_sweep_during_which_it_was_taken(tmp_path: Path) -> None:
    """The second sweep is without points; the first picture is nearer to its beginning than to the first's."""
    log = write_log(tmp_path / "av2" / "train" / "log1")
    write_table(log / f"sensors/lidar/{SWEEPS[1]}.feather", {axis: np.zeros(0, "f2") for axis in "xyz"})
    outcome = convert(ConvertJob("argoverse2", tmp_path / "av2", tmp_path / "out"))
    assert outcome.pictures == 2
    assert outcome.skipped == {"no depth is known in it": 2, "no LiDAR sweep was taken at its time": 2}


def test_splits_and_cameras_are_chosen_and_source_may_be_one_split(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_log(tmp_path / "av2" / split / "log1")
    options = {"splits": ("val",), "cameras": ("stereo_front_left",)}
    for source in ("av2", "av2/val"):
        frames = converted("argoverse2", tmp_path / source, tmp_path / "out" / source, **options)
        assert [Path(frame.name).parts[-6:-1] for frame in frames] == [
            ("val", "log1", "sensors", "cameras", "stereo_front_left")
        ] * 2
    for wrong in (ConvertOptions(splits=("test",)), ConvertOptions(cameras=("ring_front_left",))):
        with pytest.raises(UserError, match="there is no"):
            convert(ConvertJob("argoverse2", tmp_path / "av2", tmp_path / "out", wrong))


@pytest.mark.parametrize(
    ("part", "left"),
    [
        ("sensors", 4),
        ("sensors/lidar", 4),
        ("city_SE3_egovehicle.feather", 4),
        ("calibration/intrinsics.feather", 4),
        ("sensors/cameras/ring_front_center", 6),
    ],
)
def test_a_part_of_a_log_that_is_missing_is_one_fault(tmp_path: Path, part: str, left: int) -> None:
    write_log(tmp_path / "av2" / "train" / "log1")
    log = write_log(tmp_path / "av2" / "train" / "log2")
    (log / part).rename(tmp_path / "elsewhere")
    outcome = convert(ConvertJob("argoverse2", tmp_path / "av2", tmp_path / "out", skip_bad=True))
    assert outcome.pictures == left
    assert any(fault.problem.startswith(str(log / part)) for fault in outcome.faults)
    assert len(outcome.faults) == 1


@pytest.mark.parametrize("size", [None, 0, 700])
@pytest.mark.parametrize(
    "file", [f"sensors/lidar/{SWEEPS[0]}.feather", f"sensors/cameras/ring_front_center/{PICTURES[0]}.jpg"]
)
def test_files_that_are_missing_or_cut_short_are_told(tmp_path: Path, file: str, size: int | None) -> None:
    log = write_log(tmp_path / "av2" / "train" / "log1")
    content = (log / file).read_bytes()
    if size is None:
        (log / file).unlink()
        (log / file).mkdir()
    else:
        (log / file).write_bytes(content[:size])
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("argoverse2", tmp_path / "av2", tmp_path / "out"))
    assert str(log / file) in str(caught.value)


@pytest.mark.parametrize(
    ("file", "columns", "message"),
    [
        (
            "city_SE3_egovehicle.feather",
            {"timestamp_ns": [1]} | poses([np.eye(4)]),
            f"there is no pose at {PICTURES[0]} ns",
        ),
        ("city_SE3_egovehicle.feather", {"time": [1]}, "there is no column timestamp_ns, qw"),
        ("calibration/intrinsics.feather", {"sensor_name": ["x"]}, "there is no column fx_px"),
        (
            "calibration/intrinsics.feather",
            {
                "sensor_name": ["x"],
                **{key: [1] for key in ("fx_px", "fy_px", "cx_px", "cy_px", "width_px", "height_px")},
            },
            "there is no sensor ring_front_center",
        ),
    ],
)
def test_tables_of_another_version_are_told(tmp_path: Path, file: str, columns: dict[str, Any], message: str) -> None:
    log = write_log(tmp_path / "av2" / "train" / "log1")
    write_table(log / file, columns)
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("argoverse2", tmp_path / "av2", tmp_path / "out"))
    assert f"{log / file}: {message}" in str(caught.value)


def test_another_folder_is_refused_with_the_layout(tmp_path: Path) -> None:
    (tmp_path / "train" / "log1").mkdir(parents=True)
    with pytest.raises(UserError, match="not Argoverse 2") as caught:
        convert(ConvertJob("argoverse2", tmp_path, tmp_path / "out"))
    assert "train/LOG/sensors/lidar" in caught.value.remedy
