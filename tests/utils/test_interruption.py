"""Tests of ``toolkit.utils.interruption``: signals become one exception, and only where that was turned on."""

import importlib.util
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from tests.support.paths import ROOT
from toolkit.utils import interruption
from toolkit.utils.interruption import SIGNALS, Interrupted, asked_to_stop, deferred, prompt, stoppable


def say_nothing(number: int) -> None:
    """Tell the user nothing."""


def caught(work: Callable[[], object]) -> Interrupted | None:
    """The exception that stops some work where signals are turned on."""
    try:
        with stoppable(say_nothing):
            work()
    except Interrupted as found:
        return found
    return None


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_an_exception_in_the_block_alone(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    found = caught(lambda: signal.raise_signal(number))
    assert found is not None and found.number == number
    assert asked_to_stop() is None
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_ignored_signals_stay_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    with stoppable(say_nothing):
        signal.raise_signal(signal.SIGHUP)
        assert asked_to_stop() is None
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.signal(signal.SIGHUP, before)


def test_a_deferred_signal_waits_for_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    done = []

    def work() -> None:
        with deferred("one moment"):
            with deferred():
                signal.raise_signal(signal.SIGTERM)
            done.append(asked_to_stop())
            with pytest.raises(Interrupted), prompt():
                done.append(None)
            done.append(asked_to_stop())
        done.append(None)

    assert caught(work) is not None
    assert done == [signal.SIGTERM, signal.SIGTERM]
    assert capfd.readouterr().err == "one moment\n"


def test_a_prompt_block_does_not_wait() -> None:
    done = []

    def work() -> None:
        with deferred():
            try:
                with prompt():
                    signal.raise_signal(signal.SIGINT)
                    done.append(None)
            except Interrupted:
                done.append(asked_to_stop())

    assert caught(work) is not None
    assert done == [signal.SIGINT]


def test_nothing_changes_where_it_is_not_turned_on() -> None:
    with pytest.raises(KeyboardInterrupt), deferred():
        signal.raise_signal(signal.SIGINT)
    found: list[bool] = []

    def turn_on() -> None:
        with stoppable(say_nothing) as outermost:
            found.append(outermost)

    thread = threading.Thread(target=turn_on)
    thread.start()
    thread.join()
    assert found == [False]
    with stoppable(say_nothing), stoppable(say_nothing) as outermost:
        assert not outermost


def test_a_signal_in_a_destructor_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    class Careless:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    def work() -> None:
        Careless()
        for _ in range(1000):
            time.sleep(0.01)

    assert caught(work) is not None
    assert "ignored" not in capfd.readouterr().err


def test_systems_without_some_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "SIGHUP")
    spec = importlib.util.spec_from_file_location("interruption_again", interruption.__file__)
    assert spec is not None and spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, again)
    spec.loader.exec_module(again)
    assert again.SIGNALS == (signal.SIGINT, signal.SIGTERM)
    with pytest.raises(again.Interrupted), again.stoppable(say_nothing):
        signal.raise_signal(signal.SIGTERM)


def in_a_process(code: str) -> subprocess.CompletedProcess[str]:
    start = "import os, signal, time\nfrom toolkit.utils.interruption import *\n"
    return subprocess.run([sys.executable, "-c", start + code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_second_signal_ends_the_process_at_once() -> None:
    ended = in_a_process(
        "with stoppable(lambda number: print('last words', number, flush=True)), deferred():\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    signal.raise_signal(signal.SIGINT)  # an echo, as `timeout` makes one\n"
        "    print('goes on', flush=True)\n"
        "    time.sleep(0.4)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    print('never')\n"
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "goes on\nlast words 2\n", "")


def test_forked_workers_leave_signals_to_the_first_process() -> None:
    ended = in_a_process(
        "with stoppable(print):\n"
        "    worker = os.fork()\n"
        "    if not worker:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "        signal.raise_signal(signal.SIGHUP)\n"
        "        signal.raise_signal(signal.SIGTERM)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))\n"
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "-15\n", "")
