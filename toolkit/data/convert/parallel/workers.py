"""Worker processes that stop between two pictures, and end with the process that started them, however it ends."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from toolkit.utils.interruption import SIGNALS

_MASKS = hasattr(signal, "pthread_sigmask")
_stopped = threading.Event()


class WorkerStopped(Exception):
    """This worker process was asked to stop, and its chunk of pictures is not done."""


def start_tracker() -> None:
    """Start Python's process that cleans up behind killed ones. It would warn of each thing that it has to clean up."""
    quiet = "ignore:resource_tracker:UserWarning"
    sys.warnoptions.append(quiet)
    resource_tracker.ensure_running()
    sys.warnoptions.remove(quiet)


@contextmanager
def starting_workers() -> Iterator[list[BaseProcess]]:
    """Start processes in a block, whose signals wait until ``obey_first_process`` says what they do.

    The signals of this process wait until the end of the block.

    Yields:
        A list, which holds the processes that were started after the block has ended.
    """
    others = multiprocessing.active_children()
    started: list[BaseProcess] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS) if _MASKS else set()
    try:
        yield started
    finally:
        started += [process for process in multiprocessing.active_children() if process not in others]
        if _MASKS:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def obey_first_process() -> None:
    """Let this worker process stop when the first process says so by SIGTERM, and end when the first process has ended.

    Signals to the whole group, such as Ctrl-C on a terminal, are for the first process to handle.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: _stopped.set())
    if _MASKS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_first_process, daemon=True).start()


def check_not_stopped() -> None:
    """Check, between two pictures, whether this process has been asked to stop.

    Raises:
        WorkerStopped: If it has.
    """
    if _stopped.is_set():
        raise WorkerStopped


def _end_with_first_process() -> None:
    first = multiprocessing.parent_process()
    if first is not None:
        wait([first.sentinel])
        os._exit(1)
