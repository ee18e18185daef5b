"""The public API is what docs/api.md lists, and all of it is there."""

import re

import pytest

import toolkit
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def listed(heading: str) -> set[str]:
    """The names that a section of the page lists, in the first column of its table."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    first = "".join(re.findall(r"^\|([^|]+)\|", section, re.MULTILINE))
    return set(re.findall(r"`(\w+)`", first))


def test_the_page_lists_the_public_names() -> None:
    assert listed("from toolkit import …") == set(toolkit.__all__) == set(dir(toolkit))


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Camera", "Camera"),
        ("Query and its points", "Query"),
        ("Task", "Task"),
        ("metrics", "metrics"),
        ("answer", "answer"),
    ],
)
def test_every_member_on_the_page_exists(heading: str, name: str) -> None:
    members = listed(heading)
    assert members
    home = getattr(toolkit, name)
    fields = set(getattr(home, "__dataclass_fields__", {})) | set(getattr(home, "__annotations__", {}))
    assert members <= set(dir(home)) | fields


def test_an_unknown_name_is_no_part_of_it() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Cemera'"):
        _ = toolkit.Cemera
