"""Which words of a text count as the answer: those in its answer tags, or else those outside of its thoughts.

Models wrap their thoughts in many ways: ``<think>…</think>`` with or without the opening tag, other names and brackets
(``[THINK]``, ``◁think▷``, ``<|begin_of_thought|>``), channels (``<|channel|>analysis … <|channel|>final``), and labels
("Thought: … Answer: …"). Thoughts that never end are followed by no answer.
"""

import re

from toolkit.qa.parsing.lone_quantity import last_line_alone

ANSWER_IS = re.compile(
    r"\b(?:answer|final (?:estimate|value|result|distance|depth))(?: \w+){0,3}? ?(?:\b(?:is|would be)\b|:)",
    re.IGNORECASE,
)
"""Words after which an answer follows."""

_NAME = (
    r"(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratch_?pad|rationale|cot|chain_of_thoughts?"
    r"|(?:inner|internal)_(?:monologue|thoughts?))"
)
_HIDDEN_CHANNEL = r"(?:analysis|commentary|thought|thinking|reasoning)"
_MESSAGE = r"(?:[^<\n]{0,80}<\|message\|>)?"

_OPENING = re.compile(
    rf"<\|?(?:\w+[:_])?{_NAME}(?:\s[^<>]{{0,80}})?\|?>|\[{_NAME}\]|◁{_NAME}▷"
    rf"|<\|?(?:start|begin)_?(?:of_?)?{_NAME}\|?>|<\|?{_NAME}_?(?:start|begin)\|?>|<\|inner_prefix\|>"
    rf"|<\|channel\|?>\s*{_HIDDEN_CHANNEL}\b{_MESSAGE}|\A\s*thinking\.\.\.\s*\n|\A\s*(?-i:analysis(?=[A-Z]))",
    re.IGNORECASE,
)

_CLOSING = re.compile(
    rf"<\|?/\|?(?:\w+[:_])?{_NAME}\s*\|?>|\[/{_NAME}\]|◁/{_NAME}▷"
    rf"|<\|?(?:end|stop)_?(?:of_?)?{_NAME}\|?>|<\|?{_NAME}_?(?:end|stop)\|?>|<\|inner_suffix\|>"
    rf"|<\|channel\|?>\s*final\b{_MESSAGE}|<channel\|>|\.\.\.done thinking\.?|(?-i:assistantfinal)"
    r"|\bhere is my (?:response|answer):",
    re.IGNORECASE,
)

_ANSWER_TAG = r"(?:(?:final_)?answer|output|response|conclusion|solution|final)"
_TAGGED = re.compile(
    rf"<\|?(?!box)(?:(?:begin|start)_?(?:of_?)?)?(?P<name>{_ANSWER_TAG}|box)\|?>(?P<words>.*?)"
    rf"(?:<\|?(?:/|end_?(?:of_?)?)(?P=name)\|?>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_CONTROL = re.compile(r"<\|[^<>|]{1,40}\|>|</?s>|<eos>|<end_of_turn>")

_LINE_START = r"(?:\A|(?<=\n))[ \t>#*_]*"
_LABEL = re.compile(
    rf"{_LINE_START}(?:here(?:'s| is) (?:my|the) )?"
    r"(?:thoughts?|thinking|reasoning|chain[ -]of[ -]thoughts?|(?:inner|internal) monologue|scratchpad)"
    r"(?: process| steps?)?(?: \d+)?[ \t*_]*(?:[:：]|(?<=[*_])[ \t]*\n)",
    re.IGNORECASE,
)
_ANSWER_LABEL = re.compile(
    r"\b(?:final )?(?:answer|response|output|conclusion|result)\b[ \t*_]*(?:[:：]|\n)", re.IGNORECASE
)


def answer_words(text: str) -> str:
    """The words of a text that count as the answer.

    These are the words in the last answer tag, or else those outside of thoughts; "" if there are none. If the tag has
    no end, all words up to the end of the text are in it.
    """
    text = text.replace("&lt;", "<").replace("&gt;", ">")
    after = _CLOSING.split(text)[-1]
    tagged = [match["words"] for match in _TAGGED.finditer(after)]
    if tagged:
        return tagged[-1]
    words = _CONTROL.sub(" ", _OPENING.split(after)[0])
    if not words.strip():
        words = _CONTROL.sub(" ", _before_thoughts(text))
    return _without_labelled_thoughts(words)


def holds_only_thoughts(text: str) -> bool:
    """Whether a text says something, but nothing in it counts as the answer."""
    return bool(text.strip()) and not answer_words(text).strip()


def _before_thoughts(text: str) -> str:
    """The words before the first thought; "" if the text begins within a thought."""
    opening, closing = _OPENING.search(text), _CLOSING.search(text)
    begins_within = closing is not None and (opening is None or closing.start() < opening.start())
    return "" if begins_within or opening is None else text[: opening.start()]


def _without_labelled_thoughts(words: str) -> str:
    """The answer of words with a label such as "Thought:". It follows another label, stands alone, or comes first."""
    label = _LABEL.search(words)
    if label is None:
        return words
    thoughts = words[label.end() :]
    answers = [match for pattern in (_ANSWER_LABEL, ANSWER_IS) for match in pattern.finditer(thoughts)]
    if answers:
        return thoughts[max(answers, key=lambda match: match.end()).start() :]
    return last_line_alone(thoughts) or words[: label.start()]
