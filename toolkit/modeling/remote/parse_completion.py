"""Read the answer of a server: its text, and the probability of each token where the server gives it.

Servers differ in everything but the few fields that are read here, so nothing else is required of an answer.
"""

import codecs
import json
import math
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue, ValidationError

from toolkit.modeling.predictor import Piece, Reply

_NUMERAL = re.compile(r"[0-9]+|\.")

_SHOWN = 120  # characters of an unreadable body that a message repeats


class Nonsense(Exception):
    """What the server sent is not an answer; the message says why."""


class CutShort(Exception):
    """The answer was cut before it began, because the model used up its tokens by thinking first."""


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: JsonValue = None
    reasoning: JsonValue = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: JsonValue = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: JsonValue = None

    @property
    def thought(self) -> bool:
        """Whether the model wrote thoughts, which are not part of the text."""
        message = self.choices[0].message
        usage = self.usage if isinstance(self.usage, dict) else {}
        details = usage.get("completion_tokens_details")
        counted = isinstance(details, dict) and details.get("reasoning_tokens")
        return bool(message.reasoning_content or message.reasoning or counted)


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


def read_completion(body: str) -> Reply:
    """Read the Reply in the body of a chat completion. An empty text is an answer too, which cannot be read.

    Args:
        body: The body, which should be JSON.

    Raises:
        Nonsense: If the body holds no answer.
        CutShort: If it holds no answer because thoughts, which are not shown, used up the tokens.
    """
    try:
        completion = _Completion.model_validate(json.loads(body))
    except ValidationError as error:
        fault = error.errors()[0]
        raise Nonsense(f"{'.'.join(map(str, fault['loc'])) or 'all of it'}: {fault['msg']}: {_start(body)}") from None
    except (ValueError, RecursionError):
        raise Nonsense(f"it is not JSON: {_start(body)}") from None
    choice = completion.choices[0]
    text = choice.message.content if choice.message.content is not None else choice.message.refusal
    if not (text or "").strip() and choice.finish_reason == "length" and completion.thought:
        raise CutShort
    if text is None:
        raise Nonsense(f"there is no text in it: {_start(body)}")
    return Reply(text.strip(), _pieces(choice.logprobs, text))


def _start(body: str) -> str:
    """The first characters of a body, for a message."""
    return repr(body[:_SHOWN]) + ("…" if len(body) > _SHOWN else "")


def _pieces(logprobs: JsonValue, text: str) -> tuple[Piece, ...]:
    """The tokens of an answer; empty if the server gives none, or if they do not spell the answer."""
    try:
        steps = _Logprobs.model_validate(logprobs).content
    except ValidationError:
        return ()
    spelt = _spellings(steps)
    if text.strip() != "".join(spelt).strip():
        spelt[-1] = ""  # some servers also spell the token that ends the answer
    if text.strip() != "".join(spelt).strip():
        return ()
    return tuple(Piece(words, step.probability, _numerals(step)) for words, step in zip(spelt, steps, strict=True))


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
