"""Predictors: what answers Samples. The model, or a constant; others have modules of their own."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from toolkit.generation import generate
from toolkit.mixture import Mixture
from toolkit.reply import Reply
from toolkit.sample import Sample
from toolkit.vlm import Vlm


class Predictor(Protocol):
    """Answers Samples in words, as a model would."""

    name: str

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """One Reply a Sample, in order."""


class VlmPredictor:
    """A vision-language model, decoding greedily."""

    def __init__(self, vlm: Vlm, name: str, batch_size: int = 32, max_new_tokens: int = 64) -> None:
        self.name = name
        self._vlm = vlm
        self._batch_size = batch_size
        self._max_new_tokens = max_new_tokens

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """One Reply a Sample, in order.

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
    """Always the same answer a task: the one that scores best on the very questions it will be asked."""

    name = "best constant"

    def __init__(self, held_out: Mapping[str, Mixture]) -> None:
        self._answers: dict[str, str] = {}
        for name, mixture in held_out.items():
            (task,) = (task for task, _ in mixture.tasks)
            samples = [mixture[index] for index in range(len(mixture))]
            if samples:
                best, _ = task.metric.best_constant([sample.truth for sample in samples])
                self._answers[name] = task.write(best, samples[0].query)

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """The constant answer of each Sample's task."""
        return [Reply(self._answers[sample.task]) for sample in samples]


class FixedPredictor:
    """Always the same words, such as "2.0 m"."""

    def __init__(self, text: str) -> None:
        self.name = f"constant {text}"
        self._text = text

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """The same Reply for every Sample."""
        return [Reply(self._text)] * len(samples)
