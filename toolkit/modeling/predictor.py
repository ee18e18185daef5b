"""What was answered: the text, and how sure the model was of every piece of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Protocol

from toolkit.qa.mixture import Mixture
from toolkit.qa.sample import Sample


@dataclass(frozen=True)
class Piece:
    """One token of an answer.

    Attributes:
        text: Its characters; "" for one that ends the answer.
        probability: What the model gave it.
        numerals: What the model gave every token that is digits or a decimal point, by its characters without
            white space. Whatever is missing from 1 went to tokens that end a number.
    """

    text: str
    probability: float
    numerals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        text: What was written, without white space around it.
        pieces: Its tokens in order, whose texts together hold ``text``; () where probabilities are not known.
    """

    text: str
    pieces: tuple[Piece, ...] = ()

    @property
    def probability(self) -> float | None:
        """What the model gave this very answer among all that it might have written; None if not known."""
        return prod(piece.probability for piece in self.pieces) if self.pieces else None


class Predictor(Protocol):
    """Answers Samples in words, as a model would."""

    name: str

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """One Reply a Sample, in order."""


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
