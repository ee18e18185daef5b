"""Tests of the TUM RGB-D converter: tiny walks in the benchmark's layout."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.support.convert_scenes import FORWARD, converted, depth_map, grey, label_errors, pose
from toolkit.data.convert.convert import convert
from toolkit.data.convert.formats import tum_rgbd
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.convert.readers.depth_png import encode_depth_png
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

LENSES = {
    "freiburg1": Camera(51.7, 51.6, 31.8, 25.5, 64, 48, (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "freiburg3": Camera(53.5, 53.9, 32.0, 24.7, 64, 48),
}
START = 1305031102.0
TIMES = (0.0103, 0.0437, 0.0770)  # of the pictures, after START
MAP_TIMES = (0.0153, 0.0390, 0.1200)  # the last too late for the last picture


@pytest.fixture(autouse=True)
def _small_lenses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tum_rgbd, "_CAMERAS", {**tum_rgbd._CAMERAS, **LENSES})


def eye_at(time: float) -> Array:
    """world_from_camera of a walk along x that turns, each at an even rate."""
    return pose(1.0 + time, 0.5, 1.5, yaw=50 * time) @ FORWARD


def write_walk(root: Path, name: str = "rgbd_dataset_freiburg1_xyz", truth_until: float = 0.2) -> Path:
    folder = root / name
    lens = LENSES[name.split("_")[2]]
    (folder / "depth").mkdir(parents=True)
    lists: dict[str, list[str]] = {"rgb": ["# color images"], "depth": ["# depth maps"]}
    for time, map_time in zip(TIMES, MAP_TIMES, strict=True):
        grey(folder / f"rgb/{START + time:.6f}.png", lens)
        depth = np.where(np.arange(64) < 8, np.nan, depth_map(lens, eye_at(time)))
        (folder / f"depth/{START + map_time:.6f}.png").write_bytes(encode_depth_png(depth, 1 / 5000))
        lists["rgb"].append(f"{START + time:.6f} rgb/{START + time:.6f}.png")
        lists["depth"].append(f"{START + map_time:.6f} depth/{START + map_time:.6f}.png")
    for kind, lines in lists.items():
        (folder / f"{kind}.txt").write_text("\n".join(lines) + "\n")
    poses = ["# timestamp tx ty tz qx qy qz qw"]
    for time in np.arange(0, truth_until, 0.01):
        eye = eye_at(time)
        numbers = [*eye[:3, 3], *Rotation.from_matrix(eye[:3, :3]).as_quat()]
        poses.append(f"{START + time:.4f} " + " ".join(f"{number:.9f}" for number in numbers))
    (folder / "groundtruth.txt").write_text("\n".join(poses) + "\n")
    return folder


@pytest.mark.parametrize("name", ["rgbd_dataset_freiburg1_xyz", "rgbd_dataset_freiburg3_office"])
def test_every_label_and_pose_is_true_to_a_millimetre(tmp_path: Path, name: str) -> None:
    write_walk(tmp_path / "tum", name)
    frames = converted("tum_rgbd", tmp_path / "tum", tmp_path / "out")
    assert [Path(frame.name).stem for frame in frames] == ["1305031102.010300", "1305031102.043700"]
    for frame, time in zip(frames, TIMES, strict=False):
        eye = eye_at(time)
        assert frame.camera == LENSES[name.split("_")[2]]
        errors = label_errors(frame, eye)
        assert len(errors) > 1000
        assert errors.max() < 1e-3
        np.testing.assert_allclose(frame.world_from_camera, eye, atol=1e-5)
        assert frame.sequence == name
        assert frame.license == "CC BY 4.0"


def test_the_published_cameras_are_those_of_the_official_page() -> None:
    assert tum_rgbd.INFO.cameras == ("freiburg1", "freiburg2", "freiburg3")
    assert tum_rgbd._CAMERAS["freiburg2"].intrinsics == [520.9, 521.0, 325.1, 249.7, 640, 480]
    assert not tum_rgbd._CAMERAS["freiburg3"].distortion


def test_a_picture_without_a_map_of_its_moment_is_left_out_and_counted(tmp_path: Path) -> None:
    write_walk(tmp_path / "tum")
    outcome = convert(ConvertJob("tum_rgbd", tmp_path / "tum", tmp_path / "out"))
    assert (outcome.pictures, outcome.skipped) == (2, {"no depth map was taken within 0.02 s of it": 1})


def test_a_map_goes_with_one_picture_only() -> None:
    assert [tum_rgbd._find_depth_map([0.0, 0.01, 0.5], [0.008], time) for time in (0.0, 0.01, 0.5)] == [None, 0, None]
    assert tum_rgbd._find_depth_map([0.0], [], 0.0) is None


def test_where_tracking_was_lost_there_is_no_pose(tmp_path: Path) -> None:
    write_walk(tmp_path / "tum", truth_until=0.03)
    first, second = converted("tum_rgbd", tmp_path / "tum", tmp_path / "out")
    assert first.world_from_camera is not None
    assert second.world_from_camera is None


def test_sequences_for_validation_have_no_poses(tmp_path: Path) -> None:
    folder = write_walk(tmp_path / "tum", "rgbd_dataset_freiburg3_office_validation")
    (folder / "groundtruth.txt").unlink()
    assert all(frame.world_from_camera is None for frame in converted("tum_rgbd", folder, tmp_path / "out"))


@pytest.mark.parametrize("missing", ["rgb.txt", "depth.txt", "groundtruth.txt"])
def test_half_a_sequence_is_a_fault_and_the_others_are_converted(tmp_path: Path, missing: str) -> None:
    write_walk(tmp_path / "tum", "rgbd_dataset_freiburg3_office")
    path = write_walk(tmp_path / "tum") / missing
    path.unlink()
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("tum_rgbd", tmp_path / "tum", tmp_path / "out"))
    assert f"{path}: there is no such" in str(caught.value)
    assert convert(ConvertJob("tum_rgbd", tmp_path / "tum", tmp_path / "out", skip_bad=True)).pictures == 2


@pytest.mark.parametrize(
    ("file", "size", "message"),
    [
        ("rgb.txt", 60, "the file cannot be read"),
        ("groundtruth.txt", 300, "the file cannot be read"),
        ("depth/1305031102.015300.png", 100, "the depth map cannot be read"),
        ("rgb/1305031102.010300.png", 500, "the picture cannot be read"),
    ],
)
def test_files_cut_short_are_faults(tmp_path: Path, file: str, size: int, message: str) -> None:
    path = write_walk(tmp_path / "tum") / file
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("tum_rgbd", tmp_path / "tum", tmp_path / "out"))
    assert f"{path}: {message}" in str(caught.value)


def test_a_map_of_another_size_is_a_fault(tmp_path: Path) -> None:
    path = write_walk(tmp_path / "tum") / "depth" / "1305031102.015300.png"
    path.write_bytes(encode_depth_png(np.ones((24, 32)), 1 / 5000))
    with pytest.raises(UserErrors, match="1 fault"):
        convert(ConvertJob("tum_rgbd", tmp_path / "tum", tmp_path / "out"))


def test_a_renamed_sequence_and_another_set_are_refused(tmp_path: Path) -> None:
    folder = write_walk(tmp_path / "tum")
    folder.rename(tmp_path / "desk")
    with pytest.raises(UserErrors, match="nothing in it can be converted") as caught:
        convert(ConvertJob("tum_rgbd", tmp_path / "desk", tmp_path / "out"))
    assert "which camera recorded this is not known" in str(caught.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="not TUM RGB-D"):
        convert(ConvertJob("tum_rgbd", tmp_path / "empty", tmp_path / "out"))


def test_cameras_are_chosen_by_name(tmp_path: Path) -> None:
    for name in ("rgbd_dataset_freiburg1_xyz", "rgbd_dataset_freiburg3_office"):
        write_walk(tmp_path / "tum", name)
    frames = converted("tum_rgbd", tmp_path / "tum", tmp_path / "out", cameras=("freiburg3",))
    assert {frame.sequence for frame in frames} == {"rgbd_dataset_freiburg3_office"}
