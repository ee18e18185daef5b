"""Predictors, which answer Samples, and their replies: a text, and how sure the model was of every token of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import prod
from typing import Any, Protocol, runtime_checkable

from toolkit.qa.parsing.answer_words import holds_only_thoughts
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


class Ending(StrEnum):
    """How the text of a reply ended."""

    COMPLETE = "complete"
    CUT = "cut"
    REFUSED = "refused"
    WITHHELD = "withheld"
    THOUGHTS = "thoughts"

    @property
    def why_unread(self) -> str:
        """Why nothing is read from a text that ended so; "" if it is complete."""
        return _WHY_UNREAD[self]


_WHY_UNREAD: Mapping[Ending, str] = {
    Ending.COMPLETE: "",
    Ending.CUT: "the answer was cut before it ended, so nothing is read from it",
    Ending.REFUSED: "the model refused to answer",
    Ending.WITHHELD: "a content filter withheld the answer",
    Ending.THOUGHTS: "there are thoughts in it, and no answer",
}


@dataclass(frozen=True)
class Reply:
    """The answer of a predictor to one question.

    Attributes:
        text: The text of the answer, without white space around it.
        pieces: The tokens of the answer in order; () if probabilities are not known. Together they hold ``text``.
        ending: How the text ended. Nothing is read from a text that is not complete.
        unaligned: Whether there were probabilities of tokens that do not spell ``text``, and are therefore left out.
    """

    text: str
    pieces: tuple[Piece, ...] = ()
    ending: Ending = Ending.COMPLETE
    unaligned: bool = False

    @property
    def probability(self) -> float | None:
        """The probability that the model gave to exactly this answer; None if it is not known."""
        return prod(piece.probability for piece in self.pieces) if self.pieces else None

    @property
    def readable(self) -> str:
        """The text that may hold a value: "" if the answer was cut, refused or withheld."""
        return self.text if self.ending in (Ending.COMPLETE, Ending.THOUGHTS) else ""

    def ending_with(self, value: Any) -> Ending:
        """How the text ended; if no value was read from it, thoughts that nothing follows are found in it too."""
        complete = value is None and self.ending is Ending.COMPLETE
        return Ending.THOUGHTS if complete and holds_only_thoughts(self.text) else self.ending


class Predictor(Protocol):
    """Anything that answers Samples in words, as a model does."""

    name: str
    """The name of the predictor in reports."""

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of the answers should know, as far as it has become known while answering."""

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """Give one Reply for each Sample, in order."""


@runtime_checkable
class EagerPredictor(Protocol):
    """A predictor that tells each answer as it comes, so that it can be kept even if a later one never comes."""

    def answer_each(self, samples: Sequence[Sample], heard: Callable[[int, Reply], None]) -> list[Reply]:
        """Like ``Predictor.answer``.

        Args:
            samples: The Samples.
            heard: A function that is called with the index of each Sample and its Reply, in the order of their coming.
        """
