"""How often a server is asked the same question again, and how long it is left alone in between. Both are bounded.

The wait doubles from try to try, and is lengthened at random by up to a quarter, so that questions that were asked at
the same time do not come back at the same time. If a server says how long to wait (``Retry-After``), this is done up to
``LONGEST`` seconds. If it asks for more, the question is given up at once.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

Trouble = Literal["down", "slow", "busy", "broken", "nonsense", "key", "credit", "unknown", "moved", "refused"]
"""What went wrong with a request: the kinds that are retried, worded or given up differently."""

TRIES: Mapping[Trouble, int] = {"down": 4, "slow": 2, "busy": 7, "broken": 4, "nonsense": 3}
"""How often a question is sent in all, by what went wrong. Other troubles do not pass by waiting.

``down``: the server cannot be reached. ``slow``: it sends nothing in time. ``busy``: it is at its limit (429, 503); the
waits of 1, 2, 4, … 32 s let a limit per minute pass. ``broken``: it fails (other 5xx). ``nonsense``: what it sends is
not an answer.
"""

LONGEST = 120.0
"""The longest wait, in seconds, that a server may ask for."""

_SPREAD = 0.25  # the share by which a wait is lengthened at random, at most


def retry_wait(trouble: Trouble, tries: int, first: float, asked: float | None, chance: float) -> float | None:
    """The seconds to wait before the next try; None to give up.

    Args:
        trouble: What went wrong with the last try.
        tries: How often the question was sent so far.
        first: The seconds to wait after the first try.
        asked: The seconds that the server asked for; None if it did not.
        chance: A random number between 0 and 1, drawn for each wait.
    """
    if tries >= TRIES.get(trouble, 1) or (asked or 0.0) > LONGEST:
        return None
    return first * 2.0 ** (tries - 1) * (1 + _SPREAD * chance) if asked is None else asked


def requested_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that a server asks to wait; None if it asks for none.

    Args:
        headers: The headers of its answer: ``Retry-After`` in seconds or as a date, or ``retry-after-ms``.
        now: The time now, which a date is compared with.
    """
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
