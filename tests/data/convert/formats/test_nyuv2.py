"""Tests of the NYUv2 converter: a tiny labelled set as one MATLAB file, and exported pictures."""

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from tests.support.convert_scenes import FORWARD, converted, depth_map, grey, label_errors, pose
from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.convert import convert
from toolkit.data.convert.formats import nyuv2
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

LENS = Camera(78, 79, 61.5, 44.0, 120, 90)
EYES = [pose(3.0, 0.3, 1.5, yaw=yaw) @ FORWARD for yaw in (4, -6, 11)]
SCENES = ["kitchen_0004", "kitchen_0004", "attic_0001"]


@pytest.fixture(autouse=True)
def _small_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nyuv2, "_CAMERA", LENS)
    monkeypatch.setattr(nyuv2, "_VALID_AREA", (slice(8, 88), slice(7, 113)))


def raw_depth(eye: Array) -> Array:
    """What the toolbox makes of a Kinect's depth: 0 where there is none, cut at 10 m."""
    depth = np.minimum(depth_map(LENS, eye), 10.0)
    depth[30:40, 50:60] = 0
    return depth


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (90, 120, 3), dtype=np.uint8)


def import_h5py() -> Any:
    return pytest.importorskip("h5py", reason="the extra `hdf5` is not installed")


def write_labeled(root: Path, chunk: tuple[int, int, int] | None = (2, 50, 90), **instead: np.ndarray) -> Path:
    """The labelled set as MATLAB stores it: columns before rows, and ``depths``, which are not to be taken, beside."""
    h5py = import_h5py()
    depths = np.stack([raw_depth(eye).T for eye in EYES]).astype(np.float32)
    images = np.stack([picture(number).transpose(2, 1, 0) for number in range(3)])
    arrays = {"rawDepths": depths, "depths": np.full_like(depths, 3.0), "images": images} | instead
    path = root / "nyu_depth_v2_labeled.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            chunks = (1, *array.shape[1:]) if name == "images" and array.ndim else chunk
            file.create_dataset(name, data=array, chunks=chunks, compression=1 if chunks else None)
        words = [np.frombuffer(scene.encode("utf-16le"), np.uint16)[:, None] for scene in SCENES]
        cells = [file.create_dataset(f"#refs#/{number}", data=word).ref for number, word in enumerate(words)]
        file.create_dataset("scenes", data=np.array([cells], dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)
    return path


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


@pytest.mark.parametrize("chunk", [(2, 50, 90), (1, 120, 90), (3, 7, 50), None])
def test_every_label_of_the_labelled_set_is_true_to_a_millimetre(tmp_path: Path, chunk: Any) -> None:
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
    assert np.empty((480, 640))[nyuv2._VALID_AREA].shape == (427, 561)


def test_splits_of_the_labelled_set_are_those_of_its_file(tmp_path: Path) -> None:
    write_labeled(tmp_path)
    job = ConvertJob("nyuv2", tmp_path, tmp_path / "out", ConvertOptions(splits=("test",)))
    with pytest.raises(UserError, match=r"splits\.mat: there is no such file"):
        convert(job)
    savemat(tmp_path / "splits.mat", {"trainNdxs": np.array([[1], [3]]), "testNdxs": np.array([[2]])})
    for split, names in (("train", ["0001.png", "0003.png"]), ("test", ["0002.png"])):
        frames = converted("nyuv2", tmp_path, tmp_path / split, splits=(split,))
        assert [Path(frame.name).name for frame in frames] == names
    for number in (1449, 0):
        savemat(tmp_path / "splits.mat", {"trainNdxs": np.array([[number]]), "testNdxs": np.array([[2]])})
        with pytest.raises(UserError, match="the sizes do not fit together") as caught:
            convert(ConvertJob("nyuv2", tmp_path, tmp_path / "again", ConvertOptions(splits=("train",))))
        assert caught.value.cause == f"there are 3 pictures, and splits.mat names number {number}"


def test_splits_of_an_export_are_its_folders(tmp_path: Path) -> None:
    write_export(tmp_path, "official_splits/train")
    frames = converted("nyuv2", tmp_path, tmp_path / "out", splits=("train",))
    assert len(frames) == 3
    with pytest.raises(UserError, match="there is no split 'test'"):
        convert(ConvertJob("nyuv2", tmp_path, tmp_path / "out", ConvertOptions(splits=("test",))))


def test_a_half_downloaded_file_is_refused(tmp_path: Path) -> None:
    path = write_labeled(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="the file cannot be read") as caught:
        convert(ConvertJob("nyuv2", tmp_path, tmp_path / "out"))
    assert str(path) in caught.value.problem
    assert "truncated file" in caught.value.cause


def test_a_damaged_part_of_the_file_costs_its_pictures_only(tmp_path: Path) -> None:
    path = write_labeled(tmp_path, (1, 120, 90))
    with import_h5py().File(path) as file:
        _, deflated = file["rawDepths"].id.read_direct_chunk((0, 0, 0))
    assert path.read_bytes().count(deflated) == 1
    path.write_bytes(path.read_bytes().replace(deflated, deflated[:50] + bytes(100) + deflated[150:]))
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(ConvertJob("nyuv2", tmp_path, tmp_path / "out"))
    assert f"{path}: the file cannot be read" in str(caught.value)
    assert "2 pictures are converted and kept" in caught.value.problem


@pytest.mark.parametrize(
    ("name", "array", "cause"),
    [
        ("images", np.zeros((3, 3, 64, 48), np.uint8), "(3, 3, 64, 48) of uint8, not (3, 3, 120, 90) of uint8"),
        ("images", np.zeros((3, 3, 120, 90), np.uint16), "(3, 3, 120, 90) of uint16, not (3, 3, 120, 90) of uint8"),
        ("images", np.uint8(7), "() of uint8, not (3, 3, 120, 90) of uint8"),
        ("rawDepths", np.ones((2, 120, 90)), "(2, 120, 90) of float64, not (3, 120, 90) of floating"),
        ("rawDepths", np.ones((3, 120, 90), int), "(3, 120, 90) of int64, not (3, 120, 90) of floating"),
    ],
)
def test_another_file_of_that_name_is_refused(tmp_path: Path, name: str, array: np.ndarray, cause: str) -> None:
    write_labeled(tmp_path, None, **{name: array})
    with pytest.raises(UserError, match="this is not the labelled set") as caught:
        convert(ConvertJob("nyuv2", tmp_path, tmp_path / "out"))
    assert caught.value.cause == f"{name} is {cause}"


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="not NYU Depth V2"):
        convert(ConvertJob("nyuv2", tmp_path / "empty", tmp_path / "out"))


def test_only_the_labelled_set_needs_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    write_export(tmp_path / "export")
    assert len(converted("nyuv2", tmp_path / "export", tmp_path / "out")) == 3
    (tmp_path / "nyu_depth_v2_labeled.mat").touch()
    with pytest.raises(UserError, match=r"nyu_depth_v2_labeled\.mat: this file cannot be read yet") as caught:
        convert(ConvertJob("nyuv2", tmp_path, tmp_path / "again"))
    assert caught.value.remedy == "pip install '3dqa-toolkit[hdf5]'"
    assert caught.value.remedy in nyuv2.INFO.to_text()


@pytest.mark.parametrize("missing", ["rgb_00000.jpg", "sync_depth_00000.png"])
def test_half_an_exported_scene_is_a_fault(tmp_path: Path, missing: str) -> None:
    path = write_export(tmp_path) / missing
    path.unlink()
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(ConvertJob("nyuv2", tmp_path, tmp_path / "out"))
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
        convert(ConvertJob("nyuv2", tmp_path, tmp_path / "out"))
    assert f"{path}: {message}" in str(caught.value)


def test_depth_that_is_not_in_millimetres_and_resized_pictures_are_refused(tmp_path: Path) -> None:
    folder = write_export(tmp_path)
    path = folder / "sync_depth_00000.png"
    cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED) << 3)
    grey(folder / "rgb_00001.jpg", Camera(39, 39, 30, 22, 60, 45))
    with pytest.raises(UserErrors, match="2 faults") as caught:
        convert(ConvertJob("nyuv2", tmp_path, tmp_path / "out"))
    assert f"{path}: these are no millimetres" in str(caught.value)
    assert "sunrgbd" in str(caught.value)
    assert "it is 60 x 45, not 120 x 90" in str(caught.value)
