r"""Reading values from what a model wrote, without guessing.

Which words count as the answer: the last ``<answer>...</answer>`` (an unclosed one runs to the end);
without tags, what follows ``</think>``. Thinking that never ended holds no answer.

Which number of these words is meant (``toolkit.qa.parsing.numbers`` says how numbers are found):

1. One in the clause after the last "="; if that holds none, in the clause after the last "answer is"; if
   that holds none, anywhere. A clause ends with its sentence or line; ``\boxed{}`` is an "answer is".
2. There, those with a unit of the right dimension, if there are any. They must agree, within 5 %, or within
   10 % between different units, since conversions are rounded: "1 meter (3 feet)". The first is returned.
3. Otherwise a single bare number, taken to be in the unit asked for. It must not count something ("2
   chairs"), nor stand in a refusal ("I cannot tell from image 1") or in a text that names another unit of
   the dimension ("in feet: 8"), nor contradict all numbers with a unit that stand elsewhere.

Everything else (nothing found, two values that differ) is None. Bounds ("at least 2 m") are read as their
value. A negative distance is read: it was answered, and is wrong.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from toolkit.qa.parsing.numbers import DECIMAL, GLYPHS, SIGN, UNIT, Number, decimal, numbers, plain
from toolkit.qa.parsing.units import UNITS, Unit, unit_named

Direction = tuple[float, float, float]


_SAME_UNIT_TOLERANCE = 0.05


_OTHER_UNIT_TOLERANCE = 0.10


_TAGGED = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL | re.IGNORECASE)


_THOUGHT = re.compile(r"</think>", re.IGNORECASE)


_THINKING = re.compile(r"<think>", re.IGNORECASE)


_DIVISION = re.compile(rf"(?P<dividend>{DECIMAL} ?[a-z]*) ?[/÷] ?{DECIMAL}[^=]*=", re.IGNORECASE)


EQUALS = re.compile(r"=")


ANSWER_IS = re.compile(
    r"\b(?:answer|final (?:estimate|value|result|distance|depth))(?: \w+){0,3}? ?(?:\b(?:is|would be)\b|:)",
    re.IGNORECASE,
)


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
    """A number and its unit ("m", "s", "m/s", "deg", or "" for none)."""

    value: float
    unit: str


@dataclass(frozen=True)
class Motion:
    """How a camera has moved.

    Attributes:
        distance: Length of the way [m].
        rotation: Angle of the rotation [deg].
        direction: Unit vector (right, down, forward): x, y, z of the first camera's frame (OpenCV).
    """

    distance: float
    rotation: float
    direction: Direction


def read_quantity(text: str, unit: str) -> Quantity | None:
    """The number that a text answers, by the rules of this module.

    Args:
        text: What a model wrote.
        unit: The unit asked for, by any name that is read ("m", "ft", "km/h"); "" for a pure number.

    Returns:
        The answer converted to ``unit``; None where there is none, or more than one.

    Raises:
        UserError: If the unit is unknown.
    """
    target = unit_named(unit)
    value = _meant(plain(answer_words(text)), target)
    return None if value is None else Quantity(value / target.factor, unit)


def read_dividend(text: str, unit: str) -> Quantity | None:
    """The number that a text divides, where it shows its working: 7.23 m in "7.23 m / 4.0 s = 1.81 m/s".

    Args:
        text: What a model wrote.
        unit: The unit asked for, as for ``read_quantity``.

    Raises:
        UserError: If the unit is unknown.
    """
    found = _DIVISION.search(answer_words(text))
    return read_quantity(found["dividend"], unit) if found else None


def read_choice(text: str, choices: Sequence[str]) -> str | None:
    """Which of some names a text answers.

    Read are the clause after the last "answer is", then all words that count as the answer. In them it is
    the one name said to be closer ("red is closer than blue", "the nearest point is red"); where none is,
    the one name that occurs, unless it is compared ("closer than red"; "red is farther", which may be the
    opposite of the question). Nothing is read from negations and refusals. The name "A" counts as a
    capital only, and not where it is an article ("A point is...").

    Args:
        text: What a model wrote.
        choices: The names, as the question gave them.

    Returns:
        One of ``choices``, or None.
    """
    words = re.sub(r"[*_`\" \t]+", " ", answer_words(text).translate(GLYPHS))
    by_name = {choice.casefold(): choice for choice in choices}
    for clause in (*clauses(words, [ANSWER_IS]), words):
        found = _named(clause, _name_pattern(choices))
        if len(found) == 1 and not NEGATION.search(clause) and not REFUSAL.search(clause):
            return by_name[found.pop()]
    return None


def read_motion(text: str) -> Motion | None:
    """The camera motion that a text answers: a distance, an angle and a direction, in any order.

    Distance and angle are the numbers with such units; several must agree, as for ``read_quantity``. The
    direction is a number beside each axis word ("right 0.10" or "0.10 right"; left, up and back are negated
    right, down and forward). Axes that are not named are zero; the length is normalised to 1.

    Args:
        text: What a model wrote.

    Returns:
        The motion; None where distance, angle or direction is missing, or given more than once.
    """
    words = plain(answer_words(text))
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


def answer_words(text: str) -> str:
    """What of a text counts as the answer: the last answer tag, else what is not thinking."""
    said = _THOUGHT.split(text)[-1]
    tagged: list[str] = _TAGGED.findall(said)
    return tagged[-1] if tagged else _THINKING.split(said)[0]


def clauses(text: str, markers: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """For each marker that occurs, the clause after its last occurrence."""
    for marker in markers:
        ends = [match.end() for match in marker.finditer(text)]
        if ends:
            yield _CLAUSE_END.split(text[ends[-1] :].lstrip(" :\n"), maxsplit=1)[0]


def _meant(text: str, target: Unit) -> float | None:
    """The number meant by plain text, in the canonical unit of ``target``."""
    everywhere = _of_dimension(numbers(text), target.dimension)
    for clause in (*clauses(text, [EQUALS, ANSWER_IS]), text):
        found = numbers(clause)
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
    """Whether a word of the text is another unit of the same dimension; "in" is taken as a preposition."""
    named = (UNITS[word] for word in re.findall("[a-z]+", text) if word in UNITS and word != "in")
    return any(unit.dimension == target.dimension and unit != target for unit in named)


def _of_dimension(found: Sequence[Number], dimension: str) -> list[Number]:
    return [number for number in found if dimension and number.unit.dimension == dimension]


def _agreed(found: Sequence[Number]) -> float | None:
    """The first value, if all others are the same."""
    return found[0].value if found and all(_same(found[0], number) for number in found) else None


def _fits(bare: Number, stated: Sequence[Number]) -> bool:
    """Whether a bare number repeats one with a unit, or there is none."""
    return not stated or any(_same(bare, number) for number in stated)


def _same(first: Number, second: Number) -> bool:
    tolerance = _SAME_UNIT_TOLERANCE if first.unit == second.unit else _OTHER_UNIT_TOLERANCE
    return math.isclose(first.value, second.value, rel_tol=tolerance)


def _name_pattern(choices: Sequence[str]) -> str:
    """A pattern with one group, any of the names; longer ones come first ("dark red" before "red")."""
    ordered = sorted(choices, key=len, reverse=True)
    names = (f"(?-i:A){_ARTICLE}" if name == "A" else re.escape(name) for name in ordered)
    return rf"(?<!\w)({'|'.join(names)})(?!\w)"


def _named(clause: str, name: str) -> set[str]:
    """The names that a clause says to be closer; else those that occur in it, if nothing compares them."""
    subject = rf"{name}{_NOUN} (?:is|appears|looks|seems|lies)(?: to be)?{_DEGREE} {_CLOSER}"
    predicate = rf"{_CLOSER}{_NOUN}(?: to the camera)?(?: is|:)(?: the)? {name}(?! or\b)"
    closer = re.findall(subject, clause, re.IGNORECASE) + re.findall(predicate, clause, re.IGNORECASE)
    if closer or _COMPARISON.search(clause):
        return {found.casefold() for found in closer}
    return {found.casefold() for found in re.findall(name, clause, re.IGNORECASE)}


def _direction(text: str) -> Direction | None:
    """The unit vector (right, down, forward) of plain text in which every axis word has its number."""
    named = len(_AXIS.findall(text))
    for pattern in (_AXIS_FIRST, _AXIS_LAST):
        found = {_AXES[match["axis"]][0]: match for match in pattern.finditer(text)}
        if found and len(found) == named:
            return _unit_vector(found)
    return None


def _unit_vector(found: dict[int, re.Match[str]]) -> Direction | None:
    """The normalised vector of one match an axis; None if its length is zero or infinite."""
    vector = [0.0, 0.0, 0.0]
    for axis, match in found.items():
        vector[axis] = _AXES[match["axis"]][1] * decimal(match["component"])
    length = math.hypot(*vector)
    if not 0 < length < math.inf:
        return None
    right, down, forward = (component / length for component in vector)
    return right, down, forward
