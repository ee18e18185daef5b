"""Predictors, which answer Samples, and their replies: a text, and how sure the model was of every token of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Protocol

from toolkit.qa.sample import Sample


@dataclass(frozen=True)
class Piece:
    """One token of an answer.

    Attributes:
        text: The characters of the token; "" for the token that ends the answer.
        probability: The probability that the model gave to this token.
        numerals: The probability of every token that is digits or a decimal point, by its characters without white
            space. The rest up to 1 belongs to tokens that end a number.
    """

    text: str
    probability: float
    numerals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """The answer of a predictor to one question.

    Attributes:
        text: The text of the answer, without white space around it.
        pieces: The tokens of the answer in order; () if probabilities are not known. Together they hold ``text``.
    """

    text: str
    pieces: tuple[Piece, ...] = ()

    @property
    def probability(self) -> float | None:
        """The probability that the model gave to exactly this answer; None if it is not known."""
        return prod(piece.probability for piece in self.pieces) if self.pieces else None


class Predictor(Protocol):
    """Anything that answers Samples in words, as a model does."""

    name: str
    """The name of the predictor in reports."""

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of the answers should know, as far as it has become known while answering."""

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """Give one Reply for each Sample, in order."""
