"""Scoring positive numbers: distances, times and speeds."""

import math
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from toolkit.qa.metrics.metric import Metric, check_number
from toolkit.qa.metrics.weighted_statistics import Columns, mean, means
from toolkit.utils.arrays import Array

DELTA1_FACTOR = 1.25
"""The factor within which an answer is right by ``delta1`` (Eigen, Puhrsch and Fergus 2014)."""

_WITHIN = 0.25
_MRA_ERRORS = [step / 20 for step in range(1, 11)]
_SILOG_FACTOR = 100.0
_NOT_AVERAGED = ("error", "log_ratio")


class RelativeAccuracy(Metric[float]):
    """The ratio, the relative error and the absolute error of positive numbers.

    Over all samples; the score of an answer that could not be read or is not positive is 0:

    - ``delta1``, ``delta2``, ``delta3``: the share with max(answer / truth, truth / answer) < 1.25, 1.25^2, 1.25^3
      (Eigen, Puhrsch and Fergus 2014, "Depth Map Prediction from a Single Image using a Multi-Scale Deep Network").
    - ``within_2x``: the share between 50 % and 200 % of the truth, both ends included ("in range [50, 200] %": Chen et
      al. 2024, "SpatialVLM", table 2). The success rate of Q-Spatial Bench (Liao et al. 2024) is the same without the
      ends.
    - ``within_25``: the share between 75 % and 125 % of the truth, both ends included (the success rate of
      SpatialRGPT-Bench, Cheng et al. 2024).
    - ``mra``: the mean relative accuracy. It is the mean, over c = 0.5, 0.55, ..., 0.95, of the share with
      |answer - truth| / truth < 1 - c (Yang et al. 2025, "Thinking in Space", VSI-Bench). Their published code counts
      an error of exactly 1 - c too.

    Over answered samples:

    - ``abs_rel``: the mean of |answer - truth| / truth (Eigen et al. 2014).
    - ``rmse``: the root of the mean of (answer - truth)^2, in the unit of the task (Eigen et al. 2014).
    - ``log10``: the mean of |log10 answer - log10 truth| (Saxena, Sun and Ng 2009, "Make3D").
    - ``silog``: 100 sqrt(mean g^2 - lambda (mean g)^2), with g = ln answer - ln truth and lambda = 1. It does not
      change if all answers are multiplied by one factor (Eigen et al. 2014, equations 1 to 3; their training loss,
      equation 4, has lambda = 0.5). The root and the factor 100 are those of the KITTI depth prediction benchmark
      (Uhrig et al. 2017), in log(m) * 100. KITTI computes it for each picture and averages; here all samples are one
      set.

    Counts:

    - ``answered``: the share of answers that could be read and are positive.
    - ``unparsed``: the share of answers that could not be read, or are not finite.
    - ``nonpositive``: the share of answers that could be read and are zero or negative.
    """

    headline = "delta1"

    def score(self, truth: float, answer: float | None) -> dict[str, float]:
        """The scores of one answer, in the unit of the truth.

        A single answer has no ``rmse``, ``log10`` and ``silog``. Instead it has ``error``, which is answer - truth, and
        ``log_ratio``, which is ln answer - ln truth.

        Raises:
            ValueError: If the truth is not positive and finite.
        """
        _check_positive(truth)
        value = math.nan if answer is None else float(answer)
        parsed = math.isfinite(value)
        answered = parsed and value > 0
        return {
            **_shares(truth, value if answered else math.nan),
            "answered": float(answered),
            "unparsed": float(not parsed),
            "nonpositive": float(parsed and not answered),
            **_errors(truth, value if answered else math.nan),
        }

    def summary(self, columns: Columns, weights: Array) -> dict[str, Array]:
        """The numbers of this metric, (B,) each, for samples (N,) with weights (B, N)."""
        error, log_ratio = columns["error"], columns["log_ratio"]
        return {
            **means({key: columns[key] for key in columns if key not in _NOT_AVERAGED}, weights),
            "rmse": _root_mean_square(error, weights),
            "log10": mean(np.abs(log_ratio), weights) / math.log(10),
            "silog": _SILOG_FACTOR * _deviation(log_ratio, weights),
        }

    def constant(self, truths: Sequence[float]) -> float:
        """The constant that is right for the most truths: the centre of the window that holds the most of them.

        A constant c is right for the truths within (c / 1.25, 1.25 c). Truths from low to high fit into one such window
        if and only if they fit into the one with c = sqrt(low * high). So the optimum is the longest run of sorted
        truths that fits; two pointers find it in one pass. If several runs are equally long, the lowest is taken.
        """
        ordered = sorted(truths)
        start, longest, best = 0, 0, math.nan
        for end, high in enumerate(ordered):
            while not _within_delta(ordered[start], high):
                start += 1
            if end + 1 - start > longest:
                longest, best = end + 1 - start, _centre(ordered[start], high)
        return best

    def restore(self, saved: Any) -> float:
        """A number from JSON."""
        return check_number(saved)

    def central(self, truths: Sequence[float]) -> float:
        """The median."""
        return float(median(truths))


def _check_positive(truth: float) -> None:
    if not (math.isfinite(truth) and truth > 0):
        raise ValueError(f"expected a true value that is positive and finite, got {truth}")


def _shares(truth: float, answer: float) -> dict[str, float]:
    """The scores over all samples of a positive answer; they are all 0 for NaN."""
    ratio = _ratio(truth, answer)
    relative = abs(answer - truth) / truth
    # The bounds are compared, and not quotients, so that rounding never excludes exactly 2 or 1.25 times the truth.
    return {
        **{f"delta{power}": float(ratio < DELTA1_FACTOR**power) for power in (1, 2, 3)},
        "within_2x": float(truth / 2 <= answer <= truth * 2),
        "within_25": float((1 - _WITHIN) * truth <= answer <= (1 + _WITHIN) * truth),
        "mra": sum(relative < error for error in _MRA_ERRORS) / len(_MRA_ERRORS),
    }


def _errors(truth: float, answer: float) -> dict[str, float]:
    """The errors of a positive answer; they are all NaN for NaN."""
    relative = abs(answer - truth) / truth
    # The quotient of two finite numbers may be infinite, and infinity times a weight of 0 is NaN.
    relative = sys.float_info.max if math.isinf(relative) else relative
    return {"abs_rel": relative, "error": answer - truth, "log_ratio": math.log(answer) - math.log(truth)}


def _root_mean_square(column: Array, weights: Array) -> Array:
    """The root of the mean square (B,) of a column (N,). The column is scaled first, so that no square overflows."""
    scale = float(np.max(np.abs(column), initial=0.0, where=~np.isnan(column))) or 1.0
    root: Array = scale * np.sqrt(mean((column / scale) ** 2, weights))
    return root


def _deviation(column: Array, weights: Array) -> Array:
    """The standard deviation (B,) of a column (N,), from the differences to the mean, so that no digits cancel."""
    centre = mean(column, weights)
    deviation: Array = np.sqrt(mean((column - centre[:, None]) ** 2, weights))
    return deviation


def _ratio(truth: float, answer: float) -> float:
    """max(answer / truth, truth / answer) of positive numbers."""
    return max(answer / truth, truth / answer)


def _centre(low: float, high: float) -> float:
    """The geometric mean, which has the same ratio to both numbers."""
    return math.sqrt(low) * math.sqrt(high)


def _within_delta(low: float, high: float) -> bool:
    """Whether one answer can be right by delta1 for both truths, computed in the same way as in ``score``."""
    centre = _centre(low, high)
    return max(_ratio(low, centre), _ratio(high, centre)) < DELTA1_FACTOR
