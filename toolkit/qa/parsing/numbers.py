r"""Finding numbers in prose, with their units, in all the ways in which people write them.

``normalised`` writes every sign, unit and number in one way; ``numbers`` finds the numbers in the result.

- A comma before exactly three digits separates thousands ("1,250 m"), unless the number starts with a zero
  ("0,250 m"). Any other comma is a decimal comma ("2,4 m").
- Fractions ("2 1/2 ft") are read, and so are words for numbers up to 99 ("two and a half meters", "half a meter",
  "two point five feet").
- A range ("2-3 m", "2 to 3 m", "between 2 and 3 m") is read as its midpoint.
- "5 ft 11 in", "2 m 40 cm" and "1 min and 30 s" are sums.
- "2.4 m / 7.9 ft" is one value in two units, and both numbers are read; "7.2 m / 4 m" is arithmetic.
- Confidences ("confidence: 0.9") are no numbers of the answer.
- Units may have foreign names after a number ("2,4 metros").
- "2 or 3 m" and "2 and 5 m" are two numbers, both in metres.
- A minus sign is kept.
- These are left out: coordinates ("(320, 240)", "x = 320, y = 240"), operands of arithmetic ("7.23 m / 4.0 s"),
  numbers after "not", infinite numbers, and two numbers of which the second follows the first's unit and has no unit
  itself ("5 ft 11").
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from toolkit.qa.parsing.foreign_units import with_english_units
from toolkit.qa.parsing.typography import GLYPHS
from toolkit.qa.parsing.units import NO_UNIT, SPELT_NAMES, Unit, unit_named

# "in" is a preposition more often than an inch: what follows decides.
_AFTER_INCH = "ahead|and|apart|away|between|deep|far|from|high|long|off|or|tall|to|wide"
_INCH = rf"in(?=\.| *(?:$|\n|[^\s\w]|(?:{_AFTER_INCH})\b))"
_UNIT_WORD = "|".join([*SPELT_NAMES, _INCH])
_UNIT_NAME = rf"(?:{_UNIT_WORD}|['\"°])"

UNIT = rf"{_UNIT_NAME}(?: ?/ ?{_UNIT_NAME})?(?![\w^²³])(?! ?/ ?[a-z])"
"""A pattern for a unit in normalised text, but not for the start of a longer one ("m²", "m/frame")."""

_EXPONENT = r"(?:e[+-]?\d+)?"
_THOUSANDS = rf"[1-9]\d{{0,2}}(?:,\d{{3}})+(?:\.\d+)?{_EXPONENT}"
_POINT_THOUSANDS = r"\d{1,3}(?:\.\d{3})+,\d+"

DECIMAL = rf"(?:{_THOUSANDS}|{_POINT_THOUSANDS}|\d+,\d+|\d+(?:\.\d+)?{_EXPONENT}|\.\d+)(?![.,]?\d)"
"""A pattern for a number in normalised text, without its sign; ``decimal`` gives its value."""

SIGN = r"(?:(?<![\w)'\"])-)?"
"""A pattern for an optional minus sign, which is neither a hyphen nor the dash of a range."""

_LARGEST = 1e12  # of any unit; nobody means a larger number

_NUMBER = re.compile(
    rf"(?<![\w.^])(?<!\d,)(?<!not )(?<!not -)(?P<sign>{SIGN})"
    rf"(?:(?P<whole>\d+ )?(?P<over>\d+)/(?P<under>\d+)(?![.,]?\d)|(?P<decimal>{DECIMAL}))"
    rf"(?:-?ish\b)?(?:[ -]*(?P<unit>{UNIT}))?"
)

_BARE = re.compile(r"(?!-\w) *(?:$|\n|[^\s\w%°'\"/*+^]|(?:ahead|apart|away|deep|far|from|long|off|or so)\b)")
_OPERATOR = re.compile(r"[-+*/^x]|plus|minus|times|over|(?:divided|multiplied) by")

_RANGE = ("-", "to", "up to", "through", "bis", "à", "a", "до", "至", "..", "...")

CONVERSION_TOLERANCE = 0.10
"""How much the same value may differ in two units: conversions are rounded, as in "1 meter (3 feet)"."""

ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
"""Numbers below twenty in words; the index is the value."""

_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

_SPOKEN_VALUE = {word: value for value, word in enumerate(ONES)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}

_BELOW_100 = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(ONES[1:10])}))?|{'|'.join(ONES)})"

_SPOKEN = (
    rf"(?<!hundred )(?<!hundred and )(?<!thousand )(?<!thousand and )\b(?P<whole>{_BELOW_100})"
    rf"(?:(?P<half> and a half)|(?P<point> point(?: (?:{'|'.join(ONES[:10])}))+))?"
    rf"(?=[ -](?:(?:to|and|or) {_BELOW_100}(?: and a half)?[ -])?(?:{_UNIT_WORD})\b)"
)


def _digits(spoken: re.Match[str]) -> str:
    """The digits of a number that is written in words (a match of ``_SPOKEN``)."""
    value = float(sum(_SPOKEN_VALUE[word] for word in re.split("[ -]", spoken["whole"])))
    if spoken["half"]:
        value += 0.5
    if spoken["point"]:
        fraction = "".join(str(_SPOKEN_VALUE[word]) for word in spoken["point"].split()[1:])
        value += float(f"0.{fraction}")
    return f"{value:.12g}"


_HEDGE = r"about|around|approx(?:imately)?|roughly|nearly|almost|exactly|maybe|perhaps|circa"
_METER = r"(?:(?:kilo|centi)?met(?:er|re)|foot|inch|mile)"

_REWRITES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"\*\*|__", ""),
    (r"\b(?:confidence|probability|certainty)(?: \w+)?['\"]? ?[:=] ?\d+(?:[.,]\d+)? ?%?", " "),
    (r"(?<=\d) ?~ ?(?=\d)", "-"),
    (r"(?<![\d.])([1-9]\d{0,2})'(\d{3})(?![\d\"'])", r"\1\2"),
    (r"\\[,;:! ]", " "),
    (r"\\boxed\b", " answer is "),
    (r"\\times\b|\\cdot\b", "*"),
    (r"\\approx\b", "="),
    (r"\\(?:text|mathrm)\b|[\\{}$`]", " "),
    (rf"\b(?:{_HEDGE})\b\.?|~", " "),
    (rf"(?:±|\+/-) ?{DECIMAL}", " "),
    (r"[ \t\r]+", " "),
    # Coordinates.
    (rf"[(\[] ?-?{DECIMAL}(?: ?[,;] ?-?{DECIMAL})+ ?[)\]]", " "),
    (rf"\b[xu] ?= ?-?{DECIMAL} ?(?:,|;|and) ?[yv] ?= ?-?{DECIMAL}", " "),
    # Quotation marks that are neither feet nor inches; then 5'11".
    (r"(?<![\d'])\"([^\"]*)\"", r"\1"),
    (r"(?<![\w'])'([^']*)'", r"\1"),
    (r"(\d) ?' ?(\d+(?:\.\d+)?)(?: ?\"|'')?(?!\.?\d|\w)", r"\1 ft \2 inch "),
    (r"\b(ft|deg|sec|min)\. ?(?=\d)", r"\1 "),
    # Rates.
    (r"(?<=[a-z]) ?(?:/|\bper\b) ?(?=[a-z])", "/"),
    (r"(?<![a-z])m ?\*? ?s ?\^? ?-1\b", "m/s"),
    # Words.
    (r"\b(?:minus|negative) (?=[\d.])", "-"),
    (r"\b(\d+) and a half\b", r"\1.5"),
    (_SPOKEN, _digits),
    (rf"\bhalf (?:of )?(?:an? )?(?=(?:{_UNIT_WORD})\b)", "0.5 "),
    (rf"\b(?:a|an) (?={_METER}\b)", "1 "),
    (rf"\b(\d+) ({_UNIT_WORD}) and a half\b", r"\1.5 \2"),
]

_COMPILED_REWRITES = [(re.compile(pattern), by) for pattern, by in _REWRITES]


@dataclass(frozen=True)
class Number:
    """A number in normalised text.

    Attributes:
        value: The value, in the canonical unit of its dimension.
        unit: The unit as written; ``NO_UNIT`` if there is none.
        start: The index of the number's first character.
        end: The index after the number and its unit.
        bare: Whether the number has no unit, and no word follows that it counts ("2 chairs").
        usable: Whether the number can be an answer: it is finite, and not an operand of arithmetic.
    """

    value: float
    unit: Unit
    start: int
    end: int
    bare: bool
    usable: bool


def normalised(text: str) -> str:
    """A text in lower case, with one way to write each sign, unit and number. Coordinates are removed."""
    text = with_english_units(text.lower().strip().translate(GLYPHS))
    for pattern, by in _COMPILED_REWRITES:
        text = pattern.sub(by, text)
    return text


def numbers(text: str) -> list[Number]:
    """The numbers in normalised text, in order, read by the rules of this module."""
    found: list[Number] = []
    for match in _NUMBER.finditer(text):
        number = _read_match(match)
        found[-1:] = _join(text, found[-1], number) if found else (number,)
    return [number for number in found if number.usable]


def decimal(digits: str) -> float:
    """The value of digits, which may have a sign, a decimal point or comma, separated thousands or an exponent."""
    if re.fullmatch(f"-?{_THOUSANDS}", digits):
        return float(digits.replace(",", ""))
    if "," in digits:
        digits = digits.replace(".", "").replace(",", ".")
    return float(digits)


def _read_match(match: re.Match[str]) -> Number:
    """The number in a match of ``_NUMBER``."""
    magnitude = decimal(match["decimal"]) if match["decimal"] else _fraction(match)
    unit = unit_named(match["unit"] or "")
    value = magnitude * unit.factor * (-1 if match["sign"] else 1)
    bare = unit == NO_UNIT and _BARE.match(match.string, match.end()) is not None
    return Number(value, unit, match.start(), match.end(), bare, abs(value) <= _LARGEST)


def _fraction(match: re.Match[str]) -> float:
    """The value of a fraction such as "2 1/2"; NaN if it divides by zero."""
    over, under = float(match["over"]), float(match["under"])
    return float(match["whole"] or 0) + (over / under if under else math.nan)


def _join(text: str, first: Number, second: Number) -> tuple[Number, ...]:
    """The one or two numbers that two neighbouring numbers stand for, by the words between them."""
    gap = text[first.end : second.start].strip(" ")
    between = gap == "and" and text.endswith("between ", 0, first.start)
    shared = first
    if first.unit == NO_UNIT:
        shared = replace(first, value=first.value * second.unit.factor, unit=second.unit)
    comparable = shared.unit.dimension == second.unit.dimension
    if comparable and (gap in _RANGE or between) and shared.value < second.value:
        return (replace(second, value=(shared.value + second.value) / 2, start=first.start),)
    if comparable and gap in ("", "and") and _continues(first, second):
        return (replace(first, value=first.value + math.copysign(second.value, first.value), end=second.end),)
    if gap == "/" and first.unit != second.unit and _convert(first, second):
        return first, second
    runs_into = gap == "" and first.unit != NO_UNIT and second.unit == NO_UNIT
    if runs_into or _OPERATOR.fullmatch(gap.strip(" ()")):
        return replace(first, usable=False), replace(second, usable=False)
    return (shared if gap in ("", "and", "or") else first), second


def _convert(first: Number, second: Number) -> bool:
    """Whether two numbers are one value in two units: "2.4 m / 7.9 ft"."""
    same = first.usable and first.unit.dimension == second.unit.dimension != ""
    return same and math.isclose(first.value, second.value, rel_tol=CONVERSION_TOLERANCE)


def _continues(first: Number, second: Number) -> bool:
    """Whether ``second`` adds a smaller unit to ``first``, as inches do after feet."""
    return first.unit != NO_UNIT and first.unit != second.unit and 0 <= second.value < first.unit.factor
