"""Predictors that do not look at pictures: the best constant answer for each task, and a fixed text."""

from collections.abc import Mapping, Sequence

from toolkit.modeling.predictor import Reply
from toolkit.qa.mixture import Mixture
from toolkit.qa.sample import Sample


class ConstantPredictor:
    """Always the same answer for a task: the constant that scores best on the questions that will be asked.

    Args:
        held_out: The questions that will be asked: one mixture for each task, by the name of the task.
    """

    name = "best constant"
    notes = ()

    def __init__(self, held_out: Mapping[str, Mixture]) -> None:
        self._answers: dict[str, str] = {}
        for name, mixture in held_out.items():
            (task,) = (task for task, _ in mixture.tasks)
            samples = [mixture[index] for index in range(len(mixture))]
            if samples:
                best, _ = task.metric.best_constant([sample.truth for sample in samples])
                self._answers[name] = task.write(best, samples[0].query)

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """Give the constant answer of each Sample's task."""
        return [Reply(self._answers[sample.task]) for sample in samples]


class FixedPredictor:
    """Always the same text, such as "2.0 m".

    Args:
        text: The answer to every question.
    """

    notes = ()

    def __init__(self, text: str) -> None:
        self.name = f"constant {text}"
        self._text = text

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """Give the same Reply for every Sample."""
        return [Reply(self._text)] * len(samples)
