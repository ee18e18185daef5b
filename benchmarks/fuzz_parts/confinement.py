"""Keep what a case does within its folder and this machine: mutated paths and addresses may lead anywhere."""

import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_HERE = ("127.0.0.1", "localhost", "::1", None)


def _opened(arguments: tuple[Any, ...]) -> list[Any]:
    path, _, flags = arguments
    harmless = isinstance(path, int) or not flags & _WRITING or path == os.devnull
    return [] if harmless else [path]


_TOUCHED: Mapping[str, Callable[[tuple[Any, ...]], list[Any]]] = {
    "open": _opened,
    **dict.fromkeys(
        ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.utime"), lambda given: [given[0]]
    ),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), lambda given: [given[1]]),
}
"""For each event of the interpreter, the paths that are about to change (PEP 578)."""


class Confinement:
    """While it is entered, files change only below a folder, and connections stay on this machine.

    It works for what goes through Python, in all threads of the process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = os.path.realpath(folder)
        self._on = False
        sys.addaudithook(self._check)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Confine a block."""
        self._on = True
        try:
            yield
        finally:
            self._on = False

    def _check(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        for path in _TOUCHED[event](arguments) if event in _TOUCHED else ():
            real = os.path.realpath(os.fsdecode(path)) if not isinstance(path, int) else self._folder
            if real != self._folder and not real.startswith(self._folder + os.sep):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fsdecode(path))
        host = arguments[0] if event == "socket.getaddrinfo" else None
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        if host not in _HERE:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
