"""Correcting typing errors: a misspelt word is replaced by the one word of a vocabulary that it must mean.

The correction is conservative. Ordinary English words, and known words with another ending, are never taken for errors:
"father" is not corrected to "farther", "read" not to "red", and "closed" not to "closer". A word that is equally near
to two words of the vocabulary is left as it is.
"""

import difflib
import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from toolkit.qa.parsing.english_words import ORDINARY

_SHORTEST = 3  # a word with fewer letters is not corrected
_LONG = 9  # in words with at least so many letters, two errors are corrected
_WORD = re.compile(r"(?<![^\W_])[a-z]{3,}(?![^\W_]|'t\b)", re.IGNORECASE)  # not the "doesn" of "doesn't"
_ENDINGS = ("s", "es", "ed", "er", "or", "ers", "est", "ing", "ings", "ion", "ions", "ly", "y")


def corrected(text: str, vocabulary: Collection[str]) -> str:
    """Correct the misspelt words of a text.

    Args:
        text: The user's words.
        vocabulary: The words to correct to, in lower case. A word that is near to none of them is left as it is.
    """
    return _WORD.sub(lambda match: meant_word(match[0], vocabulary) or match[0], text)


def meant_word(word: str, vocabulary: Collection[str]) -> str | None:
    """The word of a vocabulary that a user's word is or must mean; None if it is near to none, or to several."""
    word = word.lower()
    if word in vocabulary:
        return word
    if len(word) < _SHORTEST or _is_ordinary(word):
        return None
    ranked = sorted((_likeness(word, other), other) for other in vocabulary if _is_typo(word, other))
    if not ranked or (len(ranked) > 1 and ranked[0][0] == ranked[1][0]):
        return None
    return ranked[0][1]


def words_in(patterns: Iterable[str]) -> frozenset[str]:
    """The words that occur in regular expressions, in lower case."""
    return frozenset(word for pattern in patterns for word in _spelt_out(pattern) if len(word) >= _SHORTEST)


@lru_cache(maxsize=4096)
def _spelt_out(pattern: str) -> frozenset[str]:
    bare = re.sub(r"\(\?p?[<=][a-z_]\w*[>)]|\[[^\]]*\]|\\.", " ", pattern.lower())
    return frozenset(spelt for word in re.findall(r"[a-z][a-z?]+", bare) for spelt in _spellings(word))


def _spellings(word: str) -> set[str]:
    """The spellings of a word with optional letters: "colou?r" is "colour" and "color"."""
    before, mark, after = word.partition("?")
    if not mark:
        return {word}
    return {start + rest for rest in _spellings(after) for start in (before, before[:-1])}


def edit_distance(one: str, other: str) -> int:
    """The number of edits that turn one word into another (Damerau, 1964).

    An edit inserts, removes or replaces a letter, or exchanges two neighbours. No letter is edited twice ("optimal
    string alignment").
    """
    above: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        above, before, row = row, above, [i]
        for j, goal in enumerate(other, start=1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != goal))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == goal:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _is_ordinary(word: str) -> bool:
    return not _stems(word, _SHORTEST).isdisjoint(ORDINARY)


def _stems(word: str, shortest: int = 4) -> frozenset[str]:
    """A word, and the word without each ending that it may have; an "e" that a vowel replaced is restored."""
    bare = [(word[: -len(ending)], ending) for ending in _ENDINGS if word.endswith(ending)]
    restored = [f"{stem}e" for stem, ending in bare if ending[0] in "eio"]
    return frozenset({word} | {stem for stem in (*(stem for stem, _ in bare), *restored) if len(stem) >= shortest})


def _is_typo(word: str, other: str) -> bool:
    """Whether ``word`` can be a misspelt ``other``; the same stem with another ending is not an error."""
    doubled = re.sub(r"(.)\1", r"\1", word) == other
    if doubled or abs(len(word) - len(other)) > 2 or not _stems(word).isdisjoint(_stems(other)):
        return doubled
    exchanged = sorted(word) == sorted(other)
    if min(len(word), len(other)) == _SHORTEST:
        left_out = len(word) < len(other) and word[0] == other[0]
        return (exchanged or left_out) and edit_distance(word, other) == 1
    first_letter = word[0] == other[0] or other[1:] == word or (exchanged and word[:2] == other[1::-1])
    allowed = 2 if min(len(word), len(other)) >= _LONG else 1
    return first_letter and edit_distance(word, other) <= allowed


def _likeness(word: str, other: str) -> tuple[int, bool, bool, float]:
    """A sort key that is smaller for more alike words; exchanged letters are common, first letters mostly right."""
    return (
        edit_distance(word, other),
        word[0] != other[0],
        sorted(word) != sorted(other),
        -difflib.SequenceMatcher(None, word, other).ratio(),
    )
