"""Make a case smaller, as long as it fails in the same way."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from benchmarks.fuzz_parts.case import Case
from benchmarks.fuzz_parts.mutations import HUGE, dump_json

Fails = Callable[[Case], bool]
_Item = TypeVar("_Item")
_DEEPEST = 200  # brackets in JSON that is made smaller key by key


def shrink(case: Case, fails: Fails, seconds: float) -> Case:
    """The smallest case that is found in some seconds and still fails in the same way.

    Files return to what they were, words of the command are left out, and then values, lines and bytes.

    Args:
        case: A case that fails.
        fails: Whether another case fails in the same way.
        seconds: The time after which no smaller one is looked for.
    """
    until = time.monotonic() + seconds

    def fails_in_time(smaller: Case) -> bool:
        return time.monotonic() < until and fails(smaller)

    for name in case.files:
        without = replace(case, files={other: case.files[other] for other in case.files if other != name})
        case = without if fails_in_time(without) else case
    own = len(case.command.split())
    command, rest = case.words[:own], case.words[own:]
    rest = _shorter(rest, lambda fewer: fails_in_time(replace(case, words=(*command, *fewer))))
    case = replace(case, words=(*command, *rest))
    for name in case.files:
        case = _with_shorter_file(case, name, fails_in_time)
    return _with_shorter_words(case, fails_in_time)


def _with_shorter_file(case: Case, name: str, fails: Fails) -> Case:
    def holding(content: bytes) -> Case:
        return replace(case, files={**case.files, name: content})

    content = _shorter_lines(case.files[name], lambda lines: fails(holding(b"".join(lines))))
    content = _shorter_json(content, lambda text: fails(holding(text)))
    return holding(_shorter(content, lambda fewer: fails(holding(fewer))))


def _with_shorter_words(case: Case, fails: Fails) -> Case:
    """Leave out characters of the words behind the command."""
    for index in range(len(case.command.split()), len(case.words)):
        case = _with_shorter_word(case, index, fails)
    return case


def _with_shorter_word(case: Case, index: int, fails: Fails) -> Case:
    def holding(word: str) -> Case:
        return replace(case, words=(*case.words[:index], word, *case.words[index + 1 :]))

    return holding(_shorter(case.words[index], lambda word: fails(holding(word))))


def _shorter_lines(content: bytes, fails: Callable[[Sequence[bytes]], bool]) -> bytes:
    lines = tuple(content.splitlines(keepends=True))
    return b"".join(_shorter(lines, fails)) if len(lines) > 1 else content


def _shorter(items: Sequence[_Item], fails: Callable[[Any], bool]) -> Any:
    """Leave out pieces of a sequence: halves first, then smaller ones (Zeller and Hildebrandt 2002, "ddmin")."""
    size = len(items)
    while size:
        begin = 0
        while begin < len(items):
            fewer = items[:begin] + items[begin + size :]  # type: ignore[operator]
            if fails(fewer):
                items = fewer
            else:
                begin += size
        size //= 2
    return items


def _shorter_json(content: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Leave out values of JSON, the outermost first."""
    if max(content.count(b"["), content.count(b"{")) > _DEEPEST:
        return content
    try:
        value = json.loads(content, parse_int=_parse_int)
        smaller = True
        while smaller:
            smaller = False
            for fewer in _without_one(value):
                text = dump_json(fewer).encode("utf-8", "surrogatepass")
                if len(text) < len(content) and fails(text):
                    value, content, smaller = fewer, text, True
                    break
    except (ValueError, RecursionError):
        return content
    return content


def _parse_int(digits: str) -> Any:
    """A whole number; what stands for one that is too long for Python."""
    return HUGE if len(digits) > sys.get_int_max_str_digits() else int(digits)


def _without_one(value: Any) -> Iterator[Any]:
    """Yield copies of a JSON value that lack one of its values, the outermost first."""
    if isinstance(value, dict):
        yield from ({key: inner for key, inner in value.items() if key != gone} for gone in value)
        for key, inner in value.items():
            yield from ({**value, key: fewer} for fewer in _without_one(inner))
    if isinstance(value, list):
        yield from (value[:at] + value[at + 1 :] for at in range(len(value)))
        for at, inner in enumerate(value):
            yield from ([*value[:at], fewer, *value[at + 1 :]] for fewer in _without_one(inner))
