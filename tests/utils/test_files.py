"""Tests of ``toolkit.utils.files``: whole files or none."""

import errno
import fcntl
from pathlib import Path

import pytest

from toolkit.errors import UserError
from toolkit.utils.files import locked, write_bytes, write_parts, write_text, written_together


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
