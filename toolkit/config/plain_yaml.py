"""Plain YAML: the text of a recipe or of an override, which may come from anybody.

It holds mappings, lists, words, numbers, true, false and null, and nothing else. How long a text is, how deep it is
nested, what its aliases stand for, and how many digits its numbers have is bounded before anything is made of it. As in
YAML 1.2, 1e-5 is a number, and 1:30, 2024-01-31 and 017 are no minutes, dates or octal numbers, but words.
"""

import math
import re
from typing import Any

import yaml

from toolkit.errors import UserError

MOST_BYTES = 1 << 18
"""The greatest length of a text [bytes]. The longest built-in recipe has a hundredth of it, and parsing is slow."""

_MOST_NODES = 10_000  # keys and values; what an alias stands for counts each time
_DEEPEST = 30  # mappings and lists inside one another
_MOST_DIGITS = 100
_LONGEST_KEY = 200  # characters
_LONGEST_CAUSE = 300  # characters
_REMEDY = "correct it; `toolkit recipes NAME` shows how recipes are written"

_TAG = "tag:yaml.org,2002:"
_NAME = f"{_TAG}str"
_MERGE = f"{_TAG}merge"
_NUMBERS = {
    f"{_TAG}int": re.compile(r"[-+]?(0|[1-9][0-9_]*|0b_*[01][01_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*)$"),
    f"{_TAG}float": re.compile(
        r"([-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?"
        r"|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
    ),
}
"""How whole numbers and other numbers are written, by their tags. What matches both is a whole number."""


class MalformedYaml(UserError):
    """A text that is not YAML."""


class _PlainLoader(yaml.SafeLoader):
    """A YAML loader with bounds on what it makes, for which a key that comes twice is an error."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = self._depth = 0
        self._sizes: dict[int, int] = {}  # nodes in a finished node, by its id

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        """Make the node of the next event, within the bounds."""
        mark = self.peek_event().start_mark
        alias = self.check_event(yaml.AliasEvent)
        before = self._nodes
        self._nodes += 1
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _fault(f"more than {_DEEPEST} mappings and lists lie inside one another", mark)
        node: Any = super().compose_node(parent, index)
        self._depth -= 1
        if alias and id(node) not in self._sizes:
            raise _fault("an anchor holds itself; write the section out", mark)
        if alias:
            self._nodes = before + self._sizes[id(node)]
        if self._nodes > _MOST_NODES:
            raise _fault(f"more than {_MOST_NODES} keys and values, with those that aliases stand for", mark)
        self._sizes[id(node)] = self._nodes - before
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Make a mapping whose keys are words that are all different."""
        known: dict[str, yaml.Mark] = {}
        for key, _ in node.value:
            if key.tag not in (_NAME, _MERGE) or len(key.value) > _LONGEST_KEY:
                shown = f" ({key.value})" if isinstance(key.value, str) and len(key.value) <= _LONGEST_KEY else ""
                raise _fault(f"a key{shown} is no name; write it as a short word, in quotes if need be", key.start_mark)
            if key.value in known:
                raise _fault(f"the key {key.value!r} comes twice", known[key.value])
            known[key.value] = key.start_mark
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> float:
        """Make a number whose digits are few."""
        if not _NUMBERS[node.tag].match(node.value):
            raise _fault(f"{node.value[:_MOST_DIGITS]!r} is no number", node.start_mark)
        if len(node.value) > _MOST_DIGITS:
            raise _fault(f"a number with {len(node.value)} digits; at most {_MOST_DIGITS} are read", node.start_mark)
        text = node.value.replace("_", "").lower()
        if node.tag == f"{_TAG}int":
            return int(text, 0)
        value = float(text.replace(".inf", "inf").replace(".nan", "nan"))
        if math.isinf(value) and "inf" not in text:
            raise _fault(f"{node.value} is larger than any number that can be computed with", node.start_mark)
        return value

    def construct_truth(self, node: yaml.ScalarNode) -> bool:
        """Make true or false."""
        if node.value.lower() not in self.bool_values:
            raise _fault(f"{node.value[:_MOST_DIGITS]!r} is neither true nor false", node.start_mark)
        return self.bool_values[node.value.lower()]


class _PlainDumper(yaml.SafeDumper):
    """A YAML dumper that quotes the words that ``_PlainLoader`` would read as numbers."""


_KEPT = (f"{_TAG}null", f"{_TAG}bool", _MERGE)
_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag in _KEPT]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _form in _NUMBERS.items():
    for _class in (_PlainLoader, _PlainDumper):
        _class.add_implicit_resolver(_tag, _form, list("-+.0123456789"))
_PlainLoader.yaml_constructors = {
    tag: make
    for tag, make in yaml.SafeLoader.yaml_constructors.items()
    if tag in (None, _NAME, f"{_TAG}null", f"{_TAG}seq", f"{_TAG}map")
}
for _tag in _NUMBERS:
    _PlainLoader.add_constructor(_tag, _PlainLoader.construct_number)
_PlainLoader.add_constructor(f"{_TAG}bool", _PlainLoader.construct_truth)


def parse_yaml(text: str, where: str) -> tuple[yaml.Node | None, Any]:
    """Parse a YAML text.

    Args:
        text: The text.
        where: Where it was given, for messages.

    Returns:
        Its outermost node, which knows the lines, and its value. Both are None if the text is empty.

    Raises:
        MalformedYaml: If it is not YAML.
        UserError: If it is too long or too deep, or holds what is not plain.
    """
    if len(text) > MOST_BYTES:
        raise UserError(f"{where}: too much YAML", f"it has more than {MOST_BYTES} characters", "leave out some of it")
    try:
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        kind = UserError if isinstance(error, _PlainError) else MalformedYaml
        cause = str(error.problem)[:_LONGEST_CAUSE]
        raise kind(f"{where}, line {line}: this is not valid YAML", cause, _REMEDY) from None
    except yaml.YAMLError as error:
        raise MalformedYaml(f"{where}: this is not valid YAML", " ".join(str(error).split()), _REMEDY) from None


def dump_yaml(values: Any) -> str:
    """Values as YAML, which ``parse_yaml`` reads as the same values."""
    return yaml.dump(values, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True)


class _PlainError(yaml.MarkedYAMLError):
    """A fault of a text that is YAML, but not plain, or too much of it."""


def _fault(problem: str, mark: yaml.Mark) -> _PlainError:
    return _PlainError(problem=problem, problem_mark=mark)
