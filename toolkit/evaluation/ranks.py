"""Ranks: processes that torchrun starts together, and that share the questions of one evaluation.

They exchange only the lines of their records, as text, through gloo, with GPUs too: these lines are small, and several
ranks may then use one GPU.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from toolkit.errors import UserError
from toolkit.utils.interruption import Interrupted
from toolkit.utils.progress import processes

_PATIENCE = timedelta(days=7)  # how long a rank may wait for the slowest one

_FAILED = "failed"  # the key under which ranks count that they failed

_Question = TypeVar("_Question")


@dataclass(frozen=True)
class Ranks:
    """The processes that share the questions of an evaluation, as one of them sees them.

    Attributes:
        number: The number of this process, from 0: its rank.
        count: The number of processes.
    """

    number: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process keeps the books: it writes the report and speaks to the user."""
        return self.number == 0

    def share(self, batches: Sequence[Sequence[_Question]]) -> list[Sequence[_Question]]:
        """The batches that this process asks, in order. Batches stay whole, since their size changes last digits.

        They are dealt out one by one, the largest first, so that the short last batches of tasks do not pile up.
        """
        largest_first = sorted(range(len(batches)), key=lambda index: -len(batches[index]))
        return [batches[index] for index in sorted(largest_first[self.number :: self.count])]

    def gather(self, lines: Sequence[str]) -> list[str]:
        """The lines of all processes, rank by rank. All processes call this together."""
        if self.count == 1:
            return list(lines)
        import torch.distributed

        parts: list[list[str]] = [[] for _ in range(self.count)]
        torch.distributed.all_gather_object(parts, list(lines))
        return [line for part in parts for line in part]


ALONE = Ranks()
"""This process without others."""


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Join the processes that were started together with this one. A process without others needs no torch for it.

    If several of them fail, only the error of the first one is raised. The others exit without a word.

    Raises:
        UserError: If the environment says that there are other processes, but not where.
    """
    if processes() == 1:
        yield ALONE
        return
    import torch
    from torch import distributed

    try:
        store, number, count = next(distributed.rendezvous("env://"))
    except ValueError as error:
        raise UserError(
            f"the environment variable WORLD_SIZE is {processes()}, but the other processes cannot be found",
            cause=str(error),
            remedy="start them by torchrun --nproc_per_node N -m toolkit eval …, or unset WORLD_SIZE",
        ) from None
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", number)) % torch.cuda.device_count())
    distributed.init_process_group("gloo", store=store, rank=number, world_size=count, timeout=_PATIENCE)
    try:
        yield Ranks(number, count)
    except Interrupted:
        store.add(_FAILED, 1)
        raise
    except (UserError, OSError):
        if store.add(_FAILED, 1) > 1:
            raise SystemExit(2) from None
        raise
    except RuntimeError:
        if store.add(_FAILED, 0):  # a rank that failed has closed its connections
            raise SystemExit(2) from None
        raise
    distributed.destroy_process_group()
