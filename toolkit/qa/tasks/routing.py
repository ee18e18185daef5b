"""Routing: which task a user's question is for, and which points it names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from toolkit.errors import UserError
from toolkit.qa.parsing.spelling import corrected, words_in
from toolkit.qa.parsing.typography import lower_ascii
from toolkit.qa.query import Query
from toolkit.qa.tasks.task import Task
from toolkit.utils.colors import COLORS


def route(
    question: str,
    points: int,
    images: int,
    tasks: Mapping[str, Task],
    known: Mapping[str, type[Task]] = MappingProxyType({}),
) -> Task:
    """Find the one task that a question is for, by its words and by the numbers of points and pictures.

    Typing errors in colour names, and in words that occur in the patterns of any task, are corrected first.

    Args:
        question: The user's words.
        points: The number of points that the user gives.
        images: The number of pictures that the user gives.
        tasks: The tasks that the model was trained on, by name.
        known: The classes of all tasks that exist, by name. They tell the user which task the model was not trained
            on.

    Raises:
        UserError: If no task fits, or several tasks do. It names those that may be meant, with an example of each.
    """
    words = corrected_question(question, [*known.values(), *tasks.values()])
    by_words = [task for task in tasks.values() if task.understands(words)]
    fitting = [task for task in by_words if _fits(task, points, images)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise _ask_back(f"{question!r} may mean several things", fitting)
    untrained = [known[name]() for name in known if name not in tasks]
    for task in untrained:
        if task.understands(words) and _fits(task, points, images):
            raise UserError(
                f"this model was not trained on {task.name}, which {question!r} asks for",
                cause=f"it was trained on {', '.join(sorted(tasks)) or 'nothing'}",
                remedy=f"train one whose recipe has tasks.{task.name}",
            )
    if by_words:
        raise UserError(
            f"{question!r} does not fit {_count(points, 'point')} in {_count(images, 'picture')}",
            cause="; ".join(f"{task.name} needs {needs_to_text(task)}" for task in by_words),
            remedy=_remedy_for_count(by_words, images),
        )
    raise _not_understood(question, words, [*tasks.values()], (points, images))


def corrected_question(question: str, tasks: Iterable[Task | type[Task]]) -> str:
    """A question in lower case, without typing errors in colour names and in the words by which the tasks are asked."""
    words = lower_ascii(question)
    vocabulary = words_in(pattern for task in tasks for pattern in (*task.asks, *task.asks_not))
    return corrected(words, vocabulary | set(COLORS))


def colors_in(question: str) -> list[str]:
    """The colour names in a question, in order and without repetition. Misspelt names are corrected."""
    words = corrected(lower_ascii(question), COLORS)
    found = re.findall(rf"\b({'|'.join(COLORS)})\b", words)
    return list(dict.fromkeys(found))


def needs_to_text(task: Task) -> str:
    """The numbers of points and pictures that a task needs, as text."""
    return f"{_count(task.points, 'point')} in {_count(task.images, 'picture')}"


def _fits(task: Task, points: int, images: int) -> bool:
    return (task.points, task.images) == (points, images)


def _not_understood(question: str, words: str, tasks: Sequence[Task], given: tuple[int, int]) -> UserError:
    """The error for a question that no task understands.

    It names the tasks that take the given numbers of points and pictures; if some of them resemble the question, only
    those.
    """
    fitting = [task for task in tasks if _fits(task, *given)]
    near = [task for task in fitting if task.resembles(words)]
    if fitting:
        return _ask_back(f"no task understands {question!r}", near or fitting)
    needs = "; ".join(f"{task.name} ({needs_to_text(task)})" for task in tasks)
    return UserError(
        f"no task understands {question!r}",
        cause=f"this model was trained on: {needs or 'nothing'}",
        remedy="use other words, or say which task with --task NAME (toolkit tasks lists them)",
    )


def _remedy_for_count(tasks: Sequence[Task], images: int) -> str:
    if all(task.images > images for task in tasks):
        return "give both pictures: toolkit ask a.jpg b.jpg QUESTION"
    return "name each point, as in --point red=320,240"


def _ask_back(problem: str, tasks: Sequence[Task]) -> UserError:
    """An error that asks the user back, with an example of each task that may be meant."""
    width = max(len(task.name) for task in tasks)
    examples = [f"  {task.name:<{width}}  {example_question(task)}" for task in tasks]
    back = "which of these did you mean?" if len(tasks) > 1 else "did you mean this?"
    return UserError(
        "\n".join([f"{problem}; {back}", *examples]),
        remedy=f"ask in such words, or say which with --task NAME: {', '.join(task.name for task in tasks)}",
    )


def example_question(task: Task) -> str:
    """An example of a task's question: the first phrasing of its template, up to a question mark or colon.

    Where that phrasing needs to know the picture, it is the task's summary instead.
    """
    colors = list(COLORS)[: task.points]
    points = [f"the {color} point" for color in colors]
    variables = {"points": points, "names": colors, "unit": task.unit, "point": "".join(points[:1])}
    try:
        given = task.given(Query(()), np.random.default_rng(0))
        asked = task.words.question(task.words.questions[0], {**variables, **given})
    except UserError:  # the phrasing uses what only a picture can tell
        return str(task.to_json()["summary"])
    head = re.match(r"[^?:]+(?=[?:])", asked)
    return f"{head[0]}?" if head else asked


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'s' if number != 1 else ''}"
