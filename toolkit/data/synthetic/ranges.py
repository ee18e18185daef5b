"""Checks of a generator's settings: frozen dataclasses of numbers and (least, greatest) ranges."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from toolkit.errors import UserError, raise_all

Range = tuple[float, float]


MANY = 2**63


Bound = tuple[str, float, float, float]
"""What is bounded, its value, its least and its greatest."""


def make_tuples(settings: Any) -> None:
    """Turn lists, as YAML gives them, into tuples: settings must be hashable."""
    for item in fields(settings):
        value = getattr(settings, item.name)
        if isinstance(value, list):
            object.__setattr__(settings, item.name, tuple(value))


def check_ranges(where: str, settings: Any) -> None:
    """Check that what is a range by default is one.

    Raises:
        UserErrors: If one is not.
    """
    faults = []
    for item in fields(settings):
        value = getattr(settings, item.name)
        if isinstance(item.default, tuple) and not _is_range(value):
            faults.append(UserError(f"{item.name}: {value} is no range", remedy="give [least, greatest]"))
    raise_all(where, faults)


def check_bounds(where: str, bounds: Sequence[Bound]) -> None:
    """Check that values lie within their bounds.

    Raises:
        UserErrors: If some do not.
    """
    faults = [
        UserError(f"{name}: {value} is out of bounds", remedy=f"give {least:g} to {greatest:g}")
        for name, value, least, greatest in bounds
        if not least <= value <= greatest
    ]
    raise_all(where, faults)


def _is_range(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and value[0] <= value[1]
