"""Means and medians of weighted samples, for many sets of weights at once.

The scores of N samples are columns: for each key an array (N,), with NaN for samples where nothing was measured. The
weights (B, N) are not negative; each row is one set of weights. A row of ones gives the ordinary mean or median. A row
of counts gives that of a set in which each sample occurs as often as its count says.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from toolkit.utils.arrays import Array

Columns = Mapping[str, Array]
"""The scores of N samples: for each key an array (N,), with NaN for samples where nothing was measured."""


def as_columns(scores: Sequence[Mapping[str, float]]) -> dict[str, Array]:
    """The scores of N samples, which all have the same keys, as an array (N,) for each key.

    Raises:
        ValueError: If there are no scores.
    """
    if not scores:
        raise ValueError("there are no scores to summarise")
    return {key: np.array([score[key] for score in scores], dtype=np.float64) for key in scores[0]}


def mean(column: Array, weights: Array) -> Array:
    """The weighted mean of a column, over the samples that are not NaN.

    Args:
        column: One number for each sample, (N,), or for each sample and set of weights, (B, N).
        weights: The sets of weights, (B, N).

    Returns:
        The means, (B,); NaN where the weights of these samples are all 0.
    """
    measured = ~np.isnan(column)
    # This is not a matrix product, because sums in NumPy are pairwise: they keep more digits, and do not depend on
    # the number of threads.
    with np.errstate(over="ignore", invalid="ignore"):
        quotient: Array = (weights * np.where(measured, column, 0.0)).sum(axis=1) / (weights * measured).sum(axis=1)
    return quotient


def means(columns: Columns, weights: Array) -> dict[str, Array]:
    """The weighted mean (B,) of each column, as ``mean`` computes it."""
    return {key: mean(column, weights) for key, column in columns.items()}


def median(column: Array, weights: Array) -> Array:
    """The weighted median of a column (N,), over the samples that are not NaN.

    It is the middle of the sorted samples, or the mean of the two in the middle, where each sample occurs as often as
    its weight says.

    Returns:
        The medians, (B,); NaN where the weights of these samples are all 0.
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
