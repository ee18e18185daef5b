"""Run the cases of the fuzzer in this process, each in a folder of its own, with cleared caches and bounds."""

import contextlib
import gc
import io
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any
from unittest.mock import patch

import toolkit
from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.confinement import Confinement
from benchmarks.fuzz_parts.nonsense import nonsense_in
from benchmarks.fuzz_parts.reply_server import ReplyServer
from toolkit.cli.main import main
from toolkit.inference import asker
from toolkit.modeling.remote import client
from toolkit.qa.tasks import registry
from toolkit.qa.tasks.trust import let_run
from toolkit.utils.resources import TINY

SECONDS = 20
"""The seconds after which a case counts as hanging, if the machine gave it half of them; else three times as many."""

_ROOT = Path(toolkit.__file__).resolve().parent.parent
_PATIENCE = 3
_HEAVY = (
    "toolkit.evaluation.evaluate",
    "toolkit.modeling.remote.client",
    "toolkit.modeling.vlm.vlm_predictor",
    "toolkit.training.dry_run.preview",
    "toolkit.training.export",
    "toolkit.training.train",
)
"""What takes seconds to import, and would stay half imported in this process if that were stopped."""

_MEMORY = 3 << 30  # bytes that a case may take beside what the process has already
_ANYWHERE = {"device": "auto", "dtype": "auto", "quantize": None}  # where a model is put if the user does not say it

_KEPT_CACHE = "_load_known"  # the built-in tasks are registered once in a process
_LINKED = 1 << 16  # larger sound files are linked, not copied


class Hang(BaseException):
    """A case has taken too long."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with how a case ended.

    Attributes:
        what: The type of the error, or what was wrong with the output.
        where: The deepest function of the toolkit in the traceback, or the command.
        detail: The message of the error.
    """

    what: str
    where: str
    detail: str = ""

    @property
    def signature(self) -> tuple[str, str]:
        """What faults of the same cause share."""
        return self.what, self.where


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Attributes:
        code: The exit code; 1 after an error that was not caught.
        fault: What is wrong; None if nothing is.
        seconds: The time that it took.
    """

    code: int
    fault: Fault | None
    seconds: float


class Workbench:
    """Runs cases. It is a context, in which models that are not mutated are loaded once, and a server answers.

    Cases change no file outside of a temporary folder (``toolkit`` may be run by root), and reach no other machine.
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Workbench":
        for name in _HEAVY:
            import_module(name)
        enter = self._stack.enter_context
        self._root = Path(enter(tempfile.TemporaryDirectory()))
        self.folder = self._root / "cases" / "one" / "case"  # paths that lead upwards stay in a folder of our own
        self._confinement = Confinement(self._root)
        self._server = enter(ReplyServer(self.folder))
        enter(patch.object(tempfile, "tempdir", str(self._root)))
        enter(patch.dict(os.environ, {"XDG_STATE_HOME": str(self._root / "state"), "COLUMNS": "120"}))
        enter(patch.object(asker, "load", _loading_once(asker.load)))
        enter(patch.object(client, "retry_wait", _without_pause(client.retry_wait)))
        enter(patch("toolkit.evaluation.reports.report.can_draw", lambda: False))
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def sound(self, kind: Kind) -> Path:
        """The folder with the sound files of a kind."""
        folder = self._root / "sound" / kind.name
        if not folder.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            with _inside(self.folder), _captured():  # some files hold the path at which they were made
                kind.prepare()
            shutil.copytree(self.folder, folder)
        return folder

    def run(self, kind: Kind, case: Case) -> Outcome:
        """Run a case."""
        self.lay_out(kind, case)
        begun = time.monotonic()
        with (
            _inside(self.folder),
            _fresh_state(),
            _captured() as (out, err),
            self._confinement.held(),
            warnings.catch_warnings(record=True) as complaints,
        ):
            warnings.simplefilter("always", RuntimeWarning)
            code, fault = _ended(self._words(case))
        seconds = time.monotonic() - begun
        if fault is None:
            fault = self._judge(kind, case, code, out(), err(), [str(each.message) for each in complaints])
        return Outcome(code, fault, seconds)

    def lay_out(self, kind: Kind, case: Case) -> None:
        """Make the folder of a case: the sound files, and over them those of the case."""
        sound = self.sound(kind)
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(sound, self.folder, copy_function=_copy)
        for name, content in case.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_bytes(content)

    def _words(self, case: Case) -> list[str]:
        return [word.replace("{server}", self._server.url) for word in case.words]

    def _judge(self, kind: Kind, case: Case, code: int, out: str, err: str, complaints: list[str]) -> Fault | None:
        if code not in (0, 2):
            return Fault(f"exit code {code}", case.command, err[-200:])
        wrong = nonsense_in(code, out, err, case.words)
        if not wrong and code == 0:
            wrong = f"RuntimeWarning: {complaints[0]}" if complaints else kind.judge(case, self.folder)
        return Fault(f"nonsense: {wrong}", case.command) if wrong else None


def _ended(words: list[str]) -> tuple[int, Fault | None]:
    """How a command ends: its exit code, and what is wrong if it ends in a traceback."""
    with patch.object(sys, "argv", ["toolkit", *words]):
        try:
            with _bounded():
                main()
        except SystemExit as ended:
            if ended.code == 130:
                raise KeyboardInterrupt from None
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None), None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever it is, it is a finding
            detail = str(error)[:300].encode(errors="backslashreplace").decode()
            return 1, Fault(type(error).__name__, _deepest(error.__traceback__), detail)
    return 0, None


def _deepest(trace: TracebackType | None) -> str:
    """The deepest function of the toolkit in a traceback."""
    found = "?"
    for frame, _ in traceback.walk_tb(trace):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_ROOT) and "benchmarks" not in path.parts and ".venv" not in path.parts:
            found = f"{path.relative_to(_ROOT)}:{frame.f_code.co_qualname}"
    return found


def _copy(source: str, target: str) -> None:
    """Link a large file, copy a small one."""
    (os.link if os.path.getsize(source) > _LINKED else shutil.copyfile)(source, target)


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _captured() -> Iterator[tuple[Callable[[], str], Callable[[], str]]]:
    """Capture stdout and stderr; two functions are given that tell what was written."""
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace") for _ in range(2)]

    def teller(stream: io.TextIOWrapper) -> Callable[[], str]:
        def told() -> str:
            stream.flush()
            return stream.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]

        return told

    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]), _silent_libraries():
        yield teller(streams[0]), teller(streams[1])


@contextlib.contextmanager
def _silent_libraries() -> Iterator[None]:
    """Discard what libraries in C write to the stderr of the process."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextlib.contextmanager
def _fresh_state() -> Iterator[None]:
    """Let a case begin as in a new process: no caches, no tasks but those that are built in, nothing trusted."""
    registry.task_names()
    registered, loaded = dict(registry._registered), dict(registry._loaded)
    _clear_caches()
    let_run()
    try:
        yield
    finally:
        for known, before in ((registry._registered, registered), (registry._loaded, loaded)):
            known.clear()
            known.update(before)  # type: ignore[arg-type]
        gc.unfreeze()  # asking freezes all objects, which would then never be freed


def _clear_caches() -> None:
    """Clear the caches of all functions of the toolkit."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "toolkit":
            for key, value in vars(module).items():
                if hasattr(value, "cache_clear") and key != _KEPT_CACHE:
                    value.cache_clear()


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Bound the time and the memory of a block. Another timer that is running goes on afterwards."""
    begun = time.monotonic()
    handler = signal.signal(signal.SIGALRM, _stopper(begun, time.process_time()))
    left, _ = signal.setitimer(signal.ITIMER_REAL, SECONDS)
    memory = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_used_memory() + _MEMORY, memory[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, memory)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(0.01, left - (time.monotonic() - begun)))


def _used_memory() -> int:
    """The address space [bytes] that this process has taken."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _stopper(begun: float, used: float) -> Callable[[int, FrameType | None], None]:
    """A handler of SIGALRM that ends a case, but gives it more time if other processes keep it from running."""

    def stop(number: int, frame: FrameType | None) -> None:
        seconds = time.monotonic() - begun
        if time.process_time() - used < SECONDS / 2 and seconds < _PATIENCE * SECONDS:
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            return
        raise Hang(f"no end after {seconds:.0f} s")

    return stop


def _loading_once(load: Callable[..., Any]) -> Callable[..., Any]:
    """Like ``toolkit.inference.asker.load``, but the model that comes with the toolkit is loaded once."""
    known: dict[str, Any] = {}

    def cached(model: Any = None, like: Any = None, trust: bool = False, **placement: str | None) -> Any:
        if model != TINY or like is not None or placement != _ANYWHERE:
            return load(model, like, trust, **placement)
        if TINY not in known:
            known[TINY] = load(model)
        return known[TINY]

    return cached


def _without_pause(wait: Callable[..., float | None]) -> Callable[..., float | None]:
    """Like ``toolkit.modeling.remote.retry.retry_wait``, but without waiting."""
    return lambda *given: None if wait(*given) is None else 0.0
