"""How users write known lengths: on the command line like ``blue,green=0.80m``, in Python as a mapping."""

import math
import re
from collections.abc import Collection, Mapping, Sequence

from toolkit.errors import UserError, UserErrors
from toolkit.qa.parsing.numbers import normalised, numbers
from toolkit.utils.colors import COLORS

PointNames = tuple[str, ...]
"""The names of the points of a known length: one for a distance from the camera, two for a length between points."""

KnownLengths = Mapping[str, float] | Mapping[PointNames, float] | Mapping[str | PointNames, float]
"""Known lengths [m] by the name of the point, or the names of the two points, that they belong to."""

_SHORTEST, _LONGEST = 0.001, 10_000.0  # m; nobody measures other lengths in a picture
_RANGE = re.compile(r"\d ?(?:-|to|\.\.+) ?[\d.]")
_REMEDY = "write a distance from the camera like --known blue=2.4m, and a length like --known blue,green=80cm"


def parse_length(flag: str, given: str) -> float:
    """Parse a length with its unit: ``0.8 m``, ``80cm``, ``2'7"`` or ``31 in``.

    Args:
        flag: The words that a message puts before what was given, such as "--camera-height".
        given: The text.

    Returns:
        The length [m].

    Raises:
        UserError: If the text is not one length with a unit, or one that cannot be.
    """
    text = normalised(given).strip(" .")
    found = numbers(text)
    if len(found) != 1 or text[: found[0].start] or text[found[0].end :].strip() or _RANGE.search(text):
        raise UserError(f"{flag}: {given!r} is not a length", remedy="write a number with its unit: 0.8m, 80cm, 2'7\"")
    if not found[0].unit.dimension:
        raise UserError(f"{flag}: {given!r} has no unit", remedy=f"write {given.strip()}m if these are metres")
    if found[0].unit.dimension != "m":
        raise UserError(f"{flag}: {given!r} is not a length", remedy="give metres, centimetres, feet or inches")
    return check_length(flag, found[0].value)


def check_length(what: str, metres: float) -> float:
    """The same length [m], after checking that it can be one; ``what`` names it in the message.

    Raises:
        UserError: If it is no number, not positive, or absurdly short or long.
    """
    if isinstance(metres, bool) or not isinstance(metres, int | float) or not math.isfinite(metres):
        raise UserError(f"{what}: {metres!r} is not a length", remedy="give a positive number of metres")
    if metres <= 0:
        raise UserError(f"{what}: {metres:g} m is not a positive length", remedy="give the length that you measured")
    if not _SHORTEST <= metres <= _LONGEST:
        raise UserError(
            f"{what}: {metres:g} m cannot be a length in a picture",
            cause=f"lengths from {_SHORTEST:g} m to {_LONGEST:g} m are taken",
            remedy="check its unit",
        )
    return float(metres)


def parse_known(given: Sequence[str], points: Collection[str] = ()) -> dict[PointNames, float]:
    """Parse words like ``blue,green=0.80m``, a length between two points, or ``blue=2.4m``, a distance.

    Args:
        given: The words.
        points: The names of the points that the user gives. Upper and lower case need not agree with them.

    Returns:
        The known lengths [m] by the names of their points.

    Raises:
        UserError: If words are malformed, or a length is given twice. It holds all faults.
    """
    known: dict[PointNames, float] = {}
    faults: list[UserError] = []
    for word in given:
        names, equals, length = word.partition("=")
        try:
            if not equals or not names.strip():
                raise UserError(f"--known {word}: this is not NAME=LENGTH or NAME,NAME=LENGTH", remedy=_REMEDY)
            called = [_point_called(name.strip(), (*points, *COLORS)) for name in names.split(",")]
            where = _checked_names(tuple(called), known)
            known[where] = parse_length(f"--known {word}", length)
        except UserError as error:
            faults.append(error)
    _raise(faults)
    return known


def checked_known(given: KnownLengths) -> dict[PointNames, float]:
    """The known lengths [m] that a user gives in Python, by the names of their points.

    Raises:
        UserError: If names or lengths are malformed. It holds all faults.
    """
    known: dict[PointNames, float] = {}
    faults: list[UserError] = []
    for key, metres in given.items():
        try:
            points = _checked_names((key,) if isinstance(key, str) else key, known)
            known[points] = check_length(f"known {' and '.join(points)}", metres)
        except UserError as error:
            faults.append(error)
    _raise(faults)
    return known


def _point_called(name: str, points: Collection[str]) -> str:
    """The name of the point that is written like this, or else in other letters of upper or lower case."""
    alike = (point for point in points if point.casefold() == name.casefold())
    return name if name in points else next(alike, name)


def names_in(known: KnownLengths) -> list[str]:
    """The names of all points of known lengths, each once."""
    return list(dict.fromkeys(name for key in known for name in ((key,) if isinstance(key, str) else key)))


def _checked_names(names: PointNames, known: Mapping[PointNames, float]) -> PointNames:
    """The names of the points of a known length, after checking that they are one or two, different and new."""
    if not isinstance(names, tuple) or not all(isinstance(name, str) and name for name in names):
        raise UserError(f"known length of {names!r}: these are not names of points", remedy=_REMEDY)
    if len(names) not in (1, 2):
        raise UserError(
            f"known length of {', '.join(names)}: {len(names)} points are named",
            cause="a length lies between two points, or between the camera and one point",
            remedy=_REMEDY,
        )
    if len(set(names)) < len(names):
        raise UserError(f"known length of {','.join(names)}: both points are the same", remedy=_REMEDY)
    if any(set(names) == set(other) for other in known):
        raise UserError(f"the known length of {','.join(names)} is given twice", remedy="give the better one alone")
    return names


def _raise(faults: Sequence[UserError]) -> None:
    """Raise all faults together; do nothing if there are none."""
    if faults:
        raise faults[0] if len(faults) == 1 else UserErrors("known lengths", faults)
