r"""Numbers in prose: finding them, with their units, whichever way they are written.

``plain`` writes every sign, unit and number one way; ``numbers`` finds the numbers in the result.

- A comma before exactly three digits separates thousands ("1,250 m"), unless a zero leads ("0,250 m"); any
  other is a decimal comma ("2,4 m"). Fractions ("2 1/2 ft") and words up to 99 ("two and a half meters",
  "half a meter", "two point five feet") are read.
- A range ("2-3 m", "2 to 3 m", "between 2 and 3 m") is its midpoint.
- "5 ft 11 in", "2 m 40 cm" and "1 min and 30 s" are sums.
- "2 or 3 m" and "2 and 5 m" are two numbers, both in metres.
- A minus sign is kept.
- Coordinates ("(320, 240)", "x = 320, y = 240"), operands of arithmetic ("7.23 m / 4.0 s"), numbers after
  "not", numbers that run into another without a unit ("5 ft 11") and infinite ones are left out.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from toolkit.qa.parsing.units import NO_UNIT, UNITS, Unit, unit_named

# "in" is a preposition more often than an inch: what follows decides.
_AFTER_INCH = "ahead|and|apart|away|between|deep|far|from|high|long|off|or|tall|to|wide"


_INCH = rf"in(?=\.| *(?:$|\n|[^\s\w]|(?:{_AFTER_INCH})\b))"


_WORDS = sorted((name for name in UNITS if name.isalpha() and name != "in"), key=len, reverse=True)


_WORD = "|".join([*_WORDS, _INCH])


_NAME = rf"(?:{_WORD}|['\"°])"


UNIT = rf"{_NAME}(?: ?/ ?{_NAME})?(?![\w^²³])(?! ?/ ?[a-z])"
"""A unit in plain text; not one that goes on ("m²", "m/frame")."""


_EXPONENT = r"(?:e[+-]?\d+)?"


_THOUSANDS = rf"[1-9]\d{{0,2}}(?:,\d{{3}})+(?:\.\d+)?{_EXPONENT}"


_POINT_THOUSANDS = r"\d{1,3}(?:\.\d{3})+,\d+"


DECIMAL = rf"(?:{_THOUSANDS}|{_POINT_THOUSANDS}|\d+,\d+|\d+(?:\.\d+)?{_EXPONENT}|\.\d+)(?![.,]?\d)"
"""A number in plain text, without a sign: see ``decimal``."""


SIGN = r"(?:(?<![\w)'\"])-)?"
"""A minus that is neither a hyphen nor the dash of a range, or nothing."""


_NUMBER = re.compile(
    rf"(?<![\w.^])(?<!\d,)(?<!not )(?<!not -)(?P<sign>{SIGN})"
    rf"(?:(?P<whole>\d+ )?(?P<over>\d+)/(?P<under>\d+)(?![.,]?\d)|(?P<decimal>{DECIMAL}))"
    rf"(?:-?ish\b)?(?:[ -]*(?P<unit>{UNIT}))?"
)


_BARE = re.compile(r"(?!-\w) *(?:$|\n|[^\s\w%°'\"/*+^]|(?:ahead|apart|away|deep|far|from|long|off|or so)\b)")


_OPERATOR = re.compile(r"[-+*/^x]|plus|minus|times|over|(?:divided|multiplied) by")


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
    rf"(?=[ -](?:(?:to|and|or) {_BELOW_100}(?: and a half)?[ -])?(?:{_WORD})\b)"
)


def _digits(spoken: re.Match[str]) -> str:
    """Digits for a number in words."""
    value = float(sum(_SPOKEN_VALUE[word] for word in re.split("[ -]", spoken["whole"])))
    if spoken["half"]:
        value += 0.5
    if spoken["point"]:
        fraction = "".join(str(_SPOKEN_VALUE[word]) for word in spoken["point"].split()[1:])
        value += float(f"0.{fraction}")
    return f"{value:.12g}"


GLYPHS = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u2009\u202f\u2014", " "),
        **dict.fromkeys("\u2212\u2013\u2011\u2010\u207b", "-"),
        **dict.fromkeys("\u2019\u2018\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u2033", '"'),
        **{"×": "*", "·": "*", "÷": "/", "≈": "=", "º": "°", "¹": "1"},
        **{"½": " 1/2", "¼": " 1/4", "¾": " 3/4"},
    }
)
"""ASCII for typographic spaces, dashes, quotes and signs."""


_HEDGE = r"about|around|approx(?:imately)?|roughly|nearly|almost|exactly|maybe|perhaps|circa"


_METER = r"(?:(?:kilo|centi)?met(?:er|re)|foot|inch|mile)"


_REWRITES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"\*\*|__", ""),
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
    (rf"\bhalf (?:of )?(?:an? )?(?=(?:{_WORD})\b)", "0.5 "),
    (rf"\b(?:a|an) (?={_METER}\b)", "1 "),
    (rf"\b(\d+) ({_WORD}) and a half\b", r"\1.5 \2"),
]


_REWRITERS = [(re.compile(pattern), by) for pattern, by in _REWRITES]


@dataclass(frozen=True)
class Number:
    """A number in plain text.

    Attributes:
        value: In the canonical unit of its dimension.
        unit: As written; ``NO_UNIT`` where none is.
        start: Index of its first character.
        end: Index after its unit.
        bare: Whether it stands for itself: no unit, and no word that it counts ("2 chairs").
        usable: Whether it can be meant: finite, and no operand.
    """

    value: float
    unit: Unit
    start: int
    end: int
    bare: bool
    usable: bool


def plain(text: str) -> str:
    """Lower-case text with one way to write each sign, unit and number; coordinates are taken out."""
    text = text.lower().strip().translate(GLYPHS)
    for pattern, by in _REWRITERS:
        text = pattern.sub(by, text)
    return text


def numbers(text: str) -> list[Number]:
    """The numbers of plain text, in order, read by the rules of this module."""
    found: list[Number] = []
    for match in _NUMBER.finditer(text):
        number = _number(match)
        found[-1:] = _joined(text, found[-1], number) if found else (number,)
    return [number for number in found if number.usable]


def decimal(digits: str) -> float:
    """The value of digits with a sign, a decimal point or comma, separated thousands or an exponent."""
    if re.fullmatch(f"-?{_THOUSANDS}", digits):
        return float(digits.replace(",", ""))
    if "," in digits:
        digits = digits.replace(".", "").replace(",", ".")
    return float(digits)


def _number(match: re.Match[str]) -> Number:
    unit = unit_named(match["unit"] or "")
    magnitude = decimal(match["decimal"]) if match["decimal"] else _fraction(match)
    value = magnitude * unit.factor * (-1 if match["sign"] else 1)
    bare = unit == NO_UNIT and _BARE.match(match.string, match.end()) is not None
    return Number(value, unit, match.start(), match.end(), bare, math.isfinite(value))


def _fraction(match: re.Match[str]) -> float:
    over, under = float(match["over"]), float(match["under"])
    return float(match["whole"] or 0) + (over / under if under else math.nan)


def _joined(text: str, first: Number, second: Number) -> tuple[Number, ...]:
    """What two neighbouring numbers stand for, by what lies between them."""
    gap = text[first.end : second.start].strip(" ")
    between = gap == "and" and text.endswith("between ", 0, first.start)
    shared = first
    if first.unit == NO_UNIT:
        shared = replace(first, value=first.value * second.unit.factor, unit=second.unit)
    comparable = shared.unit.dimension == second.unit.dimension
    if comparable and (gap in ("-", "to") or between) and shared.value < second.value:
        return (replace(second, value=(shared.value + second.value) / 2, start=first.start),)
    if comparable and gap in ("", "and") and _continues(first, second):
        return (replace(first, value=first.value + math.copysign(second.value, first.value), end=second.end),)
    runs_into = gap == "" and first.unit != NO_UNIT and second.unit == NO_UNIT
    if runs_into or _OPERATOR.fullmatch(gap.strip(" ()")):
        return replace(first, usable=False), replace(second, usable=False)
    return (shared if gap in ("", "and", "or") else first), second


def _continues(first: Number, second: Number) -> bool:
    """Whether ``second`` counts parts of the unit of ``first``, as inches do after feet."""
    return first.unit != NO_UNIT and first.unit != second.unit and 0 <= second.value < first.unit.factor
