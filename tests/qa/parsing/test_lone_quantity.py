"""A last line that holds nothing but a quantity."""

import pytest

from toolkit.qa.parsing.answer import read_quantity
from toolkit.qa.parsing.lone_quantity import last_line_alone


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("The lamp is 1 m tall.\n\n**3.5 m**", "**3.5 m**"),
        ("The lamp is 1 m tall.\n~3.5\n", "~3.5"),
        ("The lamp is 1 m tall.\nIt is 3.5 m", None),
        ("1 m\n3.5 m", None),
        ("3.5 m", None),
        ("", None),
        ("One lamp.\n(320, 240)", None),
    ],
)
def test_the_last_line(text: str, line: str | None) -> None:
    assert last_line_alone(text) == line


def test_it_is_the_answer_whatever_comes_before() -> None:
    for last in ("**3.5**", "3.5 m"):
        quantity = read_quantity(f"The lamp is 1 m tall. It takes 2 m + 1 m = 3 m.\n\n{last}", "m")
        assert quantity is not None and quantity.value == 3.5
