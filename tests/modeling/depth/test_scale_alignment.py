"""Fits to the truth find what was hidden, and do no harm where nothing can be found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.modeling.depth.scale_alignment import fit_least_squares, fit_medians, fit_ratio_of_medians

DEPTHS = np.random.default_rng(0).uniform(0.5, 20, 200)


@pytest.mark.parametrize("fit", [fit_least_squares, fit_medians])
@given(scale=st.floats(0.01, 100), shift=st.floats(-5, 5))
def test_a_hidden_line_is_found(fit, scale: float, shift: float) -> None:
    values = scale / DEPTHS + shift
    np.testing.assert_allclose(fit(values, DEPTHS)(values), DEPTHS, rtol=1e-6)


def test_least_squares_is_what_it_says() -> None:
    values = 1 / DEPTHS + np.random.default_rng(1).normal(0, 0.05, 200)
    design = np.stack([values, np.ones(200)], axis=-1)
    scale, shift = np.linalg.lstsq(design, 1 / DEPTHS, rcond=None)[0]
    fit = fit_least_squares(values, DEPTHS)
    assert (fit.scale, fit.shift) == pytest.approx((scale, shift))


def test_medians_by_hand() -> None:
    fit = fit_medians(np.array([1.0, 2.0, 6.0]), 1 / np.array([0.1, 0.4, 0.7]))
    # Medians 2 and 0.4, mean deviations 5/3 and 0.2.
    assert (fit.scale, fit.shift) == pytest.approx((0.12, 0.16))


def test_medians_bear_outliers_better() -> None:
    values = 1 / DEPTHS
    labels = DEPTHS.copy()
    labels[:10] = 0.02
    errors = [np.median(np.abs(fit(values, labels)(values) / DEPTHS - 1)) for fit in (fit_medians, fit_least_squares)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("fit", [fit_least_squares, fit_medians])
def test_nothing_is_farther_than_the_farthest_label(fit) -> None:
    aligned = fit(1 / DEPTHS, DEPTHS)
    assert aligned(np.array([-3.0, 0.0])) == pytest.approx(DEPTHS.max())


@pytest.mark.parametrize("fit", [fit_least_squares, fit_medians])
def test_a_map_that_says_nothing_becomes_one_depth(fit) -> None:
    aligned = fit(np.full(200, 7.0), DEPTHS)(np.array([7.0, 7.0]))
    assert aligned[0] == aligned[1] and DEPTHS.min() < aligned[0] < DEPTHS.max()


def test_depths_are_scaled_by_the_ratio_of_medians() -> None:
    assert fit_ratio_of_medians(np.array([1.0, 2.0, 9.0]), np.array([3.0, 5.0, 6.0])).factor == 2.5
