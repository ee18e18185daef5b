"""What many pictures share, such as calibration, is read once in a conversion, and forgotten at its end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

_Read = TypeVar("_Read")

_forget: list[Callable[[], None]] = []
"""Functions that make the decorated ones forget what they returned."""


def read_once(most: int) -> "Callable[[Callable[..., _Read]], _lru_cache_wrapper[_Read]]":
    """A decorator for functions that read files: what was read is kept until the conversion ends.

    Args:
        most: How many results are kept.
    """

    def remember(read: Callable[..., _Read]) -> "_lru_cache_wrapper[_Read]":
        remembered = lru_cache(maxsize=most)(read)
        _forget.append(remembered.cache_clear)
        return remembered

    return remember


@contextmanager
def fresh_files() -> Iterator[None]:
    """Read all files anew in a block, and forget them at its end: they may change before the next conversion."""
    _forget_all()
    try:
        yield
    finally:
        _forget_all()


def _forget_all() -> None:
    for forget in _forget:
        forget()
