"""Tests of ``toolkit.utils.files``: whole files or none."""

import errno
import fcntl
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from toolkit.errors import UserError
from toolkit.utils.files import locked, make_folder, write_bytes, write_lines, write_parts, write_text, written_together


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


def test_files_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    write_text(first, "old")
    (tmp_path / "c").mkdir()

    def write_three() -> None:
        with written_together():
            for path in (first, second, tmp_path / "c"):
                write_text(path, "new")

    with pytest.raises(UserError, match="c: cannot be written"):
        write_three()
    assert first.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]
    with written_together():
        write_text(first, "new")
        write_text(second, "new")
        assert first.read_text() == "old"
        assert not second.exists()
    assert [path.read_text() for path in (first, second)] == ["new", "new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_file_system_without_locks_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with locked(tmp_path / "run"):
        write_text(tmp_path / "run" / "a", "new")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["a"]


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

    write_lines(tmp_path / "a.txt", lines())
    assert (tmp_path / "a.txt").read_text() == "first\nsecond\n"


def test_files_that_are_written_together_appear_together(tmp_path: Path) -> None:
    def stopped() -> Iterator[str]:
        yield "half"
        assert not (tmp_path / "a.txt").exists()
        raise KeyboardInterrupt

    def write_both(lines: Iterable[str]) -> None:
        with written_together():
            write_lines(tmp_path / "a.txt", ["whole"])
            write_lines(tmp_path / "b.txt", lines)

    with pytest.raises(KeyboardInterrupt):
        write_both(stopped())
    assert not list(tmp_path.iterdir())
    write_both([])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]


def test_a_file_that_waits_for_others_is_no_leftover(tmp_path: Path) -> None:
    with written_together():
        write_text(tmp_path / "a.txt", "first")
        make_folder(tmp_path)
        write_text(tmp_path / "b.txt", "second")
    assert (tmp_path / "a.txt").read_text() == "first"
