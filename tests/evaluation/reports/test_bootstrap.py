import math
from collections.abc import Hashable, Sequence

import numpy as np
import pytest

from toolkit.evaluation.reports import bootstrap
from toolkit.evaluation.reports.bootstrap import ConfidenceInterval, Difference, confidence_intervals, paired_difference
from toolkit.qa.metrics import Accuracy, Columns, Metric, MotionError, RelativeAccuracy, as_columns
from toolkit.qa.parsing.answer import Motion


class Mean(Metric[float]):
    """The plain mean, for arithmetic by hand."""

    headline = "mean"

    def score(self, truth: float, answer: float | None) -> dict[str, float]:
        return {"mean": math.nan if answer is None else answer}

    def constant(self, truths: Sequence[float]) -> float:
        return truths[0]

    central = constant


def interval(
    values: Sequence[float], groups: Sequence[Hashable], coverage: float = 0.95, seed: int = 0
) -> ConfidenceInterval:
    columns = {"mean": np.array(values, dtype=float)}
    return confidence_intervals(Mean(), columns, groups, np.random.default_rng(seed), coverage)["mean"]


def pictures(rng: np.random.Generator, count: int, points: int, spread: float) -> np.ndarray:
    """Values (count, points) that pictures share: normal around 0, those of a picture around its own mean."""
    return rng.normal(size=(count, 1)) + rng.normal(0, spread, size=(count, points))


def numbers(seed: int, count: int = 60) -> Columns:
    """Scores of answers that err by about 20 %; each tenth was not read, each fifteenth is negative."""
    rng = np.random.default_rng(seed)
    truths = np.random.default_rng(99).lognormal(1, 0.5, count)
    answers = [float(x) if n % 10 else None for n, x in enumerate(truths * rng.lognormal(0, 0.2, count))]
    answers = [-x if x and n % 15 == 1 else x for n, x in enumerate(answers)]
    return as_columns([RelativeAccuracy().score(float(t), a) for t, a in zip(truths, answers, strict=True)])


def test_two_pictures_by_hand() -> None:
    # Twice the first: 0. Twice the second: 1. One each: half. With probabilities 1/4, 1/4 and 1/2.
    assert interval([0.0, 1.0], ["a", "b"]) == (0.0, 1.0)
    assert interval([0.0, 1.0], ["a", "b"], coverage=0.4) == (0.5, 0.5)


def test_pictures_are_drawn_whole() -> None:
    # Three points in the first picture, one in the second: one each is 1 point in 4.
    assert interval([0.0, 0.0, 0.0, 1.0], ["a", "a", "a", "b"], coverage=0.4) == (0.25, 0.25)
    assert interval([0.0, 1.0, 0.0, 0.0], ["a", "b", "a", "a"], coverage=0.4) == (0.25, 0.25)


def test_more_points_in_each_picture_do_not_make_it_more_certain() -> None:
    values, groups = [0.1, 0.5, 0.2, 0.9, 0.4], list(range(5))
    assert interval(values * 4, groups * 4) == pytest.approx(interval(values, groups))
    points = interval(values * 4, list(range(20)))
    whole = interval(values, groups)
    assert points.high - points.low < 0.6 * (whole.high - whole.low)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(5).normal(3.0, 2.0, 400)
    low, high = interval(values.tolist(), range(400))
    half = 1.96 * values.std() / math.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_the_order_statistics_that_make_an_interval() -> None:
    # Of 999 values the 25th from either end: 1000 times 0.025; at 90 % the 50th.
    values = np.random.default_rng(0).permutation(np.arange(1.0, 1000.0))
    assert bootstrap._percentile_interval(values, 0.95) == (25.0, 975.0)
    assert bootstrap._percentile_interval(values, 0.90) == (50.0, 950.0)
    # 61 times 0.025 is 1.525: the first from either end.
    assert bootstrap._percentile_interval(np.arange(60.0), 0.95) == (0.0, 59.0)
    assert bootstrap._percentile_interval(np.array([2.0, np.nan, 1.0]), 0.95) == (1.0, 2.0)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """200 sets of 40 pictures with 5 points each: over pictures about 95 % of the intervals hold the mean.

    Of one point the variance is 1.25; the mean of all has 1 / 40 + 0.25 / 200 = 0.02625, drawing points says
    1.25 / 200 = 0.00625. So intervals over points are about half as long as they should be, and hold the
    mean in about 66 % of the sets: erf(1.96 sqrt(0.00625 / 0.02625) / sqrt(2)).
    """
    rng = np.random.default_rng(11)
    right = {"pictures": 0, "points": 0}
    for _ in range(200):
        columns = {"mean": pictures(rng, 40, 5, 0.5).ravel()}
        for kind, groups in (("pictures", [n // 5 for n in range(200)]), ("points", list(range(200)))):
            low, high = confidence_intervals(Mean(), columns, groups, rng, resamples=400)["mean"]
            right[kind] += low <= 0.0 <= high
    assert 0.89 <= right["pictures"] / 200 <= 0.98
    assert right["points"] / 200 <= 0.75


def test_every_number_of_a_metric_has_an_interval_around_it() -> None:
    columns = numbers(1)
    values = RelativeAccuracy().summary(columns, np.ones((1, 60)))
    found = confidence_intervals(RelativeAccuracy(), columns, [n // 3 for n in range(60)], np.random.default_rng(0))
    assert found.keys() == values.keys()
    for key, (low, high) in found.items():
        assert low <= values[key][0] <= high, key
    assert all(found[key].low < found[key].high for key in ("delta1", "mra", "abs_rel", "rmse", "silog", "unparsed"))


def test_medians_have_intervals() -> None:
    motions = [Motion(1.0, float(n), (0.0, 0.0, 1.0)) for n in range(31)]
    columns = as_columns([MotionError().score(Motion(1.0, 0.0, (0.0, 0.0, 1.0)), motion) for motion in motions])
    low, high = confidence_intervals(MotionError(), columns, range(31), np.random.default_rng(0))[
        "rotation_error_median"
    ]
    # The 9.5th and 22.5th of 31 values, by the binomial distribution, bound the median; values start at 0.
    assert (low, high) == pytest.approx((9.0, 21.0), abs=1.5)


def test_a_perfect_predictor_is_certain() -> None:
    columns = as_columns([RelativeAccuracy().score(2.0, 2.0)] * 6)
    found = confidence_intervals(RelativeAccuracy(), columns, "aabbcc", np.random.default_rng(0))
    assert found["delta1"] == found["mra"] == (1.0, 1.0)
    assert found["silog"] == found["abs_rel"] == (0.0, 0.0)


def test_the_same_seed_gives_the_same_digits_however_much_fits_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [n // 4 for n in range(60)]
    first, again = (
        confidence_intervals(RelativeAccuracy(), numbers(1), groups, np.random.default_rng(3)) for _ in range(2)
    )
    assert first == again
    monkeypatch.setattr(bootstrap, "_BLOCK", 7 * 60)
    assert confidence_intervals(RelativeAccuracy(), numbers(1), groups, np.random.default_rng(3)) == first
    monkeypatch.setattr(bootstrap, "_BLOCK", 1)
    assert confidence_intervals(RelativeAccuracy(), numbers(1), groups, np.random.default_rng(3)) == first
    assert confidence_intervals(RelativeAccuracy(), numbers(1), groups, np.random.default_rng(4)) != first


def test_one_picture_says_nothing_of_others() -> None:
    found = confidence_intervals(RelativeAccuracy(), numbers(1), ["only"] * 60, np.random.default_rng(0))
    assert all(math.isnan(low) and math.isnan(high) for low, high in found.values())
    differences = paired_difference(
        RelativeAccuracy(), (numbers(1), numbers(2)), ["only"] * 60, np.random.default_rng(0)
    )
    assert not math.isnan(differences["delta1"].value)
    assert math.isnan(differences["delta1"].low)


def test_numbers_that_are_missing_from_some_resamples() -> None:
    # Only the first of two pictures was answered: a quarter of the resamples have no error at all.
    assert interval([0.5, math.nan], ["a", "b"]) == (0.5, 0.5)
    assert all(map(math.isnan, interval([math.nan, math.nan], ["a", "b"])))


def test_images_may_be_named_by_anything() -> None:
    names = [("walk", n // 4) for n in range(60)]
    found = confidence_intervals(RelativeAccuracy(), numbers(1), names, np.random.default_rng(3))
    assert found == confidence_intervals(
        RelativeAccuracy(), numbers(1), [n // 4 for n in range(60)], np.random.default_rng(3)
    )


def test_a_predictor_does_not_differ_from_itself() -> None:
    columns = numbers(1)
    found = paired_difference(RelativeAccuracy(), (columns, columns), range(60), np.random.default_rng(0))
    assert all(difference == (0.0, 0.0, 0.0) for difference in found.values())


def test_a_difference_by_hand() -> None:
    # Right answers: the first 1, 1, 1, 0, the second 1, 0, 0, 0; one picture has half more, the other too.
    first, second = (as_columns([Accuracy().score("a", answer) for answer in answers]) for answers in ("aaab", "abbb"))
    found = paired_difference(Accuracy(), (first, second), ["x", "x", "y", "y"], np.random.default_rng(0))
    assert found["accuracy"] == Difference(0.5, 0.5, 0.5)
    assert paired_difference(Accuracy(), (second, first), "xxyy", np.random.default_rng(0))["accuracy"].value == -0.5


def test_pairing_cancels_what_makes_images_hard() -> None:
    rng = np.random.default_rng(2)
    first = pictures(rng, 50, 4, 0.1).ravel()
    second = first + rng.normal(0.1, 0.1, first.shape)
    groups = [n // 4 for n in range(200)]
    found = paired_difference(Mean(), ({"mean": second}, {"mean": first}), groups, np.random.default_rng(0))["mean"]
    assert found.value == pytest.approx(second.mean() - first.mean())
    assert 0.0 < found.low < found.value < found.high < 0.2
    # Each alone is known no better than by 0.2, so their intervals overlap widely.
    alone = [interval(values.tolist(), groups) for values in (first, second)]
    assert alone[1].low < alone[0].high


@pytest.mark.parametrize(
    ("values", "groups", "settings", "problem"),
    [
        ([], [], {}, "no samples"),
        ([1.0], ["a", "b"], {}, "expected 2 scores 'mean'"),
        ([1.0, 2.0], ["a", "b"], {"coverage": 95}, "between 0 and 1"),
        ([1.0, 2.0], ["a", "b"], {"resamples": 0}, "resamples"),
    ],
)
def test_arguments_that_make_no_sense_are_an_error(values: list, groups: list, settings: dict, problem: str) -> None:
    columns = {"mean": np.array(values)}
    with pytest.raises(ValueError, match=problem):
        confidence_intervals(Mean(), columns, groups, np.random.default_rng(0), **settings)
    with pytest.raises(ValueError, match=problem):
        paired_difference(Mean(), (columns, columns), groups, np.random.default_rng(0), **settings)
