import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.answer import Motion
from toolkit.metrics import Accuracy, Metric, MotionError, RelativeAccuracy

FORWARD = (0.0, 0.0, 1.0)
TRUTHS = [0.5, 1.0, 2.42, 80.0]


def turned(degrees: float) -> tuple[float, float, float]:
    """Forward, turned to the right by an angle [deg]."""
    return math.sin(math.radians(degrees)), 0.0, math.cos(math.radians(degrees))


def summary(metric: Metric, truths: list, answers: list) -> dict[str, float]:
    return metric.summarise([metric.score(t, a) for t, a in zip(truths, answers, strict=True)])


def test_a_perfect_number_scores_one() -> None:
    result = summary(RelativeAccuracy(), TRUTHS, TRUTHS)
    assert result == {
        "delta1": 1.0,
        "delta2": 1.0,
        "delta3": 1.0,
        "abs_rel": 0.0,
        "answered": 1.0,
        "unparsed": 0.0,
        "nonpositive": 0.0,
        "count": 4.0,
    }


@pytest.mark.parametrize(
    ("scale", "deltas", "abs_rel"),
    [
        (1.2, (1, 1, 1), 0.2),
        (1.3, (0, 1, 1), 0.3),
        (1.6, (0, 0, 1), 0.6),
        (2.0, (0, 0, 0), 1.0),
        (0.9, (1, 1, 1), 0.1),
        (0.75, (0, 1, 1), 0.25),
        (0.6, (0, 0, 1), 0.4),
        (0.5, (0, 0, 0), 0.5),
    ],
)
def test_a_scale_error_is_measured(scale: float, deltas: tuple[int, ...], abs_rel: float) -> None:
    result = summary(RelativeAccuracy(), TRUTHS, [scale * truth for truth in TRUTHS])
    assert (result["delta1"], result["delta2"], result["delta3"]) == deltas
    assert result["abs_rel"] == pytest.approx(abs_rel)


def test_the_threshold_itself_is_wrong() -> None:
    assert RelativeAccuracy().score(4.0, 5.0)["delta1"] == 0.0
    assert RelativeAccuracy().score(5.0, 4.0)["delta1"] == 0.0


@pytest.mark.parametrize("answer", [-2.0, -1e-9, 0.0, -0.0])
def test_an_answer_that_is_not_positive_is_wrong_and_counted(answer: float) -> None:
    score = RelativeAccuracy().score(2.0, answer)
    assert [score[key] for key in ("delta1", "delta2", "delta3")] == [0.0, 0.0, 0.0]
    assert (score["answered"], score["unparsed"], score["nonpositive"]) == (0.0, 0.0, 1.0)
    assert math.isnan(score["abs_rel"])


@pytest.mark.parametrize("answer", [None, math.nan, math.inf, -math.inf])
def test_an_answer_that_was_not_read_is_wrong_and_counted(answer: float | None) -> None:
    score = RelativeAccuracy().score(2.0, answer)
    assert [score[key] for key in ("delta1", "delta2", "delta3")] == [0.0, 0.0, 0.0]
    assert (score["answered"], score["unparsed"], score["nonpositive"]) == (0.0, 1.0, 0.0)
    assert math.isnan(score["abs_rel"])


def test_failures_lower_delta_and_leave_abs_rel_alone() -> None:
    result = summary(RelativeAccuracy(), [2.0, 2.0, 2.0, 2.0], [2.4, -2.0, None, 1.8])
    assert result["delta1"] == 0.5
    assert result["abs_rel"] == pytest.approx((0.2 + 0.1) / 2)
    assert (result["answered"], result["unparsed"], result["nonpositive"]) == (0.5, 0.25, 0.25)


def test_nothing_answered_leaves_nan() -> None:
    assert math.isnan(summary(RelativeAccuracy(), [2.0], [None])["abs_rel"])


@pytest.mark.parametrize("answer", [5e-324, 1e308])
def test_extreme_answers_are_wrong(answer: float) -> None:
    assert RelativeAccuracy().score(2.0, answer)["delta3"] == 0.0


@pytest.mark.parametrize("truth", [0.0, -1.0, math.nan, math.inf])
def test_a_truth_that_is_not_positive_is_an_error(truth: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        RelativeAccuracy().score(truth, 1.0)
    with pytest.raises(ValueError, match="positive and finite"):
        MotionError().score(Motion(truth, 1.0, FORWARD), None)


def test_best_constant_of_a_hand_made_set() -> None:
    # 1.0, 1.2 and 1.5 lie within a ratio of 1.5625; 2.0 and 3.0 fit with none of those runs of three.
    constant, share = RelativeAccuracy().best_constant([3.0, 1.0, 1.5, 2.0, 1.2])
    assert constant == pytest.approx(math.sqrt(1.5))
    assert share == 0.6


def test_best_constant_window_is_strict() -> None:
    assert RelativeAccuracy().best_constant([1.0, 1.5625])[1] == 0.5
    assert RelativeAccuracy().best_constant([1.0, 1.56])[1] == 1.0


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=12), st.floats(0.05, 200))
def test_no_constant_beats_the_best(truths: list[float], rival: float) -> None:
    metric = RelativeAccuracy()
    constant, share = metric.best_constant(truths)
    pairs = [math.sqrt(low * high) for low in truths for high in truths]
    rivals = [summary(metric, truths, [c] * len(truths))["delta1"] for c in (*pairs, rival)]
    assert summary(metric, truths, [constant] * len(truths))["delta1"] == share
    assert share >= max(rivals)


def test_best_constant_agrees_with_a_fine_grid() -> None:
    rng = random.Random(7)
    truths = [rng.lognormvariate(1.0, 0.6) for _ in range(60)]
    grid = [0.1 * 1.002**step for step in range(3000)]
    metric = RelativeAccuracy()
    best = max(sum(max(c / t, t / c) < 1.25 for t in truths) for c in grid)
    assert metric.best_constant(truths)[1] == pytest.approx(best / len(truths))


def test_choices() -> None:
    result = summary(Accuracy(), ["red", "blue", "red", "blue"], ["red", "red", None, "blue"])
    assert result == {"accuracy": 0.5, "unparsed": 0.25, "count": 4.0}


def test_the_best_constant_choice_is_the_majority() -> None:
    assert Accuracy().best_constant(["red", "blue", "blue"]) == ("blue", pytest.approx(2 / 3))
    assert Accuracy().best_constant(["red", "blue"]) == ("blue", 0.5)


def test_a_perfect_motion() -> None:
    motion = Motion(0.5, 12.0, turned(30))
    assert summary(MotionError(), [motion], [motion]) == {
        "delta1": 1.0,
        "rotation_error": 0.0,
        "direction_error": 0.0,
        "auc30": 1.0,
        "unparsed": 0.0,
        "count": 1.0,
    }


def test_motion_errors_by_hand() -> None:
    score = MotionError().score(Motion(1.0, 12.0, FORWARD), Motion(1.2, 10.0, turned(4.5)))
    assert score["delta1"] == 1.0
    assert score["rotation_error"] == pytest.approx(2.0)
    assert score["direction_error"] == pytest.approx(4.5)
    # Thresholds 5 to 30 lie above the larger error.
    assert score["auc30"] == pytest.approx(26 / 30)


def test_auc_takes_the_larger_error_and_a_strict_threshold() -> None:
    truth = Motion(1.0, 0.0, FORWARD)
    assert MotionError().score(truth, Motion(1.0, 7.0, FORWARD))["auc30"] == pytest.approx(23 / 30)
    assert MotionError().score(truth, Motion(1.0, 30.0, FORWARD))["auc30"] == 0.0
    assert MotionError().score(truth, Motion(1.0, 29.5, FORWARD))["auc30"] == pytest.approx(1 / 30)


def test_auc_is_the_area_under_the_recall_curve() -> None:
    errors = [0.2, 3.7, 12.0, 29.9, 75.0]
    result = summary(MotionError(), [Motion(1.0, 0.0, FORWARD)] * 5, [Motion(1.0, error, FORWARD) for error in errors])
    recalls = [sum(error < threshold for error in errors) / 5 for threshold in range(1, 31)]
    assert result["auc30"] == pytest.approx(sum(recalls) / 30)


@pytest.mark.parametrize("answer", [None, Motion(math.nan, 1.0, FORWARD), Motion(1.0, 1.0, (math.nan, 0.0, 1.0))])
def test_an_unreadable_motion_is_as_wrong_as_can_be(answer: Motion | None) -> None:
    assert MotionError().score(Motion(1.0, 1.0, FORWARD), answer) == {
        "delta1": 0.0,
        "rotation_error": 180.0,
        "direction_error": 180.0,
        "auc30": 0.0,
        "unparsed": 1.0,
    }


def test_a_negative_distance_of_motion_is_wrong() -> None:
    assert MotionError().score(Motion(1.0, 1.0, FORWARD), Motion(-1.0, 1.0, FORWARD))["delta1"] == 0.0


def test_a_direction_without_length_is_wrong() -> None:
    score = MotionError().score(Motion(1.0, 1.0, FORWARD), Motion(1.0, 1.0, (0.0, 0.0, 0.0)))
    assert score["direction_error"] == 180.0


@pytest.mark.parametrize("degrees", [0.0, 1e-6, 45.0, 90.0, 179.999999, 180.0])
def test_direction_errors_keep_their_digits(degrees: float) -> None:
    score = MotionError().score(Motion(1.0, 0.0, FORWARD), Motion(1.0, 0.0, turned(degrees)))
    assert score["direction_error"] == pytest.approx(degrees, rel=1e-9, abs=1e-12)


def test_rotation_errors_are_capped() -> None:
    score = MotionError().score(Motion(1.0, 10.0, FORWARD), Motion(1.0, 1000.0, FORWARD))
    assert score["rotation_error"] == 180.0


def test_a_motion_too_short_for_a_direction() -> None:
    still, moved = Motion(0.005, 2.0, FORWARD), Motion(1.0, 2.0, FORWARD)
    backward = (0.0, 0.0, -1.0)
    score = MotionError().score(still, Motion(0.005, 2.0, backward))
    assert math.isnan(score["direction_error"])
    assert score["auc30"] == 1.0
    result = summary(MotionError(), [still, moved], [Motion(0.005, 2.0, backward), Motion(1.0, 2.0, turned(8))])
    assert result["direction_error"] == pytest.approx(8.0)


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


@pytest.mark.parametrize("metric", [RelativeAccuracy(), Accuracy(), MotionError()])
def test_nothing_to_summarise_is_an_error(metric: Metric) -> None:
    with pytest.raises(ValueError, match="no scores"):
        metric.summarise([])
    with pytest.raises(ValueError, match="no truths"):
        metric.best_constant([])


@pytest.mark.parametrize(
    ("metric", "truth", "answer"),
    [
        (RelativeAccuracy(), 2.0, 2),
        (Accuracy(), "red", "blue"),
        (MotionError(), Motion(1, 2, FORWARD), Motion(1, 3, FORWARD)),
    ],
)
def test_scores_hold_the_headline_and_plain_floats(metric: Metric, truth: object, answer: object) -> None:
    result = metric.summarise([metric.score(truth, answer)])
    assert metric.headline in result
    assert all(type(value) is float for value in result.values())
    assert json.loads(json.dumps(result)) == result
