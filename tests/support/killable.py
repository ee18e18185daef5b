"""Commands that can be killed, without the seconds that a fresh process takes to import everything."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.support.paths import ROOT

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["toolkit.training.train", "toolkit.training.export", "toolkit.cli.main", "toolkit.inference.asker"]
)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative for a signal that killed it), and what it printed."""

    code: int
    out: str
    err: str


class KillableCommand:
    """``toolkit …`` in a process of its own, which is forked from one that has only imported the toolkit."""

    def __init__(self, *words: str | Path, folder: Path = ROOT) -> None:
        self._out, out = _CONTEXT.Pipe(duplex=False)
        self._err, err = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(target=_run, args=(["toolkit", *map(str, words)], folder, out, err))
        self._process.start()
        out.close()
        err.close()

    def lines(self) -> Iterator[str]:
        """The lines that it prints to stderr, as they come."""
        with os.fdopen(os.dup(self._err.fileno())) as stream:
            yield from stream

    def ends_within(self, seconds: float) -> bool:
        """Whether the command ends by itself within some time."""
        self._process.join(seconds)
        return self._process.exitcode is not None

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.send(signal.SIGKILL)
        self._process.join()
        assert self._process.exitcode == -signal.SIGKILL

    def end(self) -> Ended:
        """Wait until it has ended. What is left of its output is short."""
        self._process.join()
        assert self._process.exitcode is not None
        return Ended(self._process.exitcode, *("".join(_rest_of(pipe)) for pipe in (self._out, self._err)))


def _rest_of(pipe: Connection) -> Iterator[str]:
    with os.fdopen(os.dup(pipe.fileno())) as stream:
        yield from stream


def _run(words: list[str], folder: Path, out: Connection, err: Connection) -> None:
    from toolkit.__main__ import main

    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    out.close()
    err.close()
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.chdir(folder)
    sys.argv = words
    main()
