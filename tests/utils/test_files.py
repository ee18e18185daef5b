"""Tests of ``toolkit.utils.files``: whole files or none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.errors import UserError
from toolkit.utils.files import locked, make_folder, write_all_lines, write_bytes, write_parts, write_text


def test_files_and_their_folders_are_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a.txt"
    write_text(path, "Länge 3 m\n")
    assert path.read_bytes() == "Länge 3 m\n".encode()
    write_bytes(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    write_parts(path, [b"a", memoryview(b"bc"), b""])
    assert path.read_bytes() == b"abc"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("stopped", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_an_interrupted_write_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, stopped: BaseException
) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    genuine = Path.write_bytes

    def stop(self: Path, data: object) -> None:
        if step == "write_bytes":
            genuine(self, b"half")
        raise stopped

    with monkeypatch.context() as patched:
        patched.setattr(Path, step, stop)
        with pytest.raises(UserError if isinstance(stopped, OSError) else type(stopped)):
            write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    left, other = tmp_path / ".a.txt.0123456789ab.tmp", tmp_path / ".a.txt.tmp"
    left.write_text("half")
    other.write_text("the user's own")
    make_folder(tmp_path)
    assert not left.exists() and other.exists()
    deep = tmp_path / "deep" / left.name
    write_text(deep, "half")
    with locked(tmp_path):
        assert not deep.exists()


def test_a_file_that_is_being_written_is_no_leftover(tmp_path: Path) -> None:
    def lines() -> Iterator[str]:
        yield "first"
        make_folder(tmp_path)
        yield "second"

    write_all_lines({tmp_path / "a.txt": lines()})
    assert (tmp_path / "a.txt").read_text() == "first\nsecond\n"


def test_files_that_are_written_together_appear_together(tmp_path: Path) -> None:
    def stopped() -> Iterator[str]:
        yield "half"
        assert not (tmp_path / "a.txt").exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_all_lines({tmp_path / "a.txt": ["whole"], tmp_path / "b.txt": stopped()})
    assert not list(tmp_path.iterdir())
    write_all_lines({tmp_path / "a.txt": ["whole"], tmp_path / "b.txt": []})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]
