"""The units that are read and written, with all their names; which unit a user asks for, and values in that unit."""

import math
import re
from dataclasses import dataclass
from functools import cache

from toolkit.errors import UserError, did_you_mean
from toolkit.qa.parsing.spelling import corrected


@dataclass(frozen=True)
class Unit:
    """A unit of measurement.

    Attributes:
        dimension: What the unit measures, named by the canonical unit: "m", "s", "m/s", "deg", or "" for a count.
        factor: The size of the unit, in canonical units.
    """

    dimension: str
    factor: float


NO_UNIT = Unit("", 1.0)


def _named(names: str, dimension: str, factor: float) -> dict[str, Unit]:
    return dict.fromkeys(names.split(), Unit(dimension, factor))


# The foot, the yard and the mile are those of the international agreement of 1959.
UNITS: dict[str, Unit] = {
    **_named("m meter meters metre metres", "m", 1.0),
    **_named("cm centimeter centimeters centimetre centimetres", "m", 0.01),
    **_named("mm millimeter millimeters millimetre millimetres", "m", 0.001),
    **_named("km kilometer kilometers kilometre kilometres", "m", 1000.0),
    **_named("ft foot feet '", "m", 0.3048),
    **_named('in inch inches "', "m", 0.0254),
    **_named("yd yds yard yards", "m", 0.9144),
    **_named("mi mile miles", "m", 1609.344),
    **_named("s sec secs second seconds", "s", 1.0),
    **_named("ms msec millisecond milliseconds", "s", 0.001),
    **_named("min mins minute minutes", "s", 60.0),
    **_named("h hr hrs hour hours", "s", 3600.0),
    **_named("mps", "m/s", 1.0),
    **_named("kph kmh kmph", "m/s", 1000.0 / 3600.0),
    **_named("mph", "m/s", 1609.344 / 3600.0),
    **_named("deg degs degree degrees °", "deg", 1.0),
    **_named("rad rads radian radians", "deg", 180.0 / math.pi),
}
"""The units by all names that can be read, in lower case. A rate is composed of two names ("km/h")."""


@cache
def unit_named(name: str) -> Unit:
    """The unit with a name.

    Args:
        name: The name in lower case: one of ``UNITS``, a rate of two of them ("km/h"), or "" for no unit.

    Raises:
        UserError: If the name is unknown.
    """
    if not name:
        return NO_UNIT
    parts = name.replace(" ", "").split("/")
    unknown = [part for part in parts if part not in UNITS]
    if unknown or len(parts) > 2:
        raise UserError(f"unknown unit {name!r}", remedy=did_you_mean((unknown or parts)[0], UNITS))
    if len(parts) == 1:
        return UNITS[name]
    above, below = (UNITS[part] for part in parts)
    return Unit(f"{above.dimension}/{below.dimension}", above.factor / below.factor)


SPELT_NAMES = sorted((name for name in UNITS if name.isalpha() and name != "in"), key=len, reverse=True)
"""The names in letters, the longest first. "in" is not among them: it is a preposition more often than an inch."""

_SHORT = ("m", "cm", "mm", "km", "ft", "inch", "yd", "mi", "s", "ms", "min", "h", "m/s", "km/h", "mph", "deg", "rad")
_NAME = rf"(?:{'|'.join(SPELT_NAMES)})"
_MENTION = re.compile(rf"(?<![\w'/]){_NAME}(?:(?: ?/ ?| per | an? ){_NAME})?(?![\w'/²³^])")

_GIVEN = re.compile(
    r"(?:\d[.,]?|\b(?:a|an|half|few|several|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty"
    r"|thirty|forty|fifty|sixty|ninety|hundred|thousand|the|this|that|my|your|his|her|our|their))[ -]*$"
)

_ASKED = re.compile(
    r"(?:\b(?:how many|number of|in|as|using|units?|units? of|to the nearest)(?: (?:whole|full))?[ :]+|[(\[] ?)$"
)

_ASKED_RATE = re.compile(r"\b(?:what|which) $")
_AT_START = re.compile(r" (?:to|from|away|apart|between|until|till|needed|required|of|is)\b")
_AT_END = re.compile(r"(?: please)?\W*$")

_NOUNS = ("second", "minute", "hour", "yard", "foot", "mile", "degree", "meter", "metre", "min", "s", "h", "mi")
"""Unit names that are also words with another meaning ("the second picture", "in the yard")."""


def unit_in(question: str) -> str | None:
    """The unit in which a user wants the answer ("how many feet", "in cm", "(mph)"), by its short name.

    Units of numbers that the question gives ("at 5 km/h", "in 4 s") do not count. None if the user names no unit.
    """
    text = corrected(" ".join(question.lower().split()), [name for name in SPELT_NAMES if len(name) > 3])
    for found in _MENTION.finditer(text):
        name = re.sub(r" ?/ ?| per | an? ", "/", found[0])
        if _is_asked(text[: found.start()], name, text[found.end() :]):
            return _short_name(name)
    return None


def value_to_text(value: float, unit: str, wanted: str) -> str:
    """Convert a value to another unit, and write it as text: ``value_to_text(2.41, "m", "ft")`` is "7.9 ft".

    Args:
        value: The value, in ``unit``.
        unit: The name of the unit of ``value``.
        wanted: The name of the unit to convert to.

    Returns:
        The text, with one decimal from 1 to 100, no decimals above, and two digits below 1. It is "" if the units do
        not measure the same thing.

    Raises:
        UserError: If a unit is unknown.
    """
    given, target = unit_named(unit), unit_named(wanted)
    if given.dimension != target.dimension or given == NO_UNIT:
        return ""
    number = value * given.factor / target.factor
    if not math.isfinite(number) or number == 0:
        return f"{number:.0f} {wanted}"
    decimals = max(0, 1 - math.floor(math.log10(abs(number)))) if abs(number) < 1 else int(abs(number) < 100)
    return f"{number:.{decimals}f} {wanted}"


def _is_asked(before: str, name: str, after: str) -> bool:
    """Whether a unit that stands between the words ``before`` and ``after`` is the one that the user asks for."""
    if _GIVEN.search(before):
        return False
    if name not in ("second", "minute", "hour", "yard") and _ASKED.search(before):
        return True
    if before.endswith("how many ") or (_ASKED_RATE.search(before) and unit_named(name).dimension == "m/s"):
        return True
    if not before:
        return name not in _NOUNS and _AT_START.match(after) is not None
    return name not in _NOUNS and _AT_END.match(after) is not None


def _short_name(name: str) -> str:
    """The short name of a unit ("ft" for "feet"), or of each unit in a rate."""
    shortest = {unit_named(each): each for each in _SHORT}
    return shortest.get(unit_named(name)) or "/".join(shortest[unit_named(part)] for part in name.split("/"))
