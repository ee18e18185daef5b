"""What a metric is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from toolkit.qa.metrics.weighted_statistics import Array, Columns, as_columns, means

Value = TypeVar("Value")


class Metric(ABC, Generic[Value]):
    """How the answers of a task are scored.

    Attributes:
        headline: Key of the one number that stands for the metric; higher is better.
    """

    headline: ClassVar[str]

    @abstractmethod
    def score(self, truth: Value, answer: Value | None) -> dict[str, float]:
        """The scores of one answer; None is one that could not be read.

        Every call gives the same keys, and plain floats; NaN where the answer leaves nothing to measure.

        Raises:
            ValueError: If the truth cannot be scored against.
        """

    @abstractmethod
    def constant(self, truths: Sequence[Value]) -> Value:
        """The one answer to all questions that makes the headline highest; ``truths`` is not empty."""

    @abstractmethod
    def central(self, truths: Sequence[Value]) -> Value:
        """The middle of some truths, as an answer to all questions; ``truths`` is not empty.

        That of the training labels is what a model knows that has learnt nothing but how answers are
        distributed.
        """

    def summary(self, columns: Columns, weights: Array) -> dict[str, Array]:
        """The summaries of weighted samples: here the mean of each score over the samples that have it.

        Args:
            columns: The scores of N samples, (N,) a key.
            weights: How often each sample counts, (B, N), for B summaries.

        Returns:
            Each summary, (B,); NaN where nothing was measured.
        """
        return means(columns, weights)

    def summarise(self, scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """The summaries of some scores, all of the same weight, and their ``count``.

        Raises:
            ValueError: If there are no scores.
        """
        summary = self.summary(as_columns(scores), np.ones((1, len(scores))))
        return {**{key: float(value[0]) for key, value in summary.items()}, "count": float(len(scores))}

    def restore(self, saved: Any) -> Value:
        """A value from what JSON holds of it."""
        restored: Value = saved
        return restored

    def scorable(self, truth: Value) -> bool:
        """Whether answers can be scored against a truth; questions whose truth is not are never asked."""
        try:
            self.score(truth, None)
        except (TypeError, ValueError):
            return False
        return True

    def floor(self, truths: Sequence[Value], constant: Value) -> dict[str, float]:
        """What one answer to all questions scores on these truths: every key that ``summarise`` gives.

        Raises:
            ValueError: If there are no truths, or one cannot be scored against.
        """
        return self.summarise([self.score(truth, constant) for truth in truths])

    def best_constant(self, truths: Sequence[Value]) -> tuple[Value, float]:
        """The constant answer that makes the headline highest on these truths, and that headline.

        Raises:
            ValueError: If there are no truths, or one cannot be scored against.
        """
        if not truths:
            raise ValueError("there are no truths to find the best constant answer for")
        constant = self.constant(truths)
        return constant, self.floor(truths, constant)[self.headline]
