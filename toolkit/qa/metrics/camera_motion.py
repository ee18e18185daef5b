"""Scoring camera motions."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from toolkit.qa.metrics import weighted_statistics as weighted
from toolkit.qa.metrics.metric import Metric
from toolkit.qa.metrics.relative_error import RelativeAccuracy
from toolkit.qa.metrics.weighted_statistics import Array, Columns
from toolkit.qa.parsing.answer import Direction, Motion

_SHORTEST_DIRECTED = 0.01


_WORST_ANGLE = 180.0


_WITHIN_DEGREES = (5, 15, 30)


_AUC_DEGREES = (5, 10, 30)


_FORWARD: Direction = (0.0, 0.0, 1.0)


class MotionError(Metric[Motion]):
    """Errors of a camera motion: how far, by what angle, which way.

    The answer is a rotation angle without an axis, so what is called rotation here is the difference of two
    angles from 0 to 180 degrees. That is a lower bound of the angle between the rotations, the geodesic
    error of the literature: errors here are at most as large, shares and areas at least as high. A direction
    has a sign (forward is not backward), which the code of VGGT and LoFTR ignores, since an essential matrix
    does not give it: there 170 degrees count as 10.

    Over all samples; an answer that was not read is 0:

    - ``delta1``: that of the distance, as in ``RelativeAccuracy``.
    - ``rotation_within_5``, ``_15``, ``_30``: share with a rotation error below 5, 15, 30 degrees. RRA@5 and
      so on (relative rotation accuracy: Wang, Rupprecht and Novotny 2023, "PoseDiffusion"), but for angles.
    - ``direction_within_5``, ``_15``, ``_30``: share with a direction error below 5, 15, 30 degrees, of the
      motions that have a direction: RTA@5 and so on (relative translation accuracy, same source), with sign.
    - ``auc5``, ``auc10``, ``auc30``: area under the recall curve of the pose error, the larger of both errors
      (the rotation error where there is no direction), up to 5, 10, 30 degrees: the mean over the thresholds
      1, 2, ..., 30 degrees of the share below the threshold (mAA of Jin et al. 2021, "Image Matching across
      Wide Baselines", in whole degrees as by Wang et al. 2025, "VGGT"). One sample's score is the share of
      thresholds above its error, so the mean over samples is the area. The exact area, as SuperGlue (Sarlin
      et al. 2020) and LoFTR (Sun et al. 2021) take it, is lower by less than one degree's share: by up to
      0.2 at 5, 0.1 at 10, 0.03 at 30.

    Over answered samples:

    - ``rotation_error``, ``rotation_error_median``: mean and median difference of the angles [deg], at most 180.
    - ``direction_error``, ``direction_error_median``: mean and median angle between the directions [deg]; a
      true distance below 0.01 m has no direction to speak of and is left out.

    How many there are: ``answered`` and ``unparsed``, the shares that were read and are finite, and that are
    not; ``nonpositive``, the share that was read with a distance of zero or less.
    """

    headline = "delta1"

    def score(self, truth: Motion, answer: Motion | None) -> dict[str, float]:
        """The scores of one answer.

        Raises:
            ValueError: If the true distance is not positive and finite.
        """
        if answer is not None and not _is_finite(answer):
            answer = None
        distance = RelativeAccuracy().score(truth.distance, None if answer is None else answer.distance)
        directed = truth.distance >= _SHORTEST_DIRECTED
        rotation = math.nan if answer is None else min(abs(float(answer.rotation) - truth.rotation), _WORST_ANGLE)
        direction = math.nan if answer is None else _angle(truth.direction, answer.direction)
        worst = max(rotation, direction) if directed else rotation
        return {
            "delta1": distance["delta1"],
            **{f"rotation_within_{limit}": float(rotation < limit) for limit in _WITHIN_DEGREES},
            **{
                f"direction_within_{limit}": float(direction < limit) if directed else math.nan
                for limit in _WITHIN_DEGREES
            },
            **{f"auc{limit}": _share_above(worst, limit) for limit in _AUC_DEGREES},
            "rotation_error": rotation,
            "direction_error": direction if directed else math.nan,
            "answered": float(answer is not None),
            "unparsed": float(answer is None),
            "nonpositive": distance["nonpositive"],
        }

    def summary(self, columns: Columns, weights: Array) -> dict[str, Array]:
        """The numbers of this metric, (B,) each, of samples (N,) that weigh (B, N)."""
        errors = ("rotation_error", "direction_error")
        medians = {f"{key}_median": weighted.median(columns[key], weights) for key in errors}
        return {**weighted.means(columns, weights), **medians}

    def constant(self, truths: Sequence[Motion]) -> Motion:
        """The best constant distance, with the median rotation and the mean direction.

        The headline depends on the distance alone; forward stands in for a mean direction of length zero.
        """
        distance = RelativeAccuracy().constant([truth.distance for truth in truths])
        return _motion_of_distance(distance, truths)

    def restore(self, saved: Mapping[str, Any]) -> Motion:
        """A motion from what JSON holds of it."""
        right, down, forward = saved["direction"]
        return Motion(saved["distance"], saved["rotation"], (right, down, forward))

    def central(self, truths: Sequence[Motion]) -> Motion:
        """The median distance, the median rotation and the mean direction, as in ``constant``."""
        return _motion_of_distance(median(truth.distance for truth in truths), truths)


def _motion_of_distance(distance: float, truths: Sequence[Motion]) -> Motion:
    """A distance with the median rotation and the mean direction of some motions."""
    rotation = median(truth.rotation for truth in truths)
    directed = [truth.direction for truth in truths if truth.distance >= _SHORTEST_DIRECTED]
    return Motion(float(distance), float(rotation), _mean_direction(directed))


def _share_above(error: float, limit: int) -> float:
    """The share of the thresholds 1, 2, ..., limit degrees that lie above an error [deg]; 0 for NaN."""
    return sum(error < threshold for threshold in range(1, limit + 1)) / limit


def _is_finite(motion: Motion) -> bool:
    return all(map(math.isfinite, (motion.distance, motion.rotation, *motion.direction)))


def _angle(truth: Direction, answer: Direction) -> float:
    """Angle between two vectors [deg], precise near 0 and 180; 180 if one has no length.

    Source: Kahan, "How Futile are Mindless Assessments of Roundoff", 2006, section 12:
    angle = 2 atan2(|a/|a| - b/|b||, |a/|a| + b/|b||).
    """
    lengths = math.hypot(*truth), math.hypot(*answer)
    if min(lengths) == 0:
        return _WORST_ANGLE
    first, second = (
        [component / length for component in vector] for vector, length in zip((truth, answer), lengths, strict=True)
    )
    apart = math.hypot(*(a - b for a, b in zip(first, second, strict=True)))
    along = math.hypot(*(a + b for a, b in zip(first, second, strict=True)))
    return math.degrees(2 * math.atan2(apart, along))


def _mean_direction(directions: Sequence[Direction]) -> Direction:
    """The normalised sum of unit vectors (right, down, forward); forward if it has no length."""
    right, down, forward = (math.fsum(direction[axis] for direction in directions) for axis in range(3))
    length = math.hypot(right, down, forward)
    return (right / length, down / length, forward / length) if length > 0 else _FORWARD
