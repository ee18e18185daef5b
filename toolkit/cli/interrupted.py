"""What the user reads when a signal stops a command: what was interrupted, what is kept, and the command that goes on.

This module imports nothing that takes time, because signals also come while everything else is imported.
"""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass

from toolkit.utils.interruption import asked_to_stop, exit_code, stoppable


@dataclass(frozen=True)
class Remains:
    """What is left of a command that is interrupted.

    Attributes:
        kept: A function that says what is kept. It imports nothing, since an import may be what was interrupted.
        more: What is added to the command for it to go on.
        goes_on: Whether the same command goes on, and does not begin again.
    """

    kept: Callable[[], str] = lambda: "nothing is half written"
    more: Sequence[str] = ()
    goes_on: bool = False


_remains: ContextVar[Remains] = ContextVar("_remains", default=Remains())  # noqa: B039 - Remains are frozen


def if_interrupted(kept: Callable[[], str], more: Sequence[str] = ()) -> None:
    """Say what is kept if the command is interrupted from now on, so that the same command goes on.

    Args:
        kept: A function that says what is kept. It imports nothing, since an import may be what was interrupted.
        more: What is added to the command for it to go on.
    """
    _remains.set(Remains(kept, more, goes_on=True))


@contextmanager
def told_when_interrupted() -> Iterator[None]:
    """Let signals stop what is done in a block, tell the user in one line, and exit as shells expect it.

    Once a signal has come, whatever error comes up is its consequence: worker processes may have got it, too.
    """
    with stoppable(_tell_at_once) as mine:
        _remains.set(Remains())
        try:
            yield
        except BaseException:
            number = asked_to_stop()
            if number is None or not mine:
                raise
            _tell(number)
            raise SystemExit(exit_code(number)) from None


def _tell(number: int) -> None:
    """Print the line on stderr."""
    if _is_first() and sys.stderr is not None:
        with suppress(OSError):  # nobody may read it any more, as after SIGHUP
            print(_line(number), file=sys.stderr, flush=True)


def _tell_at_once(number: int) -> None:
    """Write the line to stderr from within a signal's handler: printing may be what the signal has interrupted."""
    if _is_first():
        with suppress(OSError):
            os.write(2, f"{_line(number)}\n".encode(errors="replace"))


def _is_first() -> bool:
    """Whether this is the process with rank 0, or the only one (``toolkit.utils.progress`` is slow to import)."""
    return os.environ.get("RANK", "0") == "0"


def _line(number: int) -> str:
    words, remains = sys.argv[1:], _remains.get()
    name = " ".join(["toolkit", *words[: 2 if words[:1] == ["data"] else 1]])
    command = shlex.join(["toolkit", *words, *remains.more])
    line = (
        f"interrupted by {signal.Signals(number).name}: {name}; {remains.kept()}; "
        f"to {'go on' if remains.goes_on else 'begin again'}: {command}"
    )
    return "".join(character if character.isprintable() else "?" for character in line)
