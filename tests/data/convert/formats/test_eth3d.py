"""Tests of the ETH3D converter: a tiny scene in the training set's layout, its lens modelled independently."""

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import fsolve
from scipy.spatial.transform import Rotation

from tests.support.convert_scenes import FORWARD, cast, converted, grey, label_errors, pose
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.convert.readers.thin_prism import ThinPrismCamera
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array

BENT = (64, 48)
PINHOLE = (150.0, 152.0, 31.75, 23.0)
BENDS = (0.21, 0.2, 0.001, -0.0015, -0.16, 0.19, 0.002, -0.001)  # k1, k2, p1, p2, k3, k4, sx1, sy1
FLAT = Camera(148, 148, 33.5, 25.25, 68, 52)
DOWN = np.eye(4)
DOWN[:3, :3] = Rotation.from_euler("x", -12, degrees=True).as_matrix()
EYES = [pose(2.0, 0.5, 2.5, yaw=5) @ FORWARD @ DOWN, pose(3.0, -2.0, 2.2, yaw=-20) @ FORWARD @ DOWN]
NAMES = ("DSC_0286.JPG", "DSC_0287.JPG")


def photographed(x: float, y: float) -> Array:
    """The pixel of a ray (x, y, 1), term by term as COLMAP's documentation has them."""
    k1, k2, p1, p2, k3, k4, sx1, sy1 = BENDS
    r = np.hypot(x, y)
    u, v = (x, y) if r == 0 else (x * np.arctan(r) / r, y * np.arctan(r) / r)
    t2 = u**2 + v**2
    du = u * (k1 * t2 + k2 * t2**2 + k3 * t2**3 + k4 * t2**4) + 2 * p1 * u * v + p2 * (t2 + 2 * u**2) + sx1 * t2
    dv = v * (k1 * t2 + k2 * t2**2 + k3 * t2**3 + k4 * t2**4) + 2 * p2 * u * v + p1 * (t2 + 2 * v**2) + sy1 * t2
    return np.array([PINHOLE[0] * (u + du) + PINHOLE[2], PINHOLE[1] * (v + dv) + PINHOLE[3]])


def rays() -> Array:
    """Rays (N, 3) with z = 1 of the distorted pixels, row by row."""
    found = []
    for row in range(BENT[1]):
        for column in range(BENT[0]):
            target = np.array([column, row])
            guess = (target - PINHOLE[2:]) / PINHOLE[:2]
            found.append([*fsolve(lambda xy, target=target: photographed(*xy) - target, guess, xtol=1e-11), 1.0])
    return np.array(found)


RAYS = rays()


def write_calibration(folder: Path, pictures: str, camera: str) -> None:
    folder.mkdir(parents=True)
    (folder / "cameras.txt").write_text(f"# Camera list\n0 {camera}\n")
    lines = ["# Image list"]
    for number, eye in enumerate(EYES):
        camera_from_world = inverse(eye)
        x, y, z, w = Rotation.from_matrix(camera_from_world[:3, :3]).as_quat()
        numbers = " ".join(f"{value:.12g}" for value in (w, x, y, z, *camera_from_world[:3, 3]))
        lines += [f"{number} {numbers} 0 {pictures}/{NAMES[number]}", "10.5 20.25 -1 30.5 12.0 7"]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")


def write_scene(root: Path, name: str = "courtyard") -> Path:
    """Two photographs of the world, undistorted, and the depth of their distorted originals."""
    scene = root / name
    flat = [FLAT.fx, FLAT.fy, FLAT.cx + 0.5, FLAT.cy + 0.5]
    bent = [PINHOLE[0], PINHOLE[1], PINHOLE[2] + 0.5, PINHOLE[3] + 0.5, *BENDS]
    numbers = " ".join(map(str, flat))
    write_calibration(
        scene / "dslr_calibration_undistorted",
        "dslr_images_undistorted",
        f"PINHOLE {FLAT.width} {FLAT.height} {numbers}",
    )
    numbers = " ".join(map(str, bent))
    write_calibration(
        scene / "dslr_calibration_jpg", "dslr_images", f"THIN_PRISM_FISHEYE {BENT[0]} {BENT[1]} {numbers}"
    )
    folder = scene / "ground_truth_depth" / "dslr_images"
    folder.mkdir(parents=True)
    for file, eye in zip(NAMES, EYES, strict=True):
        grey(scene / "images" / "dslr_images_undistorted" / file, FLAT)
        cast(eye[:3, 3], RAYS @ eye[:3, :3].T).astype("<f4").tofile(folder / file)
    return scene


def test_every_label_is_true_to_a_millimetre(tmp_path: Path) -> None:
    write_scene(tmp_path / "eth3d")
    frames = converted("eth3d", tmp_path / "eth3d", tmp_path / "out", points=1500)
    assert len(frames) == 2
    for frame, eye in zip(frames, EYES, strict=True):
        assert frame.labels is not None
        pixels, depth_z = frame.labels.read(frame.camera)
        assert len(pixels) > 1000
        assert np.isfinite(depth_z).all()
        assert label_errors(frame, eye).max() < 1e-3
        assert frame.camera.intrinsics == pytest.approx(FLAT.intrinsics)
        np.testing.assert_allclose(frame.world_from_camera, eye, atol=1e-8)
        assert (frame.sequence, frame.license) == ("courtyard", "CC BY-NC-SA 4.0")


def test_labels_would_be_wrong_at_the_pixels_of_the_distorted_picture(tmp_path: Path) -> None:
    write_scene(tmp_path / "eth3d")
    frame = converted("eth3d", tmp_path / "eth3d", tmp_path / "out", points=1500)[0]
    assert frame.labels is not None
    pixels, _ = frame.labels.read(frame.camera)
    offsets = np.abs(pixels - np.rint(pixels))
    assert offsets.max() > 0.4  # they lie between the pixels of the undistorted one


def test_the_lens_is_undone_exactly() -> None:
    lens = ThinPrismCamera(PINHOLE, BENDS, BENT)
    rows, columns = np.mgrid[: BENT[1], : BENT[0]]
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(float)
    np.testing.assert_allclose(lens.plane(pixels), RAYS[:, :2], atol=1e-8)
    np.testing.assert_allclose(lens.pixels(RAYS[:, :2]), pixels, atol=1e-7)
    np.testing.assert_allclose(lens.plane(np.array([PINHOLE[2:]])), [[0, 0]])


def test_a_wide_lens_is_undone_up_to_its_corners() -> None:
    # About as the set's lens: nearly rectilinear, so that the terms of its fisheye are large.
    lens = ThinPrismCamera((34.1, 34.0, 30.2, 20.1), (0.21, 0.21, -5e-6, 5e-4, -0.158, 0.19, 1e-4, -2e-4), (60, 40))
    corners = np.array([[0.0, 0.0], [59.0, 0.0], [0.0, 39.0], [59.0, 39.0], [30.0, 0.0]])
    assert np.linalg.norm(lens.plane(corners), axis=1).min() > 0.55
    np.testing.assert_allclose(lens.pixels(lens.plane(corners)), corners, atol=1e-8)


def test_a_lens_that_cannot_be_undone_says_so() -> None:
    lens = ThinPrismCamera((50.0, 50.0, 32.0, 24.0), (-3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), BENT)
    assert np.isnan(lens.plane(np.array([[64.0, 48.0]]))).all()


@pytest.mark.parametrize("part", ["images/dslr_images_undistorted", "ground_truth_depth/dslr_images"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_file_is_a_fault_and_the_other_picture_is_converted(tmp_path: Path, part: str, damage: str) -> None:
    path = write_scene(tmp_path / "eth3d") / part / NAMES[1]
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("eth3d", tmp_path / "eth3d", tmp_path / "out"))
    assert str(path) in str(caught.value)
    assert caught.value.problem.endswith("1 fault")
    assert convert(ConvertJob("eth3d", tmp_path / "eth3d", tmp_path / "out", skip_bad=True)).pictures == 1


def test_a_photograph_in_place_of_a_depth_map_is_told_from_one(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "eth3d")
    photo = scene / "images" / "dslr_images_undistorted" / NAMES[1]
    (scene / "ground_truth_depth" / "dslr_images" / NAMES[1]).write_bytes(photo.read_bytes())
    with pytest.raises(UserErrors, match="not the 12288 of a 64 x 48 depth map"):
        convert(ConvertJob("eth3d", tmp_path / "eth3d", tmp_path / "out"))


@pytest.mark.parametrize(
    ("part", "archive"),
    [
        ("ground_truth_depth", "relief_dslr_depth.7z"),
        ("dslr_calibration_jpg", "relief_dslr_jpg.7z"),
        ("dslr_calibration_undistorted", "relief_dslr_undistorted.7z"),
        ("images", "relief_dslr_undistorted.7z"),
    ],
)
def test_half_a_scene_is_a_fault_that_names_its_archive(tmp_path: Path, part: str, archive: str) -> None:
    write_scene(tmp_path / "eth3d", "courtyard")
    scene = write_scene(tmp_path / "eth3d", "relief")
    (scene / part).rename(tmp_path / "elsewhere")
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("eth3d", tmp_path / "eth3d", tmp_path / "out"))
    assert str(scene) in str(caught.value)
    assert archive in str(caught.value)
    assert convert(ConvertJob("eth3d", tmp_path / "eth3d", tmp_path / "out", skip_bad=True)).pictures == 2


def test_distorted_pictures_alone_are_refused_with_the_reason(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "eth3d")
    (scene / "dslr_calibration_undistorted").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="not ETH3D") as caught:
        convert(ConvertJob("eth3d", tmp_path / "eth3d", tmp_path / "out"))
    assert "the distorted pictures cannot be used" in caught.value.cause
    assert "SCENE_dslr_undistorted.7z" in caught.value.remedy


@pytest.mark.parametrize("folder", ["dslr_calibration_undistorted", "dslr_calibration_jpg"])
def test_a_calibration_that_is_cut_short_is_a_fault(tmp_path: Path, folder: str) -> None:
    path = write_scene(tmp_path / "eth3d") / folder / "images.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("eth3d", tmp_path / "eth3d", tmp_path / "out"))
    assert f"{path}: {NAMES[1]} is missing" in str(caught.value)
    assert convert(ConvertJob("eth3d", tmp_path / "eth3d", tmp_path / "out", skip_bad=True)).pictures == 1


@pytest.mark.parametrize(
    ("replaced", "by", "message"),
    [
        ("THIN_PRISM_FISHEYE", "FOV", "the camera model is FOV"),
        (" -0.001\n", "\n", "11 parameters, not 12"),
        ("0 THIN", "9 THIN", "there is no camera 0"),
    ],
)
def test_a_calibration_that_does_not_fit_is_a_fault(tmp_path: Path, replaced: str, by: str, message: str) -> None:
    path = write_scene(tmp_path / "eth3d") / "dslr_calibration_jpg" / "cameras.txt"
    path.write_text(path.read_text().replace(replaced, by))
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("eth3d", tmp_path / "eth3d", tmp_path / "out"))
    assert message in str(caught.value)
    assert str(path.parent) in str(caught.value)


def test_a_picture_without_depth_is_left_out_and_counted(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "eth3d") / "ground_truth_depth" / "dslr_images" / NAMES[0]
    np.full(BENT[0] * BENT[1], np.inf, dtype="<f4").tofile(path)
    outcome = convert(ConvertJob("eth3d", tmp_path / "eth3d", tmp_path / "out"))
    assert (outcome.pictures, outcome.skipped) == (1, {"no depth is known in it": 1})
