"""Tests of the Taskonomy and HM3D converters: tiny buildings in the layouts that both are downloaded in."""

import json
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.support.convert_scenes import FORWARD, converted, depth_map, grey, label_errors, pose
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.frames.frame import DepthFile
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

SIDE, FOV = 96, math.radians(75)
FOCAL = SIDE / 2 / math.tan(FOV / 2)
LENS = Camera(FOCAL, FOCAL, (SIDE - 1) / 2, (SIDE - 1) / 2, SIDE, SIDE)
PITCHED = np.eye(4)
PITCHED[:3, :3] = Rotation.from_euler("xz", [-12, 4], degrees=True).as_matrix()  # the camera nods and leans
EYES = [pose(2.0, 0.5, 1.5, yaw=5) @ FORWARD @ PITCHED, pose(4.0, -2.0, 1.2, yaw=-30) @ FORWARD]
OMNIDATA = "{kind}/{component}/{building}"
ARCHIVES = "{building}/{kind}"


def units(metres: Array) -> Array:
    """1/512 m a unit, 65535 where there is no surface."""
    stored = np.full(metres.shape, 65535, dtype=np.uint16)
    stored[np.isfinite(metres)] = np.rint(metres[np.isfinite(metres)] * 512)
    return stored


def write_building(
    root: Path,
    building: str = "adairsville",
    component: str = "taskonomy",
    layout: str = OMNIDATA,
    depth: str = "depth_euclidean",
    info: str = "point_info",
) -> Path:
    """Two views of one building; the folder of its pictures."""
    folders = {}
    for kind in ("rgb", depth, "points" if layout == ARCHIVES else "point_info"):
        folders[kind] = root / layout.format(kind=kind, component=component, building=building)
        folders[kind].mkdir(parents=True)
    rgb, depths, infos = folders.values()
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for number, eye in enumerate(EYES):
        stem = f"point_{number}_view_3_domain"
        grey(rgb / f"{stem}_rgb.png", LENS)
        metres = depth_map(LENS, eye)
        if depth == "depth_euclidean":
            metres = metres * np.hypot(np.hypot(columns - LENS.cx, rows - LENS.cy) / FOCAL, 1)
        cv2.imwrite(str(depths / f"{stem}_{depth}.png"), units(metres))
        angles = Rotation.from_matrix(eye[:3, :3] @ np.diag([1, -1, -1])).as_euler("xyz").tolist()
        said = {"field_of_view_rads": FOV, "camera_rotation_final": angles, "camera_location": eye[:3, 3].tolist()}
        (infos / f"{stem}_{info}.json").write_text(json.dumps(said))
    return rgb


@pytest.mark.parametrize(
    ("component", "layout", "depth", "info"),
    [
        ("taskonomy", OMNIDATA, "depth_euclidean", "point_info"),
        ("taskonomy", OMNIDATA, "depth_zbuffer", "point_info"),
        ("taskonomy", ARCHIVES, "depth_euclidean", "fixatedpose"),
        ("hm3d", OMNIDATA, "depth_euclidean", "fixatedpose"),
        ("hm3d", OMNIDATA, "depth_zbuffer", "fixatedpose"),
    ],
)
def test_every_label_is_true_to_a_millimetre(
    tmp_path: Path, component: str, layout: str, depth: str, info: str
) -> None:
    write_building(tmp_path / "set", "adairsville", component, layout, depth, info)
    frames = converted(component, tmp_path / "set", tmp_path / "out")
    assert len(frames) == 2
    for frame, eye in zip(frames, EYES, strict=True):
        assert isinstance(frame.labels, DepthFile)
        assert frame.labels.depth_type == ("euclidean" if depth == "depth_euclidean" else "z")
        _, depth_z = frame.labels.read(frame.camera)
        assert len(depth_z) > 5000
        assert label_errors(frame, eye).max() < 1e-3
        assert frame.camera.intrinsics == pytest.approx(LENS.intrinsics)
        np.testing.assert_allclose(frame.world_from_camera, eye, atol=1e-8)
        assert frame.sequence == "adairsville"
        assert "non-commercial" in frame.license


def test_the_camera_looks_at_the_point_that_it_is_turned_to(tmp_path: Path) -> None:
    # By hand: at (1, 2, 1), turned 90 degrees about x (level, along y) and then 90 about z (along -x).
    rgb = write_building(tmp_path / "set")
    info = next((tmp_path / "set" / "point_info").rglob("point_0_*.json"))
    said = json.loads(info.read_text())
    info.write_text(json.dumps({**said, "camera_rotation_final": [math.pi / 2, 0, math.pi / 2]}))
    frame = converted("taskonomy", tmp_path / "set", tmp_path / "out")[0]
    assert rgb.name in frame.name
    assert frame.world_from_camera is not None
    np.testing.assert_allclose(frame.world_from_camera[:3, 2], [-1, 0, 0], atol=1e-9)  # forward
    np.testing.assert_allclose(frame.world_from_camera[:3, 1], [0, 0, -1], atol=1e-9)  # down


def test_euclidean_depth_is_preferred(tmp_path: Path) -> None:
    write_building(tmp_path / "set", depth="depth_zbuffer")
    shutil.rmtree(tmp_path / "set" / "rgb")
    shutil.rmtree(tmp_path / "set" / "point_info")
    write_building(tmp_path / "set")
    convert(ConvertJob("taskonomy", tmp_path / "set", tmp_path / "out"))
    assert "depth_zbuffer" not in (tmp_path / "out" / "manifest.jsonl").read_text()


def test_the_other_component_is_not_taken_for_this_one(tmp_path: Path) -> None:
    write_building(tmp_path / "set", component="hm3d")
    with pytest.raises(UserError, match="not Taskonomy"):
        convert(ConvertJob("taskonomy", tmp_path / "set", tmp_path / "out"))


def test_source_may_be_one_building(tmp_path: Path) -> None:
    write_building(tmp_path / "set", layout=ARCHIVES)
    frames = converted("taskonomy", tmp_path / "set" / "adairsville", tmp_path / "out")
    assert {frame.sequence for frame in frames} == {"adairsville"}


@pytest.mark.parametrize("kind", ["rgb", "depth_euclidean", "point_info"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_file_is_a_fault_and_the_other_view_is_converted(tmp_path: Path, kind: str, damage: str) -> None:
    write_building(tmp_path / "set")
    path = next((tmp_path / "set" / kind).rglob("point_1_*"))
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("taskonomy", tmp_path / "set", tmp_path / "out"))
    assert str(path) in str(caught.value)
    assert caught.value.problem.endswith("1 fault")
    assert convert(ConvertJob("taskonomy", tmp_path / "set", tmp_path / "out", skip_bad=True)).pictures == 1


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("field_of_view_rads", None, "'field_of_view_rads' is None"),
        ("field_of_view_rads", 3.2, "intrinsics"),
        ("camera_location", [1, 2], "cannot be read"),
        ("camera_rotation_final", "level", "'camera_rotation_final' is 'level'"),
    ],
)
def test_a_camera_that_cannot_be_right_is_a_fault(tmp_path: Path, key: str, value: object, message: str) -> None:
    write_building(tmp_path / "set")
    info = next((tmp_path / "set" / "point_info").rglob("point_1_*"))
    info.write_text(json.dumps({**json.loads(info.read_text()), key: value}))
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("taskonomy", tmp_path / "set", tmp_path / "out"))
    assert message in str(caught.value)
    assert "point_1_view_3" in str(caught.value)


@pytest.mark.parametrize("kind", ["depth_euclidean", "point_info"])
def test_a_kind_that_was_not_downloaded_is_a_fault_of_its_building(tmp_path: Path, kind: str) -> None:
    write_building(tmp_path / "set", "adairsville")
    write_building(tmp_path / "set", "woodbine")
    folder = tmp_path / "set" / kind / "taskonomy" / "woodbine"
    shutil.rmtree(folder)
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("taskonomy", tmp_path / "set", tmp_path / "out"))
    assert f"{folder}: there is no such folder" in str(caught.value)
    assert convert(ConvertJob("taskonomy", tmp_path / "set", tmp_path / "out", skip_bad=True)).pictures == 2


def test_a_split_is_what_its_table_says(tmp_path: Path) -> None:
    for building in ("adairsville", "woodbine"):
        write_building(tmp_path / "set", building)
    table = tmp_path / "set" / "train_val_test_tiny.csv"
    table.write_text("id,train,val,test\nadairsville,1,0,0\nwoodbine,0,1,0\nzion,0,0,1\n")
    frames = converted("taskonomy", tmp_path / "set", tmp_path / "val", splits=("val",))
    assert {frame.sequence for frame in frames} == {"woodbine"}
    with pytest.raises(UserErrors, match="the scene zion is not there"):
        converted("taskonomy", tmp_path / "set", tmp_path / "test", splits=("test",))
    table.with_name("train_val_test_full.csv").write_text(table.read_text())
    with pytest.raises(UserError, match="several tables"):
        converted("taskonomy", tmp_path / "set", tmp_path / "full", splits=("val",))


def test_a_split_without_a_table_is_refused(tmp_path: Path) -> None:
    write_building(tmp_path / "set")
    with pytest.raises(UserError, match="there is no split 'val'"):
        converted("taskonomy", tmp_path / "set", tmp_path / "out", splits=("val",))


def test_a_view_into_the_void_is_left_out_and_counted(tmp_path: Path) -> None:
    write_building(tmp_path / "set")
    path = next((tmp_path / "set" / "depth_euclidean").rglob("point_1_*"))
    cv2.imwrite(str(path), np.full((SIDE, SIDE), 65535, dtype=np.uint16))
    outcome = convert(ConvertJob("taskonomy", tmp_path / "set", tmp_path / "out"))
    assert (outcome.pictures, outcome.skipped) == (1, {"no depth is known in it": 1})
