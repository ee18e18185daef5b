"""Progress bars on terminals, plain lines elsewhere; always on stderr, and on the first process only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
"""Where progress, warnings and logs go."""


def is_first_process() -> bool:
    """Whether this process reports: rank 0, or the only one."""
    return int(os.environ.get("RANK", "0")) == 0


def processes() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


class Bar:
    """One bar; without a terminal it shows nothing."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, steps: int = 1) -> None:
        """Move on by ``steps``."""
        self._progress.update(self._task, advance=steps)

    def extend(self, steps: int) -> None:
        """There are ``steps`` more than was said."""
        total = self._progress.tasks[self._progress.task_ids.index(self._task)].total or 0
        self._progress.update(self._task, total=total + steps)

    def say(self, line: str) -> None:
        """A line above the bar."""
        self._progress.console.print(line)


@contextmanager
def bar(title: str, total: int) -> Iterator[Bar]:
    """A bar of ``total`` steps."""
    shown = err.is_terminal and is_first_process()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not shown) as progress:
        yield Bar(progress, progress.add_task(title, total=total))
