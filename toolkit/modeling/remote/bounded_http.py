"""An HTTP client that bounds what a server may do: how large its answer is, how long it takes, and where it leads.

Timeouts of HTTP clients count from one byte to the next, so a server that sends one byte a second never meets them.
"""

import threading
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import openai

from toolkit.modeling.remote.parse_completion import Nonsense

if TYPE_CHECKING:
    from httpx2 import Request, Response

LARGEST = 10_000_000
"""The largest body of an answer that is read, in bytes after decompression."""

_MOST_REDIRECTS = 5
_ANY_ZLIB = zlib.MAX_WBITS | 32  # gzip or zlib, whichever the data are
_PACKING = ("content-encoding", "content-length", "transfer-encoding")


class LedAway(Exception):
    """The server redirects to another host, or away from https; the message is the address."""


class BoundedClient(openai.DefaultHttpxClient):
    """A client whose requests end in time, with a body that is not too large, and on the host that was asked."""

    def __init__(self, longest: float, **options: Any) -> None:
        """Make a client.

        Args:
            longest: The seconds that a request may take in all.
            **options: The options of the underlying client.
        """
        super().__init__(**options)
        self._longest = longest

    def send(self, request: "Request", **options: Any) -> "Response":
        """Send a request and read the answer.

        Raises:
            Nonsense: If the answer is too large, or cannot be decompressed.
            LedAway: If the server redirects to another host.
            openai.APITimeoutError: If the answer is not there in time.
        """
        given_up = threading.Event()
        outcome = _within(self._longest, lambda: self._exchange(request, given_up, options))
        if outcome is None:
            given_up.set()
            raise openai.APITimeoutError(request)
        return outcome

    def _exchange(self, request: "Request", given_up: threading.Event, options: dict[str, Any]) -> "Response":
        request.headers["Accept-Encoding"] = "identity"
        options = {**options, "stream": True, "follow_redirects": False}
        for _ in range(_MOST_REDIRECTS + 1):
            response = super().send(request, **options)
            try:
                following = response.next_request
                if following is None:
                    return _with_body(response, _read(response, given_up))
                _check_same_host(request, following)
                request = following
            finally:
                response.close()
        raise Nonsense(f"it redirects more than {_MOST_REDIRECTS} times")


def _within(seconds: float, work: Callable[[], Any]) -> Any:
    """What some work returns or raises; None if it takes longer. It then goes on in a thread that nobody waits for."""
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # raised again by whoever waits
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    return outcome[0] if outcome else None


def _check_same_host(asked: "Request", following: "Request") -> None:
    """Check that a redirect stays on the host that was asked, and is not less secret.

    Raises:
        LedAway: If it does not, or is.
    """
    insecure = asked.url.scheme == "https" and following.url.scheme != "https"
    if following.url.host != asked.url.host or insecure:
        raise LedAway(str(following.url.copy_with(query=None, userinfo=b"")))


def _read(response: "Response", given_up: threading.Event) -> bytes:
    """The body of an answer, decompressed.

    Raises:
        Nonsense: If it is too large, or packed in a way that was not asked for.
    """
    unpack = _unpacking(response.headers.get("content-encoding", "identity").strip().lower())
    body = bytearray()
    for chunk in response.iter_raw():
        try:
            body += unpack(chunk, LARGEST + 1 - len(body))
        except zlib.error as error:
            raise Nonsense(f"it cannot be decompressed: {error}") from None
        if len(body) > LARGEST:
            raise Nonsense(f"it is larger than {LARGEST // 1_000_000} MB")
        if given_up.is_set():
            break
    return bytes(body)


class _Unpack(Protocol):
    def __call__(self, chunk: bytes, most: int, /) -> bytes:
        """Decompress a chunk of a body, up to so many bytes."""


def _unpacking(encoding: str) -> _Unpack:
    """A function that decompresses the chunks of a body, in order.

    Raises:
        Nonsense: If the encoding is not one that every HTTP client knows.
    """
    if encoding in ("", "identity"):
        return lambda chunk, most: chunk
    if encoding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(_ANY_ZLIB).decompress
    raise Nonsense(f"it is compressed by {encoding[:20]!r}, which was not asked for")


def _with_body(response: "Response", body: bytes) -> "Response":
    """The same answer with a body that has been read. Its text is UTF-8, as JSON is, whatever its headers say."""
    headers = {name: value for name, value in response.headers.items() if name.lower() not in _PACKING}
    kind = headers.get("content-type", "").partition(";")[0]
    return type(response)(
        response.status_code, headers={**headers, "content-type": kind}, content=body, request=response.request
    )
