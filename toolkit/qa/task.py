"""A Task: one family of 3D questions; one class serves data generation, training, evaluation and asking.

Conventions: see ``toolkit.geometry.camera``.
"""

import inspect
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from toolkit.errors import UserError, did_you_mean
from toolkit.qa.metrics import Metric
from toolkit.qa.parsing import answer
from toolkit.qa.query import Query
from toolkit.qa.template import Words, load_words
from toolkit.utils.resources import folder

_FIXED = ("images", "points", "needs", "group", "unit", "metric", "name", "asks", "asks_not", "gives", "scales")
"""Attributes that make a task what it is: a recipe cannot replace them."""


GENERAL = "general"
"""Group of the tasks that ask ordinary questions about pictures, which any model can be asked before it is trained."""


_KINDS: dict[type, Any] = {float: int | float, int: int, str: str, tuple: list | tuple, bool: bool}
"""What an option may be, by the type of its default."""


_MOST_DECIMALS = 9


class Task:
    """The contract. A subclass states what it needs and overrides ``label``, and what else it must.

    Attributes:
        name: Set by ``@task``.
        images: Pictures that one question is about (1 or 2; two come from one sequence, with poses).
        points: Points that one question is about.
        needs: "objects" where the picture must say what it shows (``View.objects``), or "".
        group: Name under which recipes and commands call several tasks together, or "".
        unit: Unit of the answer ("m", "s", "m/s", "deg"), or "" where the answer is no number.
        decimals: Of the number in a written answer.
        metric: How answers are scored.
        asks: Regular expressions; a user's question that matches one may be meant for this task. Typing errors
            in the words that they spell out are mended before (``toolkit.qa.parsing.spelling``).
        asks_not: Regular expressions; a question that matches one is not for this task, whatever else it matches.
        gives: Where an answer puts its one point: "distance" from the camera centre [m], "depth_z" [m], or "" for
            neither. The answers of other tasks can be checked against such a task's, and point clouds made of it.
        scales: Whether answers grow in proportion to the focal length that the camera is said to have, as lengths do.
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

    def __init__(self, **options: Any) -> None:
        for key, value in options.items():
            if not hasattr(type(self), key) or callable(getattr(type(self), key)):
                known = [k for k, v in inspect.getmembers(type(self)) if k[0] != "_" and not callable(v)]
                raise UserError(f"tasks.{self.name}: unknown option {key!r}", remedy=did_you_mean(key, known))
            was = getattr(type(self), key)
            flag = isinstance(value, bool) and type(was) in (int, float)  # bools are ints in Python
            if key in _FIXED or flag or not isinstance(value, _KINDS.get(type(was), object)):
                raise UserError(
                    f"tasks.{self.name}: the option {key!r} cannot be {value!r}", f"it is {was!r} by default"
                )
            setattr(self, key, value)
        if not 0 <= self.decimals <= _MOST_DECIMALS:
            raise UserError(
                f"tasks.{self.name}: decimals is {self.decimals}", remedy=f"give a number from 0 to {_MOST_DECIMALS}"
            )

    def label(self, query: Query) -> Any:
        """The true answer, in ``unit``, from the labels of the Query."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it labels: override `label`")

    def given(self, query: Query, rng: np.random.Generator) -> Mapping[str, Any]:
        """What a generated question states: numbers in SI units (``{"time": 4.0}``), or names of objects.

        Args:
            query: What the question is about; in an empty one nothing has a name.
            rng: Draws.
        """
        return {}

    def given_in(self, question: str) -> Mapping[str, Any]:
        """The same, read from a user's question.

        Raises:
            UserError: If the question does not state it.
        """
        return {}

    def accepts(self, query: Query) -> bool:
        """Whether a drawn Query makes a fair question; if not, another is drawn."""
        return True

    def variables(self, query: Query) -> Mapping[str, Any]:
        """What the template may use beside the point phrases, what is given and ``answer``."""
        return {}

    def write(self, value: Any, query: Query) -> str:
        """The answer as text; ``read`` must read it back."""
        return f"{value:.{self.decimals}f} {self.unit}".strip()

    def read(self, text: str, query: Query) -> Any | None:
        """The value in a model's answer, in ``unit``; None where there is none."""
        quantity = answer.read_quantity(text, self.unit)
        return None if quantity is None else quantity.value

    def rework(self, text: str, query: Query) -> Any | None:
        """The value that the working shown in an answer leads to; without any, the value read."""
        return self.read(text, query)

    def number(self, value: Any) -> float | None:
        """The number in a value that an interval is given for; None where there is none."""
        return float(value) if isinstance(value, int | float) else None

    def number_in(self, text: str, query: Query) -> float | None:
        """The number that an interval is given for, from a text."""
        value = self.rework(text, query)
        return None if value is None else self.number(value)

    def meant(self, value: Any, question: str, query: Query) -> Any:
        """What a value read is to a user's question; the same, unless users may ask for the opposite."""
        return value

    def understands(self, question: str) -> bool:
        """Whether the words of a user's question fit this task."""
        return _matches(self.asks, question) and not _matches(self.asks_not, question)

    def resembles(self, question: str) -> bool:
        """Whether a user's question speaks of what this task is about, though it may ask for something else."""
        return _matches(self.asks, question)

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

    @cached_property
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


def _matches(patterns: tuple[str, ...], question: str) -> bool:
    return any(re.search(pattern, question, re.IGNORECASE) for pattern in patterns)
