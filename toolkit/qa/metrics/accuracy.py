"""Scoring choices; and how the accuracy of ordering two depths depends on the gap between them."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from toolkit.qa.metrics.metric import Metric
from toolkit.utils.arrays import Array

GAP_EDGES = (0.10, 0.25, 0.50, 1.00)
"""The edges between the classes of relative gaps."""


class Accuracy(Metric[str]):
    """The share of right choices.

    Over all samples: ``accuracy`` is the share of answers that equal the truth; ``unparsed`` is the share of answers
    that could not be read, which count as wrong.
    """

    headline = "accuracy"

    def score(self, truth: str, answer: str | None) -> dict[str, float]:
        """The scores of one answer."""
        return {"accuracy": float(answer == truth), "unparsed": float(answer is None)}

    def restore(self, saved: Any) -> str:
        """A choice from JSON."""
        if isinstance(saved, list | dict):
            raise ValueError("a choice is expected, not a list or an object")
        return super().restore(saved)

    def constant(self, truths: Sequence[str]) -> str:
        """The most frequent truth; if several are equally frequent, the first of them in the alphabet."""
        counts = Counter(truths)
        return min(counts, key=lambda name: (-counts[name], name))

    def central(self, truths: Sequence[str]) -> str:
        """The most frequent truth, as in ``constant``, because names have no median."""
        return self.constant(truths)


@dataclass(frozen=True)
class GapAccuracy:
    """How often the order of two depths was right, in one class of relative gaps.

    Attributes:
        low: The lower edge of the class, which belongs to it.
        high: The upper edge of the class, which does not belong to it; infinity in the last class.
        count: The number of pairs in the class.
        accuracy: The share of these pairs whose order was right; NaN if there are no pairs.
    """

    low: float
    high: float
    count: int
    accuracy: float


def relative_gap(first: ArrayLike, second: ArrayLike) -> Array:
    """The gap between two depths, as a share of the smaller one: |first - second| / min(first, second).

    This is the ratio of the depths minus one. Ordinal depth is judged by that ratio (Zoran et al. 2015, "Learning
    Ordinal Relationships for Mid-Level Vision"; Chen et al. 2016, "Single-Image Depth Perception in the Wild").

    Args:
        first: The depths of the first points, (N,), positive, all of one kind and in one unit.
        second: The depths of the second points, (N,), of the same kind and in the same unit.

    Returns:
        The relative gaps, (N,).

    Raises:
        ValueError: If a depth is not positive and finite.
    """
    depths = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    if not (np.isfinite(depths) & (depths > 0)).all():
        raise ValueError("expected depths that are positive and finite")
    gap: Array = np.ptp(depths, axis=0) / depths.min(axis=0)
    return gap


def accuracy_by_gap(correct: ArrayLike, gap: ArrayLike, edges: Sequence[float] = GAP_EDGES) -> tuple[GapAccuracy, ...]:
    """The accuracy in each class of relative gaps: below the first edge, between two edges, and above the last edge.

    Args:
        correct: The score ``accuracy`` of each sample, (N,).
        gap: The relative gap of each sample, (N,), from ``relative_gap``.
        edges: The edges between the classes, from low to high. An edge belongs to the class above it.

    Raises:
        ValueError: If the lengths differ, a gap is negative or NaN, or the edges do not rise from above 0.
    """
    right, gaps = np.asarray(correct, dtype=np.float64), np.asarray(gap, dtype=np.float64)
    if right.shape != gaps.shape or right.ndim != 1:
        raise ValueError(f"expected one gap for each answer, got {gaps.shape} for {right.shape}")
    if not (gaps >= 0).all():
        raise ValueError("expected gaps that are not negative")
    bounds = (0.0, *edges, math.inf)
    if not (np.diff(bounds) > 0).all():
        raise ValueError(f"expected edges that rise from above 0, got {tuple(edges)}")
    return tuple(_gap_class(right, gaps, low, high) for low, high in pairwise(bounds))


def accuracy_beyond(classes: Sequence[GapAccuracy], gap: float) -> float:
    """The accuracy over all classes whose lower edge is at least ``gap``; NaN if they hold no pairs."""
    beyond = [each for each in classes if each.low >= gap and each.count]
    count = sum(each.count for each in beyond)
    return math.fsum(each.accuracy * each.count for each in beyond) / count if count else math.nan


def _gap_class(right: Array, gaps: Array, low: float, high: float) -> GapAccuracy:
    inside = right[(gaps >= low) & (gaps < high)]
    return GapAccuracy(low, high, len(inside), float(inside.mean()) if len(inside) else math.nan)
