"""What is read once in a conversion is read anew in the next one of the same process."""

from pathlib import Path

import pytest

from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.convert.readers.read_once import fresh_files, read_once
from toolkit.errors import UserError


@read_once(4)
def content(path: Path) -> str:
    return path.read_text()


def test_a_file_that_changes_between_two_conversions(tmp_path: Path) -> None:
    file = tmp_path / "calibration.txt"
    file.write_text("old")
    with fresh_files():
        assert content(file) == "old"
        file.write_text("new")
        assert content(file) == "old"  # all pictures of one conversion have the same calibration
    with fresh_files():
        assert content(file) == "new"
    assert not content.cache_info().currsize


def test_a_conversion_begins_and_ends_with_nothing_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "calibration.txt"
    file.write_text("old")
    content(file)
    with pytest.raises(UserError):
        convert(ConvertJob("folder", tmp_path / "nowhere", tmp_path / "out"))
    assert not content.cache_info().currsize
