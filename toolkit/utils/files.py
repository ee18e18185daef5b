"""Writing files so that a reader sees either the old file or the new one, never half of it; and locking folders."""

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from errno import EISDIR
from pathlib import Path
from typing import IO, Any, TextIO

from toolkit.errors import UserError
from toolkit.utils.interruption import deferred
from toolkit.utils.system_errors import file_error, writing

_LOCK = ".lock"
_SCRATCH = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")

_LONE = "backslashreplace"  # halves of surrogate pairs, from names that are not valid text, are written as \\udc80


@dataclass(frozen=True)
class _Together:
    """The temporary files of a block of ``written_together``.

    Attributes:
        places: The final path of each file that waits to be renamed.
        held: Keeps them locked, and removes those that were not renamed.
    """

    places: dict[Path, Path] = field(default_factory=dict)
    held: ExitStack = field(default_factory=ExitStack)


_together: ContextVar[_Together | None] = ContextVar("_together", default=None)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to a temporary file beside ``path``, then rename it. Missing folders are made.

    Raises:
        UserError: If the file cannot be written.
    """
    write_bytes(path, text.encode("utf-8", _LONE))


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes to a temporary file beside ``path``, then rename it. Missing folders are made.

    Raises:
        UserError: If the file cannot be written.
    """
    with _temporary_file(path) as scratch:
        scratch.write_bytes(data)


def write_parts(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write parts one after another to a temporary file beside ``path``, then rename it. Missing folders are made.

    Args:
        path: The file.
        parts: Its bytes; they are not copied.

    Raises:
        UserError: If the file cannot be written.
    """
    with _temporary_file(path) as scratch, scratch.open("wb") as file:
        for part in parts:
            file.write(part)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines of UTF-8 text one by one to a temporary file beside ``path``, then rename it.

    Missing folders are made.

    Raises:
        UserError: If the file cannot be written.
    """
    with _temporary_file(path) as scratch, scratch.open("w", encoding="utf-8", errors=_LONE, newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Append lines of UTF-8 text to a file, which is made if it is missing.

    Raises:
        UserError: If the file cannot be written.
    """
    with writing(path), path.open("a", encoding="utf-8", errors=_LONE, newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


@contextmanager
def written_together() -> Iterator[None]:
    """Let the files that a block writes appear at its end, all of them or none. Their folders are made at once.

    Raises:
        UserError: If one of the files cannot be written.
    """
    together = _Together()
    with together.held:
        token = _together.set(together)
        try:
            yield
        finally:
            _together.reset(token)
        with deferred():
            for scratch, path in together.places.items():
                with writing(path):
                    scratch.replace(path)


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """A path to write to. The file is renamed to ``path`` at the end, or deleted if anything goes wrong."""
    _make_writable(path.parent)
    # A random name and not the process's number: on a cluster, processes with the same number write to one folder.
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    together = _together.get()
    with ExitStack() as held:
        held.callback(_remove, scratch)
        try:
            if path.is_dir():
                raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
            file = held.enter_context(scratch.open("wb"))
            with suppress(OSError):  # some network file systems have no locks
                _lock(file)  # says that this process is alive
            yield scratch
            if together is None:
                scratch.replace(path)
        except OSError as error:
            raise file_error(path, error) from None
        if together is not None:
            together.places[scratch] = path
            together.held.push(held.pop_all())


def _remove(scratch: Path) -> None:
    """Remove a temporary file if it is still there. On a disk that fails, it stays."""
    with suppress(OSError):
        scratch.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder and check that it can be written to, before the work whose results go there.

    Temporary files are removed that a process has left there which was killed.

    Raises:
        UserError: If the folder cannot be made or cannot be written to.
    """
    _make_writable(folder)
    remove_leftovers(folder.iterdir())


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove, of some paths, the temporary files of processes that are gone. The others stay."""
    for path in paths:
        if _SCRATCH.fullmatch(path.name):
            with suppress(OSError), path.open("r+b") as file:  # it may be another user's, or be written at this time
                _lock(file)
                path.unlink()


def _lock(file: IO[Any]) -> None:
    """Lock a file until it is closed, or its process dies.

    Raises:
        BlockingIOError: If another process holds it.
        OSError: If the file system has no locks.
    """
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(folder, error) from None
    if not os.access(folder, os.W_OK):
        raise file_error(folder, PermissionError("no permission to write"))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Reserve a folder for this process alone, and remove it at the end if it is empty.

    Temporary files in it are removed that a process has left there which was killed.

    The operating system releases the lock of a process that dies. Where the file system has no locks, nothing is
    reserved.

    Raises:
        UserError: If another process has reserved the folder, or it cannot be written to.
    """
    _make_writable(folder)
    with _lock_file(folder / _LOCK) as file:
        _reserve(file, folder)
        try:
            remove_leftovers(folder.rglob(".*"))
            yield
        finally:
            with suppress(OSError):  # the folder was removed meanwhile, or its disk fails
                (folder / _LOCK).unlink(missing_ok=True)
                if not any(folder.iterdir()):
                    folder.rmdir()


def _lock_file(path: Path) -> TextIO:
    try:
        return path.open("w")
    except OSError as error:
        raise file_error(path, error) from None


def _reserve(file: TextIO, folder: Path) -> None:
    """Reserve a folder by locking a file in it."""
    try:
        _lock(file)
    except BlockingIOError:
        raise UserError(
            f"{folder}: another run is writing here", remedy="wait for it, or choose another --output"
        ) from None
    except OSError:  # some network file systems have no locks, which is no reason not to write there
        return
