"""Writing files so that a reader sees either the old file or the new one, never half of it; and locking folders."""

import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from toolkit.errors import UserError
from toolkit.utils.interruption import deferred

_LOCK = ".lock"
_SCRATCH = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")

_LONE = "backslashreplace"  # halves of surrogate pairs, from names that are not valid text, are written as \\udc80


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
    write_all_lines({path: lines})


def write_all_lines(files: Mapping[Path, Iterable[str]]) -> None:
    """Write several files like ``write_lines``. They get their names together, after all are complete.

    Args:
        files: The lines of each file, by its path.

    Raises:
        UserError: If a file cannot be written.
    """
    with ExitStack() as scratches:
        for path, lines in files.items():
            scratch = scratches.enter_context(_temporary_file(path))
            with scratch.open("w", encoding="utf-8", errors=_LONE, newline="\n") as file:
                file.writelines(f"{line}\n" for line in lines)
        with deferred():
            scratches.close()  # gives them their names


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """A path to write to. The file is renamed to ``path`` at the end, or deleted if anything goes wrong."""
    _make_writable(path.parent)
    # A random name and not the process's number: on a cluster, processes with the same number write to one folder.
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with scratch.open("wb") as file:
            _lock(file)  # says that this process is alive
            yield scratch
        scratch.replace(path)
    except OSError as error:
        raise _not_writable(path, error) from None
    finally:
        scratch.unlink(missing_ok=True)


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
            with suppress(OSError), path.open("r+b") as file:  # it may be another user's
                if _lock(file):
                    path.unlink(missing_ok=True)


def _lock(file: IO[Any]) -> bool:
    """Lock a file until it is closed, or its process dies; False if another process holds it, or locks do not work."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from None
    if not os.access(folder, os.W_OK):
        raise _not_writable(folder, PermissionError("no permission to write"))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Reserve a folder for this process alone, and remove it at the end if it is empty.

    Temporary files in it are removed that a process has left there which was killed.

    The operating system releases the lock of a process that dies.

    Raises:
        UserError: If another process has reserved the folder.
    """
    import fcntl

    _make_writable(folder)
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder}: another run is writing here", remedy="wait for it, or choose another --output"
            ) from None
        try:
            remove_leftovers(folder.rglob(".*"))
            yield
        finally:
            (folder / _LOCK).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()


def _not_writable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written", cause=error.strerror or str(error), remedy="choose another place")
