r"""Reading values from what a model wrote, without guessing.

Which words count as the answer, and which are thoughts, is told in ``toolkit.qa.parsing.answer_words``.

Which number in these words is the answer (``toolkit.qa.parsing.numbers`` says how numbers are found):

1. What stands under a key that names the answer comes first (``toolkit.qa.parsing.keyed_answer``), and then a last line
   that is a number alone (``toolkit.qa.parsing.lone_quantity``).
2. The clause after the last "=" is read next. If it holds no number, the clause after the last "answer is" is read.
   If that holds none either, all words are read. A clause ends with its sentence or line.
3. Numbers with a unit of the right dimension come first. If there are several, they must agree within 5 %; in different
   units within 10 %, because conversions are rounded: "1 meter (3 feet)". The first one is the answer.
4. Otherwise, the answer is a single number without a unit, which is taken to be in the unit asked for. It must not
   count something ("2 chairs"). It must not be part of a refusal ("I cannot tell from image 1"), or of a text that
   names another unit of the same dimension ("in feet: 8"). If numbers with a unit stand elsewhere, it must agree with
   one of them.

In all other cases the result is None: nothing was found, or two values differ. Bounds ("at least 2 m") are read as
their value. A negative number is read here; ``toolkit.qa.tasks.task.Task.read`` leaves out those that cannot be true.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from toolkit.qa.parsing.answer_words import ANSWER_IS, answer_words
from toolkit.qa.parsing.keyed_answer import keyed_answer
from toolkit.qa.parsing.lone_quantity import last_line_alone
from toolkit.qa.parsing.numbers import CONVERSION_TOLERANCE, DECIMAL, SIGN, UNIT, Number, decimal, normalised, numbers
from toolkit.qa.parsing.typography import without_emphasis
from toolkit.qa.parsing.units import UNITS, Unit, unit_named

Direction = tuple[float, float, float]
_SAME_UNIT_TOLERANCE = 0.05
_DIVISION = re.compile(rf"(?P<dividend>{DECIMAL} ?[a-z]*) ?[/÷] ?{DECIMAL}[^=]*=", re.IGNORECASE)
EQUALS = re.compile(r"=")

_CLAUSE_END = re.compile(r"[.!?;](?=\s|$)|\n")

REFUSAL = re.compile(
    r"\b(?:cannot|can't|can not|could not|couldn't|unable|unknown|unclear|impossible|not (?:possible|sure)"
    r"|(?:don't|do not) know|sorry|undetermined|indeterminate|n/a)\b",
    re.IGNORECASE,
)

NEGATION = re.compile(r"\b(?:not|neither|nor)\b|n't\b", re.IGNORECASE)
_COMPARISON = re.compile(r"\b(?:than|farther|farthest|further|furthest|behind|except|unlike)\b", re.IGNORECASE)
_NOUN = r"(?: (?:one|point|marker|arrow|dot|cross|box|circle|square|object|pixel))*"
_DEGREE = r"(?: (?:a|bit|clearly|far|much|noticeably|significantly|slightly|the))*"
_CLOSER = r"(?:closer|nearer|closest|nearest)\b"
_ARTICLE = r"(?! (?!(?:is|was|appears|looks|seems|lies|and|or|than)\b)[a-z])"

_AXES = {
    "right": (0, 1),
    "left": (0, -1),
    "down": (1, 1),
    "up": (1, -1),
    "forward": (2, 1),
    "ahead": (2, 1),
    "back": (2, -1),
}

_AXIS = re.compile(rf"\b(?P<axis>{'|'.join(_AXES)})(?:wards?|s)?\b")
_COMPONENT = rf"(?P<component>{SIGN}{DECIMAL})"
_AXIS_FIRST = re.compile(rf"{_AXIS.pattern}[:= ]*{_COMPONENT}(?! ?{UNIT})")
_AXIS_LAST = re.compile(rf"(?<![\w.]){_COMPONENT} (?:to the )?{_AXIS.pattern}")


@dataclass(frozen=True)
class Quantity:
    """A number with its unit ("m", "s", "m/s", "deg", or "" for no unit)."""

    value: float
    unit: str


@dataclass(frozen=True)
class Motion:
    """How a camera has moved.

    Attributes:
        distance: The distance between the two camera centres [m].
        rotation: The angle of the rotation [deg].
        direction: A unit vector (right, down, forward): x, y, z in the frame of the first camera (OpenCV).
    """

    distance: float
    rotation: float
    direction: Direction


@lru_cache(maxsize=256)  # an answer is read for its value, and again for its interval
def read_quantity(text: str, unit: str) -> Quantity | None:
    """Read the number that a text gives as its answer, by the rules of this module.

    Args:
        text: The text that a model wrote.
        unit: The unit asked for, by any name that can be read ("m", "ft", "km/h"); "" for a pure number.

    Returns:
        The answer, converted to ``unit``; None if there is no answer, or more than one.

    Raises:
        UserError: If the unit is unknown.
    """
    target = unit_named(unit)
    value = _value_meant(answer_words(text), target)
    return None if value is None else Quantity(value / target.factor, unit)


def read_dividend(text: str, unit: str) -> Quantity | None:
    """Read the number that a text divides in its working: 7.23 m in "7.23 m / 4.0 s = 1.81 m/s".

    Args:
        text: The text that a model wrote.
        unit: The unit of the dividend, by any name that ``read_quantity`` accepts.

    Returns:
        The dividend, converted to ``unit``; None if the text shows no division.

    Raises:
        UserError: If the unit is unknown.
    """
    found = _DIVISION.search(answer_words(text))
    return read_quantity(found["dividend"], unit) if found else None


def read_choice(text: str, choices: Sequence[str]) -> str | None:
    """Read which of some names a text gives as its answer.

    The clause after the last "answer is" is read first, then all words that count as the answer. In these words, the
    answer is the one name that is said to be closer ("red is closer than blue", "the nearest point is red"). If no name
    is, the answer is the one name that occurs, unless the words compare it ("closer than red", or "red is farther",
    which may be the opposite of the question). Nothing is read from negations and refusals. The name "A" counts only as
    a capital letter, and not where it is an article ("A point is...").

    Args:
        text: The text that a model wrote.
        choices: The names, as the question gave them.

    Returns:
        One of ``choices``; None if no name or more than one is given as the answer.
    """
    words = without_emphasis(answer_words(text))
    by_name = {choice.casefold(): choice for choice in choices}
    for clause in (*clauses(words, [ANSWER_IS]), words):
        found = _names_given(clause, _name_pattern(choices))
        if len(found) == 1 and not NEGATION.search(clause) and not REFUSAL.search(clause):
            return by_name[found.pop()]
    return None


def read_motion(text: str) -> Motion | None:
    """Read the camera motion that a text gives as its answer: a distance, an angle and a direction, in any order.

    The distance and the angle are the numbers with a unit of length and of angle; several must agree, as for
    ``read_quantity``. The direction is a number beside each axis word ("right 0.10" or "0.10 right"). Left, up and back
    are the opposites of right, down and forward. An axis that is not named is zero. The direction is normalised to
    length 1.

    Args:
        text: The text that a model wrote.

    Returns:
        The motion; None if the distance, the angle or the direction is missing, or if two values differ.
    """
    words = normalised(answer_words(text))
    found = numbers(words)
    distance, rotation = (_agreed(_of_dimension(found, dimension)) for dimension in ("m", "deg"))
    direction = _direction(words)
    if distance is None or rotation is None or direction is None:
        return None
    return Motion(distance, rotation, direction)


def write_motion(motion: Motion) -> str:
    """A motion as text: ``0.52 m, 12.3 deg, right 0.10, down -0.02, forward 0.99``."""
    # Adding 0.0 makes a rounded -0.0 positive.
    right, down, forward = (round(component, 2) + 0.0 for component in motion.direction)
    way = f"right {right:.2f}, down {down:.2f}, forward {forward:.2f}"
    return f"{motion.distance:.2f} m, {motion.rotation:.1f} deg, {way}"


def clauses(text: str, markers: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """Yield, for each marker that occurs in a text, the clause after its last occurrence."""
    for marker in markers:
        ends = [match.end() for match in marker.finditer(text)]
        if ends:
            yield _CLAUSE_END.split(text[ends[-1] :].lstrip(" :\n"), maxsplit=1)[0]


def _value_meant(words: str, target: Unit) -> float | None:
    """The value that the words of an answer give, in the canonical unit of ``target``."""
    keyed = keyed_answer(words, target)
    if keyed is not None:
        found = [_number_in(words, target) for words in keyed.values]
        value = _agreed([Number(each, target, 0, 0, bare=False, usable=True) for each in found if each is not None])
        if value is not None or keyed.decisive:
            return value
    last = last_line_alone(words)
    value = None if last is None else _number_in(last, target)
    return _number_in(words, target) if value is None else value


def _number_in(words: str, target: Unit) -> float | None:
    normal = normalised(words)
    return _number_meant(normal, numbers(normal), target)


def _number_meant(text: str, present: Sequence[Number], target: Unit) -> float | None:
    """The number that normalised text gives as its answer, in the canonical unit of ``target``.

    ``present`` are all numbers of the text.
    """
    everywhere = _of_dimension(present, target.dimension)
    for clause in (*clauses(text, [EQUALS, ANSWER_IS]), text):
        found = present if clause is text else numbers(clause)
        stated = _of_dimension(found, target.dimension)
        if stated:
            return _agreed(stated)
        bare = [replace(number, value=number.value * target.factor) for number in found if number.bare]
        refused = REFUSAL.search(clause) is not None
        if bare or refused:
            clear = len(bare) == 1 and not refused and not _names_other_unit(text, target)
            return bare[0].value if clear and _fits(bare[0], everywhere) else None
    return None


def _names_other_unit(text: str, target: Unit) -> bool:
    """Whether a word of the text is another unit of the same dimension; "in" counts as a preposition."""
    named = (UNITS[word] for word in re.findall("[a-z]+", text) if word in UNITS and word != "in")
    return any(unit.dimension == target.dimension and unit != target for unit in named)


def _of_dimension(found: Sequence[Number], dimension: str) -> list[Number]:
    return [number for number in found if dimension and number.unit.dimension == dimension]


def _agreed(found: Sequence[Number]) -> float | None:
    """The first value, if all others agree with it; None if they do not, or if there is none."""
    return found[0].value if found and all(_same(found[0], number) for number in found) else None


def _fits(bare: Number, stated: Sequence[Number]) -> bool:
    """Whether a number without a unit agrees with one of the numbers with a unit, if there are any."""
    return not stated or any(_same(bare, number) for number in stated)


def _same(first: Number, second: Number) -> bool:
    tolerance = _SAME_UNIT_TOLERANCE if first.unit == second.unit else CONVERSION_TOLERANCE
    return math.isclose(first.value, second.value, rel_tol=tolerance)


def _name_pattern(choices: Sequence[str]) -> str:
    """A pattern with one group that matches any of the names; longer names come first ("dark red" before "red")."""
    ordered = sorted(choices, key=len, reverse=True)
    names = (f"(?-i:A){_ARTICLE}" if name == "A" else re.escape(name) for name in ordered)
    return rf"(?<!\w)({'|'.join(names)})(?!\w)"


def _names_given(clause: str, name: str) -> set[str]:
    """The names that a clause says to be closer; if there are none, the names in it, unless it compares them."""
    subject = rf"{name}{_NOUN} (?:is|appears|looks|seems|lies)(?: to be)?{_DEGREE} {_CLOSER}"
    predicate = rf"{_CLOSER}{_NOUN}(?: to the camera)?(?: is|:)(?: the)? {name}(?! or\b)"
    closer = re.findall(subject, clause, re.IGNORECASE) + re.findall(predicate, clause, re.IGNORECASE)
    if closer or _COMPARISON.search(clause):
        return {found.casefold() for found in closer}
    return {found.casefold() for found in re.findall(name, clause, re.IGNORECASE)}


def _direction(text: str) -> Direction | None:
    """The unit vector (right, down, forward) in normalised text, if every axis word has its number."""
    named = len(_AXIS.findall(text))
    for pattern in (_AXIS_FIRST, _AXIS_LAST):
        found = {_AXES[match["axis"]][0]: match for match in pattern.finditer(text)}
        if found and len(found) == named:
            return _unit_vector(found)
    return None


def _unit_vector(found: dict[int, re.Match[str]]) -> Direction | None:
    """The unit vector with these components, given as one match for each axis; None if its length is 0 or infinite."""
    vector = [0.0, 0.0, 0.0]
    for axis, match in found.items():
        vector[axis] = _AXES[match["axis"]][1] * decimal(match["component"])
    length = math.hypot(*vector)
    if not 0 < length < math.inf:
        return None
    right, down, forward = (component / length for component in vector)
    return right, down, forward
