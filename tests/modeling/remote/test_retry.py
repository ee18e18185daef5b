"""How often and how long a server is waited for."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.modeling.remote.retry import LONGEST, TRIES, Trouble, requested_wait, retry_wait


def test_waits_double_and_end() -> None:
    waits = [retry_wait("busy", tries, 1.0, None, 0.0) for tries in range(1, 8)]
    assert waits == [1, 2, 4, 8, 16, 32, None]
    assert retry_wait("busy", 3, 1.0, None, 1.0) == 5.0
    assert [retry_wait("slow", tries, 1.0, None, 0.0) for tries in (1, 2)] == [1, None]
    assert retry_wait("down", 3, 0.5, None, 0.0) == 2.0
    assert retry_wait("key", 1, 1.0, None, 0.0) is None


@given(st.sampled_from(sorted(TRIES)), st.integers(1, 50), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_no_server_is_asked_for_ever(trouble: Trouble, tries: int, chance: float, asked: float | None) -> None:
    pause = retry_wait(trouble, tries, 1.0, asked, chance)
    if tries >= TRIES[trouble] or (asked is not None and asked > LONGEST):
        assert pause is None
    else:
        assert pause is not None and 0 <= pause <= LONGEST


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "inf"}, math.inf),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_what_a_server_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert requested_wait(headers, datetime(2026, 11, 22, 12, tzinfo=UTC)) == seconds
