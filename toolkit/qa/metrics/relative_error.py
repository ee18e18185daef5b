"""Scoring positive numbers: distances, times, speeds."""

import math
import sys
from collections.abc import Sequence
from statistics import median

import numpy as np

from toolkit.qa.metrics.metric import Metric
from toolkit.qa.metrics.weighted_statistics import Array, Columns, mean, means

_DELTA = 1.25


_WITHIN = 0.25


_MRA_ERRORS = [step / 20 for step in range(1, 11)]


_SILOG_FACTOR = 100.0


_NOT_AVERAGED = ("error", "log_ratio")


class RelativeAccuracy(Metric[float]):
    """Ratio, relative and absolute error of positive numbers.

    Over all samples; an answer that was not read or is not positive is 0:

    - ``delta1``, ``delta2``, ``delta3``: share with max(answer / truth, truth / answer) < 1.25, 1.25^2, 1.25^3
      (Eigen, Puhrsch and Fergus 2014, "Depth Map Prediction from a Single Image using a Multi-Scale Deep
      Network").
    - ``within_2x``: share between 50 % and 200 % of the truth, both ends included ("in range [50, 200] %":
      Chen et al. 2024, "SpatialVLM", table 2). The success rate of Q-Spatial Bench (Liao et al. 2024) is the
      same without the ends.
    - ``within_25``: share between 75 % and 125 % of the truth, both ends included (the success rate of
      SpatialRGPT-Bench, Cheng et al. 2024).
    - ``mra``: mean relative accuracy: the mean over c = 0.5, 0.55, ..., 0.95 of the share with
      |answer - truth| / truth < 1 - c (Yang et al. 2025, "Thinking in Space", VSI-Bench). Their published
      code counts an error of exactly 1 - c too.

    Over answered samples:

    - ``abs_rel``: mean of |answer - truth| / truth (Eigen et al. 2014).
    - ``rmse``: root of the mean of (answer - truth)^2, in the unit of the task (Eigen et al. 2014).
    - ``log10``: mean of |log10 answer - log10 truth| (Saxena, Sun and Ng 2009, "Make3D").
    - ``silog``: 100 sqrt(mean g^2 - lambda (mean g)^2) with g = ln answer - ln truth and lambda = 1: a common
      factor of all answers does not change it (Eigen et al. 2014, equations 1 to 3; lambda = 0.5 is their
      training loss, equation 4). Root and factor are those of the KITTI depth prediction benchmark (Uhrig et
      al. 2017), in log(m) * 100. KITTI takes it in each picture and averages; here all samples are one set.

    How many there are:

    - ``answered``: share that was read and is positive.
    - ``unparsed``: share that was not read, or is not finite.
    - ``nonpositive``: share that was read and is zero or negative.
    """

    headline = "delta1"

    def score(self, truth: float, answer: float | None) -> dict[str, float]:
        """The scores of one answer, in the unit of the truth.

        In place of ``rmse``, ``log10`` and ``silog``, which no single answer has, stand ``error``, answer -
        truth, and ``log_ratio``, ln answer - ln truth.

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
        """The numbers of this metric, (B,) each, of samples (N,) that weigh (B, N)."""
        error, log_ratio = columns["error"], columns["log_ratio"]
        return {
            **means({key: columns[key] for key in columns if key not in _NOT_AVERAGED}, weights),
            "rmse": _root_mean_square(error, weights),
            "log10": mean(np.abs(log_ratio), weights) / math.log(10),
            "silog": _SILOG_FACTOR * _deviation(log_ratio, weights),
        }

    def constant(self, truths: Sequence[float]) -> float:
        """The centre of the window that holds most truths; of several such windows the lowest.

        A constant c is right for the truths within (c / 1.25, 1.25 c). The truths from low to high fit in
        one such window if and only if they do for c = sqrt(low * high). So the longest run of the sorted
        truths that fits is the exact optimum; two pointers find it in one pass.
        """
        ordered = sorted(truths)
        start, longest, best = 0, 0, math.nan
        for end, high in enumerate(ordered):
            while not _within_delta(ordered[start], high):
                start += 1
            if end + 1 - start > longest:
                longest, best = end + 1 - start, _centre(ordered[start], high)
        return best

    def central(self, truths: Sequence[float]) -> float:
        """The median."""
        return float(median(truths))


def _check_positive(truth: float) -> None:
    if not (math.isfinite(truth) and truth > 0):
        raise ValueError(f"expected a true value that is positive and finite, got {truth}")


def _shares(truth: float, answer: float) -> dict[str, float]:
    """What of a positive answer is right; nothing of NaN."""
    ratio = _ratio(truth, answer)
    relative = abs(answer - truth) / truth
    # Bounds are compared, not quotients: 2 and 1.25 times a truth must lie inside, whatever is rounded.
    return {
        **{f"delta{power}": float(ratio < _DELTA**power) for power in (1, 2, 3)},
        "within_2x": float(truth / 2 <= answer <= truth * 2),
        "within_25": float((1 - _WITHIN) * truth <= answer <= (1 + _WITHIN) * truth),
        "mra": sum(relative < error for error in _MRA_ERRORS) / len(_MRA_ERRORS),
    }


def _errors(truth: float, answer: float) -> dict[str, float]:
    """How far off a positive answer is; NaN for NaN."""
    relative = abs(answer - truth) / truth
    # The quotient of finite numbers may be infinite, and infinity times the weight 0 is not 0.
    relative = sys.float_info.max if math.isinf(relative) else relative
    return {"abs_rel": relative, "error": answer - truth, "log_ratio": math.log(answer) - math.log(truth)}


def _root_mean_square(column: Array, weights: Array) -> Array:
    """The root of the mean square (B,) of a column (N,); scaled first, so that no square overflows."""
    scale = float(np.max(np.abs(column), initial=0.0, where=~np.isnan(column))) or 1.0
    root: Array = scale * np.sqrt(mean((column / scale) ** 2, weights))
    return root


def _deviation(column: Array, weights: Array) -> Array:
    """The standard deviation (B,) of a column (N,), from the distances to the mean, so that no digits cancel."""
    centre = mean(column, weights)
    deviation: Array = np.sqrt(mean((column - centre[:, None]) ** 2, weights))
    return deviation


def _ratio(truth: float, answer: float) -> float:
    """max(answer / truth, truth / answer) of positive numbers."""
    return max(answer / truth, truth / answer)


def _centre(low: float, high: float) -> float:
    """The geometric mean, from which both have the same ratio."""
    return math.sqrt(low) * math.sqrt(high)


def _within_delta(low: float, high: float) -> bool:
    """Whether one answer can be within delta1 of both, judged as ``score`` judges it."""
    centre = _centre(low, high)
    return max(_ratio(low, centre), _ratio(high, centre)) < _DELTA
