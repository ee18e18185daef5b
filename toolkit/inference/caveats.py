"""Warnings that belong to every answer of a model: how often its answers are right, by its own held-out results."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from math import nan
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from toolkit.errors import UserError
from toolkit.foreign_text import one_line
from toolkit.utils.json import read_object
from toolkit.utils.resources import MODELS, TINY

_EVALUATIONS, _REPORT = "evaluation", "report.json"
_WHO = "the answer is from tiny, the model that comes with the toolkit"
_ADVICE = "on photographs it is no better than a constant answer. Train your own: toolkit train --help"

_RIGHT_MEANS = {"delta1": "within a factor of 1.25"}
"""What counts as a right answer, by the name of the headline number, if the name does not say it."""

_SYNTHETIC = {"rooms": "synthetic rooms", "shapes": "drawn shapes"}
"""What the pictures of a source show, by the kind of the source, if they are no photographs."""

_NAMED = 3  # sources that are named; more are counted

_Share = Annotated[float, Field(ge=0, le=1)]
_Limits = tuple[float | None, float | None]


class _Floor(BaseModel):
    """What the best constant answer reaches: all numbers."""

    metrics: Mapping[str, float | None]


class _Result(BaseModel):
    """The results of one task, as ``report.json`` holds them. See ``toolkit.evaluation.reports.task_report``."""

    task: str
    headline: str
    count: int
    metrics: Mapping[str, float | None]
    constant: _Floor
    intervals: Mapping[str, _Limits] = {}
    sources: Mapping[str, Any] = {}


class _Measured(BaseModel):
    """How good a model is at one task.

    Attributes:
        task: The name of the task.
        count: The number of questions.
        own: The share of right answers.
        surely: The share that it reaches at least, with a probability of 97.5 %; NaN if it is not known.
        floor: The share that the best constant answer reaches.
        right: What a right answer is, in words.
        pictures: What the questions were about, by the name of the source; None if that is not known.
        real: Whether photographs were among the pictures.
    """

    task: str
    count: int
    own: _Share
    surely: float
    floor: _Share
    right: str
    pictures: tuple[str, ...]
    real: bool

    def to_text(self) -> str:
        """The accuracy, compared with that of the best constant answer."""
        named = " and ".join(self.pictures) if len(self.pictures) <= _NAMED else f"{len(self.pictures)} sources"
        asked = f"{self.count} {self.task} questions" + (f" about {named}" if named else "")
        return f"of {asked} it got {self.own:.0%} {self.right}, the best constant answer {self.floor:.0%}"


def is_shipped(folder: Path) -> bool:
    """Whether a folder is the one of the model that comes with the toolkit."""
    return folder.resolve() == (MODELS / TINY).resolve()


def caveats(folder: Path, sources: Mapping[str, str] | None = None, tasks: Iterable[str] = ()) -> dict[str, str]:
    """The warning for each task of a checkpoint, by the name of the task.

    A task at which the model is surely better than a constant answer, on photographs too, has none.

    Args:
        folder: The folder of the checkpoint, with its results in ``evaluation``.
        sources: The kind of each source that it was trained on, by the name of the source.
        tasks: The tasks that it was trained on.

    Returns:
        The warnings. The one under "" is for the tasks that are not named, and for questions that no task reads.
    """
    measured = _measured(folder, sources or {"": "rooms"} if is_shipped(folder) else sources or {})
    if is_shipped(folder):
        return {
            "": f"{_WHO}: it has seen synthetic rooms alone; {_ADVICE}",
            **{task: f"{_WHO}: {result.to_text()}; {_ADVICE}" for task, result in measured.items()},
        }
    who = one_line(folder)
    if not measured:
        how = f"toolkit eval {shlex.quote(who)} RECIPE measures it"
        return {"": f"nothing is known about how good {who} is: it has no held-out results; {how}"}
    unknown = {task: f"how good {who} is at {task} is not known: it was not measured" for task in tasks}
    other = f"how good {who} is at other questions than those of its training is not known"
    return {"": other, **unknown, **{task: _caveat_to_text(who, result) for task, result in measured.items()}}


def _caveat_to_text(who: str, result: _Measured) -> str:
    """What a user should know about one task; "" if it is surely better than a constant answer, on photographs too."""
    if result.own <= result.floor:
        return f"{who} is no better than a constant answer: {result.to_text()}"
    if not result.surely > result.floor:
        return f"it is not sure that {who} is better than a constant answer: {result.to_text()}"
    if not result.real:
        return f"how good {who} is on photographs is not known: {result.to_text()}"
    return ""


def _measured(folder: Path, sources: Mapping[str, str]) -> dict[str, _Measured]:
    """The results of a checkpoint by task: those of its training, and for other tasks those with the most questions."""
    found = {each.task: each for each in _results(folder / _EVALUATIONS / _REPORT, sources)}
    later = [
        each
        for path in sorted((folder / _EVALUATIONS).glob(f"*/{_REPORT}"))
        for each in _results(path, {}, folder.resolve().name)
    ]
    for each in sorted(later, key=lambda result: -result.count):
        found.setdefault(each.task, each)
    return found


def _results(path: Path, sources: Mapping[str, str], predictor: str | None = None) -> Iterator[_Measured]:
    """Yield the results in a report; none if it is missing or damaged, or of another predictor than the named one.

    Args:
        path: The report.
        sources: The kinds of the sources that were asked about, if the report does not say them.
        predictor: The name of the predictor; None stands for any.
    """
    try:
        report = read_object(path, "")
    except (OSError, UserError):
        return
    if predictor is not None and report.get("predictor") != predictor:
        return
    kinds = report.get("sources", sources)
    tasks = report.get("tasks")
    for saved in tasks if isinstance(tasks, list) else []:
        try:
            yield _measured_of(_Result.model_validate(saved), kinds if isinstance(kinds, dict) else {})
        except ValidationError:
            continue  # of a damaged report, nothing is known


def _measured_of(result: _Result, kinds: Mapping[str, str]) -> _Measured:
    """The result of one task, with the kinds of the sources that its questions may be about, by name."""
    key = result.headline
    low = result.intervals.get(key, (None, None))[0]
    asked = {name: kind for name, kind in kinds.items() if name in result.sources} or kinds
    pictures = [_SYNTHETIC.get(str(kind), f"pictures of {one_line(name)}") for name, kind in asked.items()]
    return _Measured(
        task=one_line(result.task),
        count=result.count,
        own=result.metrics.get(key),
        surely=nan if low is None else low,
        floor=result.constant.metrics.get(key),
        right=f"right ({_RIGHT_MEANS[key]})" if key in _RIGHT_MEANS else "right",
        pictures=tuple(dict.fromkeys(pictures)),
        real=not asked or any(str(kind) not in _SYNTHETIC for kind in asked.values()),
    )
