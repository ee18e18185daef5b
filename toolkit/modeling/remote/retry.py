"""How often a server is asked the same again, and how long is waited in between. Everything is bounded.

The wait doubles from try to try and is lengthened at random by up to a quarter, so that questions asked at the same
time do not come back at the same time. A server that says how long to wait (``Retry-After``) is believed up to
``LONGEST`` seconds; one that asks for more is given up at once.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

Trouble = Literal["down", "slow", "busy", "broken", "nonsense", "key", "credit", "unknown", "refused"]


TRIES: Mapping[Trouble, int] = {"down": 4, "slow": 2, "busy": 7, "broken": 4, "nonsense": 3}
"""How often a question is sent in all where a server is out of reach, or silent; at its limit (429, 503: waits of
1, 2, 4, … 32 s, so that a limit by the minute has passed); failing (other 5xx); or answering nonsense. Other troubles
do not pass by waiting."""


LONGEST = 120.0
"""Seconds that a server may ask to wait."""


_SPREAD = 0.25


def wait(trouble: Trouble, tries: int, first: float, asked: float | None, chance: float) -> float | None:
    """Seconds to wait before the next try, None to give up.

    Args:
        trouble: What came of the last try.
        tries: How often the question was sent so far.
        first: Seconds after the first try.
        asked: Seconds that the server asked for, if it did.
        chance: Between 0 and 1, drawn anew each time.
    """
    if tries >= TRIES.get(trouble, 1) or (asked or 0.0) > LONGEST:
        return None
    return first * 2.0 ** (tries - 1) * (1 + _SPREAD * chance) if asked is None else asked


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a server asks to wait: ``Retry-After`` in seconds or as a date, or ``retry-after-ms``."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name, "")) * unit)
        except ValueError:
            continue
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds())
