"""Scoring camera motions."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from toolkit.qa.metrics import weighted_statistics as weighted
from toolkit.qa.metrics.metric import Metric, check_number
from toolkit.qa.metrics.relative_error import RelativeAccuracy
from toolkit.qa.metrics.weighted_statistics import Columns
from toolkit.qa.parsing.answer import Direction, Motion
from toolkit.utils.arrays import Array

_SHORTEST_DIRECTED = 0.01  # m; a shorter motion has no direction to speak of
_WORST_ANGLE = 180.0
_WITHIN_DEGREES = (5, 15, 30)
_AUC_DEGREES = (5, 10, 30)
_FORWARD: Direction = (0.0, 0.0, 1.0)


class MotionError(Metric[Motion]):
    """Errors of a camera motion: of its distance, its rotation angle and its direction.

    An answer gives the rotation angle, but no axis. The rotation error here is therefore the difference of two angles
    from 0 to 180 degrees. It is a lower bound of the angle between the two rotations, which is the geodesic error of
    the literature: the errors here are at most as large, and the shares and areas are at least as high. A direction has
    a sign: forward is not backward. The code of VGGT and LoFTR ignores the sign, because an essential matrix does not
    give it; there, 170 degrees count as 10.

    Over all samples; the score of an answer that could not be read is 0:

    - ``delta1``: the score of the distance, as in ``RelativeAccuracy``.
    - ``rotation_within_5``, ``_15``, ``_30``: the share with a rotation error below 5, 15, 30 degrees. This is RRA@5
      and so on (relative rotation accuracy: Wang, Rupprecht and Novotny 2023, "PoseDiffusion"), but for angles.
    - ``direction_within_5``, ``_15``, ``_30``: the share with a direction error below 5, 15, 30 degrees, among the
      motions that have a direction. This is RTA@5 and so on (relative translation accuracy, same source), with sign.
    - ``auc5``, ``auc10``, ``auc30``: the area under the recall curve of the pose error, up to 5, 10, 30 degrees. The
      pose error is the larger of the two errors, or the rotation error if the motion has no direction. The area is the
      mean, over the thresholds 1, 2, ..., 30 degrees, of the share below the threshold (mAA of Jin et al. 2021, "Image
      Matching across Wide Baselines"; in whole degrees as in Wang et al. 2025, "VGGT"). The score of one sample is the
      share of thresholds above its error, so the mean over the samples is the area. The exact area, which SuperGlue
      (Sarlin et al. 2020) and LoFTR (Sun et al. 2021) compute, is lower by less than the share of one degree: by up to
      0.2 at 5, 0.1 at 10 and 0.03 at 30.

    Over answered samples:

    - ``rotation_error``, ``rotation_error_median``: the mean and median difference of the angles [deg], at most 180.
    - ``direction_error``, ``direction_error_median``: the mean and median angle between the directions [deg]. Motions
      with a true distance below 0.01 m are left out, because they have no direction to speak of.

    Counts: ``answered`` is the share of answers that could be read and are finite; ``unparsed`` is the share of all
    others; ``nonpositive`` is the share that could be read, with a distance of zero or less.
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
        """The numbers of this metric, (B,) each, for samples (N,) with weights (B, N)."""
        errors = ("rotation_error", "direction_error")
        medians = {f"{key}_median": weighted.median(columns[key], weights) for key in errors}
        return {**weighted.means(columns, weights), **medians}

    def constant(self, truths: Sequence[Motion]) -> Motion:
        """The best constant distance, with the median rotation and the mean direction.

        The headline depends on the distance alone. If the mean direction has no length, it is forward.
        """
        distance = RelativeAccuracy().constant([truth.distance for truth in truths])
        return _motion_of_distance(distance, truths)

    def restore(self, saved: Mapping[str, Any]) -> Motion:
        """A motion from its values in JSON."""
        try:
            right, down, forward = map(check_number, saved["direction"])
            return Motion(check_number(saved["distance"]), check_number(saved["rotation"]), (right, down, forward))
        except (KeyError, TypeError):
            raise ValueError("a motion is expected: its distance, rotation and direction of three numbers") from None

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
    """The angle between two vectors [deg], which is precise near 0 and 180; it is 180 if a vector has no length.

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
    """The normalised sum of unit vectors (right, down, forward); forward if the sum has no length."""
    right, down, forward = (math.fsum(direction[axis] for direction in directions) for axis in range(3))
    length = math.hypot(right, down, forward)
    return (right / length, down / length, forward / length) if length > 0 else _FORWARD
