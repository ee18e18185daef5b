"""What the operating system refuses, such as writing to a full disk, in plain words: problem, cause and remedy."""

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from toolkit.errors import UserError

Attempt = Literal["read", "written", "used"]
"""What the operating system was asked to do with a file or folder."""

_BOTH: Mapping[int, str] = {
    errno.EMFILE: "raise the limit of open files (ulimit -n 4096), or use fewer workers",
    errno.ENFILE: "end other programs: this machine opens no more files",
    errno.ENOMEM: "end other programs, or use fewer workers and smaller batches",
    errno.EIO: "check the disk or the network folder, which fails; then give the same command again",
    errno.ESTALE: "check the network folder, which has gone away; then give the same command again",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "choose another place: these symbolic links lead in a circle",
}
"""Remedies by the number of the error, whether a file was read or written."""

_READING: Mapping[int, str] = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path: a part of it is a file",
    errno.EISDIR: "check the path: this is a folder",
    errno.EACCES: "check the path, and that you may read it",
    errno.EPERM: "check the path, and that you may read it",
}

_WRITING: Mapping[int, str] = {
    errno.ENOSPC: "make room on this disk and give the same command again, or choose another place",
    errno.EDQUOT: "remove files, so that your quota of this disk suffices, or choose another place",
    errno.EFBIG: "raise the limit of the size of a file (ulimit -f), or choose another place",
    errno.EROFS: "choose another place: nothing can be written to this disk",
    errno.EACCES: "choose another place, or change its permissions",
    errno.EPERM: "choose another place, or change its permissions",
    errno.ENOENT: "choose another place: this folder is not there, or was removed meanwhile",
    errno.ENOTDIR: "choose another place: a part of this path is a file",
    errno.EEXIST: "choose another place: a part of this path is a file",
    errno.ENOTEMPTY: "choose another place: there is something else there",
    errno.EISDIR: "choose another place: this is a folder",
}

_REMEDIES: Mapping[Attempt, Mapping[int, str]] = {
    "read": {**_BOTH, **_READING},
    "written": {**_BOTH, **_WRITING},
    "used": {**_BOTH, **_WRITING, **_READING},
}

_IN_TEXT = re.compile(r"\(os error (?P<rust>\d+)\)|: [\w ]+ \((?P<torch>\d+)\)\s*$", re.MULTILINE)
"""Where errors that are no OSError say its number: those of safetensors and tokenizers, and those of torch."""

_TORCH_WRITER = "inline_container"
"""The file of torch's sources that errors of its writer name. They do not say what the operating system said."""


class OutputError(UserError):
    """What cannot be written; unlike a fault of one input, it also concerns everything that comes after it."""


def system_error(path: Path | str, error: BaseException, attempt: Attempt = "written") -> UserError | None:
    """The words for an error that comes from outside the program; None if it is of another kind.

    Args:
        path: The file or folder that is worked on.
        error: An OSError, or an error of safetensors, tokenizers or torch that stands for one.
        attempt: What was tried.
    """
    kind = OutputError if attempt == "written" else UserError
    problem = f"{path}: cannot be {attempt}"
    if isinstance(error, RuntimeError) and _TORCH_WRITER in str(error):
        cause = "not all of it could be written: the disk is full, or files may not be so large (ulimit -f)"
        return kind(problem, cause, _WRITING[errno.ENOSPC])
    number = _error_number(error)
    remedy = _REMEDIES[attempt].get(number)
    return kind(problem, os.strerror(number), remedy) if remedy else None


def file_error(path: Path | str, error: OSError, attempt: Attempt = "written") -> UserError:
    """The words for an OSError of any kind. See ``system_error`` for the arguments."""
    kind, place = (OutputError, "choose another place") if attempt == "written" else (UserError, "check the path")
    other = kind(f"{path}: cannot be {attempt}", error.strerror or str(error), place)
    return system_error(path, error, attempt) or other


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses while a file or folder is written into a UserError with its path.

    Raises:
        OutputError: If the block raises an error of such a kind. Others are raised as they are.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        refused = system_error(path, error)
        if refused is None:
            raise
        raise refused from None


def _error_number(error: BaseException) -> int:
    """The number of an OSError, or of the one that another error stands for; 0 if there is none."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _IN_TEXT.search(str(error))
    return int(found["rust"] or found["torch"]) if found else 0
