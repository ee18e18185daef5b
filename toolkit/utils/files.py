"""Writing files so that a reader sees either the old file or the new one, never half of it; and locking folders."""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.errors import UserError

_LOCK = ".lock"

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
    with _temporary_file(path) as scratch, scratch.open("w", encoding="utf-8", errors=_LONE, newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """A path to write to. The file is renamed to ``path`` at the end, or deleted if anything goes wrong."""
    make_folder(path.parent)
    # A random name and not the process's number: on a cluster, processes with the same number write to one folder.
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        yield scratch
        scratch.replace(path)
    except OSError as error:
        raise _not_writable(path, error) from None
    finally:
        scratch.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and check that it can be written to, before the work whose results go there.

    Raises:
        UserError: If the folder cannot be made or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from None
    if not os.access(folder, os.W_OK):
        raise _not_writable(folder, PermissionError("no permission to write"))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Reserve a folder for this process alone, and remove it at the end if it is empty.

    The operating system releases the lock of a process that dies.

    Raises:
        UserError: If another process has reserved the folder.
    """
    import fcntl

    make_folder(folder)
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder}: another run is writing here", remedy="wait for it, or choose another --output"
            ) from None
        try:
            yield
        finally:
            (folder / _LOCK).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()


def _not_writable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written", cause=error.strerror or str(error), remedy="choose another place")
