"""Reading names, counts and sides from ordinary prose about the objects of a picture, without guessing.

Which words count as the answer is as in ``toolkit.qa.parsing.answer``. Of these the clause after the last "answer is"
(for counts also after the last "=" or "total") is read, then all. Statements about the thing asked about ("the circle
is red", "three red circles") come first, so that other things may be mentioned; where there is none, the one value that
occurs is the answer. Two values that differ, refusals, and negations outside such a statement are not read.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from toolkit.qa.parsing.answer import ANSWER_IS, EQUALS, NEGATION, REFUSAL, answer_words, clauses
from toolkit.qa.parsing.numbers import GLYPHS, ONES

_NOT = r"\bnot\b|\b\w+n't\b"


_IS = r"(?:\b(?:is|are|was|looks?|appears?|seems?|has|have)\b|'s\b|[:=(]| - )"


_BACKGROUND = r"(?: \w+)? (?:back(?:ground|drop)|canvas|surface)\b"


_MADE = r"(?:[- ](?:colou?red|solid|filled|shaded|flat|small|large|big))*"


_NUMBER = rf"(?:\d+|{'|'.join(sorted(ONES, key=len, reverse=True))})"


_NONE_OR_ONE = {"no": 0, "single": 1, "a": 1, "an": 1}


_START = r"(?<![\w.])(?<!not )(?<!n't )"


_OR = rf"(?:({_NUMBER}) ?(?:-|to|or) ?)?"


_WORD = r"(?: (?!(?:and|or|is|are|of|in|on|at|with|the|to|than|more)\b)[a-z-]+)"


_TOTAL = re.compile(r"\btotal(?: number)?(?: of| is|:)*")


_IN_TOTAL = re.compile(rf"{_START}{_OR}({_NUMBER}){_WORD}{{0,3}} (?:in total|in all|altogether)\b")


_SIDE = r"\b(left|right)\b"


_OTHER_SIDE = {"left": "right", "right": "left"}


_BOTH_SIDES = r"\b(?:left or (?:to the )?right|right or (?:to the )?left)\b"


def read_property(text: str, thing: str, choices: Sequence[str], others: Iterable[str] = ()) -> str | None:
    """The one of some names that a text says of a thing.

    Args:
        text: What a model wrote.
        thing: What was asked about, in the singular.
        choices: The names, in lower case.
        others: What else the text may speak of, in the singular.

    Returns:
        One of ``choices``, or None.
    """
    names = "|".join(choices)
    rest = _up_to([_nouns(others, thing), rf"\b(?:{names})\b", _NOT])
    said_of = rf"\b{thing}s?\b{rest}{_IS}{rest}\b({names})\b"
    said_before = rf"\b({names}){_MADE} {thing}s?\b"
    for clause in _to_read(text, [ANSWER_IS]):
        words = re.sub(rf"\b(?:{names}){_BACKGROUND}", " ", clause)
        said = set(re.findall(said_of, words)) | set(re.findall(said_before, words))
        found = said or _unless_negated(words, rf"\b({names})\b")
        if len(found) == 1:
            return found.pop()
    return None


def read_count(text: str, thing: str, others: Iterable[str] = ()) -> int | None:
    """How many of a thing a text says there are.

    Args:
        text: What a model wrote, in digits or in words below twenty.
        thing: What was asked about, in the singular.
        others: What else the text may count, in the singular.
    """
    counted = rf"{_START}{_OR}({_NUMBER}|no|single){_WORD}{{0,3}}? {thing}s?\b"
    alone = rf"{_START}{_OR}({_NUMBER})\b(?![.,]?\d)(?!{_WORD}{{0,3}} (?:{_nouns(others, thing)}))"
    one = rf"\bthere is(?: only| just)? (an?)(?: [a-z-]+)? {thing}\b(?!.*\b{thing})"
    for clause in _to_read(text, [EQUALS, ANSWER_IS, _TOTAL]):
        said = _counts(_IN_TOTAL, clause) or _counts(counted, clause)
        found = said or (set() if NEGATION.search(clause) else _counts(alone, clause)) or _counts(one, clause)
        if len(found) == 1:
            return found.pop()
    return None


def read_side(text: str, first: str, second: str) -> str | None:
    """On which side of a second thing a text says that a first one is: "left", "right" or None.

    Args:
        text: What a model wrote.
        first: What was asked about; "it" is taken for it.
        second: What it is beside.
    """
    for clause in _to_read(text, [ANSWER_IS]):
        words = re.sub(_BOTH_SIDES, " ", clause)
        found = _sides_said(words, first, second) or _unless_negated(words, _SIDE)
        if len(found) == 1:
            return found.pop()
    return None


def _sides_said(words: str, first: str, second: str) -> set[str]:
    """The sides that statements about either thing put the first one on."""
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


def _to_read(text: str, markers: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """The clauses to read, in turn, in lower case and without emphasis; none where the answer is refused."""
    words = re.sub(r"[*_`\" \t]+", " ", answer_words(text).translate(GLYPHS).lower()).strip()
    if not REFUSAL.search(words):
        yield from clauses(words, markers)
        yield words


def _unless_negated(words: str, pattern: str) -> set[str]:
    return set() if NEGATION.search(words) else set(re.findall(pattern, words))


def _counts(pattern: str | re.Pattern[str], words: str) -> set[int]:
    """The numbers in the groups of all matches."""
    groups = (group for match in re.finditer(pattern, words) for group in match.groups() if group)
    return {_value(number) for number in groups}


def _value(number: str) -> int:
    if number in ONES:
        return ONES.index(number)
    return int(number) if number.isdecimal() else _NONE_OR_ONE[number]


def _nouns(things: Iterable[str], thing: str) -> str:
    """A pattern for any of some things but one; for nothing if there is no other."""
    others = [other for other in things if other != thing]
    return rf"\b(?:{'|'.join(others)})s?\b" if others else "(?!)"


def _up_to(patterns: Iterable[str]) -> str:
    """A pattern for words of a sentence that end before any of some patterns."""
    return rf"(?:(?!{'|'.join(patterns)})[^.;\n])*?"
