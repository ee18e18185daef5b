"""Answers that stand under a key: JSON (``{"distance_m": 2.4}``), tags, ``distance=2.4``, "Answer: 2.4 m".

A key names the answer if it is a word for an answer ("answer", "result"), or for what is measured ("distance"). Keys
such as "confidence" and "error" name something else. A unit may stand in the key ("distance_cm"), or beside it
(``"unit": "m"``).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.qa.parsing.units import UNITS, Unit

_FINAL = frozenset(("answer", "ans", "final", "result", "respuesta", "antwort", "réponse", "risposta", "resposta"))
_MEASURES: Mapping[str, frozenset[str]] = {
    "m": frozenset(("distance", "dist", "depth", "length", "range", "separation", "gap")),
    "s": frozenset(("time", "duration")),
    "m/s": frozenset(("speed", "velocity")),
    "deg": frozenset(("angle", "rotation")),
}
"""Words for what is measured, by the dimension."""

_GENERIC = frozenset(("value", "estimate", "prediction", "measurement", "output", "response"))
_ELSE = re.compile(
    r"confidence|prob(?:ability)?|certainty|likelihood|score|error|uncertainty|std|deviation|margin|tolerance|focal|pixel"
    r"|min(?:imum)?|max(?:imum)?|lower|upper|low|high|not|ref(?:erence)?|width|height|count|id|index"
)
_THOUGHTS = re.compile(r"thoughts?|think(?:ing)?|reason(?:ing)?|rationale|explanation|analysis|steps")

_KEY_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TAG = re.compile(r"<(?P<key>[a-z_]{1,40})>(?P<value>[^<>]*)</(?P=key)>", re.IGNORECASE)
_PAIR = re.compile(
    r"(?:\A|[\n,;{(|]|[.!?][ \t])[ \t\"'*_#>-]*(?P<key>[^\W\d_][^\n:=：≈→,;.{}\"'*|]{0,60})[\"'*_ \t]*[:=：≈→](?!=)"
)
_BOXED = re.compile(r"\\boxed\s*\{(?P<value>(?:[^{}]|\{[^{}]*\})*)\}")
_NEXT = re.compile(r"\n(?=.)|[;|{}]|[.!?](?=\s|\Z)|,(?=[ \t]*[\"'*]*[^\W\d_])|\((?=[^)]*[:=])")
_NUMBER_ALONE = re.compile(r"[+-]?[\d.,]*\d(?:e[+-]?\d+)?", re.IGNORECASE)
_DEEPEST = 8  # levels of JSON in which keys are looked for
_LONGEST = 1000  # characters after a key that are read
_MOST_STARTS = 10  # braces of a text at which JSON is looked for


@dataclass(frozen=True)
class KeyedAnswer:
    """What stands under the keys that name the answer.

    Attributes:
        values: The words under these keys, in order.
        decisive: Whether nothing else in the text can be the answer, as in JSON.
    """

    values: tuple[str, ...]
    decisive: bool


_Pair = tuple[str, str]
"""A key and the words under it."""


def keyed_answer(words: str, target: Unit) -> KeyedAnswer | None:
    """Find what stands under the keys that name an answer.

    Args:
        words: The words that count as the answer.
        target: The unit asked for.

    Returns:
        The answer; None if the words have no key that names it, and no thoughts under a key.
    """
    found = _json_in(words)
    formal = list(_pairs_of(found)) if isinstance(found, dict | list) else _pairs_of_tags(words)
    values = _named(formal, target)
    if values or any(_has(_words_of(key), _THOUGHTS) for key, _ in formal):
        return KeyedAnswer(values, decisive=True)
    values = () if formal else _named(list(_pairs_of_prose(words)), target)
    return KeyedAnswer(values, decisive=False) if values else None


def _named(pairs: list[_Pair], target: Unit) -> tuple[str, ...]:
    """The words under the keys that name the answer best."""
    by_rank = [(_rank(_words_of(key), target), key, value) for key, value in pairs]
    best = min((rank for rank, _, _ in by_rank if rank is not None), default=None)
    return tuple(_with_unit(key, value, target) for rank, key, value in by_rank if rank is not None and rank == best)


def _rank(words: frozenset[str], target: Unit) -> int | None:
    """How well a key names the answer, 0 being the best; None if it does not."""
    if _has(words, _ELSE) or _has(words, _THOUGHTS):
        return None
    for rank, names in enumerate((_FINAL, _MEASURES.get(target.dimension, frozenset()), _GENERIC)):
        if words & names:
            return rank
    return None


def _has(words: frozenset[str], pattern: re.Pattern[str]) -> bool:
    return any(pattern.fullmatch(word) for word in words)


def _words_of(key: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _KEY_WORD.findall(_CAMEL.sub("_", key)))


def _with_unit(key: str, value: str, target: Unit) -> str:
    """The words under a key, with the unit of the key if they are a number alone."""
    alone = _NUMBER_ALONE.fullmatch(value.strip(" \"'*_`\t"))
    parts = (word.lower() for word in _KEY_WORD.findall(_CAMEL.sub("_", key)))
    units = [word for word in parts if word in UNITS and UNITS[word].dimension == target.dimension and word != "in"]
    return f"{alone[0]} {units[-1]}" if alone and units else value


def _json_in(words: str) -> Any:
    """The last JSON object or list of objects in a text; None if there is none."""
    decoder, found, end = json.JSONDecoder(), None, 0
    for brace in list(re.finditer(r"\{", words))[:_MOST_STARTS]:
        if brace.start() < end:
            continue
        try:
            found, end = decoder.raw_decode(words, brace.start())
        except ValueError:
            continue
        except RecursionError:
            break
    return found


def _pairs_of(value: Any, path: str = "", depth: int = 0) -> Iterator[_Pair]:
    """The keys of a JSON value, each with those around it, and the words under them, down to ``_DEEPEST``."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        unit = next((value[key] for key in ("unit", "units") if isinstance(value.get(key), str)), "")
        for key, inner in value.items():
            for name, words in _pairs_of(inner, f"{path} {key}".strip(), depth + 1):
                yield name, f"{words} {unit}".strip() if _NUMBER_ALONE.fullmatch(words) else words
    elif isinstance(value, list):
        if len(value) == 2 and "range" in path.lower() and all(isinstance(each, int | float) for each in value):
            yield path, f"{value[0]} to {value[1]}"
            return
        for inner in value:
            yield from _pairs_of(inner, path, depth + 1)
    elif not isinstance(value, bool):
        yield path, "" if value is None else str(value)


def _pairs_of_tags(words: str) -> list[_Pair]:
    return [(match["key"], match["value"]) for match in _TAG.finditer(words)]


def _pairs_of_prose(words: str) -> Iterator[_Pair]:
    r"""The keys before a colon or an equals sign, and the words up to the next key or the end of the sentence.

    The last ``\boxed{}`` counts as an answer with its key.
    """
    boxed = [match["value"] for match in _BOXED.finditer(words)]
    if boxed:
        yield "answer", boxed[-1]
        return
    for match in _PAIR.finditer(words):
        rest = words[match.end() : match.end() + _LONGEST].lstrip(" \t*_")
        yield match["key"], _NEXT.split(rest.lstrip("\n"), maxsplit=1)[0]
