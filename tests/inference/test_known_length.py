"""The scale that known lengths give, and how often the intervals hold the truth that follow from it."""

import math

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.inference.known_length import (
    NORMAL_TAIL,
    Interval,
    MeasuredLength,
    Rescaling,
    Scale,
    product_interval,
    scale_from,
)
from toolkit.modeling.confidence.uncertainty import COVERAGE
from toolkit.qa.parsing.answer import Motion

SCENES = 1500
EXACT = (1.0, 1.0)


def measured(length: float, answered: float | None, width: float | None = 1.1, points: str = "blue") -> MeasuredLength:
    """A known length whose answer lies in the middle of an interval that reaches by this factor to either side."""
    known = answered is not None and width is not None
    interval = (answered / width, answered * width) if known else None  # type: ignore[operator]
    return MeasuredLength(tuple(points.split()), length, answered, interval, "metric_depth")


def test_the_factor_of_one_length_has_the_interval_of_its_answer() -> None:
    scale = scale_from([MeasuredLength(("blue",), 2.4, 2.0, (1.6, 3.0), "metric_depth")])
    assert (scale.factor, scale.low, scale.high) == pytest.approx((1.2, 0.8, 1.5))
    assert "blue is 2.4 m, the model says 2 m" in scale.origin
    assert scale.warnings == ()


@pytest.mark.parametrize(
    ("factor", "low", "high"), [(0.0, None, None), (math.nan, None, None), (1.0, 1.1, 1.2), (1.0, 0.9, math.inf)]
)
def test_a_factor_that_cannot_be_is_refused(factor: float, low: float | None, high: float | None) -> None:
    with pytest.raises(UserError, match="a scale cannot have the factor"):
        Scale(factor, low, high, "given")


def test_several_lengths_give_their_median() -> None:
    scale = scale_from([measured(2.0, 2.0), measured(2.2, 2.0), measured(3.0, 2.0)])
    assert scale.factor == pytest.approx(1.1)
    assert scale.low is not None and scale.high is not None
    scatter = math.sqrt((math.log(1.1) ** 2 + math.log(1.5 / 1.1) ** 2) / 2)
    assert math.log(scale.high / 1.1) == pytest.approx(NORMAL_TAIL * scatter * math.sqrt(math.pi / 6))
    assert "the median of 3 known lengths" in scale.origin


def test_without_an_interval_of_the_answer_the_factor_has_none() -> None:
    scale = scale_from([measured(2.4, 2.0, None)])
    assert (scale.factor, scale.low, scale.high) == (pytest.approx(1.2), None, None)
    assert Rescaling(scale, 1.0, EXACT).interval(2.0, (1.8, 2.2)) is None


def test_answers_that_cannot_be_read_are_left_out_and_told() -> None:
    scale = scale_from([measured(2.4, 2.0), measured(1.0, None, points="red green"), measured(1.0, 0.0)])
    assert scale.factor == pytest.approx(1.2)
    (warning,) = scale.warnings
    assert "2 of 3 known lengths are not used" in warning
    assert "red to green is 1 m, the model says cannot be read" in warning
    with pytest.raises(UserError, match="the known length gives no scale"):
        scale_from([measured(1.0, None)])


@pytest.mark.parametrize(("factor", "warned"), [(0.3, True), (0.34, False), (2.9, False), (3.1, True)])
def test_unusual_factors_are_warned_about(factor: float, warned: bool) -> None:
    assert any("unusual" in line for line in scale_from([measured(factor, 1.0)]).warnings) == warned


@pytest.mark.parametrize(("second", "warned"), [(1.9, False), (2.1, True)])
def test_contradicting_lengths_are_warned_about(second: float, warned: bool) -> None:
    scale = scale_from([measured(1.0, 1.0), measured(second, 1.0)])
    assert any("contradict" in line for line in scale.warnings) == warned


@pytest.mark.parametrize(
    ("power", "value", "expected"),
    [
        (1.0, 2.0, 3.0),
        (2.0, 2.0, 4.5),
        (-1.0, 3.0, 2.0),
        (0.0, 2.0, 2.0),
        (None, 2.0, 2.0),
        (0.0, "red", "red"),
        (1.0, -2.0, -3.0),
        (1.0, Motion(1.0, 30.0, (1.0, 0.0, 0.0)), Motion(1.5, 30.0, (1.0, 0.0, 0.0))),
    ],
)
def test_values_grow_with_their_power_of_lengths(power: float | None, value: object, expected: object) -> None:
    changed = Rescaling(Scale(1.5, 1.4, 1.6, "given"), power, EXACT).value(value)
    assert changed == (pytest.approx(expected) if isinstance(expected, float) else expected)


def test_the_interval_of_a_product_adds_widths_in_quadrature() -> None:
    low, high = product_interval(2.0, (1.0, 4.0), (1.5, 3.0, 6.0))
    assert (low, high) == pytest.approx((6 * 2 ** -math.sqrt(2), 6 * 2 ** math.sqrt(2)))
    assert product_interval(-2.0, (-4.0, -1.0), (1.5, 3.0, 6.0)) == pytest.approx((-high, -low))
    assert product_interval(0.1, (-0.1, 0.2), (1.5, 3.0, 6.0)) == pytest.approx((-0.6, 1.2))
    assert product_interval(2.0, (1.0, 4.0), (1.0, 1.0, 1.0)) == pytest.approx((1.0, 4.0))


def test_the_interval_of_an_inverse_length_turns_round() -> None:
    inverse = Rescaling(Scale(2.0, 1.0, 8.0, "given"), -1.0, EXACT).interval(1.0, (1.0, 1.0))
    assert inverse == pytest.approx((1 / 8, 1.0))


def test_the_doubt_about_the_camera_cancels_between_distances_alone() -> None:
    distance = scale_from([measured(2.0, 2.0)])
    length = scale_from([measured(2.0, 2.0), measured(2.0, 2.0, points="red green")])
    doubt = (0.5, 1.4)
    assert distance.left_of_camera(doubt, from_camera=True) == (1.0, 1.0)
    assert distance.left_of_camera(doubt, from_camera=False) == pytest.approx((1 / 1.4, 2.0))
    assert length.left_of_camera(doubt, from_camera=True) == pytest.approx((0.5, 1.4))
    assert length.left_of_camera(doubt, from_camera=False) == pytest.approx((0.5, 2.0))
    assert length.left_of_camera(EXACT, from_camera=False) == (1.0, 1.0)


def said(truth: float, error: float, below: float, above: float) -> tuple[float, Interval]:
    """An answer with a standard normal error, and its honest interval; the sides have different standard deviations."""
    answer = truth * math.exp(-error * (below if error > 0 else above))
    return answer, (answer * math.exp(-NORMAL_TAIL * above), answer * math.exp(NORMAL_TAIL * below))


def coverage(known: int, shared: float = 0.0, sides: tuple[float, float] = (0.15, 0.15), scatter: float = 1.0) -> float:
    """How often the interval holds the truth in simulated scenes with a common error of any size.

    Args:
        known: How many lengths are known.
        shared: The correlation between the errors of all answers about a scene, beside the common factor.
        sides: The standard deviations of the logarithm of an answer, below and above the truth.
        scatter: How many times larger the errors of known lengths are than their intervals say.
    """
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(SCENES):
        common = math.exp(rng.uniform(-1, 1))
        errors = math.sqrt(1 - shared) * rng.standard_normal(known + 1) + math.sqrt(shared) * rng.standard_normal()
        asked, interval = said(3.0 * common, errors[0], *sides)
        lengths = []
        for error in errors[1:]:
            answered, own = said(2.0 * common, scatter * error, *sides)
            lengths.append(MeasuredLength(("blue",), 2.0, answered, own, "metric_depth"))
        found = Rescaling(scale_from(lengths), 1.0, EXACT).interval(asked, interval)
        held += found is not None and found[0] <= 3.0 <= found[1]
    return held / SCENES


@pytest.mark.parametrize("known", [1, 2, 3, 8])
def test_intervals_hold_the_truth_as_often_as_they_say(known: int) -> None:
    assert COVERAGE - 0.02 < coverage(known) < COVERAGE + 0.05


def test_intervals_of_different_sides_do_so_too() -> None:
    assert coverage(1, sides=(0.3, 0.1)) == pytest.approx(COVERAGE, abs=0.03)


def test_errors_in_the_same_direction_make_intervals_too_wide_and_not_too_narrow() -> None:
    assert coverage(1, shared=0.5) > COVERAGE + 0.03


def test_known_lengths_that_scatter_widen_the_interval() -> None:
    assert coverage(8, scatter=4.0) > COVERAGE - 0.04
