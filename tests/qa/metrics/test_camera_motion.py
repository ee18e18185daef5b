import math
from collections.abc import Sequence
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.qa.metrics import MotionError
from toolkit.qa.parsing.answer import Motion

FORWARD = (0.0, 0.0, 1.0)
RECALLS = tuple(f"{kind}_within_{limit}" for kind in ("rotation", "direction") for limit in (5, 15, 30))
AREAS = ("auc5", "auc10", "auc30")
ANGLES = ("rotation_error", "rotation_error_median", "direction_error", "direction_error_median")


def turned(degrees: float) -> tuple[float, float, float]:
    """Forward, turned to the right by an angle [deg]."""
    return math.sin(math.radians(degrees)), 0.0, math.cos(math.radians(degrees))


def angled(error: float) -> Motion:
    """A motion by 1 m, forward, whose rotation is off by an angle [deg] from none."""
    return Motion(1.0, error, FORWARD)


def summary(truths: Sequence[Motion], answers: Sequence[Motion | None]) -> dict[str, float]:
    return MotionError().summarise([MotionError().score(t, a) for t, a in zip(truths, answers, strict=True)])


def test_a_perfect_motion() -> None:
    motion = Motion(0.5, 12.0, turned(30))
    assert summary([motion], [motion]) == {
        **dict.fromkeys(("delta1", *RECALLS, *AREAS, "answered"), 1.0),
        **dict.fromkeys((*ANGLES, "unparsed", "nonpositive"), 0.0),
        "count": 1.0,
    }


def test_motion_errors_by_hand() -> None:
    score = MotionError().score(Motion(1.0, 12.0, FORWARD), Motion(1.2, 10.0, turned(5.5)))
    assert score["delta1"] == 1.0
    assert score["rotation_error"] == pytest.approx(2.0)
    assert score["direction_error"] == pytest.approx(5.5)
    assert [score[key] for key in RECALLS] == [1.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    # The larger error is 5.5: below the thresholds 6 to 10, and 6 to 30.
    assert [score[key] for key in AREAS] == pytest.approx([0.0, 5 / 10, 25 / 30])


def test_means_and_medians_of_errors() -> None:
    answers = [Motion(1.0, error, turned(2 * error)) for error in (1.0, 2.0, 4.0, 33.0)]
    result = summary([angled(0.0)] * 5, [*answers, None])
    assert result["rotation_error"] == pytest.approx(10.0)
    assert result["rotation_error_median"] == pytest.approx(3.0)
    assert result["direction_error"] == pytest.approx(20.0)
    assert result["direction_error_median"] == pytest.approx(6.0)
    # Of five, one was not read.
    assert [result[key] for key in RECALLS] == pytest.approx([0.6, 0.6, 0.6, 0.4, 0.6, 0.6])
    assert (result["answered"], result["unparsed"]) == (0.8, 0.2)


def test_auc_takes_the_larger_error_and_a_strict_threshold() -> None:
    assert MotionError().score(angled(0.0), angled(7.0))["auc30"] == pytest.approx(23 / 30)
    assert MotionError().score(angled(0.0), angled(30.0))["auc30"] == 0.0
    assert MotionError().score(angled(0.0), angled(29.5))["auc30"] == pytest.approx(1 / 30)
    assert MotionError().score(angled(0.0), angled(5.0))["rotation_within_5"] == 0.0


@pytest.mark.parametrize("limit", [5, 10, 30])
def test_auc_is_the_area_under_the_recall_curve(limit: int) -> None:
    errors = [0.2, 3.7, 4.0, 12.0, 29.9, 75.0]
    result = summary([angled(0.0)] * 6, [angled(error) for error in errors])
    recalls = [sum(error < threshold for error in errors) / 6 for threshold in range(1, limit + 1)]
    assert result[f"auc{limit}"] == pytest.approx(sum(recalls) / limit)
    # The same from the histogram of whole degrees, summed up: the form in which VGGT gives it.
    shares = np.histogram(errors, bins=np.arange(limit + 1))[0] / 6
    assert result[f"auc{limit}"] == pytest.approx(np.cumsum(shares).mean())
    # The exact area is lower, by less than one degree's share.
    exact = sum(max(0.0, 1 - error / limit) for error in errors) / 6
    assert exact < result[f"auc{limit}"] < exact + 1 / limit


@pytest.mark.parametrize("answer", [None, Motion(math.nan, 1.0, FORWARD), Motion(1.0, 1.0, (math.nan, 0.0, 1.0))])
def test_an_unreadable_motion_is_wrong_and_has_no_error(answer: Motion | None) -> None:
    score = MotionError().score(Motion(1.0, 1.0, FORWARD), answer)
    assert [score[key] for key in ("delta1", *RECALLS, *AREAS)] == [0.0] * 10
    assert math.isnan(score["rotation_error"])
    assert math.isnan(score["direction_error"])
    assert (score["answered"], score["unparsed"], score["nonpositive"]) == (0.0, 1.0, 0.0)


def test_a_negative_distance_of_motion_is_wrong_and_counted() -> None:
    score = MotionError().score(Motion(1.0, 1.0, FORWARD), Motion(-1.0, 1.0, FORWARD))
    assert (score["delta1"], score["nonpositive"], score["answered"]) == (0.0, 1.0, 1.0)
    assert score["rotation_error"] == 0.0


def test_a_direction_without_length_is_wrong() -> None:
    score = MotionError().score(Motion(1.0, 1.0, FORWARD), Motion(1.0, 1.0, (0.0, 0.0, 0.0)))
    assert score["direction_error"] == 180.0


@pytest.mark.parametrize("degrees", [0.0, 1e-6, 45.0, 90.0, 179.999999, 180.0])
def test_direction_errors_keep_their_digits(degrees: float) -> None:
    score = MotionError().score(Motion(1.0, 0.0, FORWARD), Motion(1.0, 0.0, turned(degrees)))
    assert score["direction_error"] == pytest.approx(degrees, rel=1e-9, abs=1e-12)


def test_rotation_errors_are_capped() -> None:
    assert MotionError().score(angled(10.0), angled(1000.0))["rotation_error"] == 180.0


def test_a_motion_too_short_for_a_direction() -> None:
    still, moved = Motion(0.005, 2.0, FORWARD), Motion(1.0, 2.0, FORWARD)
    backward = Motion(0.005, 2.0, (0.0, 0.0, -1.0))
    score = MotionError().score(still, backward)
    assert math.isnan(score["direction_error"])
    assert math.isnan(score["direction_within_30"])
    assert score["auc30"] == 1.0
    result = summary([still, moved], [backward, Motion(1.0, 2.0, turned(8))])
    assert result["direction_error"] == pytest.approx(8.0)
    assert (result["direction_within_5"], result["direction_within_15"]) == (0.0, 1.0)


def test_the_best_constant_motion() -> None:
    truths = [Motion(1.0, 2.0, turned(-10)), Motion(1.2, 4.0, turned(10)), Motion(5.0, 90.0, FORWARD)]
    constant, share = MotionError().best_constant(truths)
    assert share == pytest.approx(2 / 3)
    assert constant.distance == pytest.approx(math.sqrt(1.2))
    assert constant.rotation == 4.0
    assert constant.direction == pytest.approx(FORWARD)


def test_opposite_directions_leave_forward() -> None:
    truths = [Motion(1.0, 0.0, (1.0, 0.0, 0.0)), Motion(1.0, 0.0, (-1.0, 0.0, 0.0))]
    assert MotionError().best_constant(truths)[0].direction == FORWARD


@given(st.lists(st.floats(0, 180), min_size=1, max_size=9))
def test_the_median_is_that_of_the_errors(errors: list[float]) -> None:
    result = summary([angled(0.0)] * len(errors), [angled(error) for error in errors])
    assert result["rotation_error_median"] == pytest.approx(median(errors))
