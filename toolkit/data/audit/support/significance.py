"""Statistics that the checks share: exact tests on counts, and spreads that outliers do not move."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

ALPHA = 0.002
"""Chance of a false alarm that a verdict by a sign test allows: ten frames of ten, or better."""


STRICT = 1e-6
"""The same where points within few frames stand for frames: they share a surface, so that they count for less."""


def sign_test(wins: int, losses: int) -> float:
    """Chance that two equal sides differ by as much, two-sided (Arbuthnot 1710; ties are left out)."""
    total = wins + losses
    return min(1.0, 2 * float(binom.cdf(min(wins, losses), total, 0.5))) if total else 1.0


def tail(successes: int, trials: int, chance: float) -> float:
    """Chance of at least that many successes."""
    return float(binom.sf(successes - 1, trials, chance))


def median(values: Sequence[float] | ArrayLike) -> float:
    """The median, NaN of nothing."""
    array = np.asarray(values, dtype=np.float64)
    return float(np.median(array)) if array.size else float("nan")


def spread(values: ArrayLike) -> float:
    """Standard deviation by the median absolute deviation (Hampel 1974), NaN of nothing."""
    array = np.asarray(values, dtype=np.float64)
    return 1.4826 * median(np.abs(array - median(array)))
