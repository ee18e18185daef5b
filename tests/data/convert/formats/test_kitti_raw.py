"""Tests of the KITTI raw converter: a tiny drive as the car records it."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.convert_scenes import converted, grey, label_errors
from tests.support.kitti_day import (
    DAY,
    DRIVE,
    IMUS,
    LENS,
    eye,
    packet,
    write_day,
)
from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.convert.shared.kitti_vehicle import world_from_camera
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera


@pytest.mark.parametrize("number", ["02", "03"])
def test_every_label_and_pose_is_true_to_a_millimetre(tmp_path: Path, number: str) -> None:
    write_day(tmp_path / "kitti", step=0.25)
    options = {"points": 2000, "edge_margin": 4, "cameras": (f"image_{number}",)}
    frames = converted("kitti_raw", tmp_path / "kitti", tmp_path / "out", **options)
    assert len(frames) == 2
    for frame, imu in zip(frames, IMUS, strict=True):
        errors = label_errors(frame, eye(imu, number))
        assert len(errors) == 2000
        assert errors.max() < 1e-3
        assert frame.camera.intrinsics == pytest.approx(LENS.intrinsics)
        np.testing.assert_allclose(IMUS[0] @ frame.world_from_camera, eye(imu, number), atol=1e-3)
        assert frame.sequence == DRIVE
        assert frame.license == "CC BY-NC-SA 3.0"


def test_a_pose_turns_by_roll_then_pitch_then_yaw(tmp_path: Path) -> None:
    from toolkit.data.convert.shared.kitti_vehicle import read_rig

    drive = write_day(tmp_path)
    line = packet(IMUS[0]).split()
    (drive / "oxts/data/0000000000.txt").write_text(" ".join([*line[:3], "0 0 0", *line[6:]]))
    quarter = f"{np.pi / 2:.12f}"
    (drive / "oxts/data/0000000001.txt").write_text(" ".join([*line[:3], quarter, "0", quarter, *line[6:]]))
    rig = read_rig(drive.parent, "02")
    turned = world_from_camera(rig, drive, "0000000001") @ rig.camera_from_imu
    # Rolled by a quarter about x, y points up; then turned by a quarter to the left, x points where y did.
    np.testing.assert_allclose(turned[:3, :3], [[0, 0, 1], [1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_source_may_be_one_day(tmp_path: Path) -> None:
    write_day(tmp_path)
    assert len(converted("kitti_raw", tmp_path / DAY, tmp_path / "out")) == 2


def test_drives_without_oxts_have_no_poses(tmp_path: Path) -> None:
    drive = write_day(tmp_path / "kitti")
    (drive / "oxts").rename(tmp_path / "oxts")
    assert all(
        frame.world_from_camera is None for frame in converted("kitti_raw", tmp_path / "kitti", tmp_path / "out")
    )


def test_a_sweep_that_the_set_itself_lacks_is_left_out_and_counted(tmp_path: Path) -> None:
    drive = write_day(tmp_path / "kitti")
    (drive / "velodyne_points/data/0000000001.bin").unlink()
    (drive / "velodyne_points/timestamps.txt").write_text("2011-09-26 13:02:25.9\n\n")
    outcome = convert(ConvertJob("kitti_raw", tmp_path / "kitti", tmp_path / "out"))
    assert (outcome.pictures, outcome.skipped) == (1, {"the LiDAR recorded nothing at its moment": 1})


@pytest.mark.parametrize("missing", ["image_02/data/0000000001.png", "velodyne_points/data/0000000001.bin"])
def test_half_a_scene_is_a_fault(tmp_path: Path, missing: str) -> None:
    path = write_day(tmp_path / "kitti") / missing
    path.unlink()
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(ConvertJob("kitti_raw", tmp_path / "kitti", tmp_path / "out"))
    assert f"{path}: there is no such" in str(caught.value)


@pytest.mark.parametrize("missing", ["calib_cam_to_cam.txt", "calib_velo_to_cam.txt", "calib_imu_to_velo.txt"])
def test_a_day_without_calibration_is_one_fault_and_the_others_are_converted(tmp_path: Path, missing: str) -> None:
    write_day(tmp_path / "kitti", "2011_09_28_drive_0002_sync")
    write_day(tmp_path / "kitti")
    (tmp_path / "kitti" / DAY / missing).unlink()
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(ConvertJob("kitti_raw", tmp_path / "kitti", tmp_path / "out"))
    assert f"{missing} is missing" in str(caught.value)
    assert "2011_09_26_calib.zip" in str(caught.value)
    assert convert(ConvertJob("kitti_raw", tmp_path / "kitti", tmp_path / "out", skip_bad=True)).pictures == 2


@pytest.mark.parametrize(
    ("file", "size", "message"),
    [
        ("image_02/data/0000000001.png", 500, "0000000001.png: the picture cannot be read"),
        ("velodyne_points/data/0000000001.bin", 1001, "1001 bytes are no whole number"),
        ("oxts/data/0000000001.txt", 20, "it holds 2 numbers, not a pose"),
        ("../calib_cam_to_cam.txt", 100, "is missing"),
    ],
)
def test_files_cut_short_are_faults(tmp_path: Path, file: str, size: int, message: str) -> None:
    path = write_day(tmp_path / "kitti") / file
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("kitti_raw", tmp_path / "kitti", tmp_path / "out"))
    assert message in str(caught.value)


def test_a_resized_picture_and_another_set_are_refused(tmp_path: Path) -> None:
    grey(write_day(tmp_path / "kitti") / "image_02/data/0000000001.png", Camera(150, 150, 79, 50, 160, 100))
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(ConvertJob("kitti_raw", tmp_path / "kitti", tmp_path / "out"))
    assert "it is 160 x 100, but the calibration of its day says 320 x 200" in str(caught.value)
    (tmp_path / "2011_09_26_drive_0001_extract").mkdir()
    with pytest.raises(UserError, match="not KITTI raw"):
        convert(ConvertJob("kitti_raw", tmp_path / "2011_09_26_drive_0001_extract", tmp_path / "out"))
    with pytest.raises(UserError, match="there is no camera 'image_00'"):
        convert(ConvertJob("kitti_raw", tmp_path / "kitti", tmp_path / "out", ConvertOptions(cameras=("image_00",))))
