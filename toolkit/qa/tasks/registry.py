"""The registry of all tasks: those with ``@task("name")`` in the toolkit, in files, and in installed packages.

A new task is one Python file with a class under ``@task("name")``, and the template ``name.jinja`` beside it or in a
folder ``templates`` beside it.
"""

import hashlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from toolkit.errors import UserError, did_you_mean
from toolkit.qa.metrics import Metric
from toolkit.qa.tasks.task import Task
from toolkit.qa.tasks.trust import TaskFile, read_trusted, remember, resolved, trusting_content
from toolkit.utils.resources import TASKS

ENTRY_POINTS = "toolkit.tasks"
"""The entry-point group in which installed packages name modules with tasks."""

_IMAGES = (1, 2)  # how many pictures a question may be about; every model architecture takes both
_T = TypeVar("_T", bound=type[Task])
_registered: dict[str, type[Task]] = {}
_loaded: dict[Path, TaskFile] = {}


def task(name: str) -> Callable[[_T], _T]:
    """Register a Task class under a name.

    Args:
        name: The name, of lower-case letters, digits and underscores.

    Raises:
        UserError: If the name is malformed, if a task of another file has it, or if the class is incomplete.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(f"task name {name!r} is not lower_case_with_underscores")

    def register(cls: _T) -> _T:
        _check_class(name, cls)
        other = _registered.get(name)
        if other is not None and not _is_same_file(inspect.getfile(other), inspect.getfile(cls)):
            raise UserError(
                f"{inspect.getfile(cls)}: a task named {name!r} is there already",
                cause=f"{inspect.getfile(other)} registers it",
                remedy="choose another name",
            )
        cls.name = name
        cls.__reduce__ = _pickle_by_file  # type: ignore[assignment]
        _registered[name] = cls
        return cls

    return register


def _check_class(name: str, cls: Any) -> None:
    """Check that a class has everything that a task needs."""
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


def _is_same_file(one: str, other: str) -> bool:
    """Whether two files have the same content, as a checkpoint's copy has. It also holds if the first one is gone."""
    return one == other or not Path(one).is_file() or Path(one).read_bytes() == Path(other).read_bytes()


def _pickle_by_file(task: Task) -> tuple[Any, ...]:
    """Pickle a task by its file, name and values: a worker process imports the file itself, if it is still the same."""
    path = Path(inspect.getfile(type(task)))
    loaded = _loaded.get(path)
    digest = loaded.digest if loaded else hashlib.sha256(path.read_bytes()).hexdigest()
    return _restore, (path, digest, task.name, vars(task))


def _restore(path: Path, digest: str, name: str, values: Mapping[str, Any]) -> Task:
    """Make a pickled task again. ``digest`` is the hash of the file's content, which this process's parent has run."""
    loaded, there = _loaded.get(path), _registered.get(name)
    imported = loaded is None and there is not None and Path(inspect.getfile(there)) == path
    if not imported and (loaded is None or loaded.digest != digest):
        with trusting_content(digest):
            load_tasks(path)
    restored = get_task(name)
    vars(restored).update(values)
    return restored


def load_tasks(*paths: Path) -> None:
    """Register the tasks of Python files. A file that was loaded before is loaded again only if it has changed.

    All Python that comes with checkpoints, recipes and the command line runs here, after it was found to be trusted.

    Raises:
        UserError: If a file is missing or not trusted (then none is run), or cannot be imported.
    """
    for file in read_trusted(paths):
        if _loaded.get(file.path) != file:
            _execute(file)


def _execute(file: TaskFile) -> None:
    """Run a file as a module.

    What does not come with the toolkit runs exactly as it was checked: an import would read the file again, or compiled
    code beside it.
    """
    name = f"toolkit_tasks_{file.path.stem}_{hashlib.sha256(os.fsencode(file.path)).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file.path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        if file.path.parent == TASKS:
            spec.loader.exec_module(module)  # compiled before, which saves time
        else:
            exec(compile(file.source, file.path, "exec", dont_inherit=True), vars(module))
    except UserError:
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:  # the file is the user's code, which may raise anything
        del sys.modules[name]
        raise UserError(
            f"{file.path}: the file cannot be imported",
            cause=f"{type(error).__name__}: {error}",
            remedy="correct the file",
        ) from error
    _loaded[file.path] = file


def loaded_file(path: Path) -> TaskFile:
    """The file of a path as it was loaded in this process."""
    return _loaded[resolved(path)]


def remember_loaded(paths: Iterable[Path]) -> None:
    """Trust the contents that were loaded from files in this process: a checkpoint is given copies of them."""
    remember([loaded_file(path) for path in paths])


@cache
def _load_known() -> None:
    """Register the built-in tasks and those of installed packages (entry points), once in a process."""
    load_tasks(*(path for path in sorted(TASKS.glob("*.py")) if path.stem != "__init__"))
    for entry in entry_points(group=ENTRY_POINTS):
        entry.load()


def task_names() -> list[str]:
    """The names of all registered tasks."""
    _load_known()
    return sorted(_registered)


def task_classes() -> dict[str, type[Task]]:
    """The classes of all registered tasks, by name."""
    return {name: _registered[name] for name in task_names()}


def task_groups() -> dict[str, list[str]]:
    """The names of the tasks in each group."""
    groups: dict[str, list[str]] = {}
    for name in task_names():
        if _registered[name].group:
            groups.setdefault(_registered[name].group, []).append(name)
    return groups


def expand_groups(names: Iterable[str]) -> list[str]:
    """Replace the names of groups by the names of their tasks. Each name occurs once; unknown names stay."""
    groups = task_groups()
    return list(dict.fromkeys(each for name in names for each in groups.get(name, [name])))


def get_task(name: str, /, **options: Any) -> Task:
    """Make the task of a name, with options that replace its class attributes.

    Raises:
        UserError: If the name or an option is unknown.
    """
    return get_tasks({name: options})[name]


def get_tasks(options: Mapping[str, Mapping[str, Any]]) -> dict[str, Task]:
    """Make tasks, each with options that replace its class attributes.

    Args:
        options: The options of each task, by its name.

    Raises:
        UserError: If a name or an option is unknown.
    """
    known = task_names()
    for name in options:
        if name not in _registered:
            raise UserError(
                f"unknown task {name!r}",
                remedy=did_you_mean(name, [*known, *task_groups()]) + "; a task of your own needs --include FILE.py",
            )
    return {name: _registered[name](**own) for name, own in options.items()}
