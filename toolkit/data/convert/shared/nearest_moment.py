"""Which of several recordings was made nearest to a given moment."""

from bisect import bisect_left
from collections.abc import Sequence


def nearest_moment(moments: Sequence[float], moment: float, most: float) -> int | None:
    """The index of the nearest moment; None if none is near enough. Of two equally near ones, the earlier is taken.

    Args:
        moments: The moments to choose from, ascending.
        moment: The moment in question, in the same unit.
        most: The largest difference that is allowed, in the same unit.
    """
    place = bisect_left(moments, moment)
    near = [index for index in (place - 1, place) if 0 <= index < len(moments)]
    best = min(near, key=lambda index: abs(moments[index] - moment), default=None)
    return best if best is not None and abs(moments[best] - moment) <= most else None
