import json
from pathlib import Path

import pytest

from toolkit.errors import UserError
from toolkit.utils.json import from_json, read_json_file, shown


def test_sound_json_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": [1, null]}')
    assert read_json_file(tmp_path / "a.json") == {"a": [1, None]} == from_json('{"a": [1, null]}')


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "column 1"),
        (b"{\n1}", "line 2, column 1"),
        (b"[" * 100_000, "brackets inside one another"),
        (b'{"a":' * 100_000, "brackets inside one another"),
        (b"9" * 6000, "thousands of digits"),
        (b"\xff\xfe", "not UTF-8"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_json_says_why(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match="this is not valid JSON") as caught:
        read_json_file(tmp_path / "a.json")
    assert problem in caught.value.cause and len(caught.value.cause) < 100


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1, 2]")
    with pytest.raises(UserError, match="too large"):
        read_json_file(tmp_path / "a.json", most=5)


def test_values_are_shown_in_short() -> None:
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    assert shown("a") == "'a'" and shown("a", json.dumps) == '"a"' and shown(nested) == "a list"
    assert len(shown("x" * 10**6)) < 100 and shown("\ud800\x1b") == r"'\ud800\x1b'"
