"""Resampling: enlarging against exact interpolation, exact areas, and windows beside the picture."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from toolkit.geometry import resample as resampling
from toolkit.geometry.camera import Camera
from toolkit.geometry.canonical import Canonicalisation, Canvas, Crop
from toolkit.geometry.resample import PADDING, coverage, resample, to_canonical
from toolkit.utils.arrays import Array, Pixels


def rng(seed: int = 0) -> np.random.Generator:
    """A generator that always draws the same."""
    return np.random.default_rng(seed)


def _interpolated(picture: Pixels, source: Camera, target: Camera) -> Array:
    """The picture (H, W, 3) of ``target`` in floating-point numbers: bilinear, with the border repeated."""
    fine = resampling._source_pixels(source, target, np.arange(target.height), 1, 1)
    places = [fine[..., 1], fine[..., 0]]
    channels = [map_coordinates(picture[..., k].astype(float), places, order=1, mode="nearest") for k in range(3)]
    return np.stack(channels, axis=-1)


@pytest.mark.parametrize("focal", [430.0, 520.0, 900.0])
@pytest.mark.parametrize("crop", [None, Crop((150, 200), (120, 160))])
def test_enlarging_interpolates_exactly(focal: float, crop: Crop | None) -> None:
    camera = Camera(400.0, 390.0, 118.0, 93.0, 230, 200)
    picture = rng().integers(0, 256, (25, 29, 3), dtype=np.uint8)
    picture = cv2.resize(picture, (230, 200), interpolation=cv2.INTER_CUBIC)
    target = Canonicalisation(focal=focal, canvas=Canvas(28), crop=crop).window(camera, rng())
    pixels, mask = resample(picture, camera, target), coverage(camera, target)
    error = (pixels - _interpolated(picture, camera, target))[mask]
    assert np.abs(error).max() < 0.7  # rounding alone makes 0.5
    assert np.abs(error).mean() < 0.26  # rounding alone makes 0.25
    assert abs(error.mean()) < 0.01
    assert (pixels[~mask] == PADDING).all()


def _mean_areas(values: Array, length: int) -> Array:
    """The means over ``length`` equal parts of the first axis: differences of the integral, linear within a pixel."""
    total = np.concatenate([np.zeros_like(values[:1]), values.cumsum(axis=0)])
    ends = np.linspace(0, len(values), length + 1)
    low = np.minimum(ends.astype(int), len(values) - 1)
    share = (ends - low).reshape(-1, *[1] * (values.ndim - 1))
    integral = total[low] * (1 - share) + total[low + 1] * share
    return np.diff(integral, axis=0) * length / len(values)


@pytest.mark.parametrize(("sx", "sy"), [(0.5, 0.5), (0.25, 0.5), (0.4, 0.3)])
def test_shrinking_averages_areas(sx: float, sy: float) -> None:
    camera = Camera(400.0, 400.0, 99.5, 79.5, 200, 160)
    picture = rng().integers(0, 256, (160, 200, 3), dtype=np.uint8)
    target = Camera(400 * sx, 400 * sy, 100 * sx - 0.5, 80 * sy - 0.5, round(200 * sx), round(160 * sy))
    pixels = resample(picture, camera, target)
    areas = _mean_areas(_mean_areas(picture.astype(float), target.height).swapaxes(0, 1), target.width).swapaxes(0, 1)
    assert np.abs(pixels - areas).max() <= 0.51


def test_a_window_between_pixels_is_warped() -> None:
    camera = Camera(400.0, 400.0, 99.5, 79.5, 200, 160)
    picture = rng().integers(0, 256, (160, 200, 3), dtype=np.uint8)
    target = Camera(400.0, 400.0, 99.25, 79.5, 200, 160)
    assert resampling._resized_window(picture, camera, target) is None
    pixels, mask = resample(picture, camera, target), coverage(camera, target)
    np.testing.assert_array_equal(pixels[mask], resampling._warp(picture, camera, target, (1, 1))[mask])


LENS = (-0.25, 0.07, 0.001, -0.0007, 0.01)


@pytest.mark.parametrize(("fx", "focal"), [(300.0, 430.0), (500.0, 430.0), (300.0, 200.0), (900.0, 430.0)])
@pytest.mark.parametrize("crop", [None, Crop((60, 100), (50, 90))], ids=["whole", "window"])
def test_a_kept_map_through_a_lens_changes_nothing(fx: float, focal: float, crop: Crop | None) -> None:
    camera = Camera(fx, fx * 1.02, 118.0, 93.0, 230, 200, LENS)
    picture = rng().integers(0, 256, (200, 230, 3), dtype=np.uint8)
    target = Canonicalisation(focal=focal, canvas=Canvas(14), crop=crop).window(camera, rng(3))
    mask = coverage(camera, target)
    plain = resampling._warp(picture, camera, target, resampling._samples(camera, target))
    for _ in range(2):
        pixels = resample(picture, camera, target)
        np.testing.assert_array_equal(pixels[mask], plain[mask])
        assert (pixels[~mask] == PADDING).all()


def test_one_map_serves_all_windows_of_a_camera() -> None:
    camera = Camera(300.0, 310.0, 118.0, 93.0, 230, 200, LENS)
    canonical = Canonicalisation(focal=430.0, canvas=Canvas(14), crop=Crop((300, 400), (50, 390)))
    resampling._make_lens_map.cache_clear()
    for seed in range(8):
        target = canonical.window(camera, rng(seed))
        resample(np.zeros((200, 230, 3), np.uint8), camera, target)
    assert resampling._make_lens_map.cache_info().misses == 1


def test_the_map_of_a_large_picture_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "_LENS_MAP_PIXELS", 1000)
    camera = Camera(300.0, 310.0, 118.0, 93.0, 230, 200, LENS)
    target = Canonicalisation(focal=430.0).window(camera, None)
    assert resampling._lens_map(camera, target, (1, 1)) is None
    assert resample(np.zeros((200, 230, 3), np.uint8), camera, target).shape == (target.height, target.width, 3)


@pytest.mark.parametrize("shift", [(-400, 0), (400, 0), (0, -300), (0, 300), (-20, 30)])
def test_windows_beside_the_picture_are_padding(shift: tuple[int, int]) -> None:
    camera = Camera(400.0, 400.0, 99.5, 79.5, 200, 160)
    picture = rng().integers(0, 100, (160, 200, 3), dtype=np.uint8)
    target = camera.window(*shift, 120, 90)
    pixels, mask = resample(picture, camera, target), coverage(camera, target)
    assert pixels.shape == (90, 120, 3)
    assert (pixels[~mask] == PADDING).all()
    left, top = shift
    for v, u in np.argwhere(mask)[::97]:
        np.testing.assert_array_equal(pixels[v, u], picture[v + top, u + left])


@settings(max_examples=40)
@given(
    fx=st.floats(60, 400),
    fy=st.floats(60, 400),
    centre=st.tuples(st.floats(40, 160), st.floats(40, 110)),
    bend=st.sampled_from([(), (-0.05, 0.0, 0.0, 0.0, 0.0)]),
)
def test_every_pixel_shows_what_its_camera_says(
    fx: float, fy: float, centre: tuple[float, float], bend: tuple[float, ...]
) -> None:
    # The colours of the picture are its coordinates, which linear interpolation and means over areas keep.
    camera = Camera(fx, fy, *centre, 200, 150, bend)
    rows, columns = np.indices((150, 200))
    picture = np.stack([columns, rows, np.zeros_like(rows)], axis=-1).astype(np.uint8)
    target = Canonicalisation(focal=150, canvas=Canvas(28)).window(camera, None)
    canonical = resample(picture, camera, target)

    principal = np.array([[camera.cx, camera.cy]])
    np.testing.assert_allclose(to_canonical(camera, target, principal), [[target.cx, target.cy]], atol=1e-6)
    places = np.random.default_rng(0).uniform(10, (190, 140), (50, 2))
    moved = to_canonical(camera, target, places)
    moved = np.round(moved[np.isfinite(moved).all(axis=1)]).astype(int)
    shown = moved[((moved >= 4) & (moved < np.array([target.width, target.height]) - 4)).all(axis=1)]
    true = camera.project(target.rays(shown))
    inside = camera.contains(true, margin=8)
    error = canonical[shown[inside, 1], shown[inside, 0], :2] - true[inside]
    assert np.abs(error).max(initial=0) < 1.0
