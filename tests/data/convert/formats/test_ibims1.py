"""Tests of the iBims-1 converter: a tiny scene in the core set's MATLAB files."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from tests.support.convert_scenes import FORWARD, converted, depth_map, label_errors, pose
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.errors import UserErrors
from toolkit.geometry.camera import Camera

LENS = Camera(80, 82, 61.5, 44.0, 120, 90)
EYE = pose(2.0, 0.5, 1.5, yaw=5) @ FORWARD


def write_set(root: Path, names: tuple[str, ...] = ("kitchen_01", "lab_02"), transposed: bool = False) -> None:
    """Scenes with a band of invalid and a band of transparent pixels."""
    root.mkdir()
    depth = np.nan_to_num(depth_map(LENS, EYE), posinf=0.0)
    rgb = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    invalid, transparent = np.ones((90, 120), dtype=np.uint8), np.ones((90, 120), dtype=np.uint8)
    invalid[:, :10], transparent[:, 110:] = 0, 0
    data = {"rgb": rgb, "depth": depth, "mask_invalid": invalid, "mask_transp": transparent}
    data["calib"] = LENS.matrix.T if transposed else LENS.matrix
    for name in names:
        savemat(root / f"{name}.mat", {"data": data}, do_compression=True)
    (root / "imagelist.txt").write_text("".join(f"{name}\n" for name in names))


@pytest.mark.parametrize("transposed", [False, True])
def test_every_label_is_true_to_a_millimetre(tmp_path: Path, transposed: bool) -> None:
    write_set(tmp_path / "ibims", transposed=transposed)
    frames = converted("ibims1", tmp_path / "ibims", tmp_path / "out", points=5000)
    assert len(frames) == 2
    for frame in frames:
        assert frame.camera == LENS
        assert frame.labels is not None
        pixels, _ = frame.labels.read(frame.camera)
        assert len(pixels) == 5000
        assert pixels[:, 0].min() >= 10
        assert pixels[:, 0].max() < 110
        assert label_errors(frame, EYE).max() < 1e-3


def test_the_picture_comes_out_as_it_is_in_the_file(tmp_path: Path) -> None:
    write_set(tmp_path / "ibims")
    convert(ConvertJob("ibims1", tmp_path / "ibims", tmp_path / "out"))
    expected = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "out/images/lab_02.png"))[..., ::-1], expected)


@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "other"])
def test_a_damaged_file_is_a_fault(tmp_path: Path, damage: str) -> None:
    write_set(tmp_path / "ibims")
    path = tmp_path / "ibims" / "lab_02.mat"
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        savemat(path, {"data": {"rgb": np.zeros((2, 2, 3)), "depth": np.zeros((2, 2))}})
    else:
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"")
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("ibims1", tmp_path / "ibims", tmp_path / "out"))
    assert str(path) in str(caught.value)
    assert caught.value.problem.endswith("1 fault")
