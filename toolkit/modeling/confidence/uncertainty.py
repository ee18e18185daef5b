"""The interval around an answer, from the probabilities that the model gave to other digits, in one pass.

While a model writes "2.42", every other digit that it might have written in the same place is the start of other
numbers: after "2.", the digit 7 starts all numbers from 2.7 to 2.8. The probabilities along the written number thus
spread the model's whole belief over ranges of numbers, evenly within each range. The interval lies between two
quantiles of this belief.

Numbers of another length are counted where they begin. A point in place of a digit ends the whole part, a digit in
place of the point adds one digit to it, and a word in place of a digit ends the number. What the model would have
written after another digit is not computed, because that would take one more pass for each digit. Such a number is
taken to have as many further digits as bring it nearest to the written number, because belief gathers around that.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.modeling.predictor import Piece, Reply

COVERAGE = 0.9
"""The probability, by the model's own account, that the interval holds the truth. The two tails are equal."""

_WRITTEN = re.compile(r"\d+(?:\.\d+)?")

_MOST_DIGITS = 300  # of a number with more, floats do not hold the steps of the last one

_SMALLEST_BELIEF = 0.5  # if less of the belief went to numbers, there is no interval

_ValueOf = Callable[[str], float | None]
"""A function that returns the value of an answer, or None if the answer holds no value."""


def answer_interval(reply: Reply, value_of: _ValueOf, coverage: float = COVERAGE) -> tuple[float, float] | None:
    """The central interval of the model's belief about its answer.

    Args:
        reply: The answer, with its pieces.
        value_of: A function that returns the value of an answer, or None if the answer holds no value. Which number
            of the text it reads, and how the value follows from it, is found by passing a text with another number.
        coverage: The probability with which the interval should hold the truth.

    Returns:
        The lowest and the highest value. None if the pieces are not known, if the answer is not complete, if the value
        depends on no number of the text, if that number has hundreds of digits, or if the model gave more probability
        to words than to numbers.
    """
    text = "".join(piece.text for piece in reply.pieces) if reply.readable else ""
    value = value_of(text) if text else None
    if value is None:
        return None
    for start, end in _first_occurrences(text):
        if end - start > _MOST_DIGITS:
            return None
        line = _slope_and_offset(text, text[start:end], value, value_of)
        if line is None:
            continue
        limits = _quantiles(list(_belief_ranges(reply.pieces, start, text[start:end])), (1 - coverage) / 2)
        if limits is None:
            return None
        slope, offset = line
        rounding = _last_digit_unit(text[start:end]) / 2  # 2.42 stands for all numbers that round to it
        low, high = sorted(slope * (limit - rounding) + offset for limit in limits)
        return low, high
    return None


def _first_occurrences(text: str) -> Iterator[tuple[int, int]]:
    """The first place of each number of a text. A model copies repetitions, so they do not show its belief."""
    seen = set()
    for match in _WRITTEN.finditer(text):
        if match.group() not in seen:
            seen.add(match.group())
            yield match.span()


def _slope_and_offset(text: str, number: str, value: float, value_of: _ValueOf) -> tuple[float, float] | None:
    """The slope and the offset of the value as a function of a number of the text; None if it does not depend on it."""
    other = f"{2 * float(number) + 1:.{len(number.partition('.')[2])}f}"
    changed = value_of(re.sub(rf"(?<![\d.]){re.escape(number)}(?!\.?\d)", other, text))
    if changed is None or changed == value:
        return None
    slope = (changed - value) / (float(other) - float(number))
    return slope, value - slope * float(number)


@dataclass(frozen=True)
class _BeliefRange:
    """The numbers from ``low`` to ``high``, to which the model gave the probability ``belief``."""

    low: float
    high: float
    belief: float


def _belief_ranges(pieces: Sequence[Piece], start: int, number: str) -> Iterator[_BeliefRange]:
    """The ranges of the number written at ``start`` of the text, and of all that might have been written instead."""
    belief, at = 1.0, 0
    for piece in pieces:
        first, at = at - start, at + len(piece.text)
        if at <= start:
            continue
        before, chosen = number[: max(0, first)], number[max(0, first) : at - start]
        yield from _alternatives(piece, before, chosen, number, belief)
        ended = max(0.0, 1 - math.fsum(piece.numerals.values()))
        if not chosen:  # the number is over
            belief *= ended
            break
        if before and not before.endswith(".") and chosen in piece.numerals:
            yield _numbers_beginning(before, 0, belief * ended)
        belief *= piece.probability
    yield _numbers_beginning(number, 0, belief)


def _alternatives(piece: Piece, before: str, chosen: str, number: str, belief: float) -> Iterator[_BeliefRange]:
    """The ranges of the numbers that begin with ``before`` and another numeral than the chosen one."""
    for numeral, probability in piece.numerals.items():
        begun = before + numeral
        if numeral != chosen and begun.count(".") <= 1 and not begun.startswith("."):
            yield _numbers_beginning(begun, 0 if "." in begun else _missing_digits(begun, number), belief * probability)


def _missing_digits(begun: str, number: str) -> int:
    """How many more digits a number that begins with ``begun`` has before its point.

    It is the count that brings the number nearest to ``number``, by their ratio. In place of "10.8", 8 begins eight,
    not eighty; in place of "9.4", 1 begins ten, not one. Only a point can follow a zero.
    """
    if not float(begun):
        return 0
    written, middle = max(float(number), _last_digit_unit(number)), float(begun) + 0.5
    most = len(number.partition(".")[0]) + 1 - len(begun)  # at most one digit more than was written, as in 10 for 9
    return min(range(max(0, most) + 1), key=lambda digits: abs(math.log(middle * 10.0**digits / written)))


def _numbers_beginning(begun: str, missing: int, belief: float) -> _BeliefRange:
    """The range of all numbers that begin with ``begun`` and have ``missing`` more digits before their point.

    It is never empty: the step of the last of many digits is too small to be added to a float.
    """
    scale = 10.0**missing
    low = float(begun) * scale
    return _BeliefRange(
        low, max((float(begun) + _last_digit_unit(begun)) * scale, math.nextafter(low, math.inf)), belief
    )


def _last_digit_unit(number: str) -> float:
    """The value of one step of a number's last digit, such as 0.01 for "2.42"."""
    return 10.0 ** -len(number.partition(".")[2])


def _quantiles(ranges: Sequence[_BeliefRange], tail: float) -> tuple[float, float] | None:
    """The quantiles ``tail`` and 1 - ``tail`` of the belief, which is spread evenly within each range."""
    total = math.fsum(part.belief for part in ranges)
    if total < _SMALLEST_BELIEF:
        return None
    edges = np.unique([limit for part in ranges for limit in (part.low, part.high)])
    below = np.zeros(len(edges))
    for part in ranges:
        below += part.belief * np.clip((edges - part.low) / (part.high - part.low), 0, 1)
    low, high = np.interp([tail * total, (1 - tail) * total], below, edges)
    return float(low), float(high)
