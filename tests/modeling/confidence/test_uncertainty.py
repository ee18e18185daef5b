"""Intervals from digit probabilities, on beliefs written by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.modeling.confidence.uncertainty import _numbers_beginning, _quantiles, answer_interval
from toolkit.modeling.predictor import Piece, Reply
from toolkit.qa.parsing.answer import read_dividend, read_quantity


def meters(text: str) -> float | None:
    quantity = read_quantity(text, "m")
    return quantity and quantity.value


def said(*pieces: tuple[str, dict[str, float]]) -> Reply:
    """A reply from (text, what numerals were given): the probability of words is what numerals leave over."""
    made = tuple(
        Piece(text, numerals.get(text.strip(), 1 - sum(numerals.values())), numerals) for text, numerals in pieces
    )
    return Reply("".join(text for text, _ in pieces).strip(), made)


def sure(text: str) -> list[tuple[str, dict[str, float]]]:
    return [(character, {character: 1.0} if character in "0123456789." else {}) for character in text]


def test_a_sure_model_has_an_interval_of_rounding_alone() -> None:
    assert answer_interval(said(*sure("2.42 m")), meters, 0.9) == pytest.approx((2.4155, 2.4245))


def test_a_doubted_first_digit_by_hand() -> None:
    # "2.5": 60 % for 2 (then surely .5), 40 % for 3, which spreads evenly over [3, 4): in tenths that round,
    # 0.6 in [2.45, 2.55] and 0.4 in [2.95, 3.95].
    reply = said(("2", {"2": 0.6, "3": 0.4}), *sure(".5 m"))
    low, high = answer_interval(reply, meters, 0.9) or (0, 0)
    assert low == pytest.approx(2.45 + 0.1 * 0.05 / 0.6)
    assert high == pytest.approx(2.95 + (0.95 - 0.6) / 0.4)


def test_later_digits_narrow_it() -> None:
    # After "2.", 5 has 0.5 and 6 has 0.5: 0.5 in [2.495, 2.505] (then surely 0), 0.5 in [2.595, 2.695].
    reply = said(*sure("2."), ("5", {"5": 0.5, "6": 0.5}), *sure("0 m"))
    assert answer_interval(reply, meters, 0.8) == pytest.approx((2.495 + 0.01 * 0.2, 2.595 + 0.1 * 0.8))


@pytest.mark.parametrize(
    ("reply", "high"),
    [
        # "12": 3 for the first digit means thirty-something.
        (said(("1", {"1": 0.5, "3": 0.5}), *sure("2 m")), 30 + 10 * 0.8 - 0.5),
        # "10": 8 for the first digit means eight, not eighty.
        (said(("1", {"1": 0.9, "8": 0.1}), *sure("0 m")), 10.5 - 0.1 / 0.9),
        # "9": 1 for the first digit means ten to twenty, not one.
        (said(("9", {"9": 0.5, "1": 0.5}), *sure(" m")), 10 + 10 * 0.8 - 0.5),
        # "0.5": 1 for the first digit means one to two.
        (said(("0", {"0": 0.5, "1": 0.5}), *sure(".5 m")), 1 + 0.8 - 0.05),
        # "12": a word after "1" means 1, a point means 1 to 2.
        (said(*sure("1"), ("2", {"2": 0.5}), *sure(" m")), 12.5 - 0.1 / 0.5),
        # "2": a digit after it means twenty-something, a point 2 to 3.
        (said(*sure("2"), (" m", {"5": 0.5}), *sure("")), 25.5 - 0.1 / 0.5),
        # Tokens of several digits: 12 or 34.
        (said(("12", {"12": 0.5, "34": 0.5}), *sure(" m")), 34.5 - 0.1 / 0.5),
        # A space in the token changes nothing.
        (said((" 12", {"12": 0.5, "34": 0.5}), *sure(" m")), 34.5 - 0.1 / 0.5),
    ],
)
def test_numbers_of_another_length(reply: Reply, high: float) -> None:
    found = answer_interval(reply, meters, 0.8)
    assert found is not None
    assert found[1] == pytest.approx(high)


@pytest.mark.parametrize(
    ("reply", "low"),
    [
        # "2.4": 0 for the first digit means less than one.
        (said(("2", {"2": 0.8, "0": 0.2}), *sure(".4 m")), 0.1 / 0.2 - 0.05),
        # "12": 00 in its place does too.
        (said(("12", {"12": 0.8, "00": 0.2}), *sure(" m")), 0.1 / 0.2 - 0.5),
        # "120": 0 for the second digit means a hundred to a hundred and ten.
        (said(*sure("1"), ("2", {"2": 0.8, "0": 0.2}), *sure("0 m")), 100 + 10 * 0.1 / 0.2 - 0.5),
        # "0": 1 for it means one to two; half of what is below is nought itself.
        (said(("0", {"0": 0.8, "1": 0.2}), *sure(" m")), 0.1 / 0.8 - 0.5),
    ],
)
def test_numbers_that_begin_lower(reply: Reply, low: float) -> None:
    found = answer_interval(reply, meters, 0.8)
    assert found is not None
    assert found[0] == pytest.approx(low)


def test_other_units_are_converted() -> None:
    reply = said(("2", {"2": 0.5, "3": 0.5}), *sure("00 cm"))
    assert answer_interval(reply, meters, 0.5) == pytest.approx((1.995 + 0.005, 2.995 + 0.5))


def test_doubt_lies_where_the_number_was_first_written() -> None:
    doubted = [("2", {"2": 0.5, "4": 0.5}), *sure(".0 m away.</think> <answer>")]
    reply = said(*sure("<think>"), *doubted, *sure("2.0 m</answer>"))
    _, high = answer_interval(reply, meters, 0.8) or (0, 0)
    assert high == pytest.approx(3.95 + 0.8)


def test_doubt_about_a_working_reaches_its_result() -> None:
    def speed(text: str) -> float | None:
        distance = read_dividend(text, "m")
        return distance and distance.value / 4

    reply = said(("8", {"8": 0.5, "6": 0.5}), *sure(".0 m / 4.0 s = 2.0 m/s"))
    low, high = answer_interval(reply, speed, 0.8) or (0, 0)
    assert low == pytest.approx((5.95 + 0.1 / 0.5) / 4)
    assert high == pytest.approx((7.95 + 0.1 * 0.8) / 4)


@pytest.mark.parametrize("text", ["", "I cannot tell", "red", "2 chairs"])
def test_there_is_none_without_a_number_that_is_read(text: str) -> None:
    assert answer_interval(said(*sure(text)), meters) is None


def test_there_is_none_without_probabilities() -> None:
    assert answer_interval(Reply("2.42 m"), meters) is None


def test_there_is_none_when_words_were_likelier_than_numbers() -> None:
    assert answer_interval(said(("2", {"2": 0.3}), *sure(".5 m")), meters) is None


@given(
    st.lists(st.lists(st.floats(0.01, 1), min_size=10, max_size=10), min_size=3, max_size=3),
    st.floats(0.5, 0.95),
)
def test_it_holds_the_share_of_belief_that_it_promises(weights: list[list[float]], coverage: float) -> None:
    """Draw numbers d.dd digit by digit where only the greedy branch goes on to be doubted; count those inside.

    Another first digit begins a number of one or two digits, whichever lies nearer to the greedy one by ratio.
    """
    beliefs = [np.array(row) / sum(row) for row in weights]
    greedy = [int(belief.argmax()) for belief in beliefs]
    first, second, third = (
        (str(digit), dict(zip("0123456789", belief.tolist(), strict=True)))
        for digit, belief in zip(greedy, beliefs, strict=True)
    )
    found = answer_interval(said(first, (".", {".": 1.0}), second, third, *sure(" m")), meters, coverage)
    assert found is not None
    rng = np.random.default_rng(0)
    digits = np.stack([rng.choice(10, 4000, p=belief) for belief in beliefs])
    even = rng.integers(0, 10, (2, 4000))
    digits[1] = np.where(digits[0] == greedy[0], digits[1], even[0])
    digits[2] = np.where((digits[0] == greedy[0]) & (digits[1] == greedy[1]), digits[2], even[1])
    numbers = digits[0] + digits[1] / 10 + digits[2] / 100 + rng.uniform(-0.005, 0.005, 4000)
    written = max(greedy[0] + greedy[1] / 10 + greedy[2] / 100, 0.01)
    tens = (digits[0] != greedy[0]) & (digits[0] > 0) & (written**2 > (digits[0] + 0.5) * (10 * digits[0] + 5))
    numbers = np.where(tens, 10 * numbers, numbers)
    assert ((numbers >= found[0]) & (numbers <= found[1])).mean() == pytest.approx(coverage, abs=0.04)


@pytest.mark.filterwarnings("error")
def test_digits_beyond_those_of_a_float_make_a_range_that_is_not_empty() -> None:
    ranges = [_numbers_beginning("0.1234567890123456789012", 0, 0.5), _numbers_beginning("0.2", 0, 0.5)]
    assert _quantiles(ranges, 0.05) == pytest.approx((0.12345678901234568, 0.29))
    middle = [_numbers_beginning(text, 0, share) for text, share in (("0.1", 0.25), ("0.51234567890123456789", 0.5))]
    assert _quantiles([*middle, _numbers_beginning("0.8", 0, 0.25)], 0.5) == pytest.approx(
        (0.51234567890123456789,) * 2
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", ["0." + "1" * 30, "7" * 30, "7" * 299, "0." + "0" * 400, "0" * 400, "7" * 400])
def test_numbers_of_any_length_have_an_interval_or_none(number: str) -> None:
    doubted = [
        (text, {**given, "3": 0.3, text: 0.7}) if text.isdigit() else (text, given) for text, given in sure(number)
    ]
    found = answer_interval(said(*doubted, *sure(" m")), meters, 0.9)
    assert found is None or (np.isfinite(found).all() and found[0] <= found[1])
    assert (found is None) == (len(number) > 300 or float(number) > 1e12)
