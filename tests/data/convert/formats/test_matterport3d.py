"""Tests of the Matterport3D converter: tiny houses in the set's undistorted layout."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.convert_scenes import FORWARD, converted, depth_map, grey, label_errors, pose
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.convert.readers.depth_png import encode_depth_png
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

LENS = Camera(90, 92, 63.25, 38.5, 120, 100)  # the principal point is off the centre, so that a flip shows
EYES = [pose(2.0, 0.5, 1.5, yaw=5) @ FORWARD, pose(3.0, -2.0, 1.2, yaw=-20) @ FORWARD]
MEASURED = 15.0  # m; beyond, the sensor sees nothing


def picture(house: Path, number: int, kind: str) -> Path:
    folder, suffix = ("color", "jpg") if kind == "i" else ("depth", "png")
    return house / f"undistorted_{folder}_images" / f"ab12_{kind}0_{number}.{suffix}"


def write_house(root: Path, name: str = "17DRP5sb8fy") -> Path:
    """A house of two pictures; depths are z, in quarters of a millimetre."""
    house = root / name
    lines = [
        "dataset matterport",
        f"n_images {len(EYES)}",
        "depth_directory undistorted_depth_images",
        "color_directory undistorted_color_images",
        "",
        f"intrinsics_matrix {LENS.fx} 0 {LENS.cx + 0.5}  0 {LENS.fy} {LENS.height - (LENS.cy + 0.5)}  0 0 1",
    ]
    for number, eye in enumerate(EYES):
        depth = depth_map(LENS, eye)
        picture(house, number, "d").parent.mkdir(parents=True, exist_ok=True)
        picture(house, number, "d").write_bytes(encode_depth_png(np.where(depth < MEASURED, depth, np.nan), 1 / 4000))
        grey(picture(house, number, "i"), LENS)
        from_gl = eye @ np.diag([1, -1, -1, 1])
        numbers = " ".join(f"{value:.9g}" for value in from_gl.ravel())
        lines.append(f"scan {picture(house, number, 'd').name} {picture(house, number, 'i').name} {numbers}")
    table = house / "undistorted_camera_parameters" / f"{name}.conf"
    table.parent.mkdir()
    table.write_text("\n".join(lines) + "\n")
    return house


def test_every_label_is_true_to_a_millimetre(tmp_path: Path) -> None:
    write_house(tmp_path / "mp3d" / "v1" / "scans")
    frames = converted("matterport3d", tmp_path / "mp3d", tmp_path / "out")
    assert len(frames) == 2
    for frame, eye in zip(frames, EYES, strict=True):
        assert frame.labels is not None
        _, depth_z = frame.labels.read(frame.camera)
        assert len(depth_z) > 3000
        assert depth_z.max() < MEASURED
        assert label_errors(frame, eye).max() < 1e-3
        assert frame.camera.intrinsics == pytest.approx(LENS.intrinsics)
        np.testing.assert_allclose(frame.world_from_camera, eye, atol=1e-7)
        assert frame.sequence == "17DRP5sb8fy"
        assert "non-commercial" in frame.license


def test_labels_are_the_sets_own_depth_maps(tmp_path: Path) -> None:
    house = write_house(tmp_path / "mp3d")
    convert(ConvertJob("matterport3d", tmp_path / "mp3d", tmp_path / "out"))
    assert not list((tmp_path / "out").rglob("*depth*.png"))
    assert str(picture(house, 0, "d").relative_to(tmp_path)) in (tmp_path / "out" / "manifest.jsonl").read_text()


@pytest.mark.parametrize("damage", ["missing", "cut", "small"])
@pytest.mark.parametrize("kind", ["i", "d"])
def test_a_damaged_picture_is_a_fault_and_the_other_is_converted(tmp_path: Path, kind: str, damage: str) -> None:
    path = picture(write_house(tmp_path / "mp3d"), 1, kind)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:300])
    else:
        cv2.imwrite(str(path), np.full((50, 60), 100, dtype=np.uint16 if kind == "d" else np.uint8))
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("matterport3d", tmp_path / "mp3d", tmp_path / "out"))
    assert "ab12_" in str(caught.value)
    assert str(tmp_path / "mp3d") in str(caught.value)
    assert caught.value.problem.endswith("1 fault")
    assert convert(ConvertJob("matterport3d", tmp_path / "mp3d", tmp_path / "out", skip_bad=True)).pictures == 1


@pytest.mark.parametrize(
    ("replaced", "by", "message"),
    [
        ("n_images 2", "n_images 3", "lists 2 pictures, not the 3"),
        (" 0 0 0 1\n", " 0 0 0\n", "no camera and pose of 16 numbers"),
        ("intrinsics_matrix", "# intrinsics_matrix", "no camera and pose of 16 numbers"),
        ("n_images 2", "n_images two", "cannot be read"),
    ],
)
def test_a_damaged_table_is_a_fault_of_its_house_alone(tmp_path: Path, replaced: str, by: str, message: str) -> None:
    write_house(tmp_path / "mp3d")
    house = write_house(tmp_path / "mp3d", "x8F5xyUWy9e")
    table = house / "undistorted_camera_parameters" / "x8F5xyUWy9e.conf"
    table.write_text(table.read_text().replace(replaced, by))
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("matterport3d", tmp_path / "mp3d", tmp_path / "out"))
    assert str(table) in str(caught.value)
    assert message in str(caught.value)
    assert convert(ConvertJob("matterport3d", tmp_path / "mp3d", tmp_path / "out", skip_bad=True)).pictures == 2


def houses_of(dest: Path, **options: object) -> set[str]:
    return {frame.sequence for frame in converted("matterport3d", dest.parent / "mp3d", dest, **options)}


def test_a_split_is_what_its_list_says(tmp_path: Path) -> None:
    for name in ("aaa", "bbb", "ccc"):
        write_house(tmp_path / "mp3d", name)
    (tmp_path / "mp3d" / "scenes_train.txt").write_text("aaa\nccc\n")
    assert houses_of(tmp_path / "all") == {"aaa", "bbb", "ccc"}
    assert houses_of(tmp_path / "train", splits=("train",)) == {"aaa", "ccc"}
    with pytest.raises(UserError, match="there is no split 'val'"):
        houses_of(tmp_path / "val", splits=("val",))


def test_a_house_of_a_split_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    write_house(tmp_path / "mp3d", "aaa")
    (tmp_path / "mp3d" / "scenes_train.txt").write_text("aaa\nzzz\n")
    with pytest.raises(UserErrors, match="the scene zzz is not there"):
        houses_of(tmp_path / "train", splits=("train",))


def test_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match="not Matterport3D") as caught:
        convert(ConvertJob("matterport3d", tmp_path / "photos", tmp_path / "out"))
    assert "undistorted_camera_parameters" in caught.value.cause


def test_a_name_that_leads_elsewhere_is_a_fault(tmp_path: Path) -> None:
    house = write_house(tmp_path / "mp3d")
    table = next(house.glob("*/*.conf"))
    table.write_text(table.read_text().replace("scan ab12_d0_1.png ab12", "scan ab12_d0_1.png ../../../ab12"))
    grey(tmp_path / "ab12_i0_1.jpg", LENS)
    with pytest.raises(UserErrors, match="leads out of"):
        convert(ConvertJob("matterport3d", tmp_path / "mp3d", tmp_path / "out"))


def test_a_picture_without_depth_is_left_out_and_counted(tmp_path: Path) -> None:
    path = picture(write_house(tmp_path / "mp3d"), 0, "d")
    empty: Array = np.zeros((LENS.height, LENS.width))
    path.write_bytes(encode_depth_png(empty, 1 / 4000))
    outcome = convert(ConvertJob("matterport3d", tmp_path / "mp3d", tmp_path / "out"))
    assert (outcome.pictures, outcome.skipped) == (1, {"no depth is known in it": 1})
