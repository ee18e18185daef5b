"""Things made ahead come in order, as do their errors, and no more of them are made than was asked for."""

import threading

import pytest

from toolkit.errors import UserError
from toolkit.utils.background import made_ahead


@pytest.mark.parametrize("ahead", [0, 1, 3, 99])
def test_things_come_in_order(ahead: int) -> None:
    with made_ahead(lambda item: item * item, range(10), ahead) as made:
        assert list(made) == [item * item for item in range(10)]


def test_the_next_things_are_made_meanwhile() -> None:
    third = threading.Event()

    def make(item: int) -> int:
        if item == 2:
            third.set()
        return item

    with made_ahead(make, range(10), 2) as made:
        assert next(made) == 0
        assert third.wait(timeout=60)


def test_no_more_are_begun_than_allowed() -> None:
    begun: list[int] = []
    with made_ahead(lambda item: begun.append(item) or item, range(100), 3) as made:
        assert [next(made), next(made)] == [0, 1]
    assert begun == list(range(len(begun))) and len(begun) <= 2 + 3


def test_without_lookahead_this_thread_makes_what_is_wanted() -> None:
    with made_ahead(lambda _: threading.current_thread(), range(2), 0) as made:
        assert next(made) is threading.current_thread()


def test_an_error_comes_in_its_place_as_it_was() -> None:
    fault = UserError("a.png: damaged", "cut short", "copy it again")

    def make(item: int) -> int:
        if item == 2:
            raise fault
        return item

    with made_ahead(make, range(9), 9) as made:
        assert [next(made), next(made)] == [0, 1]
        with pytest.raises(UserError) as caught:
            next(made)
    assert caught.value is fault


def test_an_interrupt_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    begun: list[int] = []

    def interrupted() -> None:
        with made_ahead(begun.append, range(10**6), 1000) as made:
            next(made)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert threading.active_count() == before
    assert len(begun) <= 1001
