"""Plain YAML: what is read, and what is refused before anything is made of it."""

import math

import pytest

from toolkit.config.plain_yaml import MalformedYaml, dump_yaml, parse_yaml
from toolkit.errors import UserError


def nine_levels_of_aliases() -> str:
    lines = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 10)]
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *lines])


MERGED = f"a: &a {{{', '.join(f'k{index}: 1' for index in range(200))}}}\nb: [{', '.join(['{<<: *a}'] * 60)}]"

TOO_MUCH = {
    "aliases": (nine_levels_of_aliases(), "keys and values"),
    "merged keys": (MERGED, "keys and values"),
    "lists in lists": ("[" * 3000, "inside one another"),
    "mappings in mappings": ("{a: " * 3000, "inside one another"),
    "lists in lines": ("- " * 3000 + "x", "inside one another"),
    "indented keys": ("\n".join(" " * depth + "a:" for depth in range(300)), "inside one another"),
    "keys": ("\n".join(f"k{index}: 1" for index in range(20_000)), "keys and values"),
    "characters": ("#" * 300_000, "characters"),
    "digits": (f"seed: {'9' * 6000}", "6000 digits"),
    "decimals": (f"seed: 1.{'9' * 6000}", "6002 digits"),
    "hexadecimal digits": (f"seed: 0x{'f' * 6000}", "6002 digits"),
    "a number": ("seed: 1e400", "larger than any number"),
    "a long key": (f"? {'x' * 300}\n: 1", "no name"),
}

NOT_PLAIN = {
    "a key twice": ("a: 1\na: 2", "comes twice"),
    "a number as a key": ("{1: 2}", "a key (1) is no name"),
    "yes as a key": ("{on: 2}", "a key (on) is no name"),
    "nothing as a key": ("{~: 2}", "a key (~) is no name"),
    "a list as a key": ("? [1, 2]\n: 3", "no name"),
    "an anchor in itself": ("&a [*a]", "holds itself"),
    "no whole number": ("!!int abc", "'abc' is no number"),
    "an empty number": ("!!float ''", "'' is no number"),
    "neither true nor false": ("!!bool maybe", "neither true nor false"),
}

MALFORMED = {
    "an object": "!!python/object:os.system x",
    "a call": "!!python/object/apply:os.system [ls]",
    "a date": "!!timestamp 2024-13-45",
    "bytes": "!!binary aGk=",
    "a set": "!!set {a}",
    "pairs": "!!omap [a: 1]",
    "an unknown tag": "!foo x",
    "a tab": "a:\n\tb: 1",
    "NUL": "a: \0",
    "half a character": "a: \ud800",
    "two documents": "--- 1\n--- 2",
    "an unknown alias": "*a",
    "another version": "%YAML 3.0\n---\na: 1",
    "a merged number": "{<<: 3}",
    "an open bracket": "tasks: [a",
}


@pytest.mark.parametrize(("text", "cause"), [*TOO_MUCH.values(), *NOT_PLAIN.values()], ids=[*TOO_MUCH, *NOT_PLAIN])
def test_what_is_too_much_or_not_plain_is_refused(text: str, cause: str) -> None:
    with pytest.raises(UserError, match="here") as caught:
        parse_yaml(text, "here")
    assert not isinstance(caught.value, MalformedYaml)
    assert cause in caught.value.cause
    assert caught.value.remedy


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_yaml_is_malformed(text: str) -> None:
    with pytest.raises(MalformedYaml, match="not valid YAML") as caught:
        parse_yaml(text, "here")
    assert caught.value.cause and caught.value.remedy


@pytest.mark.parametrize("text", ["1:30", "190:20:30.15", "2024-13-45", "2024-01-31", "017", "0o17", "=", "1e", "0x"])
def test_words_stay_words(text: str) -> None:
    assert parse_yaml(text, "here")[1] == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-5", 1e-5), ("+2e3", 2000.0), (".5", 0.5), ("-1_000", -1000), ("0x1F", 31), ("0b11", 3), ("-.inf", -math.inf)],
)
def test_numbers_are_numbers(text: str, value: float) -> None:
    assert parse_yaml(text, "here")[1] == value


@pytest.mark.parametrize("text", ["\ufeffa: yes", "a: true", "<<: {a: on}"])
def test_a_byte_order_mark_and_merged_keys_are_read(text: str) -> None:
    assert parse_yaml(text, "here")[1] == {"a": True}


def test_what_was_dumped_reads_back() -> None:
    values = {"words": ["1e5", "017", "1:30", "2024-01-31", ".5", "no", "", "é\u2028\n"], "numbers": [1e-7, 3, -0.5]}
    assert parse_yaml(dump_yaml(values), "here")[1] == values
