"""What a server may do: how much it sends, how long it takes, and where it leads."""

import gzip
import socket
import threading
import zlib
from collections.abc import Callable, Iterator

import pytest

from toolkit.modeling.remote.parse_completion import Nonsense

openai = pytest.importorskip("openai", reason="the extra `remote` is not installed")

from toolkit.modeling.remote.bounded_http import LARGEST, BoundedClient, LedAway  # noqa: E402 (it needs openai)

Talk = Callable[[socket.socket], None]


class RawServer:
    """Answers every connection by a function that writes to its socket; a request has no more than one packet."""

    def __init__(self, talk: Talk) -> None:
        self.requests: list[bytes] = []
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with line:
            self.requests.append(line.recv(65536))
            try:
                self._talk(line)
            except OSError:
                return  # the client has hung up

    def close(self) -> None:
        self._listener.close()


Raw = Callable[[Talk], RawServer]


@pytest.fixture
def raw() -> Iterator[Raw]:
    servers: list[RawServer] = []

    def start(talk: Talk) -> RawServer:
        servers.append(RawServer(talk))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def test_an_ordinary_answer_arrives_whole(raw: Raw) -> None:
    server = raw(
        lambda line: line.sendall(response("3,5 m\u00e8tres".encode(), "Content-Type: text/plain; charset=zip"))
    )
    answer = BoundedClient(10.0).get(server.url)
    assert (answer.status_code, answer.text) == (200, "3,5 m\u00e8tres")
    assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_answers_are_read_though_nobody_asked_for_them(raw: Raw, encoding: str) -> None:
    packed = gzip.compress(b"3.5 m") if encoding == "gzip" else zlib.compress(b"3.5 m")
    server = raw(lambda line: line.sendall(response(packed, f"Content-Encoding: {encoding}")))
    assert BoundedClient(10.0).get(server.url).text == "3.5 m"


def test_a_body_without_end_is_given_up(raw: Raw) -> None:
    sent = []

    def talk(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            sent.append(line.send(bytes(1_000_000)))

    with pytest.raises(Nonsense, match="larger than 10 MB"):
        BoundedClient(30.0).get(raw(talk).url)
    assert sum(sent) < 4 * LARGEST


def test_a_bomb_is_not_unpacked(raw: Raw) -> None:
    bomb = gzip.compress(bytes(20 * LARGEST), 9)
    server = raw(lambda line: line.sendall(response(bomb, "Content-Encoding: gzip")))
    with pytest.raises(Nonsense, match="larger than 10 MB"):
        BoundedClient(30.0).get(server.url)


@pytest.mark.parametrize(("encoding", "words"), [("gzip", "cannot be decompressed"), ("br", "was not asked for")])
def test_what_cannot_be_unpacked_is_told(raw: Raw, encoding: str, words: str) -> None:
    server = raw(lambda line: line.sendall(response(b"3.5 m", f"Content-Encoding: {encoding}")))
    with pytest.raises(Nonsense, match=words):
        BoundedClient(10.0).get(server.url)


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_bytes_that_trickle_in_do_not_keep_a_question_waiting(raw: Raw, begin: bytes) -> None:
    """Neither in the headers nor in the body; each byte comes long before the read timeout."""
    free = threading.Event()

    def talk(line: socket.socket) -> None:
        line.sendall(begin or b"HTTP/1.1 200 OK\r\nX: ")
        while not free.wait(0.02):
            line.sendall(b" ")

    with pytest.raises(openai.APITimeoutError):
        BoundedClient(0.3, timeout=60.0).get(raw(talk).url)
    free.set()


def test_a_redirect_stays_on_its_host(raw: Raw) -> None:
    def talk(line: socket.socket) -> None:
        first = b"GET / " in server.requests[-1]
        line.sendall(response(b"", "Location: /there", status="307 Go") if first else response(b"3.5 m"))

    server = raw(talk)
    assert BoundedClient(10.0).get(server.url).text == "3.5 m"
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", ["301 Go", "302 Go", "307 Go", "308 Go"])
def test_a_redirect_to_another_host_is_not_followed(raw: Raw, status: str) -> None:
    other = raw(lambda line: line.sendall(response(b"3.5 m")))
    away = other.url.replace("127.0.0.1", "localhost")
    server = raw(lambda line: line.sendall(response(b"", f"Location: {away}?picture=1", status=status)))
    with pytest.raises(LedAway, match=away):
        BoundedClient(10.0).post(server.url, content=b"picture")
    assert other.requests == []


def test_a_circle_of_redirects_ends(raw: Raw) -> None:
    server = raw(lambda line: line.sendall(response(b"", "Location: /", status="307 Go")))
    with pytest.raises(Nonsense, match="redirects more than"):
        BoundedClient(10.0).get(server.url)


def test_a_server_that_is_given_up_does_not_hold_up_the_next_question(raw: Raw) -> None:
    free = threading.Event()

    def talk(line: socket.socket) -> None:
        if len(server.requests) == 1:
            free.wait(20)
        line.sendall(response(b"3.5 m"))

    server = raw(talk)
    client = BoundedClient(0.3, timeout=60.0)
    with pytest.raises(openai.APITimeoutError):
        client.get(server.url)
    assert client.get(server.url).text == "3.5 m"
    free.set()
