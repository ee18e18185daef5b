"""How certain a summary is: bootstrap intervals over images.

Points in one picture share its scene, its camera and its light, so their errors are alike, and a thousand
points in ten pictures are not a thousand measurements. Whole pictures are therefore drawn again, with
replacement, and every summary is computed anew from all points of the pictures drawn, each as often as
its picture (Field and Welsh 2007, "Bootstrapping clustered data"). The interval is the percentile interval
(Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3).

With few pictures, say fewer than 20, percentile intervals are too short. With one there is none: NaN.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.qa.metrics import Columns, Metric

Array = NDArray[np.float64]


Summary = Callable[[Array], dict[str, Array]]


_BLOCK = 2**18
"""Weights that are held in memory at once, about."""


class Interval(NamedTuple):
    """Where a number lies with the probability asked for; NaN if nothing can be said."""

    low: float
    high: float


class Difference(NamedTuple):
    """How much larger a number is for one predictor than for another.

    Attributes:
        value: The difference.
        low: Lower end of its interval.
        high: Upper end. An interval without 0 says that the predictors differ.
    """

    value: float
    low: float
    high: float


def intervals(
    metric: Metric[Any],
    columns: Columns,
    groups: Sequence[Hashable],
    rng: np.random.Generator,
    coverage: float = 0.95,
    resamples: int = 1000,
) -> dict[str, Interval]:
    """The interval of every number that a metric summarises.

    The same arguments, with a generator of the same seed, give the same intervals to the last bit.

    Args:
        metric: Whose ``summary`` is resampled.
        columns: The scores of N samples, (N,) a key, as ``metrics.as_columns`` gives them.
        groups: What each sample belongs to, N: its image, or whatever else its errors are shared with.
        rng: What draws the images.
        coverage: The probability with which an interval should hold the true number, between 0 and 1.
        resamples: How often all images are drawn again.

    Raises:
        ValueError: If lengths differ, there are no samples, or coverage or resamples make no sense.
    """
    _check(columns, groups, coverage, resamples)
    drawn = _resampled(lambda weights: metric.summary(columns, weights), groups, rng, resamples)
    return {key: _percentile(values, coverage) for key, values in drawn.items()}


def paired_difference(
    metric: Metric[Any],
    columns: tuple[Columns, Columns],
    groups: Sequence[Hashable],
    rng: np.random.Generator,
    coverage: float = 0.95,
    resamples: int = 1000,
) -> dict[str, Difference]:
    """How much larger each number is for the first predictor than for the second, on the same samples.

    Both are summarised over the same images in every resample, so that what makes images easy or hard for
    both cancels: the interval is much shorter than those of the two predictors suggest. Numbers over
    answered samples compare what each has answered, which may be different samples.

    Args:
        metric: Whose ``summary`` is resampled.
        columns: The scores of the first and of the second predictor, on N samples in the same order.
        groups: What each sample belongs to, N, as for ``intervals``.
        rng: What draws the images.
        coverage: The probability with which an interval should hold the true difference.
        resamples: How often all images are drawn again.

    Raises:
        ValueError: As ``intervals``.
    """
    for each in columns:
        _check(each, groups, coverage, resamples)

    def difference(weights: Array) -> dict[str, Array]:
        first, second = (metric.summary(each, weights) for each in columns)
        with np.errstate(invalid="ignore"):
            return {key: first[key] - second[key] for key in first}

    values = difference(np.ones((1, len(groups))))
    drawn = _resampled(difference, groups, rng, resamples)
    return {key: Difference(float(value[0]), *_percentile(drawn[key], coverage)) for key, value in values.items()}


def _check(columns: Columns, groups: Sequence[Hashable], coverage: float, resamples: int) -> None:
    if not len(groups):
        raise ValueError("there are no samples to resample")
    for key, column in columns.items():
        if len(column) != len(groups):
            raise ValueError(f"expected {len(groups)} scores {key!r}, one for each group named, got {len(column)}")
    if not (0 < coverage < 1 and resamples >= 1):
        raise ValueError(f"expected a coverage between 0 and 1 and resamples, got {coverage} and {resamples}")


def _resampled(summary: Summary, groups: Sequence[Hashable], rng: np.random.Generator, count: int) -> dict[str, Array]:
    """The summaries of resampled groups, (count,) each; all NaN if there is one group only."""
    numbers: dict[Hashable, int] = {}
    index = np.array([numbers.setdefault(group, len(numbers)) for group in groups])
    if len(numbers) == 1:
        return {key: np.full(count, np.nan) for key in summary(np.ones((1, len(groups))))}
    draws = _draws(len(numbers), count, _BLOCK // len(groups), rng)
    # Not times[:, index], whose columns lie together in memory: how sums round would depend on the block.
    blocks = [summary(np.take(times, index, axis=1)) for times in draws]
    return {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}


def _draws(groups: int, count: int, block: int, rng: np.random.Generator) -> Iterator[Array]:
    """How often each group is among ``groups`` groups drawn with replacement, (at most block, groups) at a time."""
    rows = max(1, block)
    for start in range(0, count, rows):
        size = min(rows, count - start)
        drawn = rng.integers(groups, size=(size, groups)) + groups * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * groups).reshape(size, groups).astype(np.float64)


def _percentile(values: Array, coverage: float) -> Interval:
    """The interval between two order statistics of resampled values (B,), without those that are NaN.

    The k-th smallest and the k-th largest, k = floor((B + 1) (1 - coverage) / 2), at least 1. Source: Efron and
    Tibshirani 1993, section 13.3, with the order statistics of section 12.5.
    """
    ordered = np.sort(values[~np.isnan(values)])
    if not len(ordered):
        return Interval(math.nan, math.nan)
    # Rounded, because (1 - 0.9) / 2 is a little less than 0.05.
    cut = max(1, math.floor(round((len(ordered) + 1) * (1 - coverage) / 2, 9)))
    return Interval(float(ordered[cut - 1]), float(ordered[-cut]))
