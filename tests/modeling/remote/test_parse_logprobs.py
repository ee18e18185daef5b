"""Tokens that begin with thoughts are aligned to the answer, or left out."""

import math
from typing import Any

import pytest

from toolkit.modeling.confidence.uncertainty import answer_interval
from toolkit.modeling.predictor import Reply
from toolkit.modeling.remote.parse_logprobs import aligned_pieces
from toolkit.qa.parsing.answer import read_quantity


def steps(*tokens: str, probability: float = 0.5) -> dict[str, Any]:
    """Tokens, each of which was chosen with the same probability; numerals might have been a 9 as well."""
    others = [{"token": "9", "logprob": math.log(1 - probability)}]
    return {"content": [{"token": token, "logprob": math.log(probability), "top_logprobs": others} for token in tokens]}


THOUGHTS = ("The", " door", " is", " ", "2", " m", ".")


@pytest.mark.parametrize(
    ("tokens", "answer"),
    [
        ((*THOUGHTS, "</think>", "\n\n", "3", ".", "5", " m"), ["3", ".", "5", " m"]),
        ((*THOUGHTS, "</think>", "3", " m", "<|im_end|>"), ["3", " m", ""]),
        (("<think>", *THOUGHTS, "</think>", " 3", " m"), [" 3", " m"]),
        ((*THOUGHTS, "3", " m"), ["3", " m"]),
        (("about", " ", "3", " m", "</think>", "3", " m"), ["3", " m"]),
    ],
)
def test_they_are_aligned_to_the_answer(tokens: tuple[str, ...], answer: list[str]) -> None:
    pieces = aligned_pieces(steps(*tokens), "".join(answer).strip(), thought=True)
    assert pieces is not None
    assert [piece.text for piece in pieces] == answer


@pytest.mark.parametrize(
    ("tokens", "text", "thought"),
    [
        (THOUGHTS, "3 m", True),
        ((*THOUGHTS, "3", " m"), "3 m", False),
        (("so", " 1", "3", " m"), "3 m", True),
        (("so", " 1", ".", "3", " m"), "3 m", True),
        (("so", " 13", " m"), "3 m", True),
        (("3", " m", "</think>", "4", " m"), "3 m", True),
        (("3", " m", "</think>"), "", True),
    ],
)
def test_a_doubtful_alignment_is_none(tokens: tuple[str, ...], text: str, thought: bool) -> None:
    assert aligned_pieces(steps(*tokens), text, thought) is None


def test_thoughts_that_the_tokens_alone_show_are_enough() -> None:
    pieces = aligned_pieces(steps("2", " m", "</think>", "3", " m"), "3 m", thought=False)
    assert pieces is not None and [piece.text for piece in pieces] == ["3", " m"]


def test_the_interval_is_that_of_the_answer() -> None:
    def interval(*tokens: str) -> tuple[float, float] | None:
        pieces = aligned_pieces(steps(*tokens, probability=0.75), "3 m", thought=True)
        reply = Reply("3 m", pieces or ())
        return answer_interval(reply, lambda text: (found := read_quantity(text, "m")) and found.value)

    assert interval(*THOUGHTS, "</think>", "3", " m") == interval("3", " m") is not None
