"""Tests of ``toolkit.geometry.camera``: against OpenCV, against turned pictures, and by hand."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps

from tests.support.cameras import BARREL, CAMERAS, PLAIN
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera, turn_pixels
from toolkit.utils.arrays import Array

coordinates = arrays(np.float64, (7, 2), elements=st.floats(0, 1))
depths = arrays(np.float64, 7, elements=st.floats(0.05, 200))


@pytest.mark.parametrize("camera", CAMERAS)
def test_project_is_opencvs(camera: Camera) -> None:
    xyz = np.random.default_rng(0).uniform((-1, -0.8, 1.5), (1, 0.8, 4), (200, 3))
    expected, _ = cv2.projectPoints(
        xyz, np.zeros(3), np.zeros(3), camera.matrix, np.array(camera.distortion or [0.0] * 5)
    )
    np.testing.assert_allclose(camera.project(xyz), expected[:, 0], atol=1e-9)


@pytest.mark.parametrize("camera", CAMERAS)
def test_rays_are_opencvs(camera: Camera) -> None:
    pixels = np.random.default_rng(0).uniform((0, 0), (639, 479), (200, 2))
    rays = camera.rays(pixels)
    distortion = np.array(camera.distortion or [0.0] * 5)
    back, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), camera.matrix, distortion)
    np.testing.assert_allclose(back[:, 0], pixels, atol=1e-6)
    np.testing.assert_array_equal(rays[:, 2], 1)


@pytest.mark.parametrize("camera", CAMERAS)
@given(share=coordinates, depth_z=depths)
def test_unproject_then_project_is_the_identity(camera: Camera, share: Array, depth_z: Array) -> None:
    pixels = share * (camera.width, camera.height) - 0.5
    xyz = camera.unproject(pixels, depth_z)
    np.testing.assert_allclose(xyz[:, 2], depth_z, rtol=1e-12)
    np.testing.assert_allclose(camera.project(xyz), pixels, atol=1e-5)


@pytest.mark.parametrize("camera", CAMERAS)
@given(share=coordinates, depth_z=depths)
def test_project_then_unproject_is_the_identity(camera: Camera, share: Array, depth_z: Array) -> None:
    xyz = np.column_stack([(share - 0.5) * (1.0, 0.7) * depth_z[:, None], depth_z])
    np.testing.assert_allclose(camera.unproject(camera.project(xyz), depth_z), xyz, rtol=1e-6, atol=1e-6)


def test_shapes_of_any_rank_pass_through() -> None:
    for camera in CAMERAS:
        assert camera.rays([3.0, 4.0]).shape == (3,)
        assert camera.project([0.1, 0.2, 3.0]).shape == (2,)
        assert camera.rays(np.zeros((2, 5, 2))).shape == (2, 5, 3)
        assert camera.rays(np.zeros((0, 2))).shape == (0, 3)
        assert camera.project(np.zeros((0, 3))).shape == (0, 2)


def test_what_lies_behind_the_camera_has_no_pixel() -> None:
    for camera in CAMERAS:
        assert np.all(np.isnan(camera.project([[0.1, 0.1, -2.0], [0.1, 0.1, 0.0], [np.nan] * 3])))


def test_a_distortion_that_folds_back_gives_nan_and_not_a_second_place() -> None:
    # r (1 - r^2 / 3) grows up to r = 1 only, where it is 2 / 3: there is no ray beyond 2 / 3 of a focal length.
    camera = Camera(300.0, 300.0, 319.5, 239.5, 640, 480, (-1 / 3, 0.0, 0.0, 0.0, 0.0))
    assert np.all(np.isnan(camera.project([[1.1, 0.0, 1.0], [-0.9, 0.9, 1.0]])))
    np.testing.assert_allclose(camera.project([0.9, 0.0, 1.0]), [319.5 + 300 * 0.9 * (1 - 0.27), 239.5])
    rays = camera.rays([[319.5 + 190, 239.5], [319.5 + 210, 239.5], [0.0, 0.0]])
    assert np.isfinite(rays[0]).all() and 0.8 < rays[0, 0] < 1
    assert np.isnan(rays[1:, :2]).all()


def test_z_and_distance_by_hand() -> None:
    camera = Camera(100.0, 100.0, 50.0, 50.0, 400, 300)
    # u - cx = 300 and v - cy = 0: the ray is (3, 0, 1); u - cx = 100, v - cy = 200: (1, 2, 1).
    pixels = [[350.0, 50.0], [150.0, 250.0], [50.0, 50.0]]
    np.testing.assert_allclose(camera.distance_from_z(pixels, [2.0, 2.0, 2.0]), [2 * 10**0.5, 2 * 6**0.5, 2.0])
    np.testing.assert_allclose(camera.z_from_distance(pixels, [2 * 10**0.5, 2 * 6**0.5, 2.0]), [2.0, 2.0, 2.0])


@pytest.mark.parametrize("camera", CAMERAS)
@given(share=coordinates, depth_z=depths)
def test_distance_is_the_norm_of_the_point(camera: Camera, share: Array, depth_z: Array) -> None:
    pixels = share * (camera.width, camera.height) - 0.5
    distance = camera.distance_from_z(pixels, depth_z)
    np.testing.assert_allclose(distance, np.linalg.norm(camera.unproject(pixels, depth_z), axis=-1), rtol=1e-12)
    np.testing.assert_allclose(camera.z_from_distance(pixels, distance), depth_z, rtol=1e-12)


def test_a_resized_camera_keeps_the_corner_of_the_picture() -> None:
    half = Camera(100.0, 100.0, 49.5, 39.5, 100, 80).resized(50, 40)
    assert half.intrinsics == [50.0, 50.0, 24.5, 19.5, 50, 40]
    for camera in CAMERAS:
        sized = camera.resized(960, 240)
        pixels = np.array([[-0.5, -0.5], [0.0, 0.0], [100.25, 200.5], [639.5, 479.5]])
        moved = (pixels + 0.5) * (1.5, 0.5) - 0.5
        np.testing.assert_allclose(sized.rays(moved), camera.rays(pixels), atol=1e-9)
        np.testing.assert_array_equal(moved[[0, 3]], [[-0.5, -0.5], [959.5, 239.5]])


def test_a_window_shifts_the_principal_point() -> None:
    for camera in CAMERAS:
        window = camera.window(30, -12, 100, 90)
        assert (window.cx, window.cy, window.width, window.height) == (camera.cx - 30, camera.cy + 12, 100, 90)
        np.testing.assert_allclose(window.rays([5.0, 40.0]), camera.rays([35.0, 28.0]))


def test_contains_reaches_half_a_pixel_beyond_the_centres() -> None:
    camera = Camera(10.0, 10.0, 1.0, 1.0, 4, 3)
    pixels = [[-0.5, 0], [-0.51, 0], [3.5, 2.5], [3.51, 0], [0, 2.51], [0, -0.51], [np.nan, 1]]
    assert camera.contains(pixels).tolist() == [True, False, True, False, False, False, False]
    assert camera.contains([[0.5, 0.5], [0.4, 1.0], [2.6, 1.0]], margin=1).tolist() == [True, False, False]


def test_fields_of_view_by_hand() -> None:
    camera = Camera.from_fov(200, 100, 90.0)
    assert camera.intrinsics == pytest.approx([100, 100, 99.5, 49.5, 200, 100])
    assert camera.fov == pytest.approx((90.0, 2 * np.degrees(np.arctan(0.5))))
    assert Camera.from_focal(200, 100, 77.0).intrinsics == [77.0, 77.0, 99.5, 49.5, 200, 100]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turn_moves_pixels_as_pillow_moves_them(orientation: int) -> None:
    for u, v in [(1, 2), (6, 0), (0, 4), (3, 3)]:
        stored = np.zeros((5, 7), np.uint8)
        stored[v, u] = 255
        image = Image.fromarray(stored)
        image.getexif()[274] = orientation
        upright = np.asarray(ImageOps.exif_transpose(image))
        turned = turn_pixels([u, v], (7, 5), orientation)
        assert np.argwhere(upright)[0][::-1].tolist() == turned.tolist()
        camera = Camera(10.0, 12.0, u, v, 7, 5).turned(orientation)
        assert (camera.height, camera.width) == upright.shape
        assert [camera.cx, camera.cy] == turned.tolist()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("camera", CAMERAS)
def test_a_turned_camera_sees_the_turned_points_at_the_turned_pixels(camera: Camera, orientation: int) -> None:
    """Holds for mirroring turns too: the scene is mirrored with the picture."""
    turned = camera.turned(orientation)
    xyz = np.random.default_rng(0).uniform((-1, -0.8, 2), (1, 0.8, 4), (50, 3))
    upright_from_stored = turn_pixels(np.eye(2), (1, 1), orientation).T  # about pixel (0, 0), a matrix
    moved = np.column_stack([xyz[:, :2] @ upright_from_stored.T, xyz[:, 2]])
    expected = turn_pixels(camera.project(xyz), (camera.width, camera.height), orientation)
    np.testing.assert_allclose(turned.project(moved), expected, atol=1e-9)
    assert json.loads(json.dumps(turned.intrinsics)) == turned.intrinsics


def test_four_quarter_turns_are_none() -> None:
    camera = BARREL
    for _ in range(4):
        camera = camera.turned(6)
    assert camera.intrinsics == pytest.approx(BARREL.intrinsics)
    assert camera.distortion == pytest.approx(BARREL.distortion)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([500, 500, 320, 240, 640], "not six finite"),
        ([500, 500, 320, 240, 640, 480, 1], "not six finite"),
        ([500, float("nan"), 320, 240, 640, 480], "not six finite"),
        ([float("inf"), 500, 320, 240, 640, 480], "not six finite"),
        ([-500, 500, 320, 240, 640, 480], "not positive"),
        ([500, 500, 320, 240, 640, 0], "not positive"),
        ([500, 500, 320, 240, 640.5, 480], "not whole"),
        ([500, 500, 240, 900, 640, 480], "outside the 640 x 480"),
        ([500, 500, -1, 240, 640, 480], "outside the 640 x 480"),
        ([640, 480, 500, 500, 320, 240], "outside the 320 x 240"),
    ],
)
def test_impossible_intrinsics_are_refused(values: list[float], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        Camera.from_intrinsics(values)
    assert "[fx, fy, cx, cy, width, height]" in caught.value.remedy


@pytest.mark.parametrize("distortion", [[0.1], [0.1] * 4, [0.1] * 6, [0.1, 0, 0, 0, float("nan")]])
def test_impossible_distortion_is_refused(distortion: list[float]) -> None:
    with pytest.raises(UserError, match="not five finite numbers") as caught:
        Camera.from_intrinsics(PLAIN.intrinsics, distortion)
    assert "[k1, k2, p1, p2, k3]" in caught.value.remedy


def test_sound_intrinsics_round_trip() -> None:
    assert Camera.from_intrinsics(PLAIN.intrinsics) == PLAIN
    assert Camera.from_intrinsics(BARREL.intrinsics, BARREL.distortion) == BARREL
    assert Camera.from_intrinsics(PLAIN.intrinsics, [0, 0, 0, 0, 0]) == PLAIN
    np.testing.assert_array_equal(PLAIN.matrix, [[500, 0, 321.5], [0, 520, 238.25], [0, 0, 1]])


@pytest.mark.parametrize("camera", CAMERAS)
@given(share=coordinates, depth_z=depths, width=st.integers(1, 5000), height=st.integers(1, 5000))
def test_a_resized_camera_sees_everything_at_the_resized_pixel(
    camera: Camera, share: Array, depth_z: Array, width: int, height: int
) -> None:
    pixels = share * (camera.width, camera.height) - 0.5
    xyz = camera.unproject(pixels, depth_z)
    expected = share * (width, height) - 0.5
    np.testing.assert_allclose(camera.resized(width, height).project(xyz), expected, atol=1e-4)
