"""A server that speaks the OpenAI protocol, with answers written beforehand."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from toolkit.modeling.remote.address import RemoteModel

Body = dict[str, Any]


@dataclass
class Answer:
    """What the server sends back; a body that is no text is sent as JSON."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Server:
    """Answers chat completions by a function of the request's body and of how many came before."""

    def __init__(self, answer: Callable[[Body, int], Answer], models: Answer | None = None) -> None:
        self.bodies: list[Body] = []
        self.keys: list[str] = []
        self.most = 0  # requests at the same time
        self._answer = answer
        self._models = models or Answer({"data": [{"id": "tiny", "object": "model"}]})
        self._lock = threading.Lock()
        self._now = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._send(server.chat(body, self.path, self.headers["Authorization"]))

            def do_GET(self) -> None:
                self._send(server._models)

            def _send(self, answer: Answer) -> None:
                body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                kind = "text/html" if isinstance(answer.body, str) else "application/json"
                self.send_response(answer.status)
                for name, value in {"Content-Type": kind, **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Clients that gave up have closed the line."""

        self._http = Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def remote(self) -> RemoteModel:
        return RemoteModel("tiny", f"http://127.0.0.1:{self._http.server_address[1]}/v1")

    def chat(self, body: Body, path: str, key: str) -> Answer:
        assert path == "/v1/chat/completions"
        with self._lock:
            index = len(self.bodies)
            self.bodies.append(body)
            self.keys.append(key)
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            return self._answer(body, index)
        finally:
            with self._lock:
                self._now -= 1

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
