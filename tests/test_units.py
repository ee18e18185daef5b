import math

import pytest

from toolkit.errors import UserError
from toolkit.units import NO_UNIT, unit_named


@pytest.mark.parametrize(
    ("name", "dimension", "factor"),
    [
        ("m", "m", 1.0),
        ("ft", "m", 0.3048),
        ("miles", "m", 1609.344),
        ("min", "s", 60.0),
        ("m/s", "m/s", 1.0),
        ("km/h", "m/s", 1 / 3.6),
        ("kph", "m/s", 1 / 3.6),
        ("mph", "m/s", 0.44704),
        ("mi / h", "m/s", 0.44704),
        ("deg/s", "deg/s", 1.0),
        ("rad", "deg", 180 / math.pi),
    ],
)
def test_a_unit_by_name(name: str, dimension: str, factor: float) -> None:
    unit = unit_named(name)
    assert unit.dimension == dimension
    assert unit.factor == pytest.approx(factor)


def test_no_name_is_no_unit() -> None:
    assert unit_named("") == NO_UNIT


@pytest.mark.parametrize("name", ["furlong", "m/furlong", "m/s/s", "/"])
def test_an_unknown_unit_is_an_error(name: str) -> None:
    with pytest.raises(UserError, match="unknown unit"):
        unit_named(name)
