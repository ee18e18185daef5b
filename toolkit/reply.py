"""What was answered: the text, and how sure the model was of every piece of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod


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
