"""The registry of tasks: the decorator, files, options and pickling."""

import pickle
from pathlib import Path

import pytest

from tests.support.own_task import OWN, load_own, write_task
from toolkit.errors import UserError
from toolkit.qa.query import Query
from toolkit.qa.tasks import registry
from toolkit.qa.tasks.registry import get_task, task, task_names
from toolkit.qa.tasks.task import Task, template_version


def test_a_file_registers_its_task_once(tmp_path: Path) -> None:
    path = write_task(tmp_path, "own_once")
    load_own(path)
    load_own(path)
    assert "own_once" in task_names()
    assert get_task("own_once").words.questions == ("question",)


def test_template_may_lie_in_a_folder_beside(tmp_path: Path) -> None:
    path = write_task(tmp_path, "own_beside")
    (tmp_path / "templates").mkdir()
    (tmp_path / "own_beside.jinja").rename(tmp_path / "templates" / "own_beside.jinja")
    load_own(path)
    assert get_task("own_beside").template_path().parent.name == "templates"


def test_options_replace_attributes(tmp_path: Path) -> None:
    load_own(write_task(tmp_path, "own_lifted"))
    assert get_task("own_lifted", lift=2.0).lift == 2.0
    assert get_task("own_lifted").lift == 0.0
    with pytest.raises(UserError, match=r"tasks\.own_lifted: unknown option 'lft'") as caught:
        get_task("own_lifted", lft=1)
    assert "lift" in caught.value.remedy


def test_a_task_is_pickled_by_its_file(tmp_path: Path) -> None:
    load_own(write_task(tmp_path, "own_pickled"))
    copy = pickle.loads(pickle.dumps(get_task("own_pickled", lift=3.0)))
    assert (copy.name, copy.lift) == ("own_pickled", 3.0)


def test_unknown_task_suggests(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown task 'metric_dept'") as caught:
        get_task("metric_dept")
    assert "did you mean metric_depth" in caught.value.remedy
    assert "--include" in caught.value.remedy


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    load_own(write_task(tmp_path, "own_taken"))
    other = tmp_path / "other.py"
    other.write_text(OWN.replace("{name}", "own_taken") + "# another\n")
    with pytest.raises(UserError, match="there already"):
        load_own(other)


def test_a_copy_of_a_file_is_no_clash(tmp_path: Path) -> None:
    path = write_task(tmp_path, "own_copied")
    load_own(path)
    (tmp_path / "kept").mkdir()
    copy = tmp_path / "kept" / path.name
    copy.write_bytes(path.read_bytes())
    load_own(copy)
    assert "own_copied" in task_names()


@pytest.mark.parametrize("name", ["Depth", "a-b", "", "1a"])
def test_malformed_names(name: str) -> None:
    with pytest.raises(UserError, match="lower_case"):
        task(name)


@pytest.mark.parametrize(
    ("code", "message"),
    [("import nowhere_to_be_found", "ModuleNotFoundError"), ("def f(:", "SyntaxError"), ("x = y", "NameError")],
)
def test_faulty_files(tmp_path: Path, code: str, message: str) -> None:
    path = tmp_path / "faulty.py"
    path.write_text(code)
    with pytest.raises(UserError, match="cannot be imported") as caught:
        load_own(path)
    assert message in caught.value.cause


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such Python file"):
        load_own(tmp_path / "none.py")


def test_a_task_must_label() -> None:
    class Nothing(Task):
        pass

    with pytest.raises(NotImplementedError, match="Nothing does not say how it labels"):
        Nothing().label(None)  # type: ignore[arg-type]


def test_answers_have_as_many_decimals_as_the_recipe_says() -> None:
    query = Query(())
    assert get_task("metric_depth").write(2.468, query) == "2.47 m"
    assert get_task("metric_depth", decimals=1).write(2.468, query) == "2.5 m"
    assert get_task("travel_speed", decimals=0).write(2.468, query) == "2 m/s"
    with pytest.raises(UserError, match="decimals is -1"):
        get_task("metric_depth", decimals=-1)
    for wrong in ("one", True, 1.5):
        with pytest.raises(UserError, match=f"'decimals' cannot be {wrong!r}"):
            get_task("metric_depth", decimals=wrong)


def test_the_template_version_follows_the_text(tmp_path: Path) -> None:
    load_own(write_task(tmp_path, "own_version"))
    template = tmp_path / "own_version.jinja"
    words = template.read_text()
    first = template_version(get_task("own_version"))
    assert len(first) == 12
    template.write_text(words + " ")
    assert template_version(get_task("own_version")) != first
    template.write_text(words)
    assert template_version(get_task("own_version")) == first
    template.unlink()
    with pytest.raises(UserError, match="there is no such template"):
        _ = template_version(get_task("own_version"))


def test_installed_packages_are_asked_for_tasks_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(registry, "entry_points", lambda group: asked.append(group) or [])
    registry._load_known.cache_clear()
    for _ in range(3):
        assert "metric_depth" in task_names()
        get_task("metric_depth")
    assert asked == [registry.ENTRY_POINTS]


def test_a_task_of_an_imported_module_is_pickled_without_loading_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))

    @task("own_imported")
    class Imported(type(get_task("metric_depth"))):  # type: ignore[misc]
        pass

    assert type(pickle.loads(pickle.dumps(get_task("own_imported")))) is Imported
