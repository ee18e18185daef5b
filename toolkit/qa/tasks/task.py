"""A Task: one family of 3D questions; one class serves data generation, training, evaluation and asking.

Conventions: see ``toolkit.geometry.camera``.
"""

import copy
import hashlib
import inspect
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from toolkit.errors import UserError, did_you_mean
from toolkit.qa.metrics import Metric
from toolkit.qa.parsing import answer
from toolkit.qa.query import Query
from toolkit.qa.tasks.template import TemplateWords, load_words, read_template
from toolkit.utils.resources import TEMPLATES

_FIXED = ("images", "points", "needs", "group", "unit", "metric", "name", "asks", "asks_not", "gives", "scales")
"""Attributes that define a task: a recipe cannot set them."""

GENERAL = "general"
"""The group of tasks that ask ordinary questions about pictures: any model can answer them before it is trained."""

_KINDS: dict[type, Any] = {float: int | float, int: int, str: str, tuple: list | tuple, bool: bool}
"""The types that an option accepts, by the type of its default."""

_LARGEST_OPTION = 1e6
_LONGEST_OPTION = 1000  # characters of an option that is a word
_SHOWN = 60  # characters of an option's value in a message
_MOST_DECIMALS = 9
_VERSION_LENGTH = 12  # hexadecimal digits


class Task:
    """The contract of a task. A subclass sets the attributes it needs and overrides ``label``; the rest has defaults.

    Attributes:
        name: The name of the task; ``@task`` sets it.
        images: The number of pictures that one question is about: 1 or 2. Two come from one sequence and have poses.
        points: The number of points that one question is about.
        needs: "objects" if the objects in the picture must be known (``View.objects``), else "".
        group: A name by which recipes and commands select several tasks together, or "".
        unit: The unit of the answer ("m", "s", "m/s", "deg"), or "" if the answer is not a number.
        decimals: The number of decimals in a written answer.
        metric: The metric that scores the answers.
        asks: Regular expressions. A user's question that matches one of them may be meant for this task. Typing errors
            in words that occur in the patterns are corrected first (``toolkit.qa.parsing.spelling``).
        asks_not: Regular expressions. A question that matches one of them is not for this task.
        gives: What the answer says of its one point: "distance" from the camera centre [m], "depth_z" [m], or "" for
            neither. The answers to other tasks can be checked against such a task, and it can make point clouds.
        scales: Whether answers grow in proportion to the assumed focal length of the camera, as lengths do.
    """

    name: ClassVar[str] = ""
    images: int = 1
    points: int = 1
    needs: Literal["", "objects"] = ""
    group: str = ""
    unit: str = ""
    decimals: int = 2
    metric: Metric
    asks: tuple[str, ...] = ()
    asks_not: tuple[str, ...] = ()
    gives: Literal["", "distance", "depth_z"] = ""
    scales: bool = True

    def __init__(self, /, **options: Any) -> None:
        for key, value in options.items():
            known = [k for k, v in inspect.getmembers(type(self)) if k[0] != "_" and not _is_code(v)]
            where = f"tasks.{self.name}: the option {key!r}"
            if key in _FIXED:
                raise UserError(f"{where} cannot be set", "it says what the task is", "leave it out, or choose a task")
            if key not in known:
                raise UserError(f"tasks.{self.name}: unknown option {key!r}", remedy=did_you_mean(key, known))
            default = getattr(type(self), key)
            if not _is_like(value, default):
                raise UserError(
                    f"{where} cannot be {repr(value)[:_SHOWN]}",
                    f"it is {default!r} by default",
                    "give a value of that kind",
                )
            setattr(self, key, value)
        if not 0 <= self.decimals <= _MOST_DECIMALS:
            raise UserError(
                f"tasks.{self.name}: decimals is {self.decimals}", remedy=f"give a number from 0 to {_MOST_DECIMALS}"
            )

    def label(self, query: Query) -> Any:
        """The true answer, in ``unit``, computed from the labels of the Query."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it labels: override `label`")

    def given(self, query: Query, rng: np.random.Generator) -> Mapping[str, Any]:
        """Draw what a generated question states: numbers in SI units (``{"time": 4.0}``), or names of objects.

        Args:
            query: The Query that the question is about. It may be empty; then there are no objects to name.
            rng: The random generator.
        """
        return {}

    def given_in(self, question: str) -> Mapping[str, Any]:
        """Read from a user's question what ``given`` draws for a generated one.

        Raises:
            UserError: If the question does not state it.
        """
        return {}

    def accepts(self, query: Query) -> bool:
        """Whether a drawn Query makes a fair question; if not, another Query is drawn."""
        return True

    def variables(self, query: Query) -> Mapping[str, Any]:
        """More variables for the template, beside the point phrases, ``answer``, and what ``given`` returns."""
        return {}

    def write(self, value: Any, query: Query) -> str:
        """The answer as text, in a form that ``read`` can read back."""
        return f"{value:.{self.decimals}f} {self.unit}".strip()

    def read(self, text: str, query: Query) -> Any | None:
        """The value in a model's answer, in ``unit``; None if it holds none, or a negative one that cannot be true."""
        quantity = answer.read_quantity(text, self.unit)
        if quantity is None or (quantity.value < 0 and not self.metric.scorable(quantity.value)):
            return None
        return quantity.value

    def rework(self, text: str, query: Query) -> Any | None:
        """The value computed from the working that an answer shows; without working, the value that ``read`` gives."""
        return self.read(text, query)

    def number(self, value: Any) -> float | None:
        """The number in a value for which an interval can be given; None if the value has no such number."""
        return float(value) if isinstance(value, int | float) else None

    def number_in(self, text: str, query: Query) -> float | None:
        """The number in a model's answer for which an interval can be given; None if there is no such number."""
        value = self.rework(text, query)
        return None if value is None else self.number(value)

    def meant(self, value: Any, question: str, query: Query) -> Any:
        """The answer to a user's question, from the value that was read. They differ if users ask for the opposite."""
        return value

    def understands(self, question: str) -> bool:
        """Whether the words of a user's question ask for what this task answers."""
        return _matches(self.asks, question) and not _matches(self.asks_not, question)

    def resembles(self, question: str) -> bool:
        """Whether a user's question mentions what this task is about, though it may ask for something else."""
        return _matches(self.asks, question)

    def to_json(self) -> dict[str, Any]:
        """The task as JSON values, for lists of tasks."""
        summary = (inspect.getdoc(type(self)) or "").split("\n")[0]
        return {
            "name": self.name,
            "summary": summary,
            "images": self.images,
            "points": self.points,
            "unit": self.unit,
            "metric": self.metric.headline,
        }

    @cached_property
    def words(self) -> TemplateWords:
        """The words of the task, from its template."""
        return load_words(self.template_path())

    def reworded(self, words: TemplateWords) -> Self:
        """The same task in other words: those that a model of others was trained with."""
        task = copy.copy(self)
        vars(task)["words"] = words
        return task

    @classmethod
    def template_path(cls) -> Path:
        """The task's template: ``name.jinja`` beside the task's file, in ``templates`` beside it, or a built-in one."""
        home = Path(inspect.getfile(cls)).resolve().parent
        own = [home / f"{cls.name}.jinja", home / "templates" / f"{cls.name}.jinja"]
        built_in = TEMPLATES / f"{cls.name}.jinja"
        return next((path for path in (*own, built_in) if path.is_file()), own[0])


def template_version(task: Task) -> str:
    """A short hash of the text of a task's template. Checkpoints keep it: models answer the words of their training.

    Raises:
        UserError: If there is no template.
    """
    text = read_template(task.template_path())
    return hashlib.sha256(text.encode()).hexdigest()[:_VERSION_LENGTH]


def label_of(task: Task, query: Query) -> Any:
    """The task's label of a query.

    Raises:
        UserError: If the code of the task fails; it may be the user's own.
    """
    try:
        return task.label(query)
    except (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError) as error:
        raise UserError(
            f"the task {task.name!r} cannot label a question",
            cause=f"{type(error).__name__}: {error}",
            remedy=f"mend `label` in {inspect.getfile(type(task))}",
        ) from error


def _is_like(value: Any, default: Any) -> bool:
    """Whether an option's value is of the kind of its default, and of a sensible size.

    Numbers other than whole ones may be negative if the default is not positive. Lists are as long as the default.
    """
    if isinstance(default, bool) or not isinstance(default, int | float | str | tuple | list):
        return isinstance(value, _KINDS.get(type(default), object))
    if isinstance(value, bool):  # bools are ints in Python
        return False
    if isinstance(default, int | float):
        kind = isinstance(value, _KINDS[type(default)])
        return kind and abs(value) <= _LARGEST_OPTION and (value >= 0 or default <= 0 or isinstance(default, int))
    if isinstance(default, str):
        return isinstance(value, str) and len(value) <= _LONGEST_OPTION
    same = isinstance(value, list | tuple) and len(value) == len(default)
    return same and all(_is_like(one, other) for one, other in zip(value, default, strict=True))


def _is_code(member: Any) -> bool:
    """Whether a member of a class is a method or a property, and no value that an option could replace."""
    return callable(member) or isinstance(member, property | cached_property)


def _matches(patterns: tuple[str, ...], question: str) -> bool:
    return any(re.search(pattern, question, re.IGNORECASE) for pattern in patterns)
