import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import UserError
from toolkit.qa.parsing.answer import read_quantity
from toolkit.qa.parsing.units import NO_UNIT, unit_in, unit_named, value_to_text


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


@pytest.mark.parametrize(
    ("question", "unit"),
    [
        ("how many feet away is red", "ft"),
        ("How far is the red point, in inches?", "inch"),
        ("in cm, how far is red", "cm"),
        ("dist red blue cm", "cm"),
        ("how far, cm?", "cm"),
        ("depth of red (mm)", "mm"),
        ("depth of red [in yards]", "yd"),
        ("distance in metres to the nearest foot", "m"),
        ("round it to the nearest foot", "ft"),
        ("how far in feet and inches", "ft"),
        ("distance in centimters please", "cm"),
        ("feet to red?", "ft"),
        ("seconds to impact at 12 m/s", "s"),
        ("how many seconds to the red point at 5 km/h", "s"),
        ("Moving at 6 km/h, how many minutes does it take?", "min"),
        ("speed in miles per hour to reach red in 10 s", "mph"),
        ("what mph do I need to be there in 3 s", "mph"),
        ("in km/h, how fast must I go to be there in 4 s", "km/h"),
        ("how many kph to reach red in 4 s", "km/h"),
        ("how many meters per second", "m/s"),
        ("how many feet a second to be there in 3 s", "ft/s"),
        ("by how many degrees did the camera turn", "deg"),
        ("rotation in radians", "rad"),
    ],
)
def test_the_unit_that_is_asked_for(question: str, unit: str) -> None:
    assert unit_in(question) == unit
    assert unit_named(unit)


@pytest.mark.parametrize(
    "question",
    [
        "how far is the red point",
        "how long does it take at 5 km/h",
        "how long at three miles per hour",
        "how fast must I go to reach red in 4 s",
        "what speed gets me there in half a minute",
        "what speed gets me there in a second",
        "how far is red in the second picture",
        "how far is the dog in the yard",
        "which yard is closer",
        "how far is red from my feet",
        "I'm 6 feet tall, how far is red",
        "I can't see how far it is",
        "meter reading at red",
        "how far is it in 2 m steps",
        "",
    ],
)
def test_other_units_are_not_asked_for(question: str) -> None:
    assert unit_in(question) is None


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "said"),
    [
        (2.41, "m", "ft", "7.9 ft"),
        (2.41, "m", "cm", "241 cm"),
        (2.41, "m", "inch", "94.9 inch"),
        (0.5, "m", "ft", "1.6 ft"),
        (0.1, "m", "ft", "0.33 ft"),
        (2.41, "m", "mi", "0.0015 mi"),
        (-2.41, "m", "ft", "-7.9 ft"),
        (0.0, "m", "ft", "0 ft"),
        (1.5, "m/s", "km/h", "5.4 km/h"),
        (4.4704, "m/s", "mph", "10.0 mph"),
        (90.0, "s", "min", "1.5 min"),
        (180.0, "deg", "rad", "3.1 rad"),
    ],
)
def test_a_value_in_another_unit(value: float, unit: str, wanted: str, said: str) -> None:
    assert value_to_text(value, unit, wanted) == said


@pytest.mark.parametrize(("unit", "wanted"), [("m", "s"), ("m/s", "m"), ("", "ft"), ("m", ""), ("", "")])
def test_units_that_measure_different_things(unit: str, wanted: str) -> None:
    assert value_to_text(2.0, unit, wanted) == ""


LENGTHS = ["m", "cm", "mm", "km", "ft", "inch", "yd", "mi"]


@given(st.floats(1e-3, 1e6), st.sampled_from(LENGTHS), st.sampled_from(LENGTHS))
def test_a_value_in_another_unit_is_read_back(value: float, unit: str, wanted: str) -> None:
    read = read_quantity(value_to_text(value, unit, wanted), unit)
    assert read is not None
    assert read.value == pytest.approx(value, rel=0.0501)  # of 1 to 100, one decimal is written


@given(st.floats(-1e6, 1e6), st.sampled_from(LENGTHS), st.sampled_from(LENGTHS))
def test_there_and_back_is_the_same(value: float, unit: str, other: str) -> None:
    there = value * unit_named(unit).factor / unit_named(other).factor
    assert there * unit_named(other).factor / unit_named(unit).factor == pytest.approx(value, rel=1e-12)
