"""Reading names, counts and sides from ordinary prose about the objects of a picture, without guessing.

The words that count as the answer are the same as in ``toolkit.qa.parsing.answer``. The clause after the last "answer
is" is read first (for counts also that after the last "=" or "total"), then all words. Statements about the thing asked
about ("the circle is red", "three red circles") come first, so that the text may mention other things too. If there is
no such statement, the answer is the one value that occurs. Nothing is read if two values differ, from a refusal, or
from a negation outside such a statement.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from toolkit.qa.parsing.answer import EQUALS, NEGATION, REFUSAL, clauses
from toolkit.qa.parsing.answer_words import ANSWER_IS, answer_words
from toolkit.qa.parsing.numbers import ONES
from toolkit.qa.parsing.typography import without_emphasis

_NOT = r"\bnot\b|\b\w+n't\b"
_IS = r"(?:\b(?:is|are|was|looks?|appears?|seems?|has|have)\b|'s\b|[:=(]| - )"
_BACKGROUND = r"(?: \w+)? (?:back(?:ground|drop)|canvas|surface)\b"
_ADJECTIVES = r"(?:[- ](?:colou?red|solid|filled|shaded|flat|small|large|big))*"
_NUMBER = rf"(?:\d+|{'|'.join(sorted(ONES, key=len, reverse=True))})"
_NONE_OR_ONE = {"no": 0, "single": 1, "a": 1, "an": 1}
_START = r"(?<![\w.])(?<!not )(?<!n't )"
_FIRST_OF_TWO = rf"(?:({_NUMBER}) ?(?:-|to|or) ?)?"
_WORD = r"(?: (?!(?:and|or|is|are|of|in|on|at|with|the|to|than|more)\b)[a-z-]+)"
_TOTAL = re.compile(r"\btotal(?: number)?(?: of| is|:)*")
_IN_TOTAL = re.compile(rf"{_START}{_FIRST_OF_TWO}({_NUMBER}){_WORD}{{0,3}} (?:in total|in all|altogether)\b")
_SIDE = r"\b(left|right)\b"
_OTHER_SIDE = {"left": "right", "right": "left"}
_BOTH_SIDES = r"\b(?:left or (?:to the )?right|right or (?:to the )?left)\b"


def read_property(text: str, thing: str, choices: Sequence[str], others: Iterable[str] = ()) -> str | None:
    """Read which of some names, such as colours, a text gives to a thing.

    Args:
        text: The text that a model wrote.
        thing: The thing that was asked about, in the singular.
        choices: The possible names, in lower case.
        others: Other things that the text may mention, in the singular.

    Returns:
        One of ``choices``; None if the text gives none, or more than one.
    """
    names = "|".join(choices)
    rest = _up_to([_nouns(others, thing), rf"\b(?:{names})\b", _NOT])
    after_thing = rf"\b{thing}s?\b{rest}{_IS}{rest}\b({names})\b"
    before_thing = rf"\b({names}){_ADJECTIVES} {thing}s?\b"
    for clause in _clauses_to_read(text, [ANSWER_IS]):
        words = re.sub(rf"\b(?:{names}){_BACKGROUND}", " ", clause)
        stated = set(re.findall(after_thing, words)) | set(re.findall(before_thing, words))
        found = stated or _unless_negated(words, rf"\b({names})\b")
        if len(found) == 1:
            return found.pop()
    return None


def read_count(text: str, thing: str, others: Iterable[str] = ()) -> int | None:
    """Read how many of a thing there are, according to a text.

    Args:
        text: The text that a model wrote, with the number in digits, or in words below twenty.
        thing: The thing that was asked about, in the singular.
        others: Other things that the text may count, in the singular.

    Returns:
        The number; None if the text gives none, or more than one.
    """
    counted = rf"{_START}{_FIRST_OF_TWO}({_NUMBER}|no|single){_WORD}{{0,3}}? {thing}s?\b"
    alone = rf"{_START}{_FIRST_OF_TWO}({_NUMBER})\b(?![.,]?\d)(?!{_WORD}{{0,3}} (?:{_nouns(others, thing)}))"
    one = rf"\bthere is(?: only| just)? (an?)(?: [a-z-]+)? {thing}\b(?!.*\b{thing})"
    for clause in _clauses_to_read(text, [EQUALS, ANSWER_IS, _TOTAL]):
        stated = _counts(_IN_TOTAL, clause) or _counts(counted, clause)
        found = stated or (set() if NEGATION.search(clause) else _counts(alone, clause)) or _counts(one, clause)
        if len(found) == 1:
            return found.pop()
    return None


def read_side(text: str, first: str, second: str) -> str | None:
    """Read on which side of a second thing the first one is, according to a text.

    Args:
        text: The text that a model wrote.
        first: The thing that was asked about; the word "it" counts as its name.
        second: The thing beside it.

    Returns:
        "left" or "right"; None if the text gives no side, or both.
    """
    for clause in _clauses_to_read(text, [ANSWER_IS]):
        words = re.sub(_BOTH_SIDES, " ", clause)
        found = _sides_stated(words, first, second) or _unless_negated(words, _SIDE)
        if len(found) == 1:
            return found.pop()
    return None


def _sides_stated(words: str, first: str, second: str) -> set[str]:
    """The sides on which the first thing is, by the statements about either thing."""
    either = rf"{first}|{second}"
    rest = _up_to([rf"\b(?:{either}|it|left|right|and|but|while|whereas)\b", ",", _NOT])
    of_first = re.findall(rf"\b(?:{first}|it)\b{rest}{_SIDE}", words)
    of_second = re.findall(rf"\b{second}\b{rest}{_SIDE}", words)
    if not of_first:
        of_second += re.findall(rf"{_SIDE} of (?:the |an? )?{first}\b", words)
    there = rf"{_SIDE}[^,.;\n]*? (?:is|sits|lies|stands|there is|we see) (?:the|an?) ({either})\b"
    for side, name in re.findall(there, words):
        (of_first if name == first else of_second).append(side)
    return set(of_first) | {_OTHER_SIDE[side] for side in of_second}


def _clauses_to_read(text: str, markers: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """Yield the clauses to read, in order, in lower case and without emphasis; nothing if the answer is a refusal."""
    words = without_emphasis(answer_words(text)).lower().strip()
    if not REFUSAL.search(words):
        yield from clauses(words, markers)
        yield words


def _unless_negated(words: str, pattern: str) -> set[str]:
    """All matches of a pattern; none if the words hold a negation."""
    return set() if NEGATION.search(words) else set(re.findall(pattern, words))


def _counts(pattern: str | re.Pattern[str], words: str) -> set[int]:
    """The numbers in the groups of all matches of a pattern."""
    groups = (group for match in re.finditer(pattern, words) for group in match.groups() if group)
    return {_value(number) for number in groups}


def _value(number: str) -> int:
    """The value of a number in digits or in words."""
    if number in ONES:
        return ONES.index(number)
    return int(number) if number.isdecimal() else _NONE_OR_ONE[number]


def _nouns(things: Iterable[str], thing: str) -> str:
    """A pattern for any of some things except one; it matches nothing if there is no other thing."""
    others = [other for other in things if other != thing]
    return rf"\b(?:{'|'.join(others)})s?\b" if others else "(?!)"


def _up_to(patterns: Iterable[str]) -> str:
    """A pattern for the words of a sentence up to the first match of any of some patterns."""
    return rf"(?:(?!{'|'.join(patterns)})[^.;\n])*?"
