"""Every function, class and file that docs/architecture.md names exists."""

import re
from importlib import import_module

import pytest

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`(toolkit(?:\.\w+)+)`", PAGE)))
FILES = sorted(set(re.findall(r"`((?:toolkit|tests|docs)/[\w/.]+)`", PAGE)))


def resolve(name: str) -> object:
    """What a dotted name stands for: a module, or an attribute of one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


def test_the_page_names_the_ways() -> None:
    assert len(NAMES) > 40
    assert len(FILES) > 8


@pytest.mark.parametrize("name", NAMES)
def test_every_name_exists(name: str) -> None:
    assert resolve(name) is not None


@pytest.mark.parametrize("path", FILES)
def test_every_file_exists(path: str) -> None:
    assert (ROOT / path).exists()
