"""What ends a run from outside, such as a full disk or a worker that was killed, in plain words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.errors import UserError
from toolkit.utils.system_errors import system_error

_WORKER = re.compile(r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?P<how>.*)")
"""How torch says that a worker process was ended."""

_SHARED_MEMORY = re.compile(r"/torch_\w+|shared memory|ancdata")
"""What torch's errors name if batches cannot pass from a worker to the first process through shared memory."""

_GOES_ON = "then give the same command again, which goes on from the last saved step"


@contextmanager
def clear_run_errors(folder: Path) -> Iterator[None]:
    """Turn what ends a run from outside into a UserError that says how the run goes on.

    Args:
        folder: The folder of the run, which is named if an error names no file.

    Raises:
        UserError: If the block raises an error of such a kind. Others are raised as they are.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        ended = _run_error(folder, error)
        if ended is None:
            raise
        raise ended from None


def _run_error(folder: Path, error: Exception) -> UserError | None:
    """The words for what ends a run from outside; None for other errors."""
    text = str(error)
    if worker := _WORKER.search(text):
        return UserError(
            "a worker process that makes batches was ended from outside",
            cause=f"most often there is too little memory, or too little in /dev/shm (torch says: {worker['how']})",
            remedy=f"set trainer.workers lower, or 0; {_GOES_ON}",
        )
    if isinstance(error, RuntimeError) and _SHARED_MEMORY.search(text):
        return UserError(
            "worker processes cannot hand over their batches",
            cause=f"/dev/shm is full, or too many files are open (torch says: {text.strip().splitlines()[-1]})",
            remedy=f"make room in /dev/shm, raise ulimit -n, or set trainer.workers to 0; {_GOES_ON}",
        )
    named = error.filename if isinstance(error, OSError) else None
    return system_error(named or folder, error, "used" if named else "written")
