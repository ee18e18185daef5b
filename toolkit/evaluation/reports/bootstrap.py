"""How certain a summary is: bootstrap intervals over images.

Points in one picture share its scene, its camera and its light, so their errors are alike: a thousand points in ten
pictures are not a thousand independent measurements. Whole pictures are therefore drawn again, with replacement. Every
summary is then computed anew from all points of the drawn pictures, each point as often as its picture was drawn
(Field and Welsh 2007, "Bootstrapping clustered data"). The interval is the percentile interval (Efron and Tibshirani
1993, "An Introduction to the Bootstrap", section 13.3).

With few pictures, say fewer than 20, percentile intervals are too short. With one picture there is no interval (NaN).
"""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from toolkit.qa.metrics import Columns, Metric
from toolkit.utils.arrays import Array

_Summarise = Callable[[Array], dict[str, Array]]
"""A function from weights (B, N) to every number, (B,) each."""

_BLOCK = 2**18
"""About how many weights are held in memory at once."""


class ConfidenceInterval(NamedTuple):
    """The range in which a number lies with the requested probability; NaN if nothing can be said.

    Attributes:
        low: The lower end of the range.
        high: The upper end of the range.
    """

    low: float
    high: float


class Difference(NamedTuple):
    """How much larger a number is for one predictor than for another.

    Attributes:
        value: The difference.
        low: The lower end of its interval.
        high: The upper end of its interval. If the interval does not hold 0, the predictors differ.
    """

    value: float
    low: float
    high: float


def confidence_intervals(
    metric: Metric[Any],
    columns: Columns,
    groups: Sequence[Hashable],
    rng: np.random.Generator,
    coverage: float = 0.95,
    resamples: int = 1000,
) -> dict[str, ConfidenceInterval]:
    """Compute the interval of every number in a metric's summary.

    The same arguments, with a generator of the same seed, give the same intervals to the last bit.

    Args:
        metric: The metric whose ``summary`` is resampled.
        columns: The scores of N samples, one array (N,) for each key, as ``metrics.as_columns`` returns them.
        groups: The group of each of the N samples: its image, or anything else whose samples have similar errors.
        rng: The generator that draws the groups.
        coverage: The probability, between 0 and 1, with which an interval should hold the true number.
        resamples: How often all groups are drawn again.

    Returns:
        An interval for each key of the summary.

    Raises:
        ValueError: If the lengths differ, if there are no samples, or if coverage or resamples are out of range.
    """
    _check_arguments(columns, groups, coverage, resamples)
    drawn = _resampled(lambda weights: metric.summary(columns, weights), groups, rng, resamples)
    return {key: _percentile_interval(values, coverage) for key, values in drawn.items()}


def paired_difference(
    metric: Metric[Any],
    columns: tuple[Columns, Columns],
    groups: Sequence[Hashable],
    rng: np.random.Generator,
    coverage: float = 0.95,
    resamples: int = 1000,
) -> dict[str, Difference]:
    """Compute how much larger each number is for the first predictor than for the second, on the same samples.

    In every resample both predictors are summarised over the same images. What makes an image easy or hard for both of
    them therefore cancels, and the interval is much shorter than the intervals of the two predictors suggest. A number
    over answered samples compares the samples that each predictor has answered, and these may differ.

    Args:
        metric: The metric whose ``summary`` is resampled.
        columns: The scores of the first and of the second predictor, on N samples in the same order.
        groups: The group of each of the N samples, as in ``confidence_intervals``.
        rng: The generator that draws the groups.
        coverage: The probability, between 0 and 1, with which an interval should hold the true difference.
        resamples: How often all groups are drawn again.

    Returns:
        A difference for each key of the summary.

    Raises:
        ValueError: For the same reasons as in ``confidence_intervals``.
    """
    for each in columns:
        _check_arguments(each, groups, coverage, resamples)

    def difference(weights: Array) -> dict[str, Array]:
        first, second = (metric.summary(each, weights) for each in columns)
        with np.errstate(invalid="ignore"):
            return {key: first[key] - second[key] for key in first}

    values = difference(np.ones((1, len(groups))))
    drawn = _resampled(difference, groups, rng, resamples)
    return {
        key: Difference(float(value[0]), *_percentile_interval(drawn[key], coverage)) for key, value in values.items()
    }


def _check_arguments(columns: Columns, groups: Sequence[Hashable], coverage: float, resamples: int) -> None:
    if not len(groups):
        raise ValueError("there are no samples to resample")
    for key, column in columns.items():
        if len(column) != len(groups):
            raise ValueError(f"expected {len(groups)} scores {key!r}, one for each group named, got {len(column)}")
    if not (0 < coverage < 1 and resamples >= 1):
        raise ValueError(f"expected a coverage between 0 and 1 and resamples, got {coverage} and {resamples}")


def _resampled(
    summarise: _Summarise, groups: Sequence[Hashable], rng: np.random.Generator, count: int
) -> dict[str, Array]:
    """The summaries of ``count`` resamples, (count,) each; all NaN if there is only one group."""
    numbers: dict[Hashable, int] = {}
    index = np.array([numbers.setdefault(group, len(numbers)) for group in groups])
    if len(numbers) == 1:
        return {key: np.full(count, np.nan) for key in summarise(np.ones((1, len(groups))))}
    draws = _draw_groups(len(numbers), count, _BLOCK // len(groups), rng)
    # times[:, index] would be laid out column by column in memory, and sums would then round differently by block.
    blocks = [summarise(np.take(times, index, axis=1)) for times in draws]
    return {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}


def _draw_groups(groups: int, count: int, block: int, rng: np.random.Generator) -> Iterator[Array]:
    """Draw ``groups`` groups with replacement, ``count`` times.

    Yields how often each group was drawn, (at most ``block``, groups) at a time.
    """
    rows = max(1, block)
    for start in range(0, count, rows):
        size = min(rows, count - start)
        drawn = rng.integers(groups, size=(size, groups)) + groups * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * groups).reshape(size, groups).astype(np.float64)


def _percentile_interval(values: Array, coverage: float) -> ConfidenceInterval:
    """The interval between two order statistics of resampled values (B,); values that are NaN are left out.

    The ends are the k-th smallest and the k-th largest value, with k = floor((B + 1) (1 - coverage) / 2), but at
    least 1. Source: Efron and Tibshirani 1993, section 13.3, with the order statistics of section 12.5.
    """
    ordered = np.sort(values[~np.isnan(values)])
    if not len(ordered):
        return ConfidenceInterval(math.nan, math.nan)
    # Rounded, because in floating point (1 - 0.9) / 2 is a little less than 0.05.
    cut = max(1, math.floor(round((len(ordered) + 1) * (1 - coverage) / 2, 9)))
    return ConfidenceInterval(float(ordered[cut - 1]), float(ordered[-cut]))
