"""An interval around an answer, from the probabilities that the model gave other digits, in one pass.

While a model writes "2.42", every other digit that it might have written in the same place is the start of other
numbers: after "2." the digit 7 starts all numbers from 2.7 to 2.8. The probabilities along the written number so
spread all of the model's belief over ranges of numbers, spread evenly within each; quantiles of that are the
interval. Numbers of another length are counted where they begin: a point for a digit ends the whole part, a digit
for the point adds one, a word for a digit ends the number. What the model would have written after another digit
is not looked at, which would take a pass for each: how many more digits it would have had is taken to be what brings
the number nearest to the written one, since belief gathers around that.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.modeling.predictor import Piece, Reply

COVERAGE = 0.9
"""Probability, by the model's own account, that the interval covers the truth; the tails are equal."""


_WRITTEN = re.compile(r"\d+(?:\.\d+)?")


_SMALLEST_BELIEF = 0.5  # of all belief must be accounted for, or the interval says nothing


ValueOf = Callable[[str], float | None]


def interval(reply: Reply, value_of: ValueOf, coverage: float = COVERAGE) -> tuple[float, float] | None:
    """The central interval of the model's belief about its answer.

    Args:
        reply: The answer, with its pieces.
        value_of: The value that a text answers, None where it answers none. Which number of the text it reads, and
            by which factor, is found by giving it the text with another number in that place.
        coverage: Probability that the interval is to hold.

    Returns:
        Lowest and highest value; None where the pieces are not known, where the value hangs on no number of the
        text, or where the model believed more in words than in numbers.
    """
    text = "".join(piece.text for piece in reply.pieces)
    value = value_of(text) if text else None
    if value is None:
        return None
    for start, end in _first_of_each(text):
        line = _line(text, text[start:end], value, value_of)
        if line is None:
            continue
        limits = _quantiles(list(_ranges(reply.pieces, start, text[start:end])), (1 - coverage) / 2)
        if limits is None:
            return None
        slope, offset = line
        rounding = _unit(text[start:end]) / 2  # 2.42 stands for what rounds to it
        low, high = sorted(slope * (limit - rounding) + offset for limit in limits)
        return low, high
    return None


def _first_of_each(text: str) -> Iterator[tuple[int, int]]:
    """Where each number of a text first stands: repetitions are copied, so they say nothing of the model's belief."""
    seen = set()
    for match in _WRITTEN.finditer(text):
        if match.group() not in seen:
            seen.add(match.group())
            yield match.span()


def _line(text: str, number: str, value: float, value_of: ValueOf) -> tuple[float, float] | None:
    """Slope and offset of the value as a function of a number of the text; None if it does not change with it."""
    other = f"{2 * float(number) + 1:.{len(number.partition('.')[2])}f}"
    changed = value_of(re.sub(rf"(?<![\d.]){re.escape(number)}(?!\.?\d)", other, text))
    if changed is None or changed == value:
        return None
    slope = (changed - value) / (float(other) - float(number))
    return slope, value - slope * float(number)


@dataclass(frozen=True)
class _Range:
    """The numbers from ``low`` to ``high``, in which a model believes with probability ``belief``."""

    low: float
    high: float
    belief: float


def _ranges(pieces: Sequence[Piece], start: int, number: str) -> Iterator[_Range]:
    """The number written at ``start`` of the text, and all that the model believed in its place."""
    belief, at = 1.0, 0
    for piece in pieces:
        first, at = at - start, at + len(piece.text)
        if at <= start:
            continue
        before, chosen = number[: max(0, first)], number[max(0, first) : at - start]
        yield from _others(piece, before, chosen, number, belief)
        ended = max(0.0, 1 - math.fsum(piece.numerals.values()))
        if not chosen:  # the number is over
            belief *= ended
            break
        if before and not before.endswith(".") and chosen in piece.numerals:
            yield _range(before, 0, belief * ended)
        belief *= piece.probability
    yield _range(number, 0, belief)


def _others(piece: Piece, before: str, chosen: str, number: str, belief: float) -> Iterator[_Range]:
    """The numbers that begin with ``before`` and another numeral than the one chosen."""
    for numeral, probability in piece.numerals.items():
        begun = before + numeral
        if numeral != chosen and begun.count(".") <= 1 and not begun.startswith("."):
            yield _range(begun, 0 if "." in begun else _missing(begun, number), belief * probability)


def _missing(begun: str, number: str) -> int:
    """How many digits before its point a number that begins so still lacks: those that bring it nearest to ``number``.

    Nearest by ratio. Instead of "10.8", 8 begins eight, not eighty; instead of "9.4", 1 begins ten, not one.
    Nothing but a point comes after a zero.
    """
    if not float(begun):
        return 0
    written, middle = max(float(number), _unit(number)), float(begun) + 0.5
    most = len(number.partition(".")[0]) + 1 - len(begun)  # one digit more than was written, as 10 for 9
    return min(range(max(0, most) + 1), key=lambda digits: abs(math.log(middle * 10.0**digits / written)))


def _range(begun: str, missing: int, belief: float) -> _Range:
    """All numbers that begin with some characters, with ``missing`` further digits before their point."""
    scale = 10.0**missing
    return _Range(float(begun) * scale, (float(begun) + _unit(begun)) * scale, belief)


def _unit(number: str) -> float:
    """What the last digit of a number counts."""
    return 10.0 ** -len(number.partition(".")[2])


def _quantiles(ranges: Sequence[_Range], tail: float) -> tuple[float, float] | None:
    """The quantiles ``tail`` and 1 - ``tail`` of beliefs that are spread evenly within their ranges."""
    total = math.fsum(part.belief for part in ranges)
    if total < _SMALLEST_BELIEF:
        return None
    edges = np.unique([limit for part in ranges for limit in (part.low, part.high)])
    below = np.zeros(len(edges))
    for part in ranges:
        below += part.belief * np.clip((edges - part.low) / (part.high - part.low), 0, 1)
    low, high = np.interp([tail * total, (1 - tail) * total], below, edges)
    return float(low), float(high)
