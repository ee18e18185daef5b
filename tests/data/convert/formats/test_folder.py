"""Tests of the plain folder's converter."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.convert_scenes import FORWARD, converted, depth_map, grey, label_errors, pose
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.convert.readers.depth_png import encode_depth_png
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

LENS = Camera(80, 82, 61.5, 44.0, 120, 90)
EYES = {"hall/0": pose(2.0, 0.5, 1.5, yaw=5) @ FORWARD, "hall/1": pose(2.5, 0.5, 1.5, yaw=9) @ FORWARD}


def write_folder(root: Path, labels: str, depth_type: str = "z") -> Path:
    """Two pictures with poses; ``labels`` is the suffix of depth maps, or of points."""
    root.mkdir()
    camera = {"intrinsics": LENS.intrinsics, "depth_type": depth_type, "depth_scale": 0.0005}
    (root / "camera.json").write_text(json.dumps(camera))
    for name, eye in EYES.items():
        grey(root / "images" / f"{name}.png", LENS)
        (root / "poses" / name).parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(root / "poses" / f"{name}.txt", eye)
        depth = depth_map(LENS, eye)
        rows, columns = np.nonzero(np.isfinite(depth) & (depth < 32))
        points = np.stack([columns, rows, depth[rows, columns]], axis=-1)
        if depth_type == "euclidean":
            points[:, 2] = LENS.distance_from_z(points[:, :2], points[:, 2])
        folder = "depth" if labels in ("png", "map.npy") else "points"
        path = root / folder / f"{name}.{labels[-3:]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_labels(path, labels, depth, points)
    return root


def _write_labels(path: Path, labels: str, depth: Array, points: Array) -> None:
    if labels == "png":
        path.write_bytes(encode_depth_png(np.where(depth < 32, depth, np.nan), 0.0005))
    elif labels == "map.npy":
        np.save(path, np.where(depth < 32, depth / 0.0005, 0))
    elif labels == "npy":
        np.save(path, points)
    else:
        np.savetxt(path, points, delimiter="," if labels == "csv" else " ", header="u v depth")


@pytest.mark.parametrize(
    ("labels", "depth_type"),
    [("png", "z"), ("map.npy", "z"), ("npy", "z"), ("txt", "z"), ("csv", "euclidean")],
)
def test_every_label_is_true_to_a_millimetre(tmp_path: Path, labels: str, depth_type: str) -> None:
    frames = converted("folder", write_folder(tmp_path / "mine", labels, depth_type), tmp_path / "out", license="CC0")
    assert [Path(frame.name).stem for frame in frames] == ["0", "1"]
    for frame, eye in zip(frames, EYES.values(), strict=True):
        assert label_errors(frame, eye).max() < 1e-3
        assert (frame.sequence, frame.license) == ("hall", "CC0")
        np.testing.assert_allclose(frame.world_from_camera, eye, atol=1e-8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth_type": None}, "'depth_type'"),
        ({"depth_type": "zed"}, "use one of: euclidean, z"),
        ({"depth_scale": None}, "'depth_scale' is missing"),
        ({"intrinsics": [1, 2]}, "not six finite numbers"),
        ({"intrinsics": ["a"] * 6}, "not six numbers"),
    ],
)
def test_a_camera_file_that_says_too_little_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = write_folder(tmp_path / "mine", "png") / "camera.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError) as caught:
        convert(ConvertJob("folder", tmp_path / "mine", tmp_path / "out"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("poses/hall/1.txt", "1 2 3", "not 4 x 4 numbers"),
        ("poses/hall/1.txt", "2 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1", "not a rigid transform"),
        ("points/hall/1.txt", "1 2 3 4", "not rows of u, v, depth"),
        ("points/hall/1.txt", "1 two 3", "could not convert"),
        ("points/hall/1.txt", None, "neither depth/ nor points/"),
    ],
)
def test_faults_are_told_with_their_file(tmp_path: Path, file: str, text: str | None, message: str) -> None:
    path = write_folder(tmp_path / "mine", "txt") / file
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError) as caught:
        convert(ConvertJob("folder", tmp_path / "mine", tmp_path / "out"))
    assert message in str(caught.value)
    assert "hall/1" in str(caught.value)
    assert convert(ConvertJob("folder", tmp_path / "mine", tmp_path / "out", skip_bad=True)).pictures == 1
