"""Units of length in other languages."""

import pytest

from toolkit.qa.parsing.answer import read_quantity
from toolkit.qa.parsing.foreign_units import with_english_units


@pytest.mark.parametrize(
    ("text", "meters"),
    [
        ("3,5 metros", 3.5),
        ("3,5 mètres", 3.5),
        ("etwa 3,5 Metern", 3.5),
        ("350 centímetros", 3.5),
        ("3,5 метра", 3.5),
        ("3.5米", 3.5),
        ("約3.5メートルです", 3.5),
        ("1.500,0 metros", 1500.0),
        ("2 a 5 metros", 3.5),
        ("2 bis 5 Metern", 3.5),
    ],
)
def test_they_are_read_after_a_number(text: str, meters: float) -> None:
    quantity = read_quantity(text, "m")
    assert quantity is not None
    assert quantity.value == pytest.approx(meters)


@pytest.mark.parametrize("text", ["2 metros²", "the metro is near", "3 metronomes", "2 m/s"])
def test_other_words_stay(text: str) -> None:
    assert with_english_units(text) == text
