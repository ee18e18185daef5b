"""A model on another server: its name, its address, and the key that is sent to the server.

Keys are taken from environment variables only. They are sent to the server, and never printed, logged or saved.
"""

import os
import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

from toolkit.errors import UserError

OWN_KEY = "TOOLKIT_API_KEY"
"""The environment variable with the key for the server that is asked, whichever server it is."""

OPENAI_KEY = "OPENAI_API_KEY"
"""An environment variable that many programs share. Its key is sent only over https, or to this machine."""

EXAMPLE = "openai:Qwen/Qwen2.5-VL-3B-Instruct@http://localhost:8000/v1"

_PREFIX = "openai:"

_FORM = re.compile(rf"{_PREFIX}(?P<name>\S+?)@(?P<url>https?://\S+)", re.IGNORECASE)  # a name may also hold "@"


@dataclass(frozen=True)
class RemoteModel:
    """A model that an OpenAI-compatible server offers. It is written ``openai:NAME@URL``.

    Attributes:
        name: The name that the server has for the model.
        url: The address of the server, to which ``/chat/completions`` is added. It holds no secret.
    """

    name: str
    url: str

    def __str__(self) -> str:
        return f"{_PREFIX}{self.name}@{self.url}"

    @property
    def is_here(self) -> bool:
        """Whether the server runs on this machine."""
        host = urlsplit(self.url).hostname or ""
        try:
            address = ip_address(host)
        except ValueError:
            return host == "localhost"
        return address.is_loopback or address.is_unspecified


@dataclass(frozen=True)
class RemoteSettings:
    """How a server is asked.

    Attributes:
        workers: The largest number of questions that are asked at the same time. It does not change the answers.
        max_new_tokens: An answer is cut after this many tokens.
        timeout: After this many seconds, a server that sends nothing counts as too slow.
        first_wait: The seconds until a question is sent again for the first time (``toolkit.modeling.remote.retry``).
    """

    workers: int = 8
    max_new_tokens: int = 64
    timeout: float = 120.0
    first_wait: float = 1.0


@dataclass(frozen=True)
class ApiKey:
    """The key that a server is given.

    Attributes:
        value: The key; empty if there is none.
        variable: The environment variable that holds the key, or would hold it.
        withheld: Whether there is a key that is not sent, because anyone on the way could read it.
    """

    value: SecretStr = field(default=SecretStr(""), repr=False)
    variable: str = OPENAI_KEY
    withheld: bool = False

    def hide(self, text: str) -> str:
        """A text, such as a server's message, with the key replaced."""
        secret = self.value.get_secret_value()
        return text.replace(secret, "[key]") if secret else text


def is_remote(text: str) -> bool:
    """Whether the name of a model says that it is on a server."""
    return text.lower().startswith(_PREFIX)


def parse_remote(text: str) -> RemoteModel:
    """Read the name of a model on a server.

    Args:
        text: ``openai:NAME@URL``. NAME may hold slashes, colons, dots and at signs.

    Raises:
        UserError: If the text has another form, or if the address holds a user, a password or a query. The message
            repeats none of these.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise UserError(f"the model is not given as {_PREFIX}NAME@URL", _form_fault(text), f"write it like {EXAMPLE}")
    try:
        url = urlsplit(match["url"])
        host = (url.hostname or "").encode("idna")  # fails where a name has an empty or too long part
        sound = bool(host) and (url.port is None or url.port > 0) and text.isprintable()
    except ValueError:
        sound = False
    if not sound:
        raise UserError(f"{_PREFIX}{match['name']}@…: the address is not one", "", f"write it like {EXAMPLE}")
    if "@" in url.netloc or url.query or url.fragment:
        raise UserError(
            f"{_PREFIX}{match['name']}@…: the address holds a user, a password or a query",
            "addresses are printed and saved in reports, and these parts are often secret",
            f"put the key into the environment variable {OWN_KEY} or {OPENAI_KEY}, and not into the address",
        )
    return RemoteModel(match["name"], match["url"].rstrip("/"))


def find_key(remote: RemoteModel) -> ApiKey:
    """Find the key for a server.

    The key of ``OWN_KEY`` is always sent. Without it, that of ``OPENAI_KEY`` is sent if nobody on the way can read it.

    Args:
        remote: The model on the server.

    Raises:
        UserError: If the key holds characters that no key has.
    """
    variable = OWN_KEY if os.environ.get(OWN_KEY, "").strip() else OPENAI_KEY
    value = os.environ.get(variable, "").strip()
    if not (value.isascii() and value.isprintable()):
        raise UserError(
            f"the environment variable {variable} holds no key",
            "there are characters in it that no key has, such as line breaks",
            "set it again, to the key alone",
        )
    if variable == OPENAI_KEY and value and not (remote.is_here or remote.url.lower().startswith("https:")):
        return ApiKey(variable=variable, withheld=True)
    return ApiKey(SecretStr(value), variable)


def _form_fault(text: str) -> str:
    """What is wrong with the form of a name, without repeating parts that may be secret."""
    if not text.lower().startswith(_PREFIX):
        return f"it must begin with {_PREFIX}"
    rest = text[len(_PREFIX) :]
    if rest.startswith(("@", "http://", "https://")):
        return "NAME, which the server calls its model, is missing"
    if "@" not in rest:
        return "the address of the server is missing"
    if re.search(r"\s", text):
        return "there is white space in it"
    return "the address must begin with http:// or https://"
