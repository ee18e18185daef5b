"""Tests of the KITTI converter: a tiny scene in the object benchmark's layout, and a real one where it is."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.support.convert_scenes import FORWARD, converted, grey, inside, label_errors, pose, sweep
from tests.support.paths import REAL
from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.manifest.manifest import load_manifest
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array

KITTI = REAL / "kitti_object"
LENS = Camera(300, 300, 158.25, 101.5, 320, 200)
VELODYNE = pose(0.0, 0.0, 1.7)
REFERENCE = pose(0.3, 0.02, 1.6, yaw=0.7) @ FORWARD  # world_from_camera of camera 0, before rectification
RECTIFIES = Rotation.from_euler("xyz", [0.4, -0.6, 0.3], degrees=True).as_matrix()
OFFSETS = {"image_2": np.array([0.06, -0.003, 0.005]), "image_3": np.array([-0.47, 0.002, 0.003])}


def true_pose(camera: str) -> Array:
    """world_from_camera of camera 2 or 3."""
    rectified_from_reference, camera_from_rectified = np.eye(4), np.eye(4)
    rectified_from_reference[:3, :3] = RECTIFIES
    camera_from_rectified[:3, 3] = OFFSETS[camera]
    return REFERENCE @ inverse(rectified_from_reference) @ inverse(camera_from_rectified)


def write_set(root: Path, stems: tuple[str, ...] = ("000000", "000001"), step: float = 2.0) -> Path:
    """Scenes in KITTI's layout, all of the same world."""
    folder = root / "training"
    k = np.array([[LENS.fx, 0, LENS.cx], [0, LENS.fy, LENS.cy], [0, 0, 1]])
    lines = {f"P{name[-1]}": k @ np.c_[np.eye(3), offset] for name, offset in OFFSETS.items()}
    lines |= {"R0_rect": RECTIFIES, "Tr_velo_to_cam": (inverse(REFERENCE) @ VELODYNE)[:3]}
    calibration = "".join(f"{key}: {' '.join(f'{value:.12e}' for value in m.ravel())}\n" for key, m in lines.items())
    points = sweep(VELODYNE, step)
    for stem in stems:
        for camera in OFFSETS:
            grey(folder / camera / f"{stem}.png", LENS)
        for name in ("velodyne", "calib"):
            (folder / name).mkdir(exist_ok=True)
        np.c_[points, np.zeros(len(points))].astype("<f4").tofile(folder / "velodyne" / f"{stem}.bin")
        (folder / "calib" / f"{stem}.txt").write_text(calibration)
    return folder


@pytest.mark.parametrize("camera", ["image_2", "image_3"])
def test_every_label_is_true_to_a_millimetre(tmp_path: Path, camera: str) -> None:
    write_set(tmp_path / "kitti", step=0.25)
    frames = converted("kitti", tmp_path / "kitti", tmp_path / "out", points=2000, edge_margin=4, cameras=(camera,))
    assert [Path(frame.name).name for frame in frames] == ["000000.png", "000001.png"]
    for frame in frames:
        errors = label_errors(frame, true_pose(camera))
        assert len(errors) == 2000
        assert errors.max() < 1e-3
        assert frame.camera.intrinsics == pytest.approx(LENS.intrinsics)
        assert frame.license == "CC BY-NC-SA 3.0"


def test_scenes_differ_in_what_is_drawn_and_a_seed_repeats_it(tmp_path: Path) -> None:
    write_set(tmp_path / "kitti")
    drawn = [
        [
            frame.labels.pixels.tolist()
            for frame in converted("kitti", tmp_path / "kitti", tmp_path / str(run), seed=seed)
        ]
        for run, seed in enumerate([0, 0, 1])
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert drawn[0][0] != drawn[0][1]


def test_source_may_be_one_split(tmp_path: Path) -> None:
    write_set(tmp_path / "kitti")
    assert len(converted("kitti", tmp_path / "kitti" / "training", tmp_path / "out")) == 2


@pytest.mark.parametrize("missing", ["image_2/000001.png", "velodyne/000001.bin", "calib/000001.txt"])
def test_half_a_scene_is_a_fault(tmp_path: Path, missing: str) -> None:
    path = write_set(tmp_path / "kitti") / missing
    path.unlink()
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("kitti", tmp_path / "kitti", tmp_path / "out"))
    assert f"{path}: there is no such" in str(caught.value)
    assert convert(ConvertJob("kitti", tmp_path / "kitti", tmp_path / "out", skip_bad=True)).pictures == 1


@pytest.mark.parametrize(
    ("file", "size", "message"),
    [
        ("image_2/000001.png", 500, "000001.png: the picture cannot be read"),
        ("velodyne/000001.bin", 1001, "000001.bin: 1001 bytes are no whole number"),
        ("calib/000001.txt", 700, "is missing"),
        ("calib/000001.txt", 80, "'P2' has"),
    ],
)
def test_files_cut_short_are_faults(tmp_path: Path, file: str, size: int, message: str) -> None:
    path = write_set(tmp_path / "kitti") / file
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("kitti", tmp_path / "kitti", tmp_path / "out"))
    assert message in str(caught.value)
    assert caught.value.problem.endswith("1 fault")


def test_a_missing_sensor_is_refused_at_once(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "kitti")
    (folder / "velodyne").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="not KITTI object") as caught:
        convert(ConvertJob("kitti", tmp_path / "kitti", tmp_path / "out"))
    assert "training/velodyne" in caught.value.cause
    assert "data_object_velodyne.zip" in caught.value.remedy


def test_a_picture_without_points_is_left_out_and_counted(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "kitti")
    (folder / "velodyne" / "000001.bin").write_bytes(b"")
    outcome = convert(ConvertJob("kitti", tmp_path / "kitti", tmp_path / "out"))
    assert (outcome.pictures, outcome.skipped) == (1, {"no depth is known in it": 1})


@pytest.mark.skipif(not KITTI.is_dir(), reason="the real scene is not here")
def test_lidar_agrees_with_a_real_picture(tmp_path: Path) -> None:
    convert(ConvertJob("kitti", KITTI, tmp_path, ConvertOptions(points=100_000)))
    frame = load_manifest(tmp_path / "manifest.jsonl", decode=True).frames[0]
    assert frame.labels is not None
    pixels, depth_z = frame.labels.read(frame.camera)

    def depths(*rectangle: float) -> Array:
        found = depth_z[inside(pixels, *rectangle)]
        assert len(found) > 20
        return found

    # Outlined by eye: a letter box and a pedestrian's shirt, and what is beside them, a few pixels apart.
    assert np.abs(depths(1003, 298, 1063, 338) - 5.35).max() < 0.2
    assert depths(960, 298, 994, 338).min() > 6.5
    assert np.abs(depths(749, 185, 764, 228) - 8.28).max() < 0.2
    assert depths(718, 185, 738, 222).min() > 14
    assert depths(772, 180, 785, 206).min() > 12
