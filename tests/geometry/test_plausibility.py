"""Which cameras are implausible, and what their numbers most likely mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.geometry.camera import Camera
from toolkit.geometry.plausibility import CameraSource, doubts, is_possible, likely_intrinsics, likely_meaning

USUAL = Camera(1000, 1000, 639.5, 479.5, 1280, 960)


def test_a_usual_camera_is_not_doubted() -> None:
    assert doubts(USUAL, CameraSource.INTRINSICS) == ()
    assert likely_meaning(USUAL, CameraSource.INTRINSICS) == ""
    assert is_possible(USUAL)


@pytest.mark.parametrize(
    ("focal", "source", "meaning"),
    [
        # The diagonal is 1600 px, so 28 mm are 1600 * 28 / 43.27 = 1035 px.
        (28, "--focal", "28 may be the 35 mm-equivalent focal length in millimetres, which is 1035 px"),
        (28, "EXIF FocalLengthIn35mmFilm", "the tags may be wrong"),
        (5.7, "--focal", "5.7 may be the lens's own focal length in millimetres"),
        (90000, "--focal", "in pixels of this very picture"),
        (1e-6, "--focal", "in pixels of this very picture"),
    ],
)
def test_what_a_focal_length_most_likely_means(focal: float, source: str, meaning: str) -> None:
    camera = Camera.from_focal(1280, 960, focal)
    assert meaning in likely_meaning(camera, source)
    assert any(meaning in doubt for doubt in doubts(camera, source))


def test_what_an_angle_most_likely_means() -> None:
    assert "1.2 may be radians, which is 69 degrees" in likely_meaning(
        Camera.from_fov(1280, 960, 1.2), CameraSource.FOV
    )
    assert "the whole angle" in likely_meaning(Camera.from_fov(1280, 960, 5), CameraSource.FOV)


@given(st.floats(0.05, 20), st.integers(100, 5000), st.integers(100, 5000), st.floats(20, 110))
def test_intrinsics_of_a_resized_picture_are_scaled_to_it(scale: float, width: int, height: int, fov: float) -> None:
    true = Camera.from_fov(width, height, fov)
    given_ones = Camera(
        true.fx * scale, true.fy * scale, (true.cx + 0.5) * scale - 0.5, (true.cy + 0.5) * scale - 0.5, width, height
    )
    passed = likely_intrinsics(given_ones).partition("--intrinsics ")[2]
    assert [float(value) for value in passed.split(",")] == pytest.approx(true.intrinsics[:4], rel=1e-4)


@pytest.mark.parametrize(
    ("cx", "cy", "doubt"),
    [
        (319.5, 239.5, "a picture of about 640 x 480 px; then pass --intrinsics 2000,2000,639.5,479.5"),
        (200, 479.5, "that is so if it was cut from a larger one"),
        (700, 400, ""),
        (-0.5, 1, "that is so if it was cut from a larger one"),
    ],
)
def test_a_principal_point_far_from_the_middle(cx: float, cy: float, doubt: str) -> None:
    said = doubts(Camera(1000, 1000, cx, cy, 1280, 960), CameraSource.FILE)
    assert len(said) == bool(doubt)
    assert doubt in "".join(said)


@pytest.mark.parametrize(
    ("distortion", "doubted"),
    [
        ((-0.28, 0.07, 0, 0, 0), False),  # an ordinary wide lens
        ((0.1, -0.2, 0.001, 0.001, 0.05), False),
        ((0.1, 0, 8.0, -8.0, 0), True),  # k3 where p1 is expected, and the like
        ((-9.0, 0, 0, 0, 0), True),
    ],
)
def test_distortion_that_leaves_little_of_the_picture(distortion: tuple[float, ...], doubted: bool) -> None:
    camera = Camera(1000, 1000, 639.5, 479.5, 1280, 960, distortion)
    assert any("the distortion" in doubt for doubt in doubts(camera, CameraSource.FILE)) is doubted


def test_what_no_camera_has() -> None:
    assert not is_possible(Camera.from_fov(1280, 960, 0.1))
    assert not is_possible(Camera.from_fov(1280, 960, 175))
