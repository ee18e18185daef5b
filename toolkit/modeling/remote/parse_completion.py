"""Read the answer of a server: its text, and the probability of each token where the server gives it.

Servers differ in everything but the few fields that are read here, so nothing else is required of an answer.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, JsonValue, ValidationError

from toolkit.modeling.predictor import Ending, Reply
from toolkit.modeling.remote.parse_logprobs import aligned_pieces

_SHOWN = 120  # characters of an unreadable body that a message repeats

_CUT = re.compile(r"length|max_\w*tokens|model_length|token_limit|insufficient|abort|error|timeout")
_FILTERED = re.compile(r"content_filter|safety|recitation|prohibited|blocklist|sensitive|spii")
_REFUSED = re.compile(r"refusal")
_WORDS = ("text", "output_text")
_ERROR_KEYS = ("message", "msg", "detail")


class Nonsense(Exception):
    """What the server sent is not an answer; the message says why."""


class NoAnswer(Exception):
    """The server sent no text that could be an answer; the message says what it sent in its place."""


class CutShort(NoAnswer):
    """The answer was cut before it began, because the model used up its tokens by thinking first."""


class OnlyThoughts(NoAnswer):
    """The model wrote thoughts, which are no answer."""


class Filtered(NoAnswer):
    """A content filter withheld the answer."""


class ToolCalled(NoAnswer):
    """The model called a tool; the message is its name."""


class ErrorBody(Exception):
    """The server reported an error with the status of success.

    Attributes:
        status: The HTTP status that the error names; 500 if it names none.
    """

    def __init__(self, message: str, status: int = 500) -> None:
        self.status = status
        super().__init__(message, status)

    def __str__(self) -> str:
        return str(self.args[0])


class _Part(BaseModel):
    type: str = "text"
    text: str | None = None
    refusal: str | None = None


class _Message(BaseModel):
    content: str | _Part | list[str | _Part] | None = None
    refusal: str | None = None
    reasoning_content: JsonValue = None
    reasoning: JsonValue = None
    reasoning_details: JsonValue = None
    thinking: JsonValue = None
    tool_calls: JsonValue = None

    @property
    def parts(self) -> list[_Part]:
        """The parts of the content; a string is one part."""
        parts = self.content if isinstance(self.content, list) else [self.content]
        return [_Part(text=part) if isinstance(part, str) else part for part in parts if part is not None]

    @property
    def text(self) -> str | None:
        """The words of the content, joined; None if there are none, not even empty ones."""
        words = [part.text for part in self.parts if part.type in _WORDS and part.text is not None]
        return "".join(words) if words else None

    @property
    def refused(self) -> str | None:
        """The words with which the model refused to answer; None if it did not."""
        return self.refusal or next((part.refusal for part in self.parts if part.refusal), None)

    @property
    def thought(self) -> bool:
        """Whether there are thoughts beside the words."""
        beside = (self.reasoning_content, self.reasoning, self.reasoning_details, self.thinking)
        return any(beside) or any(part.type in ("thinking", "reasoning") for part in self.parts)

    @property
    def called(self) -> str:
        """The name of the tool that the model called; "" if it called none."""
        match self.tool_calls:
            case [{"function": {"name": str(name)}}, *_]:
                return name
        return "a tool" if self.tool_calls else ""


class _Choice(BaseModel):
    message: _Message = _Message()
    finish_reason: JsonValue = None
    logprobs: JsonValue = None
    error: JsonValue = None

    @property
    def ending(self) -> Ending:
        """How the text ended, by the server's reason."""
        reason = self.finish_reason.get("type") if isinstance(self.finish_reason, dict) else self.finish_reason
        kinds = {_CUT: Ending.CUT, _FILTERED: Ending.WITHHELD, _REFUSED: Ending.REFUSED}
        words = str(reason or "").lower()
        return next((ending for pattern, ending in kinds.items() if pattern.match(words)), Ending.COMPLETE)


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: JsonValue = None

    @property
    def thought(self) -> bool:
        """Whether the model wrote thoughts, which are not part of the text."""
        usage = self.usage if isinstance(self.usage, dict) else {}
        details = usage.get("completion_tokens_details")
        counted = isinstance(details, dict) and details.get("reasoning_tokens")
        return bool(self.choices[0].message.thought or counted)


def read_completion(body: str) -> Reply:
    """Read the Reply in the body of a chat completion. An empty text is an answer too, which cannot be read.

    Args:
        body: The body, which should be JSON.

    Raises:
        Nonsense: If the body holds no answer.
        ErrorBody: If it holds an error.
        NoAnswer: If it holds thoughts or a tool's name in place of an answer, or a filter withheld the answer.
    """
    try:
        found = json.loads(body)
        _check_no_error(found)
        completion = _Completion.model_validate(found)
    except ValidationError as error:
        fault = error.errors()[0]
        raise Nonsense(f"{'.'.join(map(str, fault['loc'])) or 'all of it'}: {fault['msg']}: {_start(body)}") from None
    except (ValueError, RecursionError):
        raise Nonsense(f"it is not JSON: {_start(body)}") from None
    choice = completion.choices[0]
    text, refusal = choice.message.text, choice.message.refused
    if not (text or "").strip():
        if refusal:
            return Reply(refusal.strip(), ending=Ending.REFUSED)
        _check_nothing_instead(completion)
    if text is None:
        raise Nonsense(f"there is no text in it: {_start(body)}")
    ending = Ending.REFUSED if refusal else choice.ending
    pieces = aligned_pieces(choice.logprobs, text, completion.thought)
    return Reply(text.strip(), pieces or (), ending, unaligned=pieces is None)


def _check_nothing_instead(completion: _Completion) -> None:
    """Check that nothing stands in place of the answer's text, which is empty.

    Raises:
        NoAnswer: If there is something.
    """
    choice = completion.choices[0]
    if choice.ending is Ending.WITHHELD:
        raise Filtered(str(choice.finish_reason))
    if completion.thought:
        raise CutShort if choice.ending is Ending.CUT else OnlyThoughts
    if choice.message.called:
        raise ToolCalled(choice.message.called)


def _check_no_error(found: Any) -> None:
    """Check that a body reports no error in place of an answer.

    Raises:
        ErrorBody: If it does.
    """
    if not isinstance(found, dict):
        return
    choices = found.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    if found.get("object") == "error":
        raise _error_body(found)
    for holder in (first, {} if first else found):
        if holder.get("error"):
            raise _error_body(holder["error"])
    if not choices and any(found.get(key) for key in _ERROR_KEYS):
        raise _error_body(found)


def _error_body(error: Any) -> ErrorBody:
    """The error that a server reports, in any of the usual forms."""
    if not isinstance(error, Mapping):
        return ErrorBody(str(error))
    message = next((str(error[key]) for key in _ERROR_KEYS if error.get(key)), str(error))
    status = next((str(error[key]) for key in ("code", "status", "status_code") if error.get(key)), "")
    return ErrorBody(message, int(status) if re.fullmatch(r"[45]\d\d", status) else 500)


def _start(body: str) -> str:
    """The first characters of a body, for a message."""
    return repr(body[:_SHOWN]) + ("…" if len(body) > _SHOWN else "")
