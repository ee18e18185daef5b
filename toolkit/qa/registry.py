"""The registry that knows all tasks: ``@task("name")``, files, installed packages.

A new task is one Python file with a class under ``@task("name")`` and, beside it or in a folder
``templates`` beside it, ``name.jinja``.
"""

import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from toolkit.errors import UserError, did_you_mean
from toolkit.qa.metrics import Metric
from toolkit.qa.task import Task
from toolkit.utils.resources import folder

ENTRY_POINTS = "toolkit.tasks"


_IMAGES = (1, 2)  # pictures that one question may be about; every family takes both


_T = TypeVar("_T", bound=type[Task])


_registered: dict[str, type[Task]] = {}


_loaded: set[Path] = set()


def task(name: str) -> Callable[[_T], _T]:
    """Register a Task class under a name (lower case, digits and underscores).

    Raises:
        UserError: If the name is malformed or taken by another file's task.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(f"task name {name!r} is not lower_case_with_underscores")

    def register(cls: _T) -> _T:
        _check_class(name, cls)
        other = _registered.get(name)
        if other is not None and not _same_file(inspect.getfile(other), inspect.getfile(cls)):
            raise UserError(
                f"{inspect.getfile(cls)}: a task named {name!r} is there already",
                cause=f"{inspect.getfile(other)} registers it",
                remedy="choose another name",
            )
        cls.name = name
        cls.__reduce__ = _reduce  # type: ignore[assignment]
        _registered[name] = cls
        return cls

    return register


def _check_class(name: str, cls: Any) -> None:
    """Check what a task cannot do without."""
    if not (inspect.isclass(cls) and issubclass(cls, Task)):
        raise UserError(f"@task({name!r}) stands above {cls!r}", remedy="put it above a class that inherits from Task")
    where = f"{inspect.getfile(cls)}: the task {name!r}"
    if cls.label is Task.label:
        raise UserError(f"{where} does not say how it labels", remedy="override `label`")
    if not isinstance(getattr(cls, "metric", None), Metric):
        raise UserError(f"{where} has no metric", remedy="set one: metric = metrics.RelativeAccuracy()")
    if cls.images not in _IMAGES or not isinstance(cls.points, int) or cls.points < 0:
        raise UserError(
            f"{where} is about {cls.images!r} pictures and {cls.points!r} points",
            cause="a question is about one picture, or two of one sequence; points lie in the first",
            remedy="set images to 1 or 2, and points to 0 or more",
        )
    for pattern in cls.asks:
        try:
            re.compile(pattern)
        except re.error as error:
            raise UserError(f"{where}: {pattern!r} in `asks` is no regular expression", str(error)) from None


def _same_file(one: str, other: str) -> bool:
    """Whether two paths are one file, or copies of it (a checkpoint keeps a copy), or the first is gone."""
    return one == other or not Path(one).is_file() or Path(one).read_bytes() == Path(other).read_bytes()


def _reduce(task: Task) -> tuple[Any, ...]:
    """Pickle by file and name: a worker process imports the file itself."""
    return _restore, (Path(inspect.getfile(type(task))), task.name, vars(task))


def _restore(path: Path, name: str, values: Mapping[str, Any]) -> Task:
    load_tasks(path)
    restored = get_task(name)
    vars(restored).update(values)
    return restored


def load_tasks(path: Path) -> None:
    """Register the tasks of a Python file; a second call for the same file does nothing.

    Raises:
        UserError: If there is no such file or it cannot be imported.
    """
    path = path.resolve()
    if path in _loaded:
        return
    if not path.is_file() or path.suffix != ".py":
        raise UserError(f"{path}: there is no such Python file", remedy="give --include the task's .py file")
    name = f"toolkit_tasks_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except UserError:
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:  # it is the user's code: it may raise anything
        del sys.modules[name]
        raise UserError(
            f"{path}: the file cannot be imported", cause=f"{type(error).__name__}: {error}", remedy="mend it"
        ) from error
    _loaded.add(path)


def _load_known() -> None:
    """The built-in tasks and those of installed packages (entry points)."""
    for path in sorted(folder("tasks").glob("*.py")):
        if path.stem != "__init__":
            load_tasks(path)
    for entry in entry_points(group=ENTRY_POINTS):
        entry.load()


def task_names() -> list[str]:
    """Names of all registered tasks."""
    _load_known()
    return sorted(_registered)


def task_groups() -> dict[str, list[str]]:
    """The names of the tasks in each group."""
    groups: dict[str, list[str]] = {}
    for name in task_names():
        if _registered[name].group:
            groups.setdefault(_registered[name].group, []).append(name)
    return groups


def expand(names: Iterable[str]) -> list[str]:
    """Names of tasks, those of a group in place of its name; each once. Unknown names stay as they are."""
    groups = task_groups()
    return list(dict.fromkeys(each for name in names for each in groups.get(name, [name])))


def get_task(name: str, **options: Any) -> Task:
    """The task of that name, with options that replace its class attributes.

    Raises:
        UserError: If the name or an option is unknown.
    """
    known = task_names()
    if name not in _registered:
        raise UserError(
            f"unknown task {name!r}",
            remedy=did_you_mean(name, [*known, *task_groups()]) + "; a task of your own needs --include FILE.py",
        )
    return _registered[name](**options)
