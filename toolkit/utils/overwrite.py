"""The one rule for files that are there already: a command writes over what it wrote itself, and over nothing else.

A file says near its beginning which command wrote it: in the text of a PNG, in a comment of a PLY file, in the first
line of a text, or under a key of JSON. Formats without a place for that, such as manifests, have a file beside them
that says it.
"""

from collections.abc import Iterable
from pathlib import Path

from toolkit.errors import UserError

_LOOKED_AT = 4096  # bytes at the beginning of a file, in which its mark stands


def mark_of(command: str) -> str:
    """The words in each file that a command writes.

    Args:
        command: The command's name, such as "data preview".
    """
    return f"written by toolkit {command}"


def has_mark(path: Path, command: str) -> bool:
    """Whether a command wrote a file; False if there is none, or it cannot be read."""
    try:
        with path.open("rb") as file:
            return mark_of(command).encode() in file.read(_LOOKED_AT)
    except OSError:
        return False


def check_overwrite(
    paths: Iterable[Path], command: str, force: bool = False, inputs: Iterable[Path] = (), own: bool | None = None
) -> None:
    """Check that a command may write files, also before the work whose results they will hold.

    Args:
        paths: The files. What is not there may be written.
        command: The command's name, such as "data preview".
        force: Whether the user allows the command to write over the files of others.
        inputs: The files that the command reads. They are never written over, under whatever name.
        own: Whether the command wrote all of the files; None looks for the mark in each.

    Raises:
        UserError: If one of the files may not be written.
    """
    read = [path for path in inputs if path.exists()]
    for path in paths:
        if not path.exists() and not path.is_symlink():
            continue
        if path.is_dir():
            raise UserError(f"{path}: this is a folder", remedy="name a file in it")
        if path.exists() and any(path.samefile(each) for each in read):
            raise UserError(f"{path}: the same command reads this file", remedy="choose another name for the output")
        if not force and not (has_mark(path, command) if own is None else own):
            raise UserError(
                f"{path}: this file is there already, and toolkit {command} did not write it",
                remedy="choose another name, move the file away, or write over it with --force",
            )
