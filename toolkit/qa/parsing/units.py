"""The units that are read and written, by all their names; which one a user asks for, and values in it."""

import math
import re
from dataclasses import dataclass

from toolkit.errors import UserError, did_you_mean
from toolkit.qa.parsing.spelling import corrected


@dataclass(frozen=True)
class Unit:
    """A unit of measurement.

    Attributes:
        dimension: What it measures, named by the canonical unit: "m", "s", "m/s", "deg", or "" for a count.
        factor: How many canonical units it is.
    """

    dimension: str
    factor: float


NO_UNIT = Unit("", 1.0)


def _named(names: str, dimension: str, factor: float) -> dict[str, Unit]:
    return dict.fromkeys(names.split(), Unit(dimension, factor))


# The foot, the yard and the mile are the international ones (agreement of 1959).
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
"""Every name that is read, in lower case; rates are composed of two ("km/h")."""


def unit_named(name: str) -> Unit:
    """The unit of a name in lower case: one of ``UNITS``, a rate of two of them, or "" for none.

    Raises:
        UserError: If it is unknown.
    """
    if not name:
        return NO_UNIT
    parts = name.replace(" ", "").split("/")
    unknown = [part for part in parts if part not in UNITS]
    if unknown or len(parts) > 2:
        raise UserError(f"unknown unit {name!r}", remedy=did_you_mean((unknown or parts)[0], UNITS))
    if len(parts) == 1:
        return UNITS[name]
    over, under = (UNITS[part] for part in parts)
    return Unit(f"{over.dimension}/{under.dimension}", over.factor / under.factor)


_SHORT = ("m", "cm", "mm", "km", "ft", "inch", "yd", "mi", "s", "ms", "min", "h", "m/s", "km/h", "mph", "deg", "rad")


_SPELT = sorted((name for name in UNITS if name.isalpha() and name != "in"), key=len, reverse=True)


_NAME = rf"(?:{'|'.join(_SPELT)})"


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
"""Names that may mean something else ("the second picture", "in the yard")."""


def unit_in(question: str) -> str | None:
    """The unit that a user asks the answer in ("how many feet", "in cm", "(mph)"), by its short name.

    Units of numbers that the question gives ("at 5 km/h", "in 4 s") are not meant. None where no unit is named.
    """
    text = corrected(" ".join(question.lower().split()), [name for name in _SPELT if len(name) > 3])
    for found in _MENTION.finditer(text):
        name = re.sub(r" ?/ ?| per | an? ", "/", found[0])
        if _is_asked(text[: found.start()], name, text[found.end() :]):
            return _short_name(name)
    return None


def in_unit(value: float, unit: str, wanted: str) -> str:
    """A value in another unit, as text: ``in_unit(2.41, "m", "ft")`` is "7.9 ft".

    One decimal is shown from 1 to 100, none above, and two digits below 1. "" where the units measure
    different things.

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
    """Whether a unit that stands between these words is the one asked for."""
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
    shortest = {unit_named(each): each for each in _SHORT}
    return shortest.get(unit_named(name)) or "/".join(shortest[unit_named(part)] for part in name.split("/"))
