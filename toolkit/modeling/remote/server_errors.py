"""What can go wrong with a server, in words: problem, cause, remedy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import openai

from toolkit.errors import UserError, did_you_mean
from toolkit.modeling.remote.address import EXAMPLE, OPENAI_KEY, OWN_KEY, Key, Remote, RemoteSettings
from toolkit.modeling.remote.completion import CutShort, Nonsense
from toolkit.modeling.remote.retry import LONGEST, Trouble
from toolkit.modeling.remote.unanswered import QuestionFault, ServerFault

Fault = openai.APIError | Nonsense | CutShort
"""What comes of a question that is not answered."""


_STATUS: Mapping[int, Trouble] = {
    401: "key",
    402: "credit",
    403: "key",
    404: "unknown",
    408: "busy",
    429: "busy",
    503: "busy",
    529: "busy",
}


_SAID = 300  # characters of a server's own words that a message repeats


_LISTED = 20  # models that a message names


@dataclass(frozen=True)
class Asked:
    """What was tried.

    Attributes:
        remote: The model.
        settings: How it was asked.
        key: What it was told about who asks.
        tries: How often the question was sent.
        offered: Asks the server for the names of its models; None if it does not tell.
    """

    remote: Remote
    settings: RemoteSettings
    key: Key
    tries: int
    offered: Callable[[], Sequence[str] | None]


def trouble_of(fault: Fault) -> Trouble:
    """What kind of trouble a fault is."""
    match fault:
        case openai.APITimeoutError():
            return "slow"
        case openai.APIConnectionError():
            return "down"
        case openai.APIStatusError():
            if fault.status_code == 429 and fault.code == "insufficient_quota":
                return "credit"
            return _STATUS.get(fault.status_code, "broken" if fault.status_code >= 500 else "refused")
        case CutShort():
            return "refused"
    return "nonsense"


def explain(fault: Fault, asked: Asked) -> UserError:
    """The fault in words that help."""
    trouble = trouble_of(fault)
    kind = QuestionFault if trouble in ("broken", "nonsense", "refused") else ServerFault
    problem, cause, remedy = _WORDS[trouble](fault, asked)
    return kind(*(asked.key.hide(text) for text in (f"{asked.remote.url}: {problem}", cause, remedy)))


def said(fault: Fault) -> str:
    """The server's own words, on one line; nothing in them that a terminal would obey."""
    words = str(fault.body if isinstance(fault, openai.APIStatusError) and fault.body else fault)
    if isinstance(fault, openai.APIStatusError) and isinstance(fault.body, Mapping):
        words = str(fault.body.get("message") or fault.body.get("detail") or fault.body)
    if isinstance(fault, openai.APIConnectionError):
        words = str(fault.__cause__ or fault)
    plain = "".join(letter if letter.isprintable() else " " for letter in " ".join(words.split()))
    return plain[:_SAID] + ("…" if len(plain) > _SAID else "")


Words = tuple[str, str, str]


def _down(fault: Fault, _: Asked) -> Words:
    return (
        "the server cannot be reached, or hangs up",
        said(fault),
        "start the server, or check the address and its port",
    )


def _slow(_: Fault, asked: Asked) -> Words:
    seconds, workers = asked.settings.timeout, asked.settings.workers
    return (
        f"no answer within {seconds:g} s, {asked.tries} times",
        f"the server is too slow, is still loading its model, or hangs; up to {workers} questions are asked at once",
        "wait until it has loaded, ask fewer questions at once, or allow more time",
    )


def _busy(fault: Fault, asked: Asked) -> Words:
    return (
        f"the server takes no more questions now ({_status(fault)}), even after {_count(asked.tries)}",
        said(fault),
        f"wait, ask fewer questions at once (now {asked.settings.workers}), or raise the limit of the account; "
        f"a server that asks for more than {LONGEST:g} s is given up at once",
    )


def _credit(fault: Fault, _: Asked) -> Words:
    return "the account has no credit left", said(fault), "add credit, or use the key of another account"


def _key(fault: Fault, asked: Asked) -> Words:
    problem = f"the server does not let us in ({_status(fault)})"
    key = asked.key
    if key.withheld:
        return (
            problem,
            f"{key.variable} was not sent, since anyone on the way can read what goes over http",
            f"use https, or set {OWN_KEY}, which is sent to whatever server is asked",
        )
    if not key.value.get_secret_value():
        return problem, f"no key was sent: {OPENAI_KEY} is not set", f"export {OPENAI_KEY}=… with the server's key"
    return (
        problem,
        f"the key in {key.variable} was refused: {said(fault)}",
        f"put this server's key into {key.variable}",
    )


def _unknown(fault: Fault, asked: Asked) -> Words:
    name, url = asked.remote.name, asked.remote.url
    offered = asked.offered()
    if offered is None:
        address = url if url.endswith("/v1") else f"{url}/v1"
        return (
            "there is nothing that answers like OpenAI's servers (404)",
            said(fault),
            f"check the address; it usually ends in /v1: openai:{name}@{address}",
        )
    if name in offered:
        return "the question was not found (404)", said(fault), "look at the server's log"
    shown = ", ".join(offered[:_LISTED]) + (f" and {len(offered) - _LISTED} more" if len(offered) > _LISTED else "")
    near = did_you_mean(name, offered) if len(offered) <= _LISTED else "give one of these names"
    return f"the server knows no model {name}", f"it offers {shown or 'none'}", near


def _broken(fault: Fault, asked: Asked) -> Words:
    return (
        f"the server failed ({_status(fault)}), {_count(asked.tries)}",
        said(fault),
        f"look at its log; `transformers serve` answers so when it cannot load {asked.remote.name}",
    )


def _nonsense(fault: Fault, asked: Asked) -> Words:
    return (
        "what came back is not the answer of a chat model",
        said(fault),
        f"check the address; it usually ends in /v1, as in {EXAMPLE}",
    )


def _refused(fault: Fault, asked: Asked) -> Words:
    if isinstance(fault, CutShort):
        tokens = asked.settings.max_new_tokens
        return (
            f"the answer was cut after {tokens} tokens, before it began",
            "the model thinks first, and its thoughts are not shown",
            "allow more tokens (evaluation.max_new_tokens), or switch its thinking off on the server",
        )
    return (
        f"the server refused the question ({_status(fault)})",
        said(fault),
        "check the model's name, that it takes pictures, and that its context is long enough for them",
    )


_WORDS: Mapping[Trouble, Callable[[Fault, Asked], Words]] = {
    "down": _down,
    "slow": _slow,
    "busy": _busy,
    "credit": _credit,
    "key": _key,
    "unknown": _unknown,
    "broken": _broken,
    "nonsense": _nonsense,
    "refused": _refused,
}


def _status(fault: Fault) -> str:
    return str(fault.status_code) if isinstance(fault, openai.APIStatusError) else ""


def _count(tries: int) -> str:
    return "one try" if tries == 1 else f"{tries} tries"
