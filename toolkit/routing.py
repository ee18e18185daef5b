"""Which task a user's question is for, and which points it names."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from toolkit.abstract_task import Task
from toolkit.errors import UserError
from toolkit.marker import COLORS


def route(
    question: str, points: int, images: int, tasks: Mapping[str, Task], known: Mapping[str, Task] = MappingProxyType({})
) -> Task:
    """The one task that a question is for, by its words and the numbers of points and pictures.

    Args:
        question: The user's words.
        points: How many points are meant.
        images: How many pictures are given.
        tasks: What the model was trained on.
        known: All tasks there are, to name the one that the model should have been trained on.

    Raises:
        UserError: If no task fits, or several do.
    """
    by_words = [task for task in tasks.values() if task.understands(question)]
    fitting = [task for task in by_words if task.points == points and task.images == images]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UserError(
            f"{question!r} may mean several things",
            cause=", ".join(task.name for task in fitting),
            remedy="say which with --task NAME",
        )
    others = [task for task in known.values() if task.name not in tasks and task.understands(question)]
    untrained = [task for task in others if (task.points, task.images) == (points, images)]
    if untrained:
        raise UserError(
            f"this model was not trained on {untrained[0].name}, which {question!r} asks for",
            cause=f"it was trained on {', '.join(sorted(tasks)) or 'nothing'}",
            remedy=f"train one whose recipe has tasks.{untrained[0].name}",
        )
    if by_words:
        needs = "; ".join(f"{task.name} needs {describe_needs(task)}" for task in by_words)
        raise UserError(
            f"{question!r} does not fit {_count(points, 'point')} in {_count(images, 'picture')}",
            cause=needs,
            remedy="name each point, as in --point red=320,240",
        )
    raise UserError(
        f"no task understands {question!r}",
        cause=f"this model was trained on: {', '.join(sorted(tasks)) or 'nothing'}",
        remedy="use other words, or say which task with --task NAME (toolkit tasks lists them)",
    )


def describe_needs(task: Task) -> str:
    """What a task needs, in words."""
    return f"{_count(task.points, 'point')} in {_count(task.images, 'picture')}"


def colors_in(question: str) -> list[str]:
    """The colour names in a question, in order, each once."""
    found = re.findall(rf"\b({'|'.join(COLORS)})\b", question.lower())
    return list(dict.fromkeys(found))


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'s' if number != 1 else ''}"


def parse_points(given: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Points by name from ``red=320,240`` words, in pixels of the upright picture.

    Raises:
        UserError: If a word is malformed or a name comes twice.
    """
    points: dict[str, tuple[float, float]] = {}
    for word in given:
        match = re.fullmatch(r"(\w+)=(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)", word.replace(" ", ""))
        if match is None:
            raise UserError(f"--point {word}: this is not NAME=U,V", remedy="write it like --point red=320,240")
        name = match.group(1)
        if name in points:
            raise UserError(f"--point {name} is given twice", remedy="give each point a colour of its own")
        points[name] = (float(match.group(2)), float(match.group(3)))
    return points


def parse_intrinsics(given: str) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy [px] from ``FX,FY,CX,CY``.

    Raises:
        UserError: If these are not four numbers.
    """
    try:
        fx, fy, cx, cy = (float(number) for number in given.split(","))
    except ValueError:
        raise UserError(
            f"--intrinsics {given}: these are not four numbers",
            remedy="write --intrinsics FX,FY,CX,CY in pixels",
        ) from None
    return fx, fy, cx, cy
