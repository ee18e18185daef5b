"""Depth maps are read as if they were resized to the picture, and nowhere between pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.modeling.depth.value_map import ValueMap

SIDES = st.integers(1, 12)


def grid(width: int, height: int) -> np.ndarray:
    """All pixels (height * width, 2), row after row."""
    rows, columns = np.indices((height, width))
    return np.stack([columns.ravel(), rows.ravel()], axis=-1).astype(np.float64)


@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 99))
def test_every_pixel_reads_what_a_resized_map_holds(w: int, h: int, width: int, height: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((h, w), dtype=np.float32)
    resized = torch.nn.functional.interpolate(torch.from_numpy(values)[None, None], (height, width), mode="bilinear")
    read = ValueMap(values, (width, height)).read(grid(width, height))
    np.testing.assert_allclose(read.reshape(height, width), resized[0, 0].numpy(), atol=1e-6)


def test_padding_is_left_out() -> None:
    values = np.arange(48, dtype=np.float32).reshape(6, 8)
    padded = np.full((10, 16), -1000, dtype=np.float32)
    padded[1:7, 5:13] = values
    box = (5 / 16, 1 / 10, 13 / 16, 7 / 10)
    pixels = grid(8, 6)
    np.testing.assert_allclose(ValueMap(padded, (8, 6), box).read(pixels), values.ravel(), atol=1e-9)


def test_between_pixels_the_nearest_is_read_and_none_made_up() -> None:
    near_and_far = ValueMap(np.array([[1, 1, 9, 9]], dtype=np.float32), (4, 1))
    at = np.array([[1.0, 0.0], [1.4, 0.2], [1.6, -0.2], [2.0, 0.0]])
    assert near_and_far.read(at).tolist() == [1, 1, 9, 9]


@pytest.mark.parametrize(
    ("pixel", "inside"), [((-0.5, 0), True), ((-0.6, 0), False), ((3.4, 1.4), True), ((3.6, 1), 0)]
)
def test_outside_the_picture_there_is_nothing(pixel: tuple[float, float], inside: bool) -> None:
    assert np.isfinite(ValueMap(np.ones((2, 4), np.float32), (4, 2)).read(np.array([pixel]))) == inside


def test_a_pixel_without_a_place_reads_nothing() -> None:
    assert np.isnan(ValueMap(np.ones((2, 4), np.float32), (4, 2)).read(np.full((1, 2), np.nan)))


def test_inverse_depth_is_interpolated_before_it_is_inverted() -> None:
    made = ValueMap(np.array([[0.5, 0.25]], dtype=np.float32), (4, 1), inverse=True)
    expected = 1 / np.array([0.5, 0.4375, 0.3125, 0.25])
    np.testing.assert_allclose(made.read(grid(4, 1)), expected, rtol=1e-6)


def test_no_inverse_depth_is_infinite_depth() -> None:
    assert ValueMap(np.zeros((1, 1), np.float32), (1, 1), inverse=True).read(np.zeros((1, 2))) == 1e4
