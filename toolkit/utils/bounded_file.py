"""Reading files from outside: regular files alone, and never more of one than its kind may hold.

The bounds on the size of all files and pictures are here. They are far beyond what is useful, and small enough for the
memory of an ordinary computer.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from toolkit.errors import UserError

MOST_PIXELS = 200_000_000
"""Pictures with more pixels are refused before they are decoded: a small file may state an enormous size."""

LONGEST_SIDE = 32_766
"""The greatest width or height of a picture [px]; OpenCV's ``remap`` takes no more."""

MOST_BYTES = 1 << 31
"""The greatest size of a file, or of an array in it, that is read whole [bytes]."""

MOST_TEXT = 1 << 26
"""The greatest size of a JSON file, of a list of points, and of one line of a manifest [bytes]."""

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # opening a named pipe must not wait for a writer
_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))


def open_bounded(path: Path, most: int | None = MOST_BYTES) -> BinaryIO:
    """Open a regular file for reading.

    Args:
        path: The file.
        most: The greatest size that it may have [bytes]; None for a file that is not read whole.

    Raises:
        OSError: If it is missing or cannot be opened.
        UserError: If it is no regular file, or larger.
    """
    try:
        number = os.open(path, _FLAGS)
    except ValueError:  # no file can have a name with NUL, or with half a surrogate pair
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
    try:
        _check(path, os.fstat(number), most)
        return os.fdopen(number, "rb")
    except (UserError, OSError):
        os.close(number)
        raise


def read_bounded(path: Path, most: int = MOST_BYTES) -> bytes:
    """The content of a regular file that has ``most`` bytes at most.

    Raises:
        OSError: If it is missing or cannot be read.
        UserError: If it is no regular file, or larger.
    """
    with open_bounded(path, most) as file:
        return file.read(os.fstat(file.fileno()).st_size)


def size_in_words(size: int) -> str:
    """A number of bytes in words, such as "64 MiB"."""
    return f"{size / (1 << 30):.3g} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.3g} MiB"


def _check(path: Path, found: os.stat_result, most: int | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for test, name in _KINDS if test(found.st_mode)), "no regular file")
        raise UserError(f"{path}: this is {kind}", "only regular files are read", "name a file")
    if most is not None and found.st_size > most:
        raise UserError(
            f"{path}: the file is too large",
            cause=f"it has {size_in_words(found.st_size)}, and may have {size_in_words(most)}",
            remedy="check that this is the file you mean; if it is, make it smaller",
        )
