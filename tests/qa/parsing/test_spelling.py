"""Typing errors are mended; words that are right, or may be, are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.qa.parsing.spelling import corrected, edit_distance, meant_word, words_in
from toolkit.qa.tasks.registry import get_task, task_names
from toolkit.utils.colors import COLORS

TASKS = [get_task(name) for name in task_names()]
VOCABULARY = words_in(pattern for task in TASKS for pattern in (*task.asks, *task.asks_not)) | set(COLORS)
_OTHERS = """
father feather mother closet closed table read reed bread rod glue clue blew while write form house death seed paint
pint with without into can shirt moved oranges reds bluish fa re xyz doorway cupboard bookshelf armchair sidewalk
pedestrian bicycle refrigerator windscreen taxes sees cups
"""
LONG = sorted(word for word in VOCABULARY if len(word) >= 9 and "met" not in word)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("distnace", "distance"),
        ("distence", "distance"),
        ("istance", "distance"),
        ("seperation", "separation"),
        ("wich", "which"),
        ("whcih", "which"),
        ("closr", "closer"),
        ("closser", "closer"),
        ("fra", "far"),
        ("farr", "far"),
        ("hwo", "how"),
        ("betwen", "between"),
        ("adn", "and"),
        ("prinicpal", "principal"),
        ("vleocity", "velocity"),
        ("blu", "blue"),
        ("bleu", "blue"),
        ("rde", "red"),
        ("Gren", "green"),
        ("yelow", "yellow"),
    ],
)
def test_misspelt_words(typed: str, meant: str) -> None:
    assert meant_word(typed, VOCABULARY) == meant


@pytest.mark.parametrize("word", _OTHERS.split())
def test_other_words_are_no_typing_errors(word: str) -> None:
    assert meant_word(word, VOCABULARY) in (None, word)


def test_words_with_two_near_ones_are_left() -> None:
    assert meant_word("farter", {"farther", "garter", "farmer"}) == "farther"
    assert meant_word("camers", {"camera", "camert"}) is None


@pytest.mark.parametrize("word", sorted(VOCABULARY))
def test_right_words_stay(word: str) -> None:
    assert meant_word(word, VOCABULARY) == word


@given(st.sampled_from(LONG), st.data())
def test_two_exchanged_letters_of_a_long_word_are_mended(word: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(1, len(word) - 2))
    typed = word[:index] + word[index + 1] + word[index] + word[index + 2 :]
    assert meant_word(typed, VOCABULARY) == word


def test_only_words_are_touched() -> None:
    text = "how fra, isn't it 12fra fra2 don't fra-fra?"
    assert corrected(text, {"far", "how"}) == "how far, isn't it 12fra fra2 don't far-far?"
    assert corrected("doesn't", {"does"}) == "doesn't"


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("red", "red", 0),
        ("rde", "red", 1),
        ("distnace", "distance", 1),
        ("kitten", "sitting", 3),
        ("blu", "blue", 1),
        ("teh", "the", 1),
        ("ca", "abc", 3),
    ],
)
def test_edits(one: str, other: str, count: int) -> None:
    assert edit_distance(one, other) == count


@given(st.text("abcd", max_size=6), st.text("abcd", max_size=6))
def test_edits_are_symmetric_and_bounded(one: str, other: str) -> None:
    assert edit_distance(one, other) == edit_distance(other, one)
    assert abs(len(one) - len(other)) <= edit_distance(one, other) <= max(len(one), len(other))
    assert (edit_distance(one, other) == 0) == (one == other)


def test_words_of_patterns() -> None:
    patterns = (r"\bhow (?:high|tall)\b", r"colou?r(?P<name>ful)", r"(?<!not )[abc]+\s*met(?:er|re)s?")
    assert words_in(patterns) >= {"how", "high", "tall", "colour", "color"}
    assert not words_in(patterns) & {"bhow", "name", "abc", "smet"}
