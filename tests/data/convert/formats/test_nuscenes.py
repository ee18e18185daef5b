"""Tests of the nuScenes converter: tiny scenes with the set's tables."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.support.convert_scenes import FORWARD, converted, grey, label_errors, pose, sweep
from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.convert import convert
from toolkit.data.convert.formats import nuscenes
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

LENSES = {"CAM_FRONT": Camera(300, 310, 160.5, 99.0, 320, 200), "CAM_BACK_LEFT": Camera(250, 250, 158, 101, 320, 200)}
MOUNTS = {
    "CAM_FRONT": pose(1.7, 0.0, 1.5) @ FORWARD,
    "CAM_BACK_LEFT": pose(1.6, 0.1, 1.5, yaw=12) @ FORWARD,
    "LIDAR_TOP": pose(0.94, 0.0, 1.84, yaw=-3),
}
START, MS = 1532402927647951, 1000
# A sweep is dated by its end, 50 ms after its beginning; the second is a key frame's. The first key picture is taken
# early in it, nearer to the end of the one before.
SWEEPS = {START: False, START + 50 * MS: True, START + 100 * MS: False}
PICTURES = {START + 10 * MS: True, START + 60 * MS: False, START + 900 * MS: False}
VERSIONS = ("v1.0-trainval", "v1.0-test", "v1.0-mini")


def vehicle(moment: int) -> Array:
    """world_from_vehicle: 12 m/s, turning by 10 degrees a second."""
    seconds = (moment - START) / 1e6
    return pose(12 * seconds, 0.2, 0.0, yaw=10 * seconds)


def placed(token: str, matrix: Array) -> dict[str, Any]:
    w = np.roll(Rotation.from_matrix(matrix[:3, :3]).as_quat(), 1).tolist()
    return {"token": token, "rotation": w, "translation": matrix[:3, 3].tolist()}


def write_set(root: Path, scene: str = "scene-0061", version: str = "v1.0-trainval", step: float = 2.0) -> Path:
    """A scene, its tables joined to those that are there."""
    tables: dict[str, list[dict[str, Any]]] = {"ego_pose": [], "sample_data": []}
    channels = (*LENSES, "LIDAR_TOP", "RADAR_FRONT")
    tables["sensor"] = [{"token": f"s{channel}", "channel": channel, "modality": ""} for channel in channels]
    tables["calibrated_sensor"] = [
        placed(f"c{channel}", MOUNTS.get(channel, np.eye(4)))
        | {
            "sensor_token": f"s{channel}",
            "camera_intrinsic": LENSES[channel].matrix.tolist() if channel in LENSES else [],
        }
        for channel in channels
    ]
    tables["scene"] = [{"token": scene, "name": scene, "log_token": ""}]
    tables["sample"] = [{"token": f"sample {scene}", "scene_token": scene, "timestamp": START}]

    def add(channel: str, moment: int, key: bool, suffix: str, size: tuple[int, int]) -> Path:
        file = f"{'samples' if key else 'sweeps'}/{channel}/{scene}__{channel}__{moment}{suffix}"
        token = f"{scene} {channel} {moment}"
        tables["ego_pose"].append(placed(token, vehicle(moment)))
        row = {"token": token, "ego_pose_token": token, "calibrated_sensor_token": f"c{channel}", "filename": file}
        row |= {"sample_token": f"sample {scene}", "timestamp": moment, "is_key_frame": key}
        tables["sample_data"].append(row | {"width": size[0], "height": size[1]})
        return root / file

    add("RADAR_FRONT", START, True, ".pcd", (0, 0))
    for moment, key in SWEEPS.items():
        points = sweep(vehicle(moment) @ MOUNTS["LIDAR_TOP"], step)
        path = add("LIDAR_TOP", moment, key, ".pcd.bin", (0, 0))
        path.parent.mkdir(parents=True, exist_ok=True)
        np.c_[points, np.zeros((len(points), 2))].astype("<f4").tofile(path)
    for channel, lens in LENSES.items():
        for moment, key in PICTURES.items():
            grey(add(channel, moment, key, ".jpg", (lens.width, lens.height)), lens, moment % 97)
    (root / version).mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        path = root / version / f"{name}.json"
        there = json.loads(path.read_text()) if path.is_file() else []
        path.write_text(json.dumps(there + [row for row in rows if row not in there]))
    return root


def test_every_label_is_true_to_a_millimetre(tmp_path: Path) -> None:
    write_set(tmp_path / "set", step=0.25)
    frames = converted("nuscenes", tmp_path / "set", tmp_path / "out", points=3000, edge_margin=4)
    assert [Path(frame.name).name for frame in frames] == [
        f"scene-0061__{channel}__{moment}.jpg" for moment in list(PICTURES)[:2] for channel in sorted(LENSES)
    ]
    for index, frame in enumerate(frames):
        channel, moment = sorted(LENSES)[index % 2], list(PICTURES)[index // 2]
        known = vehicle(moment) @ MOUNTS[channel]
        np.testing.assert_allclose(frame.world_from_camera, known, atol=1e-8)
        assert frame.camera == LENSES[channel]
        assert (frame.sequence, frame.license) == ("scene-0061", "CC BY-NC-SA 4.0")
        errors = label_errors(frame, known)
        assert len(errors) == 3000
        assert errors.max() < 1e-3


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set")


def names(source: Path, dest: str, **options: object) -> list[str]:
    return [Path(frame.name).name for frame in converted("nuscenes", source, source.parent / dest, **options)]


def test_a_picture_belongs_to_the_sweep_during_which_it_was_taken(source: Path) -> None:
    for path in source.glob("*/LIDAR_TOP/*"):
        if str(START + 50 * MS) not in path.name:
            path.write_bytes(b"")
    outcome = convert(ConvertJob("nuscenes", source, source.parent / "out"))
    assert outcome.pictures == 2
    assert outcome.skipped == {"no depth is known in it": 2, "no LiDAR sweep was taken at its time": 2}


def test_without_sweeps_the_key_frames_are_converted(source: Path) -> None:
    (source / "sweeps").rename(source.parent / "elsewhere")
    assert names(source, "out") == [f"scene-0061__{channel}__{START + 10 * MS}.jpg" for channel in sorted(LENSES)]


def test_splits_and_cameras_are_chosen(source: Path) -> None:
    write_set(source, "scene-0103")
    write_set(source, "scene-0077", "v1.0-test")
    write_set(source, "scene-0061", "v1.0-mini")
    assert len(names(source, "all")) == 3 * 4  # the scene of mini is not converted twice
    for split, scene in {"train": "0061", "val": "0103", "test": "0077", "mini": "0061"}.items():
        found = names(source, split, splits=(split,), cameras=("CAM_FRONT",))
        assert found == [f"scene-{scene}__CAM_FRONT__{moment}.jpg" for moment in list(PICTURES)[:2]]
    with pytest.raises(UserError, match="no camera 'CAM_LEFT'"):
        convert(ConvertJob("nuscenes", source, source.parent / "out", ConvertOptions(cameras=("CAM_LEFT",))))


def test_the_validation_split_has_150_scenes() -> None:
    assert sum(last - first + 1 for first, last in nuscenes._VAL) == 150


def test_a_split_that_is_not_there_is_refused(source: Path) -> None:
    with pytest.raises(UserError, match="no split 'mini'") as caught:
        convert(ConvertJob("nuscenes", source, source.parent / "out", ConvertOptions(splits=("mini",))))
    assert "train, val" in caught.value.remedy


@pytest.mark.parametrize("table", ["sensor", "calibrated_sensor", "ego_pose", "sample", "sample_data", "scene"])
@pytest.mark.parametrize("damage", ["missing", "cut", "emptied", "no table"])
def test_a_damaged_table_is_a_fault_and_other_versions_are_converted(source: Path, table: str, damage: str) -> None:
    write_set(source, "scene-0077", "v1.0-test")
    path = source / "v1.0-trainval" / f"{table}.json"
    text = path.read_text()
    path.unlink()
    if damage != "missing":
        path.write_text({"cut": text[:-30], "emptied": '[{"x": 3}]', "no table": "3"}[damage])
    outcome = convert(ConvertJob("nuscenes", source, source.parent / "out", skip_bad=True))
    assert (outcome.pictures, len(outcome.faults)) == (4, 1)
    assert outcome.faults[0].problem.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        ("sample_data", '"sample_token": "sample scene-0061"', '"sample_token": "x"', "sample.json: there is no 'x'"),
        ("sample_data", '"ego_pose_token": "scene', '"ego_pose_token": "x', "ego_pose.json: there is no 'x"),
        ("sample_data", '"calibrated_sensor_token": "c', '"calibrated_sensor_token": "x', "there is no 'x"),
        ("calibrated_sensor", '"camera_intrinsic": [[300', '"camera_intrinsic": [3, [300', "TypeError"),
        ("calibrated_sensor", "[0.0, 0.0, 1.0]]", "[0.0, 0.0]]", "are not 9 numbers"),
        ("sample_data", '"calibrated_sensor_token": "cCAM_FRONT"', '"calibrated_sensor_token": "cCAM"', "no 'cCAM'"),
        ("sensor", '"channel": "RADAR_FRONT"', '"channel": "CAM_FRONT_LEFT"', "has no camera_intrinsic"),
        ("calibrated_sensor", "[[300", "[[-300", "focal length"),
        ("ego_pose", '"rotation": [0.9', '"rotation": [3.9', "has not length 1"),
    ],
)
def test_tables_that_contradict_each_other_are_told(source: Path, table: str, old: str, new: str, message: str) -> None:
    path = source / "v1.0-trainval" / f"{table}.json"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("nuscenes", source, source.parent / "out"))
    assert message in str(caught.value)
    assert str(source / "v1.0-trainval") in str(caught.value)


@pytest.mark.parametrize("size", [None, 0, 701])
@pytest.mark.parametrize(("channel", "moment"), [("CAM_FRONT", START + 10 * MS), ("LIDAR_TOP", START + 50 * MS)])
def test_files_that_are_missing_or_cut_short_are_told(
    source: Path, channel: str, moment: int, size: int | None
) -> None:
    (path,) = source.glob(f"samples/{channel}/*{moment}*")
    path.unlink() if size is None else path.write_bytes(path.read_bytes()[:size])
    if (channel, size) == ("LIDAR_TOP", 0):
        return  # a sweep without points
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("nuscenes", source, source.parent / "out"))
    assert str(path) in str(caught.value)


def test_an_unknown_version_is_refused(source: Path) -> None:
    (source / "v1.0-trainval").rename(source / "v2.0-trainval")
    with pytest.raises(UserError, match=r"v2\.0-trainval: this version of nuScenes is not known"):
        convert(ConvertJob("nuscenes", source, source.parent / "out"))


def test_another_folder_is_refused_with_the_layout(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not nuScenes") as caught:
        convert(ConvertJob("nuscenes", tmp_path, tmp_path / "out"))
    assert "samples/LIDAR_TOP" in caught.value.remedy
