"""How long ``toolkit ask`` takes from a cold start, against importing two classes of transformers.

    python benchmarks/asking.py

Every run is a process of its own, and the two kinds of run take turns. The shipped model answers; then a stand-in
server does, which needs neither torch nor transformers.
"""

import json
import statistics
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROUNDS = 5
PICTURE = Path(__file__).resolve().parent.parent / "docs" / "hall.png"
IMPORT = ["-c", "from transformers import AutoModelForImageTextToText, AutoProcessor"]
ASK = ["-m", "toolkit", "ask", str(PICTURE), "how far is the red point", "--point", "red=118,112"]
ASK += ["--intrinsics", "288.83,288.83,150.85,119.06"]


class Handler(BaseHTTPRequestHandler):
    """Answers every question with the same distance."""

    def do_POST(self) -> None:
        """Answer one chat completion."""
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": "2.40 meters"}
        body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def seconds(words: list[str]) -> float:
    """How long a run of Python takes [s]."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    remote = [*ASK, "--model", f"openai:stand-in@http://127.0.0.1:{server.server_address[1]}/v1"]
    kinds = {"import": IMPORT, "ask tiny": [*ASK, "--model", "tiny"], "ask a server": remote}
    for words in kinds.values():
        seconds(words)  # the files are in the disk's cache from here on
    times = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, words in kinds.items():
            times[name].append(seconds(words))
    server.shutdown()
    base = statistics.median(times["import"])
    for name, found in times.items():
        print(f"{name:14} {statistics.median(found):5.2f} s  {statistics.median(found) / base:5.2f} x the import")


if __name__ == "__main__":
    main()
