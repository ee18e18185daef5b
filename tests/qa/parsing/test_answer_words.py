"""Thoughts are no answer, however they are wrapped; what follows them is."""

import pytest

from toolkit.qa.parsing.answer import read_choice, read_quantity
from toolkit.qa.parsing.answer_words import answer_words, holds_only_thoughts

WRAPPERS = [
    "<think>{}</think>",
    "{}</think>",
    "<THINK>{}</THINK>",
    "&lt;think&gt;{}&lt;/think&gt;",
    "<thought>{}</thought>",
    "<thinking kind='short'>{}</thinking>",
    "<reasoning>{}</reasoning>",
    "<reflection>{}</reflection>",
    "<scratchpad>{}</scratchpad>",
    "<seed:think>{}</seed:think>",
    "<longcat_think>{}</longcat_think>",
    "[THINK]{}[/THINK]",
    "{}[/THINK]",
    "\u25c1think\u25b7{}\u25c1/think\u25b7",
    "<|START_THINKING|>{}<|END_THINKING|>",
    "<|begin_of_thought|>{}<|end_of_thought|>",
    "<|inner_prefix|>{}<|inner_suffix|>",
    "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>",
    "<|channel>thought\n{}<channel|>",
    "analysis{}assistantfinal",
    "Thinking...\n{}\n...done thinking.\n\n",
    "Here is my thought process: {}\nHere is my response: ",
    "Thought: {}\nAnswer: ",
    "**Reasoning**: {} **Final answer**: ",
    "Thoughts:\n1. {}\n\nThe answer is ",
    "Chain of thought: {}\n\n",
]
UNENDING = [
    "<think>{}",
    "<thinking>{}",
    "[THINK]{}",
    "\u25c1think\u25b7{}",
    "<|channel|>analysis<|message|>{}<|end|>",
    "<|begin_of_thought|>{}",
    "analysis{}",
    "Thought: {}",
    "**Reasoning:** {}",
    "Thinking...\n{}",
]
ANSWER_TAGS = [
    "<answer>{}</answer>",
    "<answer>{}",
    "<final_answer>{}</final_answer>",
    "<output>{}</output>",
    "<|begin_of_box|>{}<|end_of_box|>",
    "<|START_RESPONSE|>{}<|END_RESPONSE|>",
    "<|begin_of_solution|>{}<|end_of_solution|>",
]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_what_follows_thoughts_is_the_answer(wrapper: str) -> None:
    thoughts = wrapper.format("The table is 3 m long, the red one 1.5 m nearer.")
    for text, meters in (("5.25 m", 5.25), ("5.25", 5.25), ("about 17 feet", 17 * 0.3048)):
        quantity = read_quantity(thoughts + text, "m")
        assert quantity is not None and quantity.value == pytest.approx(meters)
    assert read_choice(thoughts + "blue", ["red", "blue"]) == "blue" or wrapper.startswith("Chain")


@pytest.mark.parametrize("wrapper", UNENDING)
@pytest.mark.parametrize("text", ["The table is 3 m long, so", "The table is 3 m long.\nIt is 5.25 m or"])
def test_thoughts_that_never_end_are_followed_by_no_answer(wrapper: str, text: str) -> None:
    assert read_quantity(wrapper.format(text), "m") is None
    assert holds_only_thoughts(wrapper.format(text))


@pytest.mark.parametrize("tag", ANSWER_TAGS)
def test_the_words_in_an_answer_tag_come_first(tag: str) -> None:
    assert answer_words(f"<think>3 m</think> The table is 3 m long. {tag.format('5.25')}").strip() == "5.25"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2.4 m", "2.4 m"),
        ("2.4 m<|im_end|>", "2.4 m"),
        ("2.4 m <think>the table is 3 m long</think>", "2.4 m"),
        ("2.4 m\n\nReasoning: the table is 3 m long.", "2.4 m"),
        ("<box>(1, 2), (3, 4)</box> 2.4 m", "<box>(1, 2), (3, 4)</box> 2.4 m"),
        ("I think: 2.4 m", "I think: 2.4 m"),
        ("analysis of the scene: 2.4 m", "analysis of the scene: 2.4 m"),
    ],
)
def test_words_outside_of_thoughts(text: str, words: str) -> None:
    assert answer_words(text).strip() == words
    assert not holds_only_thoughts(text)


def test_an_empty_text_holds_no_thoughts() -> None:
    assert not holds_only_thoughts(" ")
