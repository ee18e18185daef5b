"""Statistics that the checks share: exact tests on counts, and a median."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

ALPHA = 0.002
"""The chance of a false alarm that a verdict by a sign test allows; ten frames of ten are just enough."""

ENOUGH = 10
"""The number of frames from which on a sign test is used."""

STRICT = 1e-6
"""The same for a test on the points of a few frames: such points share a surface, so they are less independent."""


def sign_test(wins: int, losses: int) -> float:
    """The chance that two equally likely sides differ by at least as much, two-sided (Arbuthnot 1710).

    Args:
        wins: The number of cases for one side.
        losses: The number of cases for the other side; ties are not counted at all.
    """
    total = wins + losses
    return min(1.0, 2 * float(binom.cdf(min(wins, losses), total, 0.5))) if total else 1.0


def tail(successes: int, trials: int, chance: float) -> float:
    """The chance of at least this many successes in independent trials (the upper tail of the binomial distribution).

    Args:
        successes: The number of successes.
        trials: The number of trials.
        chance: The chance that one trial succeeds.
    """
    return float(binom.sf(successes - 1, trials, chance))


def median_or_nan(values: Sequence[float] | ArrayLike) -> float:
    """The median of some values (N,), or NaN if there are none."""
    array = np.asarray(values, dtype=np.float64)
    return float(np.median(array)) if array.size else float("nan")
