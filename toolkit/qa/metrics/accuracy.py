"""Scoring choices, and how the order of two depths gets harder as they get closer."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from toolkit.qa.metrics.metric import Metric
from toolkit.qa.metrics.weighted_statistics import Array

GAP_EDGES = (0.10, 0.25, 0.50, 1.00)
"""Where one class of relative gaps ends and the next begins."""


class Accuracy(Metric[str]):
    """Share of right choices.

    Over all samples: ``accuracy``, the share of answers that are the truth; ``unparsed``, the share that was
    not read, which is wrong.
    """

    headline = "accuracy"

    def score(self, truth: str, answer: str | None) -> dict[str, float]:
        """The scores of one answer."""
        return {"accuracy": float(answer == truth), "unparsed": float(answer is None)}

    def constant(self, truths: Sequence[str]) -> str:
        """The most frequent truth; of several the first in the alphabet."""
        counts = Counter(truths)
        return min(counts, key=lambda name: (-counts[name], name))

    def central(self, truths: Sequence[str]) -> str:
        """The most frequent truth, as ``constant``: names have no median."""
        return self.constant(truths)


@dataclass(frozen=True)
class GapAccuracy:
    """How often the order of two depths was right, of the pairs with a certain gap.

    Attributes:
        low: Smallest relative gap of the class, included.
        high: Largest relative gap, left out; infinity in the last class.
        count: Pairs in the class.
        accuracy: Share of them that was right; NaN if there are none.
    """

    low: float
    high: float
    count: int
    accuracy: float


def relative_gap(first: ArrayLike, second: ArrayLike) -> Array:
    """How far apart two depths are, as a share of the smaller: |first - second| / min(first, second), (N,).

    One less than their ratio, by which ordinal depth is judged (Zoran et al. 2015, "Learning Ordinal
    Relationships for Mid-Level Vision"; Chen et al. 2016, "Single-Image Depth Perception in the Wild").

    Args:
        first: Depths of the first points, (N,), positive, of one kind and unit.
        second: Depths of the second points, likewise.

    Raises:
        ValueError: If a depth is not positive and finite.
    """
    depths = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    if not (np.isfinite(depths) & (depths > 0)).all():
        raise ValueError("expected depths that are positive and finite")
    gap: Array = np.ptp(depths, axis=0) / depths.min(axis=0)
    return gap


def accuracy_by_gap(correct: ArrayLike, gap: ArrayLike, edges: Sequence[float] = GAP_EDGES) -> tuple[GapAccuracy, ...]:
    """The accuracy of each class of relative gaps: below the first edge, between edges, from the last one on.

    Args:
        correct: ``accuracy`` of each sample, (N,).
        gap: Its relative gap, (N,), as ``relative_gap`` gives it.
        edges: Where classes meet, from low to high; an edge belongs to the class above it.

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
    """The accuracy of all classes whose smallest gap is at least ``gap``; NaN if they hold nothing."""
    beyond = [each for each in classes if each.low >= gap and each.count]
    count = sum(each.count for each in beyond)
    return math.fsum(each.accuracy * each.count for each in beyond) / count if count else math.nan


def _gap_class(right: Array, gaps: Array, low: float, high: float) -> GapAccuracy:
    inside = right[(gaps >= low) & (gaps < high)]
    return GapAccuracy(low, high, len(inside), float(inside.mean()) if len(inside) else math.nan)
