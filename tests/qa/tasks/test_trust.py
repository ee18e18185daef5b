"""Which task files may run: trust that is remembered by content, and attacks on it."""

import importlib.util
import json
import os
import pickle
import py_compile
from pathlib import Path

import pytest

from tests.support.own_task import OWN, load_own, write_task
from toolkit.errors import UserError
from toolkit.qa.tasks import registry
from toolkit.qa.tasks.registry import get_task, load_tasks
from toolkit.qa.tasks.trust import let_run, name_files, trusting


def marking(folder: Path, name: str = "mine.py", mark: str = "ran") -> tuple[Path, Path]:
    """A Python file, and the file that it writes if it runs."""
    path = folder / name
    path.write_text(f"open({str(folder / mark)!r}, 'w').close()\n")
    return path, folder / mark


def refusal(*paths: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        load_tasks(*paths)
    return caught.value


def state_file() -> Path:
    return Path(os.environ["XDG_STATE_HOME"], "3dqa-toolkit", "trusted.json")


def test_a_strange_file_is_named_with_its_size_and_not_run(tmp_path: Path) -> None:
    path, mark = marking(tmp_path)
    error = refusal(path)
    assert f"{path}, {path.stat().st_size} bytes" in error.problem
    assert f"less {path}" in error.remedy and "--trust" in error.remedy
    assert not mark.exists() and not state_file().exists()


def test_trust_is_remembered_until_the_content_changes(tmp_path: Path) -> None:
    path, mark = marking(tmp_path)
    with trusting(True):
        load_tasks(path)
    assert mark.exists()
    load_tasks(path)
    path.rename(tmp_path / "renamed.py")
    load_tasks(tmp_path / "renamed.py")
    marking(tmp_path, "renamed.py", "ran_again")
    assert "renamed.py" in refusal(tmp_path / "renamed.py").problem
    assert not (tmp_path / "ran_again").exists()


def test_a_named_file_runs_and_is_not_remembered(tmp_path: Path) -> None:
    path, mark = marking(tmp_path)
    name_files([path])
    load_tasks(path)
    assert mark.exists()
    let_run()
    refusal(path)


def test_all_strange_files_are_told_and_none_is_run(tmp_path: Path) -> None:
    (one, first), (two, second), (three, third) = (marking(tmp_path, f"{n}.py", f"ran_{n}") for n in "abc")
    name_files([one])
    error = refusal(one, two, three)
    assert str(two) in error.problem and str(three) in error.problem and str(one) not in error.problem
    assert not any(mark.exists() for mark in (first, second, third))


def test_compiled_code_beside_a_file_is_not_run(tmp_path: Path) -> None:
    path, mark = marking(tmp_path)
    cached = Path(importlib.util.cache_from_source(str(path)))
    py_compile.compile(str(path), str(cached), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    path.write_text("# harmless\n")
    with trusting(True):
        load_tasks(path)
    assert not mark.exists()


def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    harmless = tmp_path / "harmless.py"
    harmless.write_text("# nothing\n")
    link = tmp_path / "link.py"
    link.symlink_to(harmless)
    with trusting(True):
        load_tasks(link)
    path, mark = marking(tmp_path)
    link.unlink()
    link.symlink_to(path)
    assert str(path) in refusal(link).problem
    assert not mark.exists()


def test_names_reach_no_terminal_raw(tmp_path: Path) -> None:
    path, _ = marking(tmp_path, "\x1b[2Jx.py")
    assert "\x1b" not in str(refusal(path))


@pytest.mark.parametrize(
    "content", [b"not json", b"[]", b'{"schema": 2}', b'{"schema": 1, "runs": 1}', b"\xff", b"[" * 100_000]
)
def test_a_damaged_memory_trusts_nothing(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    state_file().parent.mkdir(parents=True)
    state_file().write_bytes(content)
    path, mark = marking(tmp_path)
    error = refusal(path)
    assert str(state_file()) in error.problem and "delete it" in error.remedy and not mark.exists()
    with trusting(True):
        load_tasks(path)
    assert mark.exists() and "cannot be remembered" in capsys.readouterr().err
    assert state_file().read_bytes() == content


def test_without_a_place_to_remember_trust_holds_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    path, mark = marking(tmp_path)
    with trusting(True):
        load_tasks(path)
    assert mark.exists() and "cannot be remembered" in capsys.readouterr().err
    assert "is not trusted" in refusal(path).problem


def test_a_relative_state_folder_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = marking(tmp_path)
    with trusting(True):
        load_tasks(path)
    (tmp_path / "here").mkdir()
    state_file().parent.rename(tmp_path / "here" / "3dqa-toolkit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    refusal(path)


def test_what_is_no_task_file(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    for name in ("folder.py", "loop.py"):
        assert "no such Python file" in refusal(tmp_path / name).problem
    (tmp_path / "large.py").write_text("#" * (1 << 20) + "\n")
    assert "at most 1,048,576 bytes" in refusal(tmp_path / "large.py").problem
    assert "101 task files" in refusal(*[tmp_path / f"{n}.py" for n in range(101)]).problem


def test_a_file_in_another_encoding_runs(tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes(f"# coding: latin-1\n{OWN.replace('{name}', 'own_latin')}\nname = 'é'\n".encode("latin-1"))
    load_own(path)
    assert get_task("own_latin").unit == "m"


def forget(path: Path, name: str) -> None:
    """Make this process one in which a file was not loaded, as a worker process is."""
    del registry._loaded[path.resolve()], registry._registered[name]
    let_run()


def test_a_worker_process_runs_what_its_parent_ran(tmp_path: Path) -> None:
    path = write_task(tmp_path, "own_carried")
    load_own(path)
    pickled = pickle.dumps(get_task("own_carried", lift=3.0))
    forget(path, "own_carried")
    assert pickle.loads(pickled).lift == 3.0
    forget(path, "own_carried")
    path.write_text(path.read_text() + "# changed\n")
    with pytest.raises(UserError, match="is not trusted"):
        pickle.loads(pickled)


def test_memory_keeps_what_was_trusted_before(tmp_path: Path) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(f"# {name}\n")
        with trusting(True):
            load_tasks(tmp_path / name)
    kept = json.loads(state_file().read_text())["sha256"]
    assert list(kept.values()) == [str(tmp_path / "one.py"), str(tmp_path / "two.py")]
    assert [path.name for path in state_file().parent.iterdir()] == ["trusted.json"]
