"""Progress bars, shown only on a terminal, on stderr, and by the first process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from toolkit.utils.console import ForeignTextConsole

err = ForeignTextConsole(stderr=True, highlight=False, soft_wrap=True)
"""The console for progress, warnings and logs."""


def is_first_process() -> bool:
    """Whether this process prints messages: the one with rank 0, or the only one."""
    return int(os.environ.get("RANK", "0")) == 0


def processes() -> int:
    """The number of processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


class Bar:
    """A progress bar. Without a terminal it shows nothing."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, steps: int = 1) -> None:
        """Move the bar on by a number of steps."""
        self._progress.update(self._task, advance=steps)

    def extend(self, steps: int) -> None:
        """Raise the total number of steps by ``steps``."""
        total = self._progress.tasks[self._progress.task_ids.index(self._task)].total or 0
        self._progress.update(self._task, total=total + steps)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line)


@contextmanager
def bar(title: str, total: int) -> Iterator[Bar]:
    """Show a progress bar.

    Args:
        title: The text before the bar.
        total: The number of steps at which the bar is full.
    """
    shown = err.is_terminal and is_first_process()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not shown) as progress:
        yield Bar(progress, progress.add_task(title, total=total))
