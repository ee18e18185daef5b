import time

import pytest

from toolkit.qa.parsing.numbers import decimal, normalised, numbers


@pytest.mark.parametrize(
    ("digits", "value"),
    [
        ("2.4", 2.4),
        ("-.5", -0.5),
        ("2,4", 2.4),
        ("0,250", 0.25),
        ("1,250", 1250.0),
        ("-1,250,000.5", -1250000.5),
        ("1.250,5", 1250.5),
        ("1.2e-3", 0.0012),
    ],
)
def test_decimals(digits: str, value: float) -> None:
    assert decimal(digits) == value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2 m and 5 s", [(2.0, "m"), (5.0, "s")]),
        ("2 and 5 m", [(2.0, "m"), (5.0, "m")]),
        ("between 2 and 5 m", [(3.5, "m")]),
        ("5 m - 2 m", []),
        ("2 m + 3 m + 4 m, 7 m", [(7.0, "m")]),
        ("-5 ft 11 in", [(pytest.approx(-1.8034), "m")]),
        ("2 m\n40 cm", [(2.0, "m"), (0.4, "m")]),
        ("(1, 2, 3) then 4", [(4.0, "")]),
        ("5 m / 16.4 ft", [(5.0, "m"), (pytest.approx(4.99872), "m")]),
        ("5m/500cm/16.4ft", [(5.0, "m"), (5.0, "m"), (pytest.approx(4.99872), "m")]),
        ("5 m / 8 ft", []),
        ("5 m / 5 m", []),
        ("2 ~ 5 m", [(3.5, "m")]),
        ("2 m up to 5 m", [(3.5, "m")]),
        ("1'250.5 m", [(1250.5, "m")]),
        ("not 5 m, not -5 m", []),
        ("RGB8, v2.5 and x2", []),
        ("“2.4 m” and '3 m'", [(2.4, "m"), (3.0, "m")]),
    ],
)
def test_numbers_and_their_dimensions(text: str, found: list[tuple[float, str]]) -> None:
    assert [(number.value, number.unit.dimension) for number in numbers(normalised(text))] == found


@pytest.mark.parametrize(
    ("text", "bare"), [("2.4", True), ("2.4.", True), ("2.4 away", True), ("2 chairs", False), ("50%", False)]
)
def test_which_numbers_stand_for_themselves(text: str, bare: bool) -> None:
    assert [number.bare for number in numbers(normalised(text))] == [bare]


@pytest.mark.parametrize(
    "pattern", ["2.4 ", "2.4 m ", "1,234", "(1,", "- ", "two and ", "not ", "'", '"', "= ", "5 ft "]
)
def test_runaway_text_is_read_quickly(pattern: str) -> None:
    started = time.perf_counter()
    numbers(normalised(pattern * 4000))
    assert time.perf_counter() - started < 2
