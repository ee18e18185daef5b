"""Training runs that can be killed, without the seconds that a fresh process takes to import everything."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from tests.support.paths import ROOT

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["toolkit.training.train", "toolkit.cli.main"])


class KillableRun:
    """``toolkit train`` in a process of its own, which is forked from one that has only imported the toolkit."""

    def __init__(self, recipe: Path, output: Path, *more: str) -> None:
        self._lines, said = _CONTEXT.Pipe(duplex=False)
        words = ["toolkit", "train", str(recipe), *more, "--output", str(output)]
        self._process = _CONTEXT.Process(target=_train, args=(words, said))
        self._process.start()
        said.close()

    def lines(self) -> Iterator[str]:
        """The lines that it prints to stderr, as they come."""
        with os.fdopen(os.dup(self._lines.fileno())) as stream:
            yield from stream

    def ends_within(self, seconds: float) -> bool:
        """Whether the run ends by itself within some time."""
        self._process.join(seconds)
        return self._process.exitcode is not None

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        assert self._process.exitcode == -signal.SIGKILL


def _train(words: list[str], said: Connection) -> None:
    from toolkit.cli.main import main

    os.dup2(said.fileno(), sys.stderr.fileno())
    os.chdir(ROOT)
    sys.argv = words
    main()
