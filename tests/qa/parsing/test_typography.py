"""Typographic signs, spaces, capitals and emphasis are written in one way."""

import pytest

from toolkit.qa.parsing.typography import lower_ascii, without_emphasis


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How\u00a0far  is\tIT?", "how far is it?"),
        ("the point\u2019s depth \u2212 2", "the point's depth - 2"),
        ("\u201c5\u2033\u201d", '"5""'),
        ("2½ m", "2 1/2 m"),
    ],
)
def test_questions_become_lower_ascii(text: str, expected: str) -> None:
    assert lower_ascii(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("The **Red**  point", "The Red point"), ("It is `red`.\nNot _blue_", "It is red .\nNot blue ")],
)
def test_emphasis_is_removed_and_lines_are_kept(text: str, expected: str) -> None:
    assert without_emphasis(text) == expected
