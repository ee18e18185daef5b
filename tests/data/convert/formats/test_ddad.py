"""Tests of the DDAD converter: a tiny scene in the DGP layout, and the real one where it is."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.support.convert_scenes import FORWARD, converted, grey, inside, label_errors, pose, sweep
from tests.support.paths import REAL
from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.manifest.manifest import load_manifest
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

DDAD = REAL / "ddad_like"
CAMERAS = {
    "CAMERA_01": Camera(300, 310, 160.5, 99.0, 320, 200),
    "CAMERA_05": Camera(200, 200, 158.0, 101.0, 320, 200, (-0.12, 0.03, 0.001, -0.002, 0.0)),
}
MOUNTS = {"CAMERA_01": pose(1.7, 0.0, 1.5) @ FORWARD, "CAMERA_05": pose(1.6, 0.3, 1.5, yaw=12) @ FORWARD}
LIDAR = pose(1.0, 0.0, 2.1)
# Vehicle at the moments of the sweep and of the pictures: half a metre and two degrees apart.
AT_SWEEP, AT_PICTURE = [pose(), pose(2.0, 0.1, yaw=1)], [pose(0.5, 0.0, yaw=2), pose(2.5, 0.15, yaw=3)]


def _pose(b_from_a: Array) -> dict[str, dict[str, float]]:
    x, y, z, w = Rotation.from_matrix(b_from_a[:3, :3]).as_quat().tolist()
    place = dict(zip("xyz", b_from_a[:3, 3].tolist(), strict=True))
    return {"rotation": {"qw": w, "qx": x, "qy": y, "qz": z}, "translation": place}


def write_scene(root: Path, name: str = "000000", split: str = "0", step: float = 2.0) -> Path:
    """A scene of two moments, two cameras and a LiDAR, and the set's JSON file."""
    folder = root / name
    data, samples = [], []
    for moment, (swept, taken) in enumerate(zip(AT_SWEEP, AT_PICTURE, strict=True)):
        cloud = f"point_cloud/LIDAR/{moment}.npz"
        (folder / cloud).parent.mkdir(parents=True, exist_ok=True)
        points = sweep(swept @ LIDAR, step)
        np.savez(folder / cloud, data=np.c_[points, np.zeros(len(points))])
        found = {"filename": cloud, "pose": _pose(swept @ LIDAR)}
        data.append({"key": f"L{moment}", "id": {"name": "LIDAR"}, "datum": {"point_cloud": found}})
        for camera, lens in CAMERAS.items():
            image = f"rgb/{camera}/{moment}.png"
            grey(folder / image, lens, moment)
            seen = {"filename": image, "width": 320, "height": 200, "pose": _pose(taken @ MOUNTS[camera])}
            data.append({"key": f"{camera}{moment}", "id": {"name": camera}, "datum": {"image": seen}})
        keys = [f"L{moment}", *(f"{camera}{moment}" for camera in CAMERAS)]
        samples.append({"calibration_key": "abc", "datum_keys": keys, "id": {"index": str(moment)}})
    lenses = [{"fx": 0.0, "fy": 0.0, "cx": 0.0, "cy": 0.0, "skew": 0.0}]
    for lens in CAMERAS.values():
        names = zip(("k1", "k2", "p1", "p2", "k3"), lens.distortion, strict=False)
        lenses.append({"fx": lens.fx, "fy": lens.fy, "cx": lens.cx, "cy": lens.cy, "skew": 0.0, **dict(names)})
    (folder / "calibration").mkdir(parents=True, exist_ok=True)
    (folder / "calibration" / "abc.json").write_text(json.dumps({"names": ["LIDAR", *CAMERAS], "intrinsics": lenses}))
    (folder / "scene_1.json").write_text(json.dumps({"data": data, "samples": samples}))
    path = root / "ddad.json"
    content = json.loads(path.read_text()) if path.is_file() else {"metadata": {"version": "1.0"}, "scene_splits": {}}
    content["scene_splits"].setdefault(split, {"filenames": []})["filenames"].append(f"{name}/scene_1.json")
    path.write_text(json.dumps(content))
    return folder


def test_every_label_is_true_to_a_millimetre(tmp_path: Path) -> None:
    write_scene(tmp_path / "ddad", step=0.25)
    frames = converted("ddad", tmp_path / "ddad", tmp_path / "out", points=3000, edge_margin=4)
    assert len(frames) == 4
    for index, frame in enumerate(frames):
        name = list(CAMERAS)[index % 2]
        known = AT_PICTURE[index // 2] @ MOUNTS[name]
        assert frame.name.endswith(f"{name}/{index // 2}.png")
        np.testing.assert_allclose(frame.world_from_camera, known, atol=1e-8)
        assert frame.camera == CAMERAS[name]
        assert (frame.sequence, frame.license) == ("000000", "CC BY-NC-SA 4.0")
        errors = label_errors(frame, known)
        assert len(errors) == 3000
        assert errors.max() < 1e-3


def test_points_behind_the_pillar_are_no_labels(tmp_path: Path) -> None:
    write_scene(tmp_path / "ddad", step=0.25)
    for frame in converted("ddad", tmp_path / "ddad", tmp_path / "out", points=100_000, cameras=("CAMERA_01",)):
        assert frame.world_from_camera is not None
        errors = label_errors(frame, frame.world_from_camera)
        assert np.mean(errors > 1e-3) < 0.005  # without their removal, 0.05


def test_a_missing_scene_is_counted_and_the_rest_is_converted(tmp_path: Path) -> None:
    write_scene(tmp_path / "ddad")
    (write_scene(tmp_path / "ddad", "000001", "1") / "scene_1.json").unlink()
    job = ConvertJob("ddad", tmp_path / "ddad", tmp_path / "out")
    with pytest.raises(UserErrors) as caught:
        convert(job)
    assert "000001/scene_1.json: there is no such file" in str(caught.value)
    assert not (tmp_path / "out" / "manifest.jsonl").exists()
    outcome = convert(ConvertJob("ddad", tmp_path / "ddad", tmp_path / "out", skip_bad=True))
    assert (outcome.pictures, len(outcome.faults)) == (4, 1)


def test_splits_and_cameras_are_chosen(tmp_path: Path) -> None:
    write_scene(tmp_path / "ddad")
    write_scene(tmp_path / "ddad", "000001", "1")
    frames = converted("ddad", tmp_path / "ddad", tmp_path / "out", splits=("val",), cameras=("CAMERA_05",))
    assert [Path(frame.name).parts[-4:] for frame in frames] == [
        ("000001", "rgb", "CAMERA_05", "0.png"),
        ("000001", "rgb", "CAMERA_05", "1.png"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ConvertOptions(splits=("vall",)), "no split 'vall'"),
        (ConvertOptions(splits=("test",)), "no split 'test'"),
        (ConvertOptions(cameras=("CAMERA_1",)), "no camera 'CAMERA_1'"),
    ],
)
def test_a_split_or_camera_that_is_not_there_is_refused(tmp_path: Path, options: ConvertOptions, message: str) -> None:
    write_scene(tmp_path / "ddad")
    with pytest.raises(UserError, match=message):
        convert(ConvertJob("ddad", tmp_path / "ddad", tmp_path / "out", options))


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("ddad.json", '"version": "1.0"', '"version": "2.0"', "version 2.0 of the DGP layout"),
        ("000000/scene_1.json", '"datum_keys"', '"data_keys"', "'datum_keys' is missing"),
        ("000000/scene_1.json", '"qw"', '"w"', "'rotation.qw' is missing"),
        ("000000/calibration/abc.json", '"k1"', '"xi": 0.5, "k1"', "CAMERA_05 is no pinhole camera"),
        ("000000/calibration/abc.json", '"CAMERA_05"', '"CAMERA_5"', "there is no camera CAMERA_05"),
        ("000000/scene_1.json", '"width": 320', '"width": 640', "640 x 200 px"),
        ("000000/calibration/abc.json", '"cx": 160.5', '"cx": 1605', "principal point"),
    ],
)
def test_an_unknown_version_and_damage_are_told(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    write_scene(tmp_path / "ddad")
    _edit(tmp_path / "ddad" / file, old, new)
    with pytest.raises(UserError) as caught:
        convert(ConvertJob("ddad", tmp_path / "ddad", tmp_path / "out"))
    assert message in str(caught.value)


@pytest.mark.parametrize("file", ["rgb/CAMERA_01/1.png", "point_cloud/LIDAR/1.npz"])
@pytest.mark.parametrize("size", [None, 0, 1000])
def test_files_that_are_missing_or_cut_short_are_told(tmp_path: Path, file: str, size: int | None) -> None:
    path = write_scene(tmp_path / "ddad") / file
    path.unlink() if size is None else path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("ddad", tmp_path / "ddad", tmp_path / "out"))
    assert str(path) in str(caught.value)


def test_another_folder_is_refused_with_the_layout(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not DDAD") as caught:
        convert(ConvertJob("ddad", tmp_path, tmp_path / "out"))
    assert "SCENE/scene_*.json" in str(caught.value)


@pytest.mark.skipif(not DDAD.is_dir(), reason="the real scene is not here")
def test_lidar_agrees_with_real_pictures(tmp_path: Path) -> None:
    outcome = convert(ConvertJob("ddad", DDAD, tmp_path, ConvertOptions(points=100_000), skip_bad=True))
    assert (outcome.pictures, len(outcome.faults)) == (9, 1)
    assert "scene_02" in outcome.faults[0].problem
    frame = load_manifest(tmp_path / "manifest.jsonl").frames[1]  # CAMERA_05: a car, outlined by eye, before trees
    assert frame.labels is not None
    pixels, depth_z = frame.labels.read(frame.camera)
    car, above = depth_z[inside(pixels, 330, 625, 560, 690)], depth_z[inside(pixels, 330, 520, 560, 585)]
    assert len(car) > 200
    assert len(above) > 100
    assert np.mean(np.abs(car - 12.3) < 1.2) > 0.98
    assert above.min() > 20
