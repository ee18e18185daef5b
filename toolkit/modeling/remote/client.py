"""One server: a question is sent until it is answered or refused, or until it has been tried often enough."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Event
from typing import Any

import openai

from toolkit.modeling.predictor import Reply
from toolkit.modeling.remote.address import ApiKey, RemoteModel, RemoteSettings
from toolkit.modeling.remote.bounded_http import BoundedClient, LedAway
from toolkit.modeling.remote.parse_completion import ErrorBody, NoAnswer, Nonsense, read_completion
from toolkit.modeling.remote.retry import requested_wait, retry_wait
from toolkit.modeling.remote.server_errors import Attempt, RequestFailure, explain, status_of, trouble_of
from toolkit.modeling.remote.unanswered_questions import Stopped

RequestOptions = dict[str, Any]
"""What is asked for in a request beside the answer, such as the temperature."""

_CONNECT = 10.0  # seconds until a machine that does not answer at all counts as unreachable

_NO_KEY = "none"  # local servers want no key, but the client must send something

_LONGEST = 2.0  # how many times the timeout a request may take in all, even if bytes still come

_DETAIL = "detail"  # the only option that is not sent beside the message, but within its pictures

_LOGPROBS, _FEWER_LOGPROBS = 20, 5  # how many alternatives of a token are asked for; some servers give fewer

_NOT_ABOUT_OPTIONS = (401, 402, 408, 413, 429, 503, 529)
"""HTTP statuses with which no server refuses an option."""

_OWN_FAILURES = (Nonsense, LedAway, openai.APITimeoutError)
"""What the client below raises itself."""


class Client:
    """A client of one server. It may be used from several threads.

    Servers differ in the options that they take, and name the ones that they refuse. These are then left out.
    """

    def __init__(self, remote: RemoteModel, settings: RemoteSettings, key: ApiKey, chance: Callable[[], float]) -> None:
        """Prepare the client; the first question opens the connection.

        Args:
            remote: The model.
            settings: How the server is asked.
            key: The key that the server is given.
            chance: A function that draws a number between 0 and 1, by which a wait is lengthened.
        """
        self._remote, self._settings, self._key, self._chance = remote, settings, key, chance
        self._options = first_options(settings.max_new_tokens)
        secret = key.value.get_secret_value() or _NO_KEY
        self._api = openai.OpenAI(
            base_url=remote.url,
            api_key=secret,
            default_headers={
                "Authorization": f"Bearer {secret}"
            },  # otherwise the client takes a key from the environment
            timeout=openai.Timeout(settings.timeout, connect=min(_CONNECT, settings.timeout)),
            max_retries=0,  # toolkit.modeling.remote.retry waits by what went wrong, and can be stopped
            # A proxy that the environment names does not lead to this machine.
            http_client=BoundedClient(_LONGEST * settings.timeout, trust_env=not remote.is_here),
        )

    @property
    def options(self) -> RequestOptions:
        """The options that are sent, without those that the server has refused."""
        return self._options

    def ask(self, content: Sequence[Any], stop: Event) -> Reply:
        """The reply to one question.

        Args:
            content: The parts of the user's message: pictures and text.
            stop: An event that ends all waits, and keeps the question from being sent again.

        Raises:
            UserError: If the question is not answered: ServerFault or QuestionFault.
            Stopped: If ``stop`` was set first.
        """
        tries = 0
        while not stop.is_set():
            tries += 1
            try:
                return self._try(content)
            except (openai.APIError, Nonsense, NoAnswer, ErrorBody, LedAway) as fault:
                pause = retry_wait(
                    trouble_of(fault), tries, self._settings.first_wait, _requested_wait(fault), self._chance()
                )
                if pause is None:
                    attempt = Attempt(self._remote, self._settings, self._key, tries, self._offered)
                    raise explain(fault, attempt) from None
            stop.wait(pause)
        raise Stopped

    def _try(self, content: Sequence[Any]) -> Reply:
        """Try once. If the server refuses an option by name, send the question again at once without it."""
        options = self._options
        while True:
            try:
                reply = read_completion(self._send(content, options))
            except (openai.APIStatusError, ErrorBody) as fault:
                named = _refused_option(fault, options)
                if named is None:
                    raise
                options = without_option(options, named)
                continue
            self._options = options
            return reply

    def _send(self, content: Sequence[Any], options: RequestOptions) -> str:
        """Send a question; returns the body of the server's answer."""
        beside = {name: value for name, value in options.items() if name != _DETAIL}
        shown = [part if _DETAIL in options else _without_detail(part) for part in content]
        try:
            raw = self._api.chat.completions.with_raw_response.create(
                model=self._remote.name, messages=[{"role": "user", "content": shown}], extra_body=beside
            )
        except openai.APIConnectionError as fault:
            if isinstance(fault.__cause__, _OWN_FAILURES):  # older versions of the package hide them
                raise fault.__cause__ from None
            raise
        return raw.http_response.text

    def _offered(self) -> list[str] | None:
        """The names of the server's models; None if it does not give them."""
        try:
            return sorted(str(model.id) for model in self._api.models.list(timeout=_CONNECT).data)
        except (openai.APIError, *_OWN_FAILURES, AttributeError, TypeError, ValueError, RecursionError):
            return None


def first_options(max_new_tokens: int) -> RequestOptions:
    """The options of the first request: greedy decoding without penalties, and the probabilities of tokens.

    Models come with penalties on repetition, which distort numbers. Servers apply them unless they are told not to:
    ``transformers serve`` by ``frequency_penalty``, vLLM by ``repetition_penalty``.

    Args:
        max_new_tokens: An answer is cut after this many tokens.
    """
    return {
        "max_tokens": max_new_tokens,
        "temperature": 0,
        "frequency_penalty": 0,
        "repetition_penalty": 1.0,
        "logprobs": True,
        "top_logprobs": _LOGPROBS,
        _DETAIL: "high",
    }


def _without_detail(part: Any) -> Any:
    """A part of a message, without saying how closely its picture is looked at."""
    picture = part.get("image_url")
    return {**part, "image_url": {"url": picture["url"]}} if picture else part


def without_option(options: RequestOptions, named: str) -> RequestOptions:
    """The options for a server that refuses one of them.

    Of alternatives per token, fewer are asked for first. Newer OpenAI models have another name for the limit of tokens.

    Args:
        options: The options that were sent.
        named: The name of the option that the server refuses.
    """
    if named in ("logprobs", "top_logprobs"):
        if options.get("top_logprobs", 0) > _FEWER_LOGPROBS:
            return {**options, "top_logprobs": _FEWER_LOGPROBS}
        return {name: value for name, value in options.items() if name not in ("logprobs", "top_logprobs")}
    rest = {name: value for name, value in options.items() if name != named}
    return {"max_completion_tokens": options[named], **rest} if named == "max_tokens" else rest


def _refused_option(fault: openai.APIStatusError | ErrorBody, options: RequestOptions) -> str | None:
    """The option that a server refuses; None if it names no option that can be left out."""
    if status_of(fault) in _NOT_ABOUT_OPTIONS:
        return None
    known = [name for name in options if name != "max_completion_tokens"]
    if isinstance(fault, openai.APIStatusError) and fault.param in known:
        return fault.param
    words = " ".join(_words_in(fault.body if isinstance(fault, openai.APIStatusError) else str(fault)))
    named = ((found.start(), name) for name in known if (found := _mention_of(name).search(words)))
    return min(named, default=(0, None))[1]


def _mention_of(option: str) -> re.Pattern[str]:
    """A pattern for the words by which servers name an option."""
    if option == "logprobs":
        return re.compile(r"\blog[ _-]?prob(?:s?(?![a-z])|abilit)", re.IGNORECASE)
    return re.compile(rf"\b{option}\b")


def _words_in(body: Any) -> Iterator[str]:
    """The words of a JSON value, however deep it is, without its keys."""
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            waiting += reversed(list(value.values() if isinstance(value, dict) else value))
        else:
            yield str(value)


def _requested_wait(fault: RequestFailure) -> float | None:
    """The seconds that the server asked to wait; None if it did not."""
    if not isinstance(fault, openai.APIStatusError):
        return None
    return requested_wait(fault.response.headers, datetime.now(UTC))
