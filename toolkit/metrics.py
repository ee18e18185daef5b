"""Scoring answers: numbers, choices and camera motions.

A metric scores one answer at a time, summarises many scores, and knows the best answer that ignores the
picture, which every model must beat. An answer that could not be read is None and counts as wrong. All
values are plain floats; NaN stands only where nothing could be measured.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import ClassVar, Generic, TypeVar

from toolkit.answer import Direction, Motion

Value = TypeVar("Value")

_DELTA = 1.25
_SHORTEST_DIRECTED = 0.01
_WORST_ANGLE = 180.0
_AUC_DEGREES = 30
_FORWARD: Direction = (0.0, 0.0, 1.0)


class Metric(ABC, Generic[Value]):
    """How the answers of a task are scored.

    Attributes:
        headline: Key of the one number that stands for the metric; higher is better.
    """

    headline: ClassVar[str]

    @abstractmethod
    def score(self, truth: Value, answer: Value | None) -> dict[str, float]:
        """The scores of one answer; None is one that could not be read.

        Every call gives the same keys; NaN where the answer leaves nothing to measure.

        Raises:
            ValueError: If the truth cannot be scored against.
        """

    def scorable(self, truth: Value) -> bool:
        """Whether answers can be scored against a truth; questions whose truth is not are never asked."""
        try:
            self.score(truth, None)
        except (TypeError, ValueError):
            return False
        return True

    @abstractmethod
    def constant(self, truths: Sequence[Value]) -> Value:
        """The one answer to all questions that makes the headline highest; ``truths`` is not empty."""

    def best_constant(self, truths: Sequence[Value]) -> tuple[Value, float]:
        """The constant answer that makes the headline highest on these truths, and that headline.

        Raises:
            ValueError: If there are no truths, or one cannot be scored against.
        """
        if not truths:
            raise ValueError("there are no truths to find the best constant answer for")
        constant = self.constant(truths)
        return constant, self.summarise([self.score(truth, constant) for truth in truths])[self.headline]

    def summarise(self, scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """The mean of each score over the samples that have it (NaN if none has), and their ``count``.

        Raises:
            ValueError: If there are no scores.
        """
        if not scores:
            raise ValueError("there are no scores to summarise")
        means = {key: _mean(score[key] for score in scores) for key in scores[0]}
        return {**means, "count": float(len(scores))}


class RelativeAccuracy(Metric[float]):
    """Ratio and relative error of positive numbers.

    Scores, and their means over the samples:

    - ``delta1``, ``delta2``, ``delta3``: 1 if max(answer / truth, truth / answer) < 1.25, 1.25^2, 1.25^3,
      else 0 (Eigen, Puhrsch and Fergus 2014). An answer that is unreadable or not positive is 0.
    - ``abs_rel``: |answer - truth| / truth (same source), over answered samples only: NaN for the others.
    - ``answered``: 1 if the answer was read and is positive: the share of samples in ``abs_rel``.
    - ``unparsed``: 1 if the answer was not read, or is not finite.
    - ``nonpositive``: 1 if it was read and is zero or negative.
    """

    headline = "delta1"

    def score(self, truth: float, answer: float | None) -> dict[str, float]:
        """The scores of one answer, in the unit of the truth.

        Raises:
            ValueError: If the truth is not positive and finite.
        """
        _check_positive(truth)
        value = math.nan if answer is None else float(answer)
        parsed = math.isfinite(value)
        answered = parsed and value > 0
        ratio = _ratio(truth, value) if answered else math.inf
        deltas = {f"delta{power}": float(ratio < _DELTA**power) for power in (1, 2, 3)}
        return {
            **deltas,
            "abs_rel": abs(value - truth) / truth if answered else math.nan,
            "answered": float(answered),
            "unparsed": float(not parsed),
            "nonpositive": float(parsed and not answered),
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


class Accuracy(Metric[str]):
    """Share of right choices.

    Scores, and their means over the samples: ``accuracy``, 1 if the answer is the truth; ``unparsed``, 1 if
    it was not read, which is wrong.
    """

    headline = "accuracy"

    def score(self, truth: str, answer: str | None) -> dict[str, float]:
        """The scores of one answer."""
        return {"accuracy": float(answer == truth), "unparsed": float(answer is None)}

    def constant(self, truths: Sequence[str]) -> str:
        """The most frequent truth; of several the first in the alphabet."""
        counts = Counter(truths)
        return min(counts, key=lambda name: (-counts[name], name))


class MotionError(Metric[Motion]):
    """Errors of a camera motion: how far, by what angle, which way.

    Scores, and their means over the samples:

    - ``delta1``: that of the distance, as in ``RelativeAccuracy``.
    - ``rotation_error``: absolute difference of the rotation angles [deg], at most 180. The answer gives no
      axis, so this is a lower bound of the angle between the rotations.
    - ``direction_error``: angle between the directions of motion [deg]; NaN for a true distance below 0.01
      m, which has no direction to speak of.
    - ``auc30``: area under the recall curve of the pose error, the larger of both errors, up to 30 degrees:
      the mean over the thresholds 1, 2, ..., 30 degrees of the share of errors below the threshold (Jin et
      al. 2021, "Image Matching across Wide Baselines", mAA; binned by whole degrees as in VGGSfM and VGGT).
      One sample's score is the share of thresholds above its error, so the mean over samples is the area.
    - ``unparsed``: 1 if the answer was not read or is not finite; its errors are 180 degrees.
    """

    headline = "delta1"

    def score(self, truth: Motion, answer: Motion | None) -> dict[str, float]:
        """The scores of one answer.

        Raises:
            ValueError: If the true distance is not positive and finite.
        """
        if answer is not None and not _is_finite(answer):
            answer = None
        distance, rotation, direction = None, _WORST_ANGLE, _WORST_ANGLE
        if answer is not None:
            distance = answer.distance
            rotation = min(abs(float(answer.rotation) - truth.rotation), _WORST_ANGLE)
            direction = _angle(truth.direction, answer.direction)
        directed = truth.distance >= _SHORTEST_DIRECTED
        worst = max(rotation, direction) if directed else rotation
        return {
            "delta1": RelativeAccuracy().score(truth.distance, distance)["delta1"],
            "rotation_error": rotation,
            "direction_error": direction if directed else math.nan,
            "auc30": _mean(float(worst < threshold) for threshold in range(1, _AUC_DEGREES + 1)),
            "unparsed": float(answer is None),
        }

    def constant(self, truths: Sequence[Motion]) -> Motion:
        """The best constant distance, with the median rotation and the mean direction.

        The headline depends on the distance alone; forward stands in for a mean direction of length zero.
        """
        distance = RelativeAccuracy().constant([truth.distance for truth in truths])
        rotation = median(truth.rotation for truth in truths)
        directed = [truth.direction for truth in truths if truth.distance >= _SHORTEST_DIRECTED]
        return Motion(distance, rotation, _mean_direction(directed))


def _mean(values: Iterable[float]) -> float:
    """The mean of the values that are not NaN; NaN if none is left."""
    measured = [value for value in values if not math.isnan(value)]
    return math.fsum(measured) / len(measured) if measured else math.nan


def _check_positive(truth: float) -> None:
    if not (math.isfinite(truth) and truth > 0):
        raise ValueError(f"expected a true value that is positive and finite, got {truth}")


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
