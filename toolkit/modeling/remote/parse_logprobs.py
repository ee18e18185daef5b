"""The tokens of a server's answer with their probabilities, aligned to its text."""

import codecs
import math
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue, ValidationError

from toolkit.modeling.predictor import Piece
from toolkit.qa.parsing.answer_words import answer_words

_WITHIN_WORD = re.compile(r"\w\Z|\d[.,-]\Z")
_NUMERAL = re.compile(r"[0-9]+|\.")


class _Token(BaseModel):
    token: str
    logprob: Annotated[float, Field(allow_inf_nan=False)]
    bytes: list[Annotated[int, Field(ge=0, le=255)]] | None = None

    @property
    def probability(self) -> float:
        return math.exp(min(0.0, self.logprob))


class _Step(_Token):
    top_logprobs: list[_Token] = []


class _Logprobs(BaseModel):
    content: list[_Step] = Field(min_length=1)


def aligned_pieces(logprobs: JsonValue, text: str, thought: bool) -> tuple[Piece, ...] | None:
    """The tokens of an answer.

    Args:
        logprobs: The value of the key ``logprobs`` in the answer of the server, whatever it holds.
        text: The text of the answer.
        thought: Whether the model wrote thoughts that are not part of the text.

    Returns:
        The tokens; empty if the server gives none; None if they do not spell the text.
    """
    try:
        steps = _Logprobs.model_validate(logprobs).content
    except ValidationError:
        return ()
    spelt = _spellings(steps)
    for spellings in (spelt, [*spelt[:-1], ""]):  # some servers also spell the token that ends the answer
        start = _start_of(spellings, text.strip(), thought)
        if start is not None:
            rows = zip(spellings[start:], steps[start:], strict=True)
            return tuple(Piece(words, step.probability, _numerals(step)) for words, step in rows)
    return None


def _start_of(spelt: Sequence[str], text: str, thought: bool) -> int | None:
    """The index of the token from which on the tokens spell a text; None if there is none.

    After thoughts, it is the last such token, and no word or number of the thoughts may run into the text.
    """
    whole, tail = "".join(spelt), ""
    if whole.strip() == text:
        return 0
    if not text or not (thought or answer_words(whole).strip() == text):
        return None
    for start in reversed(range(len(spelt))):
        tail = spelt[start] + tail
        if tail.strip() == text:
            runs_into = tail[0] == text[0] and _WITHIN_WORD.search("".join(spelt[:start]))
            return None if runs_into else start
        if len(tail.strip()) > len(text):
            return None
    return None


def _spellings(steps: Sequence[_Step]) -> list[str]:
    """The characters of each token; a character that is split over tokens belongs to the last of them."""
    if any(step.bytes is None for step in steps):
        return [step.token for step in steps]
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return [decoder.decode(bytes(step.bytes or ())) for step in steps]


def _numerals(step: _Step) -> dict[str, float]:
    """The probabilities of numerals at one step. Most servers give those of the likeliest tokens only."""
    likeliest = step.top_logprobs
    chosen = [] if any(other.token == step.token for other in likeliest) else [step]
    found: dict[str, float] = {}
    for token in (*chosen, *likeliest):
        characters = token.token.strip()
        if _NUMERAL.fullmatch(characters):
            found[characters] = found.get(characters, 0.0) + token.probability
    return found
