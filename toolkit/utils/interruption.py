"""Signals that stop the program: Ctrl-C (SIGINT), SIGTERM and SIGHUP become one exception.

Only the command line turns this on, by ``stoppable``. In a program that imports the toolkit, signals do what they did
before, and nothing here has an effect.
"""

import _thread
import atexit
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals that stop the program. Not every system has all of them."""

_ECHO = 0.3  # s after a signal in which others count as the same: `timeout` sends its signal twice
_LAUNCHED_ECHO = 3.0  # s; torchrun passes its own signal on to processes that may have got it, too
_RAISED_AGAIN = 0.05  # s until a signal is raised again that was lost in a destructor


_Hook = Callable[["sys.UnraisableHookArgs"], object]


class Interrupted(BaseException):
    """A signal has asked the program to stop. Like KeyboardInterrupt, this is no error that anything may handle.

    Args:
        number: The number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass
class _Stops:
    """What is known of signals in this process.

    Attributes:
        process: The number of the process that signals stop; 0 while they do what they do in any Python program.
        last_words: A function that tells the user that the process ends at once.
        asked: The number of the first signal; None before it comes.
        asked_at: When it came [s].
        lost: Whether its exception was lost, so that it must be raised again.
        patient: What each block that holds signals back says when one comes.
    """

    process: int = 0
    last_words: Callable[[int], None] = lambda number: None
    asked: int | None = None
    asked_at: float = 0.0
    lost: bool = False
    patient: list[str] = field(default_factory=list)


_stops = _Stops()


@contextmanager
def stoppable(last_words: Callable[[int], None]) -> Iterator[bool]:
    """Let the first signal in a block raise ``Interrupted``, and a second one end the process at once.

    Signals that are ignored, as by ``nohup``, stay ignored. At the end, signals do again what they did before. In a
    thread that is not the main one, or inside such a block, nothing changes.

    Args:
        last_words: A function that tells the user that the process ends at once; it takes the number of the signal.

    Yields:
        Whether this block has turned signals on, and none around it has.
    """
    global _stops
    if _stops.process or threading.current_thread() is not threading.main_thread():
        yield False
        return
    hook = sys.unraisablehook
    before = {number: signal.getsignal(number) for number in SIGNALS}
    caught = [number for number, what in before.items() if what not in (signal.SIG_IGN, None)]
    _stops = _Stops(os.getpid(), last_words)
    sys.unraisablehook = _raise_again_or(hook)
    try:
        for number in caught:
            signal.signal(number, _on_signal)
        yield True
    finally:
        for number in caught:
            signal.signal(number, before[number])
        sys.unraisablehook = hook
        _stops.process = 0


@contextmanager
def deferred(told: str = "") -> Iterator[None]:
    """Hold the first signal back until the end of a block, for work that is short or looks at ``asked_to_stop``.

    Args:
        told: What is said to the user when a signal comes; "" says nothing.

    Raises:
        Interrupted: At the end of the block, if a signal has come.
    """
    _stops.patient.append(told)
    try:
        yield
    finally:
        _stops.patient.pop()
    _raise_if_asked()


@contextmanager
def prompt() -> Iterator[None]:
    """Let a signal raise ``Interrupted`` at once in a block, also inside one that holds signals back."""
    held, _stops.patient = _stops.patient, []
    try:
        _raise_if_asked()
        yield
    finally:
        _stops.patient = held


def asked_to_stop() -> int | None:
    """The number of the signal that has asked a block of ``stoppable`` to stop; None if none has, or outside of one."""
    return _stops.asked if _stops.process else None


def finish() -> None:
    """End the process if a signal has stopped its work; otherwise ignore signals from now on: all is done and told.

    Threads are not waited for after a signal: they may wait for a server.
    """
    if _stops.asked is not None:
        _listen(lambda number, frame: os._exit(exit_code(number)))
        atexit._run_exitfuncs()  # ends worker processes, among others
        os._exit(exit_code(_stops.asked))
    _listen(signal.SIG_IGN)


def _listen(handler: "signal._HANDLER") -> None:
    """Handle all signals that are not ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, handler)


def exit_code(number: int) -> int:
    """The exit code of a program that a signal has ended, as shells count it."""
    return 128 + number


def _raise_if_asked() -> None:
    asked = asked_to_stop()
    if asked is not None and not _stops.patient:
        raise Interrupted(asked)


def _on_signal(number: int, frame: FrameType | None) -> None:
    if os.getpid() != _stops.process:
        _leave_to_first_process(number)
    elif _stops.lost:
        _stops.lost = False
        _raise_if_asked()
    elif _stops.asked is None:
        _stops.asked, _stops.asked_at = number, time.monotonic()
        _let_go_of_closed_terminal()
        _raise_if_asked()
        _ignore_deaths_of_workers()
        if told := " ".join(filter(None, _stops.patient)):
            with suppress(OSError):
                os.write(2, f"{told}\n".encode())  # printing may be what the signal has interrupted
    elif time.monotonic() - _stops.asked_at > (_LAUNCHED_ECHO if "WORLD_SIZE" in os.environ else _ECHO):
        _stops.last_words(_stops.asked)
        os._exit(exit_code(number))


def _ignore_deaths_of_workers() -> None:
    """Let no handler raise an error in the middle of work if worker processes die: they may get the same signal."""
    if hasattr(signal, "SIGCHLD") and callable(signal.getsignal(signal.SIGCHLD)):
        signal.signal(signal.SIGCHLD, lambda number, frame: None)


def _let_go_of_closed_terminal() -> None:
    """Discard what is printed from now on if the terminal was closed (SIGHUP): printing would be an error."""
    for output in (1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(output).st_mode) and not os.isatty(output):
                os.dup2(os.open(os.devnull, os.O_WRONLY), output)


def _leave_to_first_process(number: int) -> None:
    """In a forked worker, which has inherited the handlers: SIGTERM ends it; the first process handles the others."""
    if number == signal.SIGTERM:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)


def _raise_again_or(hook: _Hook) -> _Hook:
    """A hook for exceptions in destructors, where Python drops them: ``Interrupted`` is raised again a moment later."""

    def raise_again(found: "sys.UnraisableHookArgs") -> None:
        if not isinstance(found.exc_value, Interrupted):
            hook(found)
            return
        _stops.lost = True
        again = threading.Timer(_RAISED_AGAIN, _thread.interrupt_main, [found.exc_value.number])
        again.daemon = True
        again.start()

    return raise_again
