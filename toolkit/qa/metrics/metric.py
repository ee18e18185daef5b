"""The base class of metrics."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from toolkit.qa.metrics.weighted_statistics import Columns, as_columns, means
from toolkit.utils.arrays import Array

Value = TypeVar("Value")

_MOST = 1 << 53  # all integers up to it are exact as floating-point numbers

_SHOWN = 40  # characters of a wrong value that an error shows


def check_number(saved: Any) -> float:
    """Check that a value from JSON is a number, and return it.

    Raises:
        ValueError: If it is something else, or an integer too large to compute with.
    """
    if isinstance(saved, bool) or not isinstance(saved, int | float) or (isinstance(saved, int) and abs(saved) > _MOST):
        raise ValueError(f"a number is expected, not {str(saved)[:_SHOWN]!r}")
    return saved


class Metric(ABC, Generic[Value]):
    """How the answers of a task are scored.

    Attributes:
        headline: The key of the one number that represents the metric; a higher number is better.
    """

    headline: ClassVar[str]

    @abstractmethod
    def score(self, truth: Value, answer: Value | None) -> dict[str, float]:
        """The scores of one answer.

        Args:
            truth: The true value.
            answer: The value that was read from the answer; None if it could not be read.

        Returns:
            The scores by key, with the same keys in every call. A score is NaN if the answer leaves nothing to measure.

        Raises:
            ValueError: If no answer can be scored against this truth.
        """

    @abstractmethod
    def constant(self, truths: Sequence[Value]) -> Value:
        """The constant answer that makes the headline highest; ``truths`` is not empty."""

    @abstractmethod
    def central(self, truths: Sequence[Value]) -> Value:
        """A central value of some truths, such as their median, as a constant answer; ``truths`` is not empty.

        A model that has learnt only the distribution of the answers can give the central value of the training labels.
        """

    def summary(self, columns: Columns, weights: Array) -> dict[str, Array]:
        """Summarise the scores of weighted samples; by default, this is the mean of each score.

        Args:
            columns: The scores of N samples: for each key an array (N,), with NaN for samples that lack the score.
            weights: The weights of the samples in B different summaries, (B, N).

        Returns:
            For each key the B summaries, (B,); NaN where nothing was measured.
        """
        return means(columns, weights)

    def summarise(self, scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """Summarise scores that all have the same weight; ``count`` is the number of samples.

        Raises:
            ValueError: If there are no scores.
        """
        summary = self.summary(as_columns(scores), np.ones((1, len(scores))))
        return {**{key: float(value[0]) for key, value in summary.items()}, "count": float(len(scores))}

    def restore(self, saved: Any) -> Value:
        """A value of a truth or an answer, from its values in JSON.

        Raises:
            ValueError: If these are not the values of a truth or an answer.
        """
        restored: Value = saved
        return restored

    def scorable(self, truth: Value) -> bool:
        """Whether answers can be scored against a truth. If not, the question is never asked."""
        try:
            self.score(truth, None)
        except (TypeError, ValueError):
            return False
        return True

    def floor(self, truths: Sequence[Value], constant: Value) -> dict[str, float]:
        """The summary of a constant answer to questions with these truths, with the keys of ``summarise``.

        Raises:
            ValueError: If there are no truths, or no answer can be scored against one of them.
        """
        return self.summarise([self.score(truth, constant) for truth in truths])

    def best_constant(self, truths: Sequence[Value]) -> tuple[Value, float]:
        """The constant answer that makes the headline highest on these truths, and that highest value.

        Raises:
            ValueError: If there are no truths, or no answer can be scored against one of them.
        """
        if not truths:
            raise ValueError("there are no truths to find the best constant answer for")
        constant = self.constant(truths)
        return constant, self.floor(truths, constant)[self.headline]
