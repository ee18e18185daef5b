"""Work that is done ahead of time in another thread, while this thread is busy with what was done before."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


@contextmanager
def made_ahead(make: Callable[[_Item], _Made], items: Iterable[_Item], ahead: int) -> Iterator[Iterator[_Made]]:
    """Make something of each item, in order, in another thread.

    An error is raised, as it was, where the thing that could not be made would have come. When the context ends, by an
    interrupt too, nothing more is begun, and at most one item is waited for.

    Args:
        make: The function that makes something of an item. It runs in one thread only.
        items: The items.
        ahead: How many things may be ready or begun before they are wanted. With 0, each one is made in this thread
            when it is wanted.
    """
    if not ahead:
        yield map(make, items)
        return
    pool = ThreadPoolExecutor(1)
    try:
        yield _results(pool, make, iter(items), ahead)
    finally:
        pool.shutdown(cancel_futures=True)


def _results(
    pool: ThreadPoolExecutor, make: Callable[[_Item], _Made], items: Iterator[_Item], ahead: int
) -> Iterator[_Made]:
    begun = deque(pool.submit(make, item) for item in islice(items, ahead))
    while begun:
        made = begun.popleft().result()
        begun.extend(pool.submit(make, item) for item in islice(items, 1))
        yield made
