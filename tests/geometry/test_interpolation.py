"""Bilinear interpolation, against hand-computed values and SciPy."""

import numpy as np
from scipy.ndimage import map_coordinates

from toolkit.geometry.interpolation import bilinear

GRID = np.array([[0.0, 1.0, 4.0], [10.0, 21.0, 34.0]])


def test_values_by_hand() -> None:
    places = [[0, 0], [2, 1], [0.5, 0], [0, 0.25], [1.5, 0.5]]
    np.testing.assert_allclose(bilinear(GRID, places), [0, 34, 0.5, 2.5, (1 + 4 + 21 + 34) / 4])


def test_outside_the_nearest_place_counts() -> None:
    np.testing.assert_allclose(bilinear(GRID, [[-3, -1], [9, 9], [-1, 0.5]]), [0, 34, 5])


def test_any_shape_of_places_as_in_scipy() -> None:
    rng = np.random.default_rng(0)
    grid, places = rng.normal(size=(7, 5)), rng.uniform(0, 4, (3, 4, 2))
    expected = map_coordinates(grid, np.moveaxis(places, -1, 0)[::-1], order=1)
    np.testing.assert_allclose(bilinear(grid, places), expected, atol=1e-12)


def test_a_grid_of_one_value() -> None:
    np.testing.assert_array_equal(bilinear(np.array([[3.0]]), [[0, 0], [5, -2]]), [3, 3])
