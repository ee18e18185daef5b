from pathlib import Path

import pytest

from tests.support.hostile_files import NO_FILES, Write
from toolkit.errors import UserError
from toolkit.utils.bounded_file import open_bounded, read_bounded


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bounded(tmp_path / "a", 5) == b"12345"
    with pytest.raises(UserError, match="too large"):
        read_bounded(tmp_path / "a", 4)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(5 << 30)
    with pytest.raises(UserError, match=f"{tmp_path / 'a'}: the file is too large") as caught:
        read_bounded(tmp_path / "a")
    assert caught.value.cause == "it has 5 GiB, and may have 2 GiB" and caught.value.remedy
    with open_bounded(tmp_path / "a", None) as file:
        assert file.read(2) == b"\0\0"


@pytest.mark.parametrize(("kind", "make"), NO_FILES.items())
def test_only_regular_files_are_read(tmp_path: Path, kind: str, make: Write) -> None:
    make(tmp_path / "a")
    with pytest.raises(UserError, match=f"a: this is a {kind}"):
        open_bounded(tmp_path / "a")


@pytest.mark.parametrize("name", ["missing", "a\0b", "\ud800", "x" * 300, "loop"])
def test_files_that_cannot_be_are_missing(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=r"No such file|too long|symbolic links"):
        open_bounded(tmp_path / name)
