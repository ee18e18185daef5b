"""What can go wrong with a server, in words: problem, cause and remedy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import openai

from toolkit.errors import UserError, did_you_mean
from toolkit.modeling.remote.address import EXAMPLE, OPENAI_KEY, OWN_KEY, ApiKey, RemoteModel, RemoteSettings
from toolkit.modeling.remote.bounded_http import LedAway
from toolkit.modeling.remote.parse_completion import (
    CutShort,
    ErrorBody,
    Filtered,
    NoAnswer,
    Nonsense,
    OnlyThoughts,
    ToolCalled,
)
from toolkit.modeling.remote.retry import LONGEST, Trouble
from toolkit.modeling.remote.unanswered_questions import QuestionFault, ServerFault

RequestFailure = openai.APIError | Nonsense | NoAnswer | ErrorBody | LedAway
"""What a question ends in that is not answered."""

_Explanation = tuple[str, str, str]
"""Problem, cause and remedy."""

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
"""What went wrong, by the HTTP status of the server's answer."""

_MESSAGE_LENGTH = 300  # characters of the server's own message that an error repeats

_LISTED = 20  # models that an error names


@dataclass(frozen=True)
class Attempt:
    """A question that was sent, perhaps several times, and not answered.

    Attributes:
        remote: The model.
        settings: How the server was asked.
        key: The key that the server was given.
        tries: How often the question was sent.
        offered: A function that asks the server for the names of its models. It returns None if the server does not
            give them.
    """

    remote: RemoteModel
    settings: RemoteSettings
    key: ApiKey
    tries: int
    offered: Callable[[], Sequence[str] | None]


def trouble_of(fault: RequestFailure) -> Trouble:
    """What kind of trouble a failure is."""
    match fault:
        case openai.APITimeoutError():
            return "slow"
        case openai.APIConnectionError():
            return "down"
        case openai.APIStatusError() | ErrorBody():
            if isinstance(fault, openai.APIStatusError) and fault.code == "insufficient_quota":
                return "credit"
            status = status_of(fault)
            return _STATUS.get(status, "broken" if status >= 500 else "refused")
        case NoAnswer():
            return "refused"
        case LedAway():
            return "moved"
    return "nonsense"


def status_of(fault: openai.APIStatusError | ErrorBody) -> int:
    """The HTTP status of a server's answer, or the one that an error in it names."""
    return fault.status_code if isinstance(fault, openai.APIStatusError) else fault.status


def explain(fault: RequestFailure, attempt: Attempt) -> UserError:
    """Explain a failure to the user: problem, cause and remedy, without the key."""
    trouble = trouble_of(fault)
    kind = QuestionFault if trouble in ("broken", "nonsense", "refused") else ServerFault
    problem, cause, remedy = _EXPLANATIONS[trouble](fault, attempt)
    return kind(*(attempt.key.hide(text) for text in (f"{attempt.remote.url}: {problem}", cause, remedy)))


def server_message(fault: RequestFailure) -> str:
    """The server's own message, on one line and without control characters."""
    words = str(fault.body if isinstance(fault, openai.APIStatusError) and fault.body else fault)
    if isinstance(fault, openai.APIStatusError) and isinstance(fault.body, Mapping):
        words = str(fault.body.get("message") or fault.body.get("detail") or fault.body)
    if isinstance(fault, openai.APIConnectionError):
        words = str(fault.__cause__ or fault)
    plain = "".join(letter if letter.isprintable() else " " for letter in " ".join(words.split()))
    return plain[:_MESSAGE_LENGTH] + ("…" if len(plain) > _MESSAGE_LENGTH else "")


def _down(fault: RequestFailure, _: Attempt) -> _Explanation:
    return (
        "the server cannot be reached, or hangs up",
        server_message(fault),
        "start the server, or check the address and its port",
    )


def _slow(_: RequestFailure, attempt: Attempt) -> _Explanation:
    seconds, workers = attempt.settings.timeout, attempt.settings.workers
    return (
        f"no answer within {seconds:g} s, {attempt.tries} times",
        "the server is too slow, is still loading its model, or hangs, perhaps in mid-answer; "
        f"up to {workers} questions are asked at once",
        "wait until it has loaded, ask fewer questions at once, or allow more time",
    )


def _busy(fault: RequestFailure, attempt: Attempt) -> _Explanation:
    return (
        f"the server takes no more questions now ({_status(fault)}), even after {_count(attempt.tries)}",
        server_message(fault),
        f"wait, ask fewer questions at once (now {attempt.settings.workers}), or raise the limit of the account; "
        f"a server that asks for more than {LONGEST:g} s is given up at once",
    )


def _credit(fault: RequestFailure, _: Attempt) -> _Explanation:
    return "the account has no credit left", server_message(fault), "add credit, or use the key of another account"


def _key(fault: RequestFailure, attempt: Attempt) -> _Explanation:
    problem = f"the server does not let us in ({_status(fault)})"
    key = attempt.key
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
        f"the key in {key.variable} was refused: {server_message(fault)}",
        f"put this server's key into {key.variable}",
    )


def _unknown(fault: RequestFailure, attempt: Attempt) -> _Explanation:
    name, url = attempt.remote.name, attempt.remote.url
    offered = attempt.offered()
    if offered is None:
        address = url if url.endswith("/v1") else f"{url}/v1"
        return (
            "there is nothing that answers like OpenAI's servers (404)",
            server_message(fault),
            f"check the address; it usually ends in /v1: openai:{name}@{address}",
        )
    if name in offered:
        return "the question was not found (404)", server_message(fault), "look at the server's log"
    shown = ", ".join(offered[:_LISTED]) + (f" and {len(offered) - _LISTED} more" if len(offered) > _LISTED else "")
    near = did_you_mean(name, offered) if len(offered) <= _LISTED else "give one of these names"
    return f"the server knows no model {name}", f"it offers {shown or 'none'}", near


def _broken(fault: RequestFailure, attempt: Attempt) -> _Explanation:
    return (
        f"the server failed ({_status(fault)}), {_count(attempt.tries)}",
        server_message(fault),
        f"look at its log; `transformers serve` answers so when it cannot load {attempt.remote.name}",
    )


def _nonsense(fault: RequestFailure, attempt: Attempt) -> _Explanation:
    return (
        "what came back is not the answer of a chat model",
        server_message(fault),
        f"check the address; it usually ends in /v1, as in {EXAMPLE}",
    )


def _moved(fault: RequestFailure, attempt: Attempt) -> _Explanation:
    return (
        "the server redirects to another host, and the question was not sent there",
        f"it leads to {server_message(fault)}",
        f"if you trust that host, give its address in place of {attempt.remote.url}",
    )


def _refused(fault: RequestFailure, attempt: Attempt) -> _Explanation:
    more = "allow more tokens (evaluation.max_new_tokens), or switch its thinking off on the server"
    match fault:
        case CutShort():
            tokens = attempt.settings.max_new_tokens
            return (
                f"the answer was cut after {tokens} tokens, before it began",
                "the model thinks first, and its thoughts are not shown",
                more,
            )
        case OnlyThoughts():
            return "there is reasoning in what came back, and no answer", "the model only wrote thoughts", more
        case Filtered():
            return (
                "a content filter withheld the answer",
                f"the server says {server_message(fault)}",
                "ask about another picture, or relax the filter on the server",
            )
        case ToolCalled():
            return (
                "the model called a tool and gave no answer",
                f"it called {server_message(fault)}",
                "switch tools off on the server",
            )
    return (
        f"the server refused the question ({_status(fault)})",
        server_message(fault),
        "check the model's name, that it takes pictures, and that its context is long enough for them",
    )


_EXPLANATIONS: Mapping[Trouble, Callable[[RequestFailure, Attempt], _Explanation]] = {
    "down": _down,
    "slow": _slow,
    "busy": _busy,
    "credit": _credit,
    "key": _key,
    "unknown": _unknown,
    "broken": _broken,
    "nonsense": _nonsense,
    "moved": _moved,
    "refused": _refused,
}


def _status(fault: RequestFailure) -> str:
    return str(status_of(fault)) if isinstance(fault, openai.APIStatusError | ErrorBody) else ""


def _count(tries: int) -> str:
    return "one try" if tries == 1 else f"{tries} tries"
