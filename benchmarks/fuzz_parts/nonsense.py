"""What a command must never print, whatever it is given."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

_LARGEST = 1e9  # no number that the toolkit prints about pictures is larger
_MEASURING = ("eval", "rescore", "compare")  # errors of wrong answers are as large as the answers
_COUNTS = ("parameters", "bytes", "seed")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_NOT_FINITE = re.compile(r"(?<![\w.\"'/-])[-+]?(?:nan|inf|infinity)(?![\w.\"'/=-])", re.IGNORECASE)


def nonsense_in(code: int, out: str, err: str, words: Sequence[str]) -> str:
    """What is wrong with the output of a command that has ended with exit code 0 or 2; "" if nothing is.

    Args:
        code: The exit code.
        out: What it wrote to stdout.
        err: What it wrote to stderr.
        words: The words of the command.
    """
    found = _CONTROL.search(out) or _CONTROL.search(err)
    if found:
        return f"control character U+{ord(found[0]):04X} in the output"
    if code == 2:
        return "" if err.strip() else "exit code 2 without a word"
    if _wants_json(words):
        return _fault_of_json(out, math.inf if words[0] in _MEASURING else _LARGEST)
    return f"{_NOT_FINITE.search(out)[0]!r} in the output" if _NOT_FINITE.search(out) else ""


def _wants_json(words: Sequence[str]) -> bool:
    """Whether a command is asked for JSON; what follows an option may be its value."""
    asked = any(word == "--json" and not before.startswith("-") for before, word in pairwise(words))
    return asked and "--help" not in words


def _fault_of_json(out: str, largest: float) -> str:
    try:
        value = json.loads(out, parse_constant=_refuse)
    except ValueError as error:
        return f"the output is not JSON: {str(error)[:40]}"
    for key, number in numbers_in(value):
        if not math.isfinite(number) or (abs(number) > largest and key not in _COUNTS):
            return f"the number {number:g} under {key!r}"
    return ""


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def numbers_in(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Yield all numbers within a value that was read from JSON or YAML, each with the key that it stands under."""
    waiting = [(key, value)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(str(name), inner) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(key, inner) for inner in value]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield key, value
