"""Tests of the SUN RGB-D converter: tiny rooms in the layout of SUNRGBD.zip."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from tests.support.convert_scenes import FORWARD, converted, depth_map, grey, label_errors, pose
from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera

LENSES = {
    "kv1/NYUdata/NYU0001": Camera(75, 76, 44.5, 33.0, 90, 66),
    "kv2/kinect2data/000002_2014-05-26_260595134347-resize": Camera(80, 80, 50.0, 40.0, 100, 80),
    "realsense/lg/2014_10_21-18_20_06-1311000073": Camera(90, 90, 48.0, 36.0, 96, 72),
    "xtion/sun3ddata/hotel_umd/maryland_hotel3/0000105-000003519804": Camera(85, 85, 44.0, 33.0, 88, 66),
}
EYE = pose(3.0, 0.3, 1.5, yaw=4) @ FORWARD
NYU = "kv1/NYUdata/NYU0001"


def write_set(root: Path, depth_folder: str = "depth") -> Path:
    """Rooms with one picture each; depth is written as the toolbox reads it, not with the converter's own code."""
    for name, lens in LENSES.items():
        folder = root / "SUNRGBD" / name
        grey(folder / "image" / "NYU0001.jpg", lens)
        folder.joinpath(depth_folder).mkdir()
        depth = depth_map(lens, EYE)
        millimetres = np.where(np.isfinite(depth), np.rint(depth * 1000), 0).astype(np.uint32)
        stored = ((millimetres << 3) | (millimetres >> 13)) & 0xFFFF
        stored[:, :6] = 0
        cv2.imwrite(str(folder / depth_folder / "NYU0001_abs.png"), stored.astype(np.uint16))
        # In the set all nine numbers stand in one line.
        (folder / "intrinsics.txt").write_text(" ".join(f"{value:.6f}" for value in lens.matrix.ravel()) + " \n")
        (folder / "extrinsics").mkdir()
        (folder / "extrinsics" / "20140808.txt").write_text("1 0 0 0\n0 0.98 0.17 0\n0 -0.17 0.98 0\n")
        (folder / "fullres" / "depth").mkdir(parents=True)
        (folder / "fullres" / "intrinsics.txt").write_text("1 2 3")
    return root / "SUNRGBD"


def write_split(root: Path, train: list[str], test: list[str]) -> None:
    folder = root / "SUNRGBDtoolbox" / "traintestSUNRGBD"
    folder.mkdir(parents=True)
    cells = [
        np.array([f"/n/fs/sun3d/data/SUNRGBD/{name}" for name in names], dtype=object)[None] for names in (train, test)
    ]
    savemat(folder / "allsplit.mat", {"alltrain": cells[0], "alltest": cells[1]})


@pytest.mark.parametrize("depth_folder", ["depth", "depth_bfx"])
def test_every_label_is_true_to_a_millimetre(tmp_path: Path, depth_folder: str) -> None:
    write_set(tmp_path, depth_folder)
    frames = converted("sunrgbd", tmp_path, tmp_path / "out", points=5000)
    assert len(frames) == 4
    for frame, (name, lens) in zip(frames, LENSES.items(), strict=True):
        assert name in frame.name
        assert frame.camera.intrinsics == pytest.approx(lens.intrinsics)
        errors = label_errors(frame, EYE)
        assert len(errors) > 1000
        assert errors.max() < 1e-3
        assert frame.labels is not None
        pixels, depth_z = frame.labels.read(frame.camera)
        assert pixels[:, 0].min() >= 6
        assert depth_z.max() <= 8.0
        assert frame.world_from_camera is None


def test_measured_depth_is_taken_before_filled_in_depth(tmp_path: Path) -> None:
    root = write_set(tmp_path)
    filled = root / NYU / "depth_bfx" / "NYU0001.png"
    filled.parent.mkdir()
    cv2.imwrite(str(filled), np.full((66, 90), 8, dtype=np.uint16))
    frame = converted("sunrgbd", root, tmp_path / "out", cameras=("kv1",))[0]
    assert label_errors(frame, EYE).max() < 1e-3


def test_only_recordings_have_a_sequence(tmp_path: Path) -> None:
    frames = converted("sunrgbd", write_set(tmp_path), tmp_path / "out")
    assert [frame.sequence for frame in frames] == ["", "", "", "xtion/sun3ddata/hotel_umd/maryland_hotel3"]


def test_splits_are_those_of_the_toolbox(tmp_path: Path) -> None:
    root = write_set(tmp_path)
    names = list(LENSES)
    write_split(tmp_path, [names[1] + "/", names[3]], [names[0], names[2]])
    for number, source in enumerate((tmp_path, root)):
        train = converted("sunrgbd", source, tmp_path / f"train{number}", splits=("train",))
        assert [name for name in names if any(name in frame.name for frame in train)] == [names[1], names[3]]
    test = converted("sunrgbd", tmp_path, tmp_path / "test", splits=("test",), cameras=("realsense",))
    assert len(test) == 1
    assert names[2] in test[0].name


def test_pictures_of_a_split_that_are_not_there_are_faults(tmp_path: Path) -> None:
    root = write_set(tmp_path)
    write_split(tmp_path, [NYU, "kv1/NYUdata/NYU0002", "kv2/kinect2data/gone"], [NYU])
    job = ConvertJob("sunrgbd", tmp_path, tmp_path / "out", ConvertOptions(splits=("train",), cameras=("kv1",)))
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(job)
    assert f"{root / 'kv1/NYUdata/NYU0002'}: there is no such folder" in str(caught.value)


def test_a_split_without_the_toolbox_is_refused(tmp_path: Path) -> None:
    write_set(tmp_path)
    with pytest.raises(UserError, match=r"allsplit\.mat: there is no such file") as caught:
        convert(ConvertJob("sunrgbd", tmp_path, tmp_path / "out", ConvertOptions(splits=("test",))))
    assert "SUNRGBDtoolbox.zip" in caught.value.remedy


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("image/NYU0001.jpg", "there is no image/*.jpg"),
        ("depth/NYU0001_abs.png", "there is no depth/*.png or depth_bfx/*.png"),
        ("intrinsics.txt", "intrinsics.txt: there is no such file"),
    ],
)
def test_half_a_room_is_a_fault_and_the_others_are_converted(tmp_path: Path, missing: str, message: str) -> None:
    root = write_set(tmp_path)
    (root / NYU / missing).unlink()
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(ConvertJob("sunrgbd", tmp_path, tmp_path / "out"))
    assert message in str(caught.value)
    assert str(root / NYU) in str(caught.value)
    assert convert(ConvertJob("sunrgbd", tmp_path, tmp_path / "out", skip_bad=True)).pictures == 3


@pytest.mark.parametrize(
    ("file", "size", "message"),
    [
        ("image/NYU0001.jpg", 300, "the picture cannot be read"),
        ("depth/NYU0001_abs.png", 300, "the depth map cannot be read"),
        ("intrinsics.txt", 30, "there are 4 numbers, not 3 x 3"),
    ],
)
def test_files_cut_short_are_faults(tmp_path: Path, file: str, size: int, message: str) -> None:
    path = write_set(tmp_path) / NYU / file
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(ConvertJob("sunrgbd", tmp_path, tmp_path / "out"))
    assert f"{path}: {message}" in str(caught.value)


def test_maps_of_another_size_and_ambiguous_folders_are_faults(tmp_path: Path) -> None:
    root = write_set(tmp_path)
    cv2.imwrite(str(root / NYU / "depth/NYU0001_abs.png"), np.ones((33, 45), dtype=np.uint16))
    grey(root / "realsense/lg/2014_10_21-18_20_06-1311000073/image/other.jpg", Camera(90, 90, 48, 36, 96, 72))
    with pytest.raises(UserErrors, match="2 faults") as caught:
        convert(ConvertJob("sunrgbd", tmp_path, tmp_path / "out"))
    assert "the depth map is 45 x 33, its picture 90 x 66" in str(caught.value)
    assert "there are 2: NYU0001.jpg, other.jpg" in str(caught.value)


def test_another_set_and_a_missing_sensor_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not SUN RGB-D"):
        convert(ConvertJob("sunrgbd", tmp_path, tmp_path / "out"))
    (tmp_path / "kv1").mkdir()
    with pytest.raises(UserError, match="there is no camera 'kv2'"):
        convert(ConvertJob("sunrgbd", tmp_path, tmp_path / "out", ConvertOptions(cameras=("kv2",))))
