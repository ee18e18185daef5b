"""One server: a question is sent until it is answered, refused, or patience is at its end."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Event
from typing import Any

import openai

from toolkit.modeling.predictor import Reply
from toolkit.modeling.remote.address import Key, Remote, RemoteSettings
from toolkit.modeling.remote.completion import CutShort, Nonsense, read_completion
from toolkit.modeling.remote.retry import asked_wait, wait
from toolkit.modeling.remote.server_errors import Asked, Fault, explain, trouble_of
from toolkit.modeling.remote.unanswered import Stopped

Options = dict[str, Any]


_CONNECT = 10.0  # seconds until a machine that does not answer at all counts as out of reach


_NO_KEY = "none"  # local servers want none, and the client must send something


_LOGPROBS, _FEWER_LOGPROBS = 20, 5  # how many alternatives a token has; some servers give fewer


class Client:
    """Asks one server; safe to use from several threads.

    Servers differ in the options that they take, and name what they refuse: it is left out from then on.
    """

    def __init__(self, remote: Remote, settings: RemoteSettings, key: Key, chance: Callable[[], float]) -> None:
        """Open nothing yet: the first question does.

        Args:
            remote: The model.
            settings: How it is asked.
            key: What the server is told about who asks.
            chance: Draws numbers between 0 and 1, which spread waits.
        """
        self._remote, self._settings, self._key, self._chance = remote, settings, key, chance
        self._options = first_options(settings.max_new_tokens)
        secret = key.value.get_secret_value() or _NO_KEY
        self._api = openai.OpenAI(
            base_url=remote.url,
            api_key=secret,
            default_headers={"Authorization": f"Bearer {secret}"},  # or the client takes one of the environment
            timeout=openai.Timeout(settings.timeout, connect=min(_CONNECT, settings.timeout)),
            max_retries=0,  # toolkit.modeling.remote.retry tells troubles apart, and can be called off
            # A proxy of the environment does not lead to this very machine.
            http_client=openai.DefaultHttpxClient(trust_env=not remote.is_here),
        )

    @property
    def options(self) -> Options:
        """What the server is asked for beside the answer, as far as it is known to take it."""
        return self._options

    def ask(self, content: Sequence[Any], stop: Event) -> Reply:
        """The reply to one question.

        Args:
            content: What the user shows and says, as parts of a message.
            stop: Ends waits, and keeps the question from being sent again.

        Raises:
            UserError: If there is none: ServerFault or QuestionFault.
            Stopped: If ``stop`` was set first.
        """
        tries = 0
        while not stop.is_set():
            tries += 1
            try:
                return self._try(content)
            except (openai.APIError, Nonsense, CutShort) as fault:
                pause = wait(trouble_of(fault), tries, self._settings.first_wait, _asked_wait(fault), self._chance())
                if pause is None:
                    asked = Asked(self._remote, self._settings, self._key, tries, self._offered)
                    raise explain(fault, asked) from None
            stop.wait(pause)
        raise Stopped

    def _try(self, content: Sequence[Any]) -> Reply:
        """One try; sent again at once without an option that the server names in refusing it."""
        options = self._options
        while True:
            try:
                reply = read_completion(self._send(content, options))
            except (openai.BadRequestError, openai.UnprocessableEntityError) as fault:
                named = _named(fault, options)
                if named is None:
                    raise
                options = without(options, named)
                continue
            self._options = options
            return reply

    def _send(self, content: Sequence[Any], options: Options) -> str:
        """The body of the server's answer."""
        raw = self._api.chat.completions.with_raw_response.create(
            model=self._remote.name, messages=[{"role": "user", "content": list(content)}], extra_body=options
        )
        return raw.http_response.text

    def _offered(self) -> list[str] | None:
        """Names of the server's models, None if it does not tell."""
        try:
            return sorted(str(model.id) for model in self._api.models.list(timeout=_CONNECT).data)
        except (openai.APIError, AttributeError, TypeError, ValueError):
            return None


def first_options(max_new_tokens: int) -> Options:
    """The likeliest tokens as they are, and how likely they were.

    Models come with penalties on repetition, which distort numbers, and which servers apply unless told otherwise:
    ``transformers serve`` by ``frequency_penalty``, vLLM by ``repetition_penalty``.
    """
    return {
        "max_tokens": max_new_tokens,
        "temperature": 0,
        "frequency_penalty": 0,
        "repetition_penalty": 1.0,
        "logprobs": True,
        "top_logprobs": _LOGPROBS,
    }


def without(options: Options, named: str) -> Options:
    """The options for a server that does not take one of them; newer OpenAI models call the limit otherwise."""
    if named in ("logprobs", "top_logprobs"):
        if options.get("top_logprobs", 0) > _FEWER_LOGPROBS:
            return {**options, "top_logprobs": _FEWER_LOGPROBS}
        return {name: value for name, value in options.items() if name not in ("logprobs", "top_logprobs")}
    rest = {name: value for name, value in options.items() if name != named}
    return {"max_completion_tokens": options[named], **rest} if named == "max_tokens" else rest


def _named(fault: openai.APIStatusError, options: Options) -> str | None:
    """The option that a server refuses; None if it names none that can be left out."""
    known = [name for name in options if name != "max_completion_tokens"]
    if fault.param in known:
        return fault.param
    found = re.search(rf"\b(?:{'|'.join(known)})\b", f"{fault.body}") if known else None
    return found.group() if found else None


def _asked_wait(fault: Fault) -> float | None:
    if not isinstance(fault, openai.APIStatusError):
        return None
    return asked_wait(fault.response.headers, datetime.now(UTC))
