"""Tests of the NYUv2 converter: a tiny labelled set as one MATLAB file, and exported pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from tests.support.convert_scenes import FORWARD, converted, depth_map, grey, label_errors, pose
from tests.support.hdf5_writer import Hdf5Writer
from toolkit.data.convert.base_format import Options
from toolkit.data.convert.convert import convert
from toolkit.data.convert.formats import nyuv2
from toolkit.data.convert.parallel.job import Job
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

LENS = Camera(78, 79, 61.5, 44.0, 120, 90)
EYES = [pose(3.0, 0.3, 1.5, yaw=yaw) @ FORWARD for yaw in (4, -6, 11)]
SCENES = ["kitchen_0004", "kitchen_0004", "attic_0001"]


@pytest.fixture(autouse=True)
def _small_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nyuv2, "_CAMERA", LENS)
    monkeypatch.setattr(nyuv2, "_SEEN", (slice(8, 88), slice(7, 113)))


def raw_depth(eye: Array) -> Array:
    """What the toolbox makes of a Kinect's depth: 0 where there is none, cut at 10 m."""
    depth = np.minimum(depth_map(LENS, eye), 10.0)
    depth[30:40, 50:60] = 0
    return depth


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (90, 120, 3), dtype=np.uint8)


def write_labeled(root: Path, chunk: tuple[int, int, int] = (2, 50, 90)) -> Path:
    """The labelled set as MATLAB stores it: columns before rows, and ``depths``, which are not to be taken, beside."""
    writer = Hdf5Writer()
    depths = np.stack([raw_depth(eye).T for eye in EYES]).astype(np.float32)
    writer.put("rawDepths", depths, chunk)
    writer.put("depths", np.full_like(depths, 3.0), chunk)
    writer.put("images", np.stack([picture(number).transpose(2, 1, 0) for number in range(3)]), (1, 3, 120, 90))
    words = [np.frombuffer(scene.encode("utf-16le"), np.uint16)[:, None] for scene in SCENES]
    addresses = [writer.put(f"w{number}", word) for number, word in enumerate(words)]
    writer.put("scenes", np.array([addresses], np.uint64), references=True)
    writer.save(root / "nyu_depth_v2_labeled.mat")
    return root / "nyu_depth_v2_labeled.mat"


def write_export(root: Path, split: str = "train", suffix: str = "jpg") -> Path:
    for number, (eye, scene) in enumerate(zip(EYES, SCENES, strict=True)):
        folder = root / split / scene
        grey(folder / f"rgb_{number:05d}.{suffix}", LENS)
        depth = np.rint(raw_depth(eye) * 1000).astype(np.uint16)
        cv2.imwrite(str(folder / f"sync_depth_{number:05d}.png"), depth)
    return root / split / SCENES[0]


def check(frames: list, eyes: list[Array]) -> None:
    assert len(frames) == len(eyes)
    for frame, eye in zip(frames, eyes, strict=True):
        errors = label_errors(frame, eye)
        assert len(errors) > 2000
        assert errors.max() < 1e-3
        assert frame.camera == LENS
        pixels, depth_z = frame.labels.read(frame.camera)
        assert depth_z.max() < 10
        assert (pixels.min(axis=0) >= (7, 8)).all() and (pixels.max(axis=0) <= (112, 87)).all()
        assert not ((pixels >= (50, 30)) & (pixels < (60, 40))).all(axis=1).any()


@pytest.mark.parametrize("chunk", [(2, 50, 90), (1, 120, 90), (3, 7, 50), ()])
def test_every_label_of_the_labelled_set_is_true_to_a_millimetre(tmp_path: Path, chunk: tuple[int, int, int]) -> None:
    write_labeled(tmp_path, chunk)
    frames = converted("nyuv2", tmp_path, tmp_path / "out", points=20_000)
    check(frames, EYES)
    assert [frame.sequence for frame in frames] == SCENES
    assert [Path(frame.name).name for frame in frames] == ["0001.png", "0002.png", "0003.png"]
    np.testing.assert_array_equal(frames[2].picture.read(), picture(2))


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_every_label_of_an_export_is_true_to_a_millimetre(tmp_path: Path, suffix: str) -> None:
    write_export(tmp_path, suffix=suffix)
    frames = converted("nyuv2", tmp_path, tmp_path / "out", points=20_000)
    check(frames, [EYES[2], EYES[0], EYES[1]])
    assert [frame.sequence for frame in frames] == ["attic_0001", "kitchen_0004", "kitchen_0004"]


def test_the_published_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert nyuv2._CAMERA.intrinsics == pytest.approx([518.8579, 519.4696, 325.5824, 253.7362, 640, 480], abs=1e-4)
    # The toolbox's valid region is 561 x 427, the size of SUN RGB-D's copies of these pictures.
    assert np.empty((480, 640))[nyuv2._SEEN].shape == (427, 561)


def test_splits_of_the_labelled_set_are_those_of_its_file(tmp_path: Path) -> None:
    write_labeled(tmp_path)
    job = Job("nyuv2", tmp_path, tmp_path / "out", Options(splits=("test",)))
    with pytest.raises(UserError, match=r"splits\.mat: there is no such file"):
        convert(job)
    savemat(tmp_path / "splits.mat", {"trainNdxs": np.array([[1], [3]]), "testNdxs": np.array([[2]])})
    for split, names in (("train", ["0001.png", "0003.png"]), ("test", ["0002.png"])):
        frames = converted("nyuv2", tmp_path, tmp_path / split, splits=(split,))
        assert [Path(frame.name).name for frame in frames] == names
    savemat(tmp_path / "splits.mat", {"trainNdxs": np.array([[1449]]), "testNdxs": np.array([[2]])})
    with pytest.raises(UserError, match="the sizes do not fit together"):
        convert(Job("nyuv2", tmp_path, tmp_path / "again", Options(splits=("train",))))


def test_splits_of_an_export_are_its_folders(tmp_path: Path) -> None:
    write_export(tmp_path, "official_splits/train")
    frames = converted("nyuv2", tmp_path, tmp_path / "out", splits=("train",))
    assert len(frames) == 3
    with pytest.raises(UserError, match="there is no split 'test'"):
        convert(Job("nyuv2", tmp_path, tmp_path / "out", Options(splits=("test",))))


def test_a_half_downloaded_file_is_refused_with_how_much_is_there(tmp_path: Path) -> None:
    path = write_labeled(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="the file is cut short") as caught:
        convert(Job("nyuv2", tmp_path, tmp_path / "out"))
    assert caught.value.cause == f"it has {len(whole) // 2} of {len(whole)} bytes"


def test_a_damaged_part_of_the_file_costs_its_pictures_only(tmp_path: Path) -> None:
    path = write_labeled(tmp_path, (1, 120, 90))
    content = bytearray(path.read_bytes())
    content[600:700] = bytes(100)  # in the deflated depths of the first picture, which were written first
    path.write_bytes(content)
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(Job("nyuv2", tmp_path, tmp_path / "out"))
    assert f"{path}: the file cannot be read" in str(caught.value)
    assert "2 pictures are converted and kept" in caught.value.problem


def test_another_file_of_that_name_is_refused(tmp_path: Path) -> None:
    writer = Hdf5Writer()
    writer.put("images", np.zeros((1, 3, 64, 48), np.uint8))
    writer.put("rawDepths", np.zeros((1, 64, 48), np.float32))
    writer.save(tmp_path / "nyu_depth_v2_labeled.mat")
    with pytest.raises(UserError, match="this is not the labelled set") as caught:
        convert(Job("nyuv2", tmp_path, tmp_path / "out"))
    assert caught.value.cause == "images is (1, 3, 64, 48), not (1, 3, 120, 90)"
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="not NYU Depth V2"):
        convert(Job("nyuv2", tmp_path / "empty", tmp_path / "out"))


@pytest.mark.parametrize("missing", ["rgb_00000.jpg", "sync_depth_00000.png"])
def test_half_an_exported_scene_is_a_fault(tmp_path: Path, missing: str) -> None:
    path = write_export(tmp_path) / missing
    path.unlink()
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(Job("nyuv2", tmp_path, tmp_path / "out"))
    assert f"{path}: there is no such" in str(caught.value)


@pytest.mark.parametrize(
    ("file", "size", "message"),
    [
        ("rgb_00000.jpg", 300, "the picture cannot be read"),
        ("sync_depth_00000.png", 300, "the depth map cannot be read"),
    ],
)
def test_exported_files_cut_short_are_faults(tmp_path: Path, file: str, size: int, message: str) -> None:
    path = write_export(tmp_path) / file
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(Job("nyuv2", tmp_path, tmp_path / "out"))
    assert f"{path}: {message}" in str(caught.value)


def test_depth_that_is_not_in_millimetres_and_resized_pictures_are_refused(tmp_path: Path) -> None:
    folder = write_export(tmp_path)
    path = folder / "sync_depth_00000.png"
    cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED) << 3)
    grey(folder / "rgb_00001.jpg", Camera(39, 39, 30, 22, 60, 45))
    with pytest.raises(UserErrors, match="2 faults") as caught:
        convert(Job("nyuv2", tmp_path, tmp_path / "out"))
    assert f"{path}: these are no millimetres" in str(caught.value)
    assert "sunrgbd" in str(caught.value)
    assert "it is 60 x 45, not 120 x 90" in str(caught.value)
