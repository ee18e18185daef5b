"""Tests of the plain folder's converter."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.support.convert_scenes import FORWARD, converted, depth_map, grey, label_errors, pose
from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.convert import convert
from toolkit.data.convert.formats.folder import items
from toolkit.data.convert.parallel.job import ConvertJob, ConvertOutcome
from toolkit.data.convert.readers.depth_png import encode_depth_png
from toolkit.data.frames.frame import DepthFile
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
        ({"distorsion": [0.1, 0, 0, 0, 0]}, "did you mean distortion"),
        ({"model": "fisheye"}, "the camera model 'fisheye' is not supported"),
        ({"depth_scale": 0}, "depth_scale: 0 is not a positive number"),
        ({"depth_scale": 5000}, "1/5000 = 0.0002 if a metre has 5000 units"),
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


def run(root: Path, skip_bad: bool = False) -> ConvertOutcome:
    return convert(ConvertJob("folder", root, root.with_name("out"), skip_bad=skip_bad))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: cv2.imwrite(str(path), np.full((45, 60), 900, np.uint16)), "the depth map is 60 x 45"),
        (lambda path: cv2.imwrite(str(path), np.full((90, 120), 90, np.uint8)), "it has 8 bits"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "it is cut short"),
        (lambda path: path.write_bytes(b""), "OpenCV does not recognise it"),
    ],
    ids=["half size", "8 bits", "cut short", "empty"],
)
def test_depth_maps_are_read_before_they_are_listed(
    tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    root = write_folder(tmp_path / "mine", "png")
    path = root / "depth" / "hall" / "1.png"
    whole = path.read_bytes()
    damage(path)
    for _ in range(2):  # what has faults is not complete
        with pytest.raises(UserError) as caught:
            run(root)
        assert message in str(caught.value) and str(path) in str(caught.value)
        assert message in (tmp_path / "out" / "faults.txt").read_text()
        assert not (tmp_path / "out" / "manifest.jsonl").exists()
    assert run(root, skip_bad=True).pictures == 1
    path.write_bytes(whole)
    assert run(root).pictures == 2 and not run(root).fresh


def test_a_map_without_depth_is_left_out_and_counted(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine", "png")
    cv2.imwrite(str(root / "depth" / "hall" / "1.png"), np.full((90, 120), 65535, np.uint16))
    assert run(root).skipped == {"no depth is known in it": 1}


def test_what_was_changed_is_converted_again(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine", "png")
    assert run(root).fresh and not run(root).fresh
    camera = root / "camera.json"
    camera.write_text(camera.read_text().replace("0.0005", "0.001"))
    assert run(root).fresh and '"depth_scale": 0.001' in (tmp_path / "out" / "manifest.jsonl").read_text()
    (root / "points" / "hall").mkdir(parents=True)
    (root / "depth" / "hall" / "0.png").unlink()
    (root / "points" / "hall" / "0.txt").write_text("20 30 2.5")
    assert run(root).fresh and '"depth": [2.5]' in (tmp_path / "out" / "manifest.jsonl").read_text()


@pytest.mark.parametrize("labels", ["png", "map.npy", "csv", "txt"])
def test_endings_may_be_in_capitals(tmp_path: Path, labels: str) -> None:
    root = write_folder(tmp_path / "mine", labels)
    for path in [path for path in root.rglob("hall/*") if path.is_file()]:
        path.rename(path.with_suffix(path.suffix.upper()))
    frames = converted("folder", root, tmp_path / "out", license="CC0")
    for frame, eye in zip(frames, EYES.values(), strict=True):
        assert label_errors(frame, eye).max() < 1e-3


def test_pictures_that_cannot_be_taken_are_counted_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    root = write_folder(tmp_path / "mine", "png")
    for name in ("2.heic", "3.HEIC", "4.dng", "5.gif", "notes.txt"):
        (root / "images" / name).write_bytes(b"\0\0\0\x18ftypheic")
    for fresh in (True, False):
        outcome = run(root)
        assert (outcome.fresh, outcome.pictures) == (fresh, 2)
        heic, raw, gif = sorted(outcome.skipped, key=lambda reason: ["HEIC", "raw", "gif"].index(_kind(reason)))
        assert outcome.skipped == {heic: 2, raw: 1, gif: 1}
        assert "pip install pillow-heif" in heic and "(images/2.heic, images/3.HEIC)" in heic
        assert "develop them" in raw and "images/4.dng" in raw and "images/5.gif" in gif
    shutil.rmtree(root / "images" / "hall")
    with pytest.raises(UserError, match="nothing in it can be converted") as caught:
        run(root)
    assert "2 files: the package pillow-heif is not installed" in str(caught.value)


def _kind(reason: str) -> str:
    return "HEIC" if "heif" in reason else "raw" if "raw" in reason else "gif"


def test_depth_in_other_files_is_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine", "png")
    path = root / "depth" / "hall" / "1.png"
    path.rename(path.with_suffix(".exr"))
    with pytest.raises(UserError) as caught:
        run(root)
    assert "hall/1.exr: .exr is not read as depth" in str(caught.value)
    assert "float TIFF or .npy" in str(caught.value)


@pytest.mark.parametrize("orientation", [3, 6])
def test_depth_maps_of_turned_pictures(tmp_path: Path, orientation: int) -> None:
    root = write_folder(tmp_path / "mine", "png")
    exif = Image.Exif()
    exif[274] = orientation
    for path in (root / "images").rglob("*.png"):
        with Image.open(path) as picture:
            picture.save(path, exif=exif)
    for frame in converted("folder", root, tmp_path / "out", license="CC0"):
        assert isinstance(frame.labels, DepthFile) and frame.labels.orientation == orientation
        assert len(frame.labels.read(frame.camera)[0])


def test_an_empty_folder_is_told_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this folder cannot be converted as it is") as error:
        items(tmp_path, ConvertOptions())
    assert error.value.cause == "there is no camera.json"
    assert "downloaded" not in str(error.value) and not error.value.remedy.endswith("your own camera")
