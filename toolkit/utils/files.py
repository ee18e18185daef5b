"""Writing files so that a reader sees either the old file or the new one, never half of it; and locking folders."""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from errno import EISDIR
from pathlib import Path
from typing import TextIO

from toolkit.errors import UserError
from toolkit.utils.system_errors import file_error, writing

_LOCK = ".lock"

_together: ContextVar[dict[Path, Path] | None] = ContextVar("_together", default=None)
"""Inside ``written_together``, the temporary files that wait to be renamed, each with its final path."""


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to a temporary file beside ``path``, then rename it. Missing folders are made.

    Raises:
        UserError: If the file cannot be written.
    """
    write_bytes(path, text.encode("utf-8"))


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
    with _temporary_file(path) as scratch, scratch.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Append lines of UTF-8 text to a file, which is made if it is missing.

    Raises:
        UserError: If the file cannot be written.
    """
    with writing(path), path.open("a", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


@contextmanager
def written_together() -> Iterator[None]:
    """Let the files that a block writes appear at its end, all of them or none. Their folders are made at once.

    Raises:
        UserError: If one of the files cannot be written.
    """
    waiting: dict[Path, Path] = {}
    token = _together.set(waiting)
    try:
        yield
        for scratch, path in waiting.items():
            with writing(path):
                scratch.replace(path)
    finally:
        _together.reset(token)
        for scratch in waiting:
            _remove(scratch)


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """A path to write to. The file is renamed to ``path`` at the end, or deleted if anything goes wrong."""
    make_folder(path.parent)
    # A random name and not the process's number: on a cluster, processes with the same number write to one folder.
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    waiting = _together.get()
    try:
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        yield scratch
        if waiting is None:
            scratch.replace(path)
        else:
            waiting[scratch] = path
    except OSError as error:
        raise file_error(path, error) from None
    finally:
        if waiting is None or scratch not in waiting:
            _remove(scratch)


def _remove(scratch: Path) -> None:
    """Remove a temporary file if it is still there. On a disk that fails, it stays."""
    with suppress(OSError):
        scratch.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder and check that it can be written to, before the work whose results go there.

    Raises:
        UserError: If the folder cannot be made or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(folder, error) from None
    if not os.access(folder, os.W_OK):
        raise file_error(folder, PermissionError("no permission to write"))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Reserve a folder for this process alone, and remove it at the end if it is empty.

    The operating system releases the lock of a process that dies. Where the file system has no locks, nothing is
    reserved.

    Raises:
        UserError: If another process has reserved the folder, or it cannot be written to.
    """
    make_folder(folder)
    with _lock_file(folder / _LOCK) as file:
        _reserve(file, folder)
        try:
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
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f"{folder}: another run is writing here", remedy="wait for it, or choose another --output"
        ) from None
    except OSError:  # some network file systems have no locks, which is no reason not to write there
        return
