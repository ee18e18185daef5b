"""Tests of the converter of KITTI's depth benchmark: tiny maps beside a raw drive, and a selection of its own."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.convert_scenes import converted, depth_map, grey, label_errors
from tests.support.kitti_day import DAY, DRIVE, IMUS, LENS, eye, write_day
from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.convert.readers.depth_png import encode_depth_png
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

CROPPED = Camera(300, 300, 140.25, 41.5, 280, 120)


def drawn(camera: Camera, world_from_camera: Array) -> bytes:
    """A depth map in 1/256 m, only where rounding to it errs little: else that would hide the errors looked for."""
    depth = depth_map(camera, world_from_camera)
    exact = np.abs(depth * 256 - np.rint(depth * 256)) < 0.2
    return encode_depth_png(np.where(exact, depth, np.nan), 1 / 256)


def write_maps(root: Path, split: str = "train", drive: str = DRIVE, camera: str = "02") -> Path:
    folder = root / split / drive / "proj_depth" / "groundtruth" / f"image_{camera}"
    folder.mkdir(parents=True)
    for number, imu in enumerate(IMUS):
        (folder / f"{number:010d}.png").write_bytes(drawn(LENS, eye(imu, camera)))
    return folder


def write_selection(root: Path) -> Path:
    folder = root / "val_selection_cropped"
    for part in ("image", "groundtruth_depth", "intrinsics"):
        (folder / part).mkdir(parents=True)
    for number, imu in enumerate(IMUS):
        frame = f"{number:010d}_image_02"
        grey(folder / f"image/{DRIVE}_image_{frame}.png", CROPPED)
        (folder / f"groundtruth_depth/{DRIVE}_groundtruth_depth_{frame}.png").write_bytes(drawn(CROPPED, eye(imu)))
        numbers = " ".join(f"{value:f}" for value in CROPPED.matrix.ravel())
        (folder / f"intrinsics/{DRIVE}_image_{frame}.txt").write_text(numbers + "\n")
    return folder


@pytest.mark.parametrize("camera", ["02", "03"])
@pytest.mark.parametrize("top", ["", "data_depth_annotated"])
def test_every_label_and_pose_is_true_to_a_millimetre(tmp_path: Path, camera: str, top: str) -> None:
    write_day(tmp_path)
    write_maps(tmp_path / top, camera=camera)
    frames = converted("kitti_depth", tmp_path, tmp_path / "out", cameras=(f"image_{camera}",))
    assert len(frames) == 2
    for frame, imu in zip(frames, IMUS, strict=True):
        errors = label_errors(frame, eye(imu, camera))
        assert len(errors) > 10_000
        assert errors.max() < 1e-3
        assert frame.camera.intrinsics == pytest.approx(LENS.intrinsics)
        np.testing.assert_allclose(IMUS[0] @ frame.world_from_camera, eye(imu, camera), atol=1e-3)
        assert frame.sequence == DRIVE


@pytest.mark.parametrize("top", ["", "depth_selection"])
def test_the_selection_needs_no_raw_recordings(tmp_path: Path, top: str) -> None:
    write_selection(tmp_path / top)
    frames = converted("kitti_depth", tmp_path, tmp_path / "out")
    assert len(frames) == 2
    for frame, imu in zip(frames, IMUS, strict=True):
        assert label_errors(frame, eye(imu)).max() < 1e-3
        assert frame.camera.intrinsics == pytest.approx(CROPPED.intrinsics)
        assert frame.world_from_camera is None


def test_splits_are_chosen_by_name(tmp_path: Path) -> None:
    write_day(tmp_path)
    write_day(tmp_path, "2011_09_26_drive_0002_sync")
    write_maps(tmp_path)
    write_maps(tmp_path, "val", "2011_09_26_drive_0002_sync")
    write_selection(tmp_path)
    for split, count in (("train", 2), ("val", 2), ("val_selection_cropped", 2), ("", 6)):
        frames = converted("kitti_depth", tmp_path, tmp_path / f"out{split}", splits=(split,) if split else ())
        assert len(frames) == count
    (tmp_path / "val").rename(tmp_path / "gone")
    with pytest.raises(UserError, match="there is no split 'val'"):
        convert(ConvertJob("kitti_depth", tmp_path, tmp_path / "out", ConvertOptions(splits=("val",))))


@pytest.mark.parametrize("missing", [DAY + "/" + DRIVE, DAY + "/calib_cam_to_cam.txt"])
def test_a_drive_without_pictures_is_one_fault_and_the_others_are_converted(tmp_path: Path, missing: str) -> None:
    write_day(tmp_path)
    write_day(tmp_path, "2011_09_28_drive_0002_sync")
    write_maps(tmp_path)
    write_maps(tmp_path, "train", "2011_09_28_drive_0002_sync")
    (tmp_path / missing).rename(tmp_path / "gone")
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(ConvertJob("kitti_depth", tmp_path, tmp_path / "out"))
    assert f"{tmp_path / missing} is missing" in str(caught.value)
    assert f"{DRIVE}.zip and {DAY}_calib.zip" in str(caught.value)
    assert convert(ConvertJob("kitti_depth", tmp_path, tmp_path / "out", skip_bad=True)).pictures == 2


@pytest.mark.parametrize(
    ("part", "size", "message"),
    [
        ("image", None, "there is no such file"),
        ("groundtruth_depth", None, "there is no such file"),
        ("intrinsics", None, "there is no such file"),
        ("image", 500, "the picture cannot be read"),
        ("groundtruth_depth", 500, "the depth map cannot be read"),
        ("intrinsics", 20, "there are 2 numbers, not 3 x 3"),
    ],
)
def test_half_a_selected_scene_is_a_fault(tmp_path: Path, part: str, size: int | None, message: str) -> None:
    path = next((write_selection(tmp_path) / part).glob("*0000000001*"))
    if size is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(ConvertJob("kitti_depth", tmp_path, tmp_path / "out"))
    assert f"{path}: {message}" in str(caught.value)


def test_an_empty_map_is_left_out_and_a_map_of_another_size_is_a_fault(tmp_path: Path) -> None:
    write_day(tmp_path)
    maps = write_maps(tmp_path)
    (maps / "0000000000.png").write_bytes(encode_depth_png(np.zeros((200, 320)), 1 / 256))
    outcome = convert(ConvertJob("kitti_depth", tmp_path, tmp_path / "out"))
    assert (outcome.pictures, outcome.skipped) == (1, {"no depth is known in it": 1})
    (maps / "0000000001.png").write_bytes(encode_depth_png(np.ones((100, 160)), 1 / 256))
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("kitti_depth", tmp_path, tmp_path / "again"))
    assert "the depth map is 160 x 100, its picture 320 x 200" in str(caught.value)


def test_another_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train" / "0001").mkdir(parents=True)
    with pytest.raises(UserError, match="not KITTI depth"):
        convert(ConvertJob("kitti_depth", tmp_path, tmp_path / "out"))
