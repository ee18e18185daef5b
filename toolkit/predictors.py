"""Predictors: what answers Samples. The model, or a constant."""

from collections.abc import Sequence
from typing import Protocol

from toolkit.registry import get_task
from toolkit.sample import Sample
from toolkit.vlm import Vlm, generate


class Predictor(Protocol):
    """Answers Samples as text, as a model would write it."""

    name: str

    def answer(self, samples: Sequence[Sample]) -> list[str]:
        """One text a Sample, in order."""


class VlmPredictor:
    """A vision-language model, decoding greedily."""

    def __init__(self, vlm: Vlm, name: str, batch_size: int = 32, max_new_tokens: int = 64) -> None:
        self.name = name
        self._vlm = vlm
        self._batch_size = batch_size
        self._max_new_tokens = max_new_tokens

    def answer(self, samples: Sequence[Sample]) -> list[str]:
        """One text a Sample, in order.

        Raises:
            GeometryError: If a picture would reach the model at another size.
        """
        return generate(
            self._vlm,
            [sample.prompt for sample in samples],
            [sample.images for sample in samples],
            max_new_tokens=self._max_new_tokens,
            batch_size=self._batch_size,
        )


class ConstantPredictor:
    """Always the same answer a task: the one that scores best on the very Samples it is asked."""

    name = "best constant"

    def answer(self, samples: Sequence[Sample]) -> list[str]:
        """The best constant answer of each Sample's task."""
        best = {}
        for name in {sample.task for sample in samples}:
            task = get_task(name)
            own = [sample for sample in samples if sample.task == name]
            value, _ = task.metric.best_constant([sample.truth for sample in own])
            best[name] = (task, value)
        return [best[sample.task][0].write(best[sample.task][1], sample.query) for sample in samples]
