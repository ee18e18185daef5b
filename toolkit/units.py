"""The units that are read and written, by all their names."""

import math
from dataclasses import dataclass

from toolkit.errors import UserError, did_you_mean


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
    **_named("kph kmh", "m/s", 1000.0 / 3600.0),
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
