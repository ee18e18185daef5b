"""A Task: one family of 3D questions, and the registry that knows them all.

One class serves data generation, training, evaluation and asking. A new task is one Python file with a
class under ``@task("name")`` and, beside it or in a folder ``templates`` beside it, ``name.jinja``.
Conventions: see ``toolkit.camera``.
"""

import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from toolkit import answer
from toolkit.errors import UserError, did_you_mean
from toolkit.metrics import Metric
from toolkit.query import Query
from toolkit.resources import folder
from toolkit.templating import Words, load_words

ENTRY_POINTS = "toolkit.tasks"


class Task:
    """The contract. A subclass states what it needs and overrides ``label``, and what else it must.

    Attributes:
        name: Set by ``@task``.
        images: Pictures that one question is about (1 or 2; two come from one sequence, with poses).
        points: Points that one question is about.
        unit: Unit of the answer ("m", "s", "m/s", "deg"), or "" where the answer is no number.
        metric: How answers are scored.
        asks: Regular expressions; a user's question that matches one may be meant for this task.
    """

    name: ClassVar[str] = ""
    images: int = 1
    points: int = 1
    unit: str = ""
    metric: Metric
    asks: tuple[str, ...] = ()

    def __init__(self, **options: Any) -> None:
        for key, value in options.items():
            if not hasattr(type(self), key) or callable(getattr(type(self), key)):
                known = [k for k, v in inspect.getmembers(type(self)) if k[0] != "_" and not callable(v)]
                raise UserError(f"tasks.{self.name}: unknown option {key!r}", remedy=did_you_mean(key, known))
            setattr(self, key, value)

    def label(self, query: Query) -> Any:
        """The true answer, in ``unit``, from the labels of the Query."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it labels: override `label`")

    def given(self, rng: np.random.Generator) -> Mapping[str, float]:
        """Numbers that a generated question states (``{"time": 4.0}``), in SI units."""
        return {}

    def given_in(self, question: str) -> Mapping[str, float]:
        """The same numbers, read from a user's question.

        Raises:
            UserError: If the question does not state them.
        """
        return {}

    def accepts(self, query: Query) -> bool:
        """Whether a drawn Query makes a fair question; if not, another is drawn."""
        return True

    def variables(self, query: Query) -> Mapping[str, Any]:
        """What the template may use beside the point phrases, the given numbers and ``answer``."""
        return {}

    def write(self, value: Any, query: Query) -> str:
        """The answer as text; ``read`` must read it back."""
        return f"{value:.2f} {self.unit}".strip()

    def read(self, text: str, query: Query) -> Any | None:
        """The value in a model's answer, in ``unit``; None where there is none."""
        quantity = answer.read_quantity(text, self.unit)
        return None if quantity is None else quantity.value

    def understands(self, question: str) -> bool:
        """Whether the words of a user's question fit this task."""
        return any(re.search(pattern, question, re.IGNORECASE) for pattern in self.asks)

    def describe(self) -> dict[str, Any]:
        """What the task is, for listings."""
        summary = (inspect.getdoc(type(self)) or "").split("\n")[0]
        return {
            "name": self.name,
            "summary": summary,
            "images": self.images,
            "points": self.points,
            "unit": self.unit,
            "metric": self.metric.headline,
        }

    @property
    def words(self) -> Words:
        """The task's templates."""
        return load_words(self.template_path())

    @classmethod
    def template_path(cls) -> Path:
        """``name.jinja`` beside the task's file, in ``templates`` beside it, or built in."""
        home = Path(inspect.getfile(cls)).resolve().parent
        places = [home / f"{cls.name}.jinja", home / "templates" / f"{cls.name}.jinja"]
        builtin = folder("templates") / f"{cls.name}.jinja"
        return next((place for place in (*places, builtin) if place.is_file()), places[0])


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
        other = _registered.get(name)
        if other is not None and inspect.getfile(other) != inspect.getfile(cls):
            raise UserError(
                f"{inspect.getfile(cls)}: a task named {name!r} is there already",
                cause=f"{inspect.getfile(other)} registers it",
                remedy="choose another name",
            )
        cls.name = name
        _registered[name] = cls
        return cls

    return register


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
    except (ImportError, SyntaxError, NameError, AttributeError, TypeError) as error:
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


def get_task(name: str, **options: Any) -> Task:
    """The task of that name, with options that replace its class attributes.

    Raises:
        UserError: If the name or an option is unknown.
    """
    known = task_names()
    if name not in _registered:
        raise UserError(
            f"unknown task {name!r}",
            remedy=did_you_mean(name, known) + "; a task of your own needs --include FILE.py",
        )
    return _registered[name](**options)
