"""Seeded mutations of JSON values, texts and bytes. Every draw comes from the generator that is passed in."""

import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

HUGE, DEEP, WIDE = "@HUGE@", "@DEEP@", "@WIDE@"
"""What stands for JSON that Python cannot write itself: a number of 6,000 digits, 10,000 brackets, 5,000 keys."""

_WRITTEN_OUT = {
    HUGE: "1" + "0" * 5999,
    DEEP: "[" * 10_000 + "]" * 10_000,
    WIDE: "{" + ",".join(f'"k{number}":{number}' for number in range(5000)) + "}",
}

NUMBERS: Sequence[Any] = (
    *(0, -1, 1, 2, 255, 65_535, 65_536, 2**31, 2**63, -(2**63), 10**12, 0.5, -0.5),
    *(1e-300, 1e-9, 1e9, 1e12, 1e300, -1e300, float("nan"), float("inf"), float("-inf"), HUGE),
)

TEXTS: Sequence[str] = (
    *("", " ", "x", "x" * 100_000, "\x1b[31mred", "a\nb", "\r", "\x00", "\ud800", "\u202egnp.exe", "é😀"),
    *("%s%n{0}{{x}}", "../../etc/passwd", "/dev/zero", "/dev/null", ".", "/proc", "~", "http://127.0.0.1:9/x"),
    *("2024-13-45", "1e5", "nan"),
    *("true", "null", "12:30:45", "<script>alert(1)</script>", "# heading", "[bold]", "[/]"),
)

NONSENSE: Sequence[Any] = (None, True, False, [], {}, [[]], [None], {"a": None}, DEEP, WIDE, *NUMBERS, *TEXTS)

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_FACTORS = (-1, 0, 0.001, 0.5, 2, 10, 1000, 1e9, 1e300)
_PIECE = 64  # the largest number of bytes or characters that a mutation of a sequence moves

Path = tuple[str | int, ...]


def dump_json(value: Any) -> str:
    """Write a mutated value as JSON, with what Python cannot write itself."""
    text = json.dumps(value)
    for mark, written in _WRITTEN_OUT.items():
        text = text.replace(f'"{mark}"', written)
    return text


def mutate_json(value: Any, rng: random.Random) -> Any:
    """A copy of a JSON value with one mutation: a value replaced, dropped, doubled, swapped, scaled or wrapped."""
    value = json.loads(json.dumps(value))
    paths = list(_paths(value))
    if not paths:
        return rng.choice(NONSENSE)
    path = rng.choice(paths)
    if rng.random() < 0.02:  # the whole
        path = ()
    change = rng.choice([_replace, _replace, _replace, _drop, _rename, _double, _swap, _vary, _wrap])
    return change(value, path, rng)


def mutate_text(text: str, rng: random.Random, words: Sequence[str] = TEXTS) -> str:
    """A text with one mutation: of its characters, one of its numbers, or a foreign word put into it."""
    kind = rng.randrange(3)
    numbers = list(_NUMBER.finditer(text))
    if kind == 0 and numbers:
        found = rng.choice(numbers)
        number = str(rng.choice(NUMBERS))
        return text[: found.start()] + _WRITTEN_OUT.get(number, number) + text[found.end() :]
    if kind == 1:
        at = rng.randint(0, len(text))
        return text[:at] + rng.choice(words) + text[at:]
    return "".join(_mutate_sequence(list(text), list(rng.choice(words)), rng))


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Bytes with one mutation."""
    if content and rng.random() < 0.3:
        at = rng.randrange(len(content))
        changed = rng.choice([0, 0xFF, 0x7F, 0x80, content[at] ^ (1 << rng.randrange(8))])
        return content[:at] + bytes([changed]) + content[at + 1 :]
    return bytes(_mutate_sequence(list(content), list(rng.randbytes(rng.randint(1, _PIECE))), rng))


def _mutate_sequence(items: list[Any], foreign: list[Any], rng: random.Random) -> list[Any]:
    """Delete, double, swap, cut, insert or overwrite a piece of a sequence."""
    begin = rng.randint(0, len(items))
    end = min(len(items), begin + rng.randint(1, _PIECE))
    piece = items[begin:end]
    kind = rng.randrange(6)
    if kind == 0:
        return items[:begin] + items[end:]
    if kind == 1:
        return items[:end] + piece * rng.choice([1, 2, 100]) + items[end:]
    if kind == 2:
        return items[:begin] + items[end : end + len(piece)] + piece + items[end + len(piece) :]
    if kind == 3:
        return items[:begin]
    if kind == 4:
        return items[:begin] + foreign + items[begin:]
    return items[:begin] + foreign + items[begin + len(foreign) :]


def repeatedly(change: Callable[[Any, random.Random], Any], value: Any, rng: random.Random) -> Any:
    """Change a value once, and now and then twice or three times."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        value = change(value, rng)
    return value


def _paths(value: Any, before: Path = ()) -> list[Path]:
    """The paths of all values within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[Path] = []
    for key, each in inner:
        found += [(*before, key), *_paths(each, (*before, key))]
    return found


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _replace(value: Any, path: Path, rng: random.Random) -> Any:
    return _with(value, path, rng.choice(NONSENSE))


def _with(value: Any, path: Path, inner: Any) -> Any:
    if not path:
        return inner
    _at(value, path[:-1])[path[-1]] = inner
    return value


def _drop(value: Any, path: Path, rng: random.Random) -> Any:
    if path:
        del _at(value, path[:-1])[path[-1]]
    return value


def _rename(value: Any, path: Path, rng: random.Random) -> Any:
    holder = _at(value, path[:-1])
    if path and isinstance(holder, dict):
        old = str(path[-1])
        holder[rng.choice([old + "s", old.upper(), old[:-1], *TEXTS])] = holder.pop(old)
    return value


def _double(value: Any, path: Path, rng: random.Random) -> Any:
    holder = _at(value, path[:-1])
    if path and isinstance(holder, list):
        holder[path[-1] : path[-1]] = [holder[path[-1]]] * rng.choice([1, 2, 1000])
    elif path:
        holder[rng.choice(["copy", f"{path[-1]} ", f"{path[-1]}_2"])] = holder[path[-1]]
    return value


def _swap(value: Any, path: Path, rng: random.Random) -> Any:
    other = rng.choice(_paths(value))
    if other[: len(path)] == path or path[: len(other)] == other:
        return value
    one, two = _at(value, path), _at(value, other)
    return _with(_with(value, path, two), other, one)


def _vary(value: Any, path: Path, rng: random.Random) -> Any:
    """Scale a number, mutate a text, or shuffle a list."""
    inner = _at(value, path)
    if isinstance(inner, str):
        return _with(value, path, mutate_text(inner, rng))
    if isinstance(inner, int | float) and not isinstance(inner, bool):
        return _with(value, path, inner * rng.choice(_FACTORS))
    if isinstance(inner, list):
        rng.shuffle(inner)
    return value


def _wrap(value: Any, path: Path, rng: random.Random) -> Any:
    inner = _at(value, path)
    if isinstance(inner, list) and inner and rng.random() < 0.5:
        return _with(value, path, inner[0])
    return _with(value, path, [inner] if rng.random() < 0.7 else {"value": inner})
