import json
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.qa.metrics import (
    Accuracy,
    GapAccuracy,
    Metric,
    MotionError,
    RelativeAccuracy,
    accuracy_beyond,
    accuracy_by_gap,
    as_columns,
    relative_gap,
)
from toolkit.qa.parsing.answer import Motion

FORWARD = (0.0, 0.0, 1.0)
TRUTHS = [0.5, 1.0, 2.42, 80.0]
RIGHT = ("delta1", "delta2", "delta3", "within_2x", "within_25", "mra")
ERRORS = ("abs_rel", "rmse", "log10", "silog")

LENGTHS = st.floats(0.1, 100)
NUMBERS = st.tuples(LENGTHS, st.one_of(st.none(), st.floats(-1, 0), st.floats(0.05, 200)))
NAMES = st.tuples(st.sampled_from(["red", "blue"]), st.sampled_from(["red", "blue", None]))


def turned(degrees: float) -> tuple[float, float, float]:
    """Forward, turned to the right by an angle [deg]."""
    return math.sin(math.radians(degrees)), 0.0, math.cos(math.radians(degrees))


MOTIONS = st.builds(Motion, st.floats(0.001, 10), st.floats(0, 180), st.floats(0, 180).map(turned))
ASKED: list[tuple[Metric, Any]] = [
    (RelativeAccuracy(), st.lists(NUMBERS, min_size=1, max_size=8)),
    (Accuracy(), st.lists(NAMES, min_size=1, max_size=8)),
    (MotionError(), st.lists(st.tuples(MOTIONS, st.one_of(st.none(), MOTIONS)), min_size=1, max_size=8)),
]


def summary(metric: Metric, truths: Sequence, answers: Sequence) -> dict[str, float]:
    return metric.summarise([metric.score(t, a) for t, a in zip(truths, answers, strict=True)])


def test_a_perfect_number_scores_one() -> None:
    assert summary(RelativeAccuracy(), TRUTHS, TRUTHS) == {
        **dict.fromkeys(RIGHT, 1.0),
        **dict.fromkeys(ERRORS, 0.0),
        "answered": 1.0,
        "unparsed": 0.0,
        "nonpositive": 0.0,
        "count": 4.0,
    }


@pytest.mark.parametrize(
    ("scale", "deltas", "within_2x", "within_25"),
    [
        (1.2, (1, 1, 1), 1, 1),
        (1.3, (0, 1, 1), 1, 0),
        (1.6, (0, 0, 1), 1, 0),
        (1.99, (0, 0, 0), 1, 0),
        (2.01, (0, 0, 0), 0, 0),
        (0.9, (1, 1, 1), 1, 1),
        (0.77, (0, 1, 1), 1, 1),  # 1 / 0.77 is 1.30, but the error is 23 %
        (0.6, (0, 0, 1), 1, 0),
        (0.51, (0, 0, 0), 1, 0),
        (0.49, (0, 0, 0), 0, 0),
    ],
)
def test_a_scale_error_is_measured(scale: float, deltas: tuple[int, ...], within_2x: int, within_25: int) -> None:
    result = summary(RelativeAccuracy(), [1.0, 2.0, 4.0], [scale * truth for truth in (1.0, 2.0, 4.0)])
    assert (result["delta1"], result["delta2"], result["delta3"]) == deltas
    assert (result["within_2x"], result["within_25"]) == (within_2x, within_25)
    assert result["abs_rel"] == pytest.approx(abs(scale - 1))
    # The errors are |scale - 1| times 1, 2 and 4; the mean of 1, 4 and 16 is 7.
    assert result["rmse"] == pytest.approx(abs(scale - 1) * math.sqrt(7))
    assert result["log10"] == pytest.approx(abs(math.log10(scale)))
    assert result["silog"] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("error", "passed"), [(0.02, 10), (0.07, 9), (0.12, 8), (0.22, 6), (0.33, 4), (0.49, 1), (0.51, 0)]
)
def test_mean_relative_accuracy_counts_ten_thresholds(error: float, passed: int) -> None:
    # Of the thresholds 0.05, 0.10, ..., 0.50 those above the error are passed.
    for answer in (8 * (1 + error), 8 * (1 - error)):
        assert RelativeAccuracy().score(8.0, answer)["mra"] == passed / 10


def test_mean_relative_accuracy_by_hand() -> None:
    # Errors 0.12 (8 of 10), 0.33 (4 of 10), 2 (none) and no answer (none): (0.8 + 0.4) / 4.
    assert summary(RelativeAccuracy(), [1.0, 1.0, 1.0, 1.0], [1.12, 0.67, 3.0, None])["mra"] == pytest.approx(0.3)


def test_errors_by_hand() -> None:
    # Answers off by +1, -1 and +6 from 1, 2 and 4; one more was not read, and one is negative.
    result = summary(RelativeAccuracy(), [1.0, 2.0, 4.0, 3.0, 3.0], [2.0, 1.0, 10.0, None, -3.0])
    assert result["abs_rel"] == pytest.approx((1 / 1 + 1 / 2 + 6 / 4) / 3)
    assert result["rmse"] == pytest.approx(math.sqrt((1 + 1 + 36) / 3))
    assert result["log10"] == pytest.approx((math.log10(2) + math.log10(2) + math.log10(2.5)) / 3)
    g = [math.log(2), -math.log(2), math.log(2.5)]
    assert result["silog"] == pytest.approx(100 * math.sqrt(sum(x * x for x in g) / 3 - (sum(g) / 3) ** 2))
    assert (result["answered"], result["unparsed"], result["nonpositive"]) == (0.6, 0.2, 0.2)


def test_silog_of_two_answers() -> None:
    # Twice and half the truth: the mean of g is 0, its mean square ln(2)^2.
    assert summary(RelativeAccuracy(), [3.0, 3.0], [6.0, 1.5])["silog"] == pytest.approx(100 * math.log(2))


def test_silog_keeps_its_digits_beside_a_large_common_factor() -> None:
    answers = [1e9 * (1 + 1e-9), 1e9 * (1 - 1e-9)]
    assert summary(RelativeAccuracy(), [1.0, 1.0], answers)["silog"] == pytest.approx(100e-9, rel=1e-5)


def test_the_delta_thresholds_are_wrong_and_the_ends_of_a_range_are_right() -> None:
    assert RelativeAccuracy().score(4.0, 5.0)["delta1"] == 0.0
    assert RelativeAccuracy().score(5.0, 4.0)["delta1"] == 0.0
    for truth in (1.0, 0.1, 0.3, 2.42, 1 / 3, 80.7):
        within = [RelativeAccuracy().score(truth, scale * truth) for scale in (0.5, 2.0, 0.75, 1.25)]
        assert [score["within_2x"] for score in within] == [1.0, 1.0, 1.0, 1.0]
        assert [score["within_25"] for score in within] == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("answer", [-2.0, -1e-9, 0.0, -0.0])
def test_an_answer_that_is_not_positive_is_wrong_and_counted(answer: float) -> None:
    score = RelativeAccuracy().score(2.0, answer)
    assert [score[key] for key in RIGHT] == [0.0] * 6
    assert (score["answered"], score["unparsed"], score["nonpositive"]) == (0.0, 0.0, 1.0)
    assert all(math.isnan(score[key]) for key in ("abs_rel", "error", "log_ratio"))


@pytest.mark.parametrize("answer", [None, math.nan, math.inf, -math.inf])
def test_an_answer_that_was_not_read_is_wrong_and_counted(answer: float | None) -> None:
    score = RelativeAccuracy().score(2.0, answer)
    assert [score[key] for key in RIGHT] == [0.0] * 6
    assert (score["answered"], score["unparsed"], score["nonpositive"]) == (0.0, 1.0, 0.0)
    assert all(math.isnan(score[key]) for key in ("abs_rel", "error", "log_ratio"))


def test_failures_lower_shares_and_leave_errors_alone() -> None:
    result = summary(RelativeAccuracy(), [2.0, 2.0, 2.0, 2.0], [2.4, -2.0, None, 1.8])
    alone = summary(RelativeAccuracy(), [2.0, 2.0], [2.4, 1.8])
    assert [result[key] for key in ERRORS] == [alone[key] for key in ERRORS]
    assert [result[key] for key in RIGHT] == [alone[key] / 2 for key in RIGHT]
    assert (result["answered"], result["unparsed"], result["nonpositive"]) == (0.5, 0.25, 0.25)


def test_nothing_answered_leaves_nan() -> None:
    result = summary(RelativeAccuracy(), [2.0, 2.0], [None, -1.0])
    assert all(math.isnan(result[key]) for key in ERRORS)


@pytest.mark.parametrize("answer", [5e-324, 1e308])
@pytest.mark.parametrize("truth", [1e-3, 2.0])
def test_extreme_answers_are_wrong_and_leave_no_nan(answer: float, truth: float) -> None:
    assert RelativeAccuracy().score(truth, answer)["delta3"] == 0.0
    result = summary(RelativeAccuracy(), [truth, 1.0], [answer, 1.0])
    assert not any(math.isnan(result[key]) for key in ERRORS)
    columns = as_columns([RelativeAccuracy().score(truth, answer), RelativeAccuracy().score(1.0, 1.1)])
    unweighted = RelativeAccuracy().summary(columns, np.array([[0.0, 1.0]]))
    assert unweighted["abs_rel"] == pytest.approx(0.1)


@pytest.mark.parametrize("truth", [0.0, -1.0, math.nan, math.inf])
def test_a_truth_that_is_not_positive_is_an_error(truth: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        RelativeAccuracy().score(truth, 1.0)
    with pytest.raises(ValueError, match="positive and finite"):
        MotionError().score(Motion(truth, 1.0, FORWARD), None)


@given(st.lists(st.tuples(LENGTHS, st.floats(0.05, 200)), min_size=1, max_size=8), st.sampled_from([0.25, 2.0, 64.0]))
def test_the_unit_changes_only_the_error_in_it(pairs: list[tuple[float, float]], unit: float) -> None:
    # Powers of two, which no rounding can move across a threshold.
    here = summary(RelativeAccuracy(), *zip(*pairs, strict=True))
    there = summary(RelativeAccuracy(), *zip(*((unit * truth, unit * answer) for truth, answer in pairs), strict=True))
    assert there.pop("rmse") == pytest.approx(unit * here.pop("rmse"), rel=1e-12)
    assert there == pytest.approx(here, rel=1e-12, abs=1e-10)


@given(st.lists(st.tuples(LENGTHS, st.floats(0.05, 200)), min_size=1, max_size=8), st.floats(0.1, 10))
def test_a_common_factor_of_the_answers_does_not_change_silog(pairs: list[tuple[float, float]], factor: float) -> None:
    truths, answers = zip(*pairs, strict=True)
    scaled = summary(RelativeAccuracy(), truths, [factor * answer for answer in answers])
    assert scaled["silog"] == pytest.approx(summary(RelativeAccuracy(), truths, answers)["silog"], abs=1e-9)


@given(LENGTHS, st.floats(0.05, 200))
def test_shares_are_shares_and_ratios_have_no_direction(truth: float, answer: float) -> None:
    there, back = RelativeAccuracy().score(truth, answer), RelativeAccuracy().score(answer, truth)
    deltas = [f"delta{power}" for power in (1, 2, 3)]
    assert all(0 <= there[name] <= 1 for name in (*deltas, "within_2x", "within_25", "mra"))
    assert there["delta1"] <= there["delta2"] <= there["delta3"]
    assert [there[name] for name in deltas] == [back[name] for name in deltas]


def test_best_constant_of_a_hand_made_set() -> None:
    # 1.0, 1.2 and 1.5 lie within a ratio of 1.5625; 2.0 and 3.0 fit with none of those runs of three.
    constant, share = RelativeAccuracy().best_constant([3.0, 1.0, 1.5, 2.0, 1.2])
    assert constant == pytest.approx(math.sqrt(1.5))
    assert share == 0.6


def test_best_constant_window_is_strict() -> None:
    assert RelativeAccuracy().best_constant([1.0, 1.5625])[1] == 0.5
    assert RelativeAccuracy().best_constant([1.0, 1.56])[1] == 1.0


@given(st.lists(LENGTHS, min_size=1, max_size=12), st.floats(0.05, 200))
def test_no_constant_beats_the_best(truths: list[float], rival: float) -> None:
    metric = RelativeAccuracy()
    constant, share = metric.best_constant(truths)
    pairs = [math.sqrt(low * high) for low in truths for high in truths]
    rivals = [sum(metric.score(t, c)["delta1"] for t in truths) / len(truths) for c in (*pairs, rival)]
    assert summary(metric, truths, [constant] * len(truths))["delta1"] == share
    assert share >= max(rivals)


def test_best_constant_agrees_with_a_fine_grid() -> None:
    rng = random.Random(7)
    truths = [rng.lognormvariate(1.0, 0.6) for _ in range(60)]
    grid = [0.1 * 1.002**step for step in range(3000)]
    best = max(sum(max(c / t, t / c) < 1.25 for t in truths) for c in grid)
    assert RelativeAccuracy().best_constant(truths)[1] == pytest.approx(best / len(truths))


def test_the_floor_of_a_constant_by_hand() -> None:
    # Always 2 m for 1, 2, 2.4 and 8 m: right twice, off by 1, 0, 0.4 and 6 m.
    floor = RelativeAccuracy().floor([1.0, 2.0, 2.4, 8.0], 2.0)
    assert floor["delta1"] == 0.5
    assert floor["within_2x"] == 0.75
    assert floor["abs_rel"] == pytest.approx((1 + 0 + 0.4 / 2.4 + 6 / 8) / 4)
    assert floor["rmse"] == pytest.approx(math.sqrt((1 + 0 + 0.16 + 36) / 4))


@pytest.mark.parametrize(("metric", "asked"), ASKED)
def test_a_constant_scores_exactly_the_printed_floor(metric: Metric, asked: Any) -> None:
    @given(asked)
    def holds(pairs: list[tuple[Any, Any]]) -> None:
        truths = [truth for truth, _ in pairs]
        for constant in (metric.constant(truths), metric.central(truths)):
            scored = summary(metric, truths, [constant] * len(truths))
            assert json.dumps(scored) == json.dumps(metric.floor(truths, constant))
        best, share = metric.best_constant(truths)
        assert metric.floor(truths, best)[metric.headline] == share

    holds()


def test_the_middle_of_the_truths() -> None:
    assert RelativeAccuracy().central([9.0, 1.0, 2.0]) == 2.0
    assert RelativeAccuracy().central([4.0, 1.0, 2.0, 9.0]) == 3.0
    assert Accuracy().central(["red", "blue", "red"]) == "red"
    motions = [Motion(1.0, 2.0, turned(-10)), Motion(2.0, 4.0, turned(10)), Motion(0.001, 90.0, turned(90))]
    middle = MotionError().central(motions)
    assert (middle.distance, middle.rotation) == (1.0, 4.0)
    assert middle.direction == pytest.approx(FORWARD)  # the third is too short to have a direction


def test_choices() -> None:
    result = summary(Accuracy(), ["red", "blue", "red", "blue"], ["red", "red", None, "blue"])
    assert result == {"accuracy": 0.5, "unparsed": 0.25, "count": 4.0}


def test_the_best_constant_choice_is_the_majority() -> None:
    assert Accuracy().best_constant(["red", "blue", "blue"]) == ("blue", pytest.approx(2 / 3))
    assert Accuracy().best_constant(["red", "blue"]) == ("blue", 0.5)


def test_a_relative_gap_is_a_share_of_the_smaller_depth() -> None:
    assert relative_gap([2.0, 2.5, 3.0, 1.0], [2.5, 2.0, 3.0, 4.0]) == pytest.approx([0.25, 0.25, 0.0, 3.0])
    with pytest.raises(ValueError, match="positive and finite"):
        relative_gap([2.0, 0.0], [2.5, 1.0])


def test_accuracy_by_gap_by_hand() -> None:
    gaps = [0.02, 0.10, 0.2, 0.25, 0.3, 0.4, 1.0, 7.0]
    right = [0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    assert [(low.low, low.high, low.count) for low in accuracy_by_gap(right, gaps)] == [
        (0.0, 0.1, 1),
        (0.1, 0.25, 2),
        (0.25, 0.5, 3),
        (0.5, 1.0, 0),
        (1.0, math.inf, 2),
    ]
    shares = [each.accuracy for each in accuracy_by_gap(right, gaps)]
    assert shares == pytest.approx([0.0, 0.5, 2 / 3, math.nan, 1.0], nan_ok=True)
    assert accuracy_beyond(accuracy_by_gap(right, gaps), 0.25) == pytest.approx(4 / 5)
    assert np.isnan(accuracy_beyond(accuracy_by_gap(right, gaps), 5))
    assert accuracy_by_gap(right, gaps, edges=()) == (GapAccuracy(0.0, math.inf, 8, 0.625),)


@pytest.mark.parametrize(
    ("right", "gaps", "edges", "problem"),
    [
        ([1.0], [0.1, 0.2], (0.1,), "one gap for each answer"),
        ([1.0], [-0.1], (0.1,), "not negative"),
        ([1.0], [math.nan], (0.1,), "not negative"),
        ([1.0], [0.1], (0.2, 0.1), "rise"),
        ([1.0], [0.1], (0.0,), "rise"),
    ],
)
def test_gaps_that_make_no_sense_are_an_error(right: list, gaps: list, edges: tuple, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        accuracy_by_gap(right, gaps, edges)


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
    score = metric.score(truth, answer)
    result = metric.summarise([score])
    assert metric.headline in result
    assert metric.headline in score
    assert all(type(value) is float for value in (*score.values(), *result.values()))
    assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize(("metric", "asked"), ASKED)
def test_every_answer_gives_the_same_keys(metric: Metric, asked: Any) -> None:
    @given(asked)
    def holds(pairs: list[tuple[Any, Any]]) -> None:
        assert len({tuple(metric.score(truth, answer)) for truth, answer in pairs}) == 1

    holds()


@pytest.mark.parametrize(("metric", "asked"), ASKED)
def test_the_order_of_samples_does_not_matter(metric: Metric, asked: Any) -> None:
    @given(asked, st.randoms(use_true_random=False))
    def holds(pairs: list[tuple[Any, Any]], rng: random.Random) -> None:
        scores = [metric.score(truth, answer) for truth, answer in pairs]
        shuffled = rng.sample(scores, len(scores))
        expected = pytest.approx(metric.summarise(scores), rel=1e-12, abs=1e-12, nan_ok=True)
        assert metric.summarise(shuffled) == expected

    holds()


@pytest.mark.parametrize(("metric", "asked"), ASKED)
def test_a_weight_is_how_often_a_sample_occurs(metric: Metric, asked: Any) -> None:
    @given(asked, st.data())
    def holds(pairs: list[tuple[Any, Any]], data: st.DataObject) -> None:
        scores = [metric.score(truth, answer) for truth, answer in pairs]
        times = [data.draw(st.integers(0, 3)) for _ in scores]
        weights = np.array([times, [1] * len(times)], dtype=np.float64)
        weighted = metric.summary(as_columns(scores), weights)
        for row, counts in zip((0, 1), (times, [1] * len(times)), strict=True):
            repeated = [score for score, count in zip(scores, counts, strict=True) for _ in range(count)]
            found = {key: float(values[row]) for key, values in weighted.items()}
            if repeated:
                expected = metric.summarise(repeated)
                del expected["count"]
                assert found == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)
            else:
                assert all(map(math.isnan, found.values()))

    holds()
