"""Means and medians of weighted samples, for many sets of weights at once.

Scores stand in columns: one array (N,) a key, one number a sample, NaN where nothing was measured. Weights
are (B, N), not negative: each row is one set. A row of ones gives the plain mean or median, a row of counts
that of a set in which sample n occurs that many times.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


Columns = Mapping[str, Array]


def as_columns(scores: Sequence[Mapping[str, float]]) -> dict[str, Array]:
    """The scores of N samples as one array (N,) a key; all samples have the same keys.

    Raises:
        ValueError: If there are no scores.
    """
    if not scores:
        raise ValueError("there are no scores to summarise")
    return {key: np.array([score[key] for score in scores], dtype=np.float64) for key in scores[0]}


def mean(column: Array, weights: Array) -> Array:
    """The mean (B,) of a column over the samples that have it; NaN where those weigh nothing.

    Args:
        column: One number a sample, (N,), or one for each set of weights too, (B, N).
        weights: (B, N).
    """
    measured = ~np.isnan(column)
    # Not a matrix product: numpy sums in pairs, which keeps digits and does not depend on threads.
    with np.errstate(over="ignore", invalid="ignore"):
        quotient: Array = (weights * np.where(measured, column, 0.0)).sum(axis=1) / (weights * measured).sum(axis=1)
    return quotient


def means(columns: Columns, weights: Array) -> dict[str, Array]:
    """The mean (B,) of each column, as ``mean``."""
    return {key: mean(column, weights) for key, column in columns.items()}


def median(column: Array, weights: Array) -> Array:
    """The median (B,) of a column (N,) over the samples that have it; NaN where those weigh nothing.

    The middle value, or the mean of the two middle ones, of the sorted samples, each as often as it weighs.
    """
    order = np.argsort(column)
    order = order[~np.isnan(column[order])]
    if not len(order):
        return np.full(len(weights), np.nan)
    reached = np.cumsum(weights[:, order], axis=1)
    half = reached[:, -1:] / 2
    low, high = (np.argmax(enough, axis=1) for enough in (reached >= half, reached > half))
    middle = column[order][low] / 2 + column[order][high] / 2
    return np.where(half[:, 0] > 0, middle, np.nan)
