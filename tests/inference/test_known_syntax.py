"""Known lengths as people write them, and what cannot be one."""

import math

import pytest

from toolkit.errors import UserError
from toolkit.inference.known_syntax import checked_known, names_in, parse_known, parse_length


@pytest.mark.parametrize(
    ("given", "metres"),
    [
        ("0.80m", 0.8),
        ("0,8 m", 0.8),
        ("80cm", 0.8),
        ("800 mm", 0.8),
        ("2'7\"", 0.7874),
        ("2′7″", 0.7874),
        ("2 ft 7 in", 0.7874),
        ("31 in", 0.7874),
        ('31"', 0.7874),
        ("5'", 1.524),
        ("1 m 20 cm", 1.2),
        ("2 1/2 ft", 0.762),
        ("½ m", 0.5),
        ("2.4 metres", 2.4),
        ("about 3 yards", 2.7432),
    ],
)
def test_units_are_read_as_people_write_them(given: str, metres: float) -> None:
    assert parse_length("--known", given) == pytest.approx(metres)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "is not a length"),
        ("long", "is not a length"),
        ("2.4", "has no unit\n  try:     write 2.4m if these are metres"),
        ("3 s", "is not a length"),
        ("2-3 m", "is not a length"),
        ("2 to 3 m", "is not a length"),
        ("2 m 3 m", "is not a length"),
        ("2 m wide", "is not a length"),
        ("nan m", "is not a length"),
        ("1e400 m", "is not a length"),
        ("0 m", "not a positive length"),
        ("-2 m", "not a positive length"),
        ("0.1 mm", "cannot be a length in a picture"),
        ("11 km", "cannot be a length in a picture"),
    ],
)
def test_what_is_no_length_is_refused(given: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_length("--known blue", given)
    assert said in str(caught.value)
    assert str(caught.value).startswith("--known blue: ")


def test_names_and_lengths_are_parsed() -> None:
    given = ["blue,green=0.80m", " Red = 8 ft ", "Sofa=2m"]
    assert parse_known(given, ["sofa"]) == {("blue", "green"): 0.8, ("red",): pytest.approx(2.4384), ("sofa",): 2.0}
    assert parse_known(["sofa=2m"], ["Sofa", "sofa"]) == {("sofa",): 2.0}
    assert names_in({"red": 1.0, ("blue", "red"): 2.0}) == ["red", "blue"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("blue", "this is not NAME=LENGTH"),
        ("=2m", "this is not NAME=LENGTH"),
        ("blue,=2m", "these are not names of points"),
        ("blue,blue=2m", "both points are the same"),
        ("red,green,blue=2m", "3 points are named"),
    ],
)
def test_malformed_words_are_refused(given: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_known([given])


def test_a_length_that_is_given_twice_is_refused_beside_all_other_faults() -> None:
    with pytest.raises(UserError) as caught:
        parse_known(["blue,green=1m", "green,blue=2m", "red=0m"])
    assert "the known length of green,blue is given twice" in str(caught.value)
    assert "0 m is not a positive length" in str(caught.value)


def test_lengths_in_python_are_metres() -> None:
    assert checked_known({"blue": 2.4, ("blue", "green"): 1}) == {("blue",): 2.4, ("blue", "green"): 1.0}


@pytest.mark.parametrize("given", [{"blue": "2.4 m"}, {"blue": True}, {"blue": math.nan}, {3: 2.4}, {("blue", 3): 2.0}])
def test_other_values_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(UserError, match=r"not a length|not names of points"):
        checked_known(given)
