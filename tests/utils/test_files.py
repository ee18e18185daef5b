"""Tests of ``toolkit.utils.files``: whole files or none."""

from pathlib import Path

import pytest

from toolkit.errors import UserError
from toolkit.utils.files import write_bytes, write_parts, write_text


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
