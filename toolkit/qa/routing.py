"""Which task a user's question is for, and which points it names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from toolkit.errors import UserError
from toolkit.qa.parsing.numbers import GLYPHS
from toolkit.qa.parsing.spelling import corrected, words_in
from toolkit.qa.query import Query
from toolkit.qa.task import Task
from toolkit.utils.colors import COLORS


def route(
    question: str, points: int, images: int, tasks: Mapping[str, Task], known: Mapping[str, Task] = MappingProxyType({})
) -> Task:
    """The one task that a question is for, by its words and the numbers of points and pictures.

    Typing errors in words that any task's patterns spell out, or that name colours, are mended first.

    Args:
        question: The user's words.
        points: How many points are meant.
        images: How many pictures are given.
        tasks: What the model was trained on.
        known: All tasks there are, to name the one that the model should have been trained on.

    Raises:
        UserError: If no task fits, or several do; it names those that may be meant, with an example of each.
    """
    words = mended(question, {**known, **tasks}.values())
    by_words = [task for task in tasks.values() if task.understands(words)]
    fitting = [task for task in by_words if _fits(task, points, images)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise _which(f"{question!r} may mean several things", fitting)
    untrained = [task for name, task in known.items() if name not in tasks and task.understands(words)]
    for task in untrained:
        if _fits(task, points, images):
            raise UserError(
                f"this model was not trained on {task.name}, which {question!r} asks for",
                cause=f"it was trained on {', '.join(sorted(tasks)) or 'nothing'}",
                remedy=f"train one whose recipe has tasks.{task.name}",
            )
    if by_words:
        raise UserError(
            f"{question!r} does not fit {_count(points, 'point')} in {_count(images, 'picture')}",
            cause="; ".join(f"{task.name} needs {describe_needs(task)}" for task in by_words),
            remedy=_remedy(by_words, images),
        )
    raise _not_understood(question, words, [*tasks.values()], (points, images))


def mended(question: str, tasks: Iterable[Task]) -> str:
    """A question in lower case, with its typing errors mended in words that matter to any of some tasks."""
    vocabulary = words_in(pattern for task in tasks for pattern in (*task.asks, *task.asks_not))
    return corrected(" ".join(question.translate(GLYPHS).lower().split()), vocabulary | set(COLORS))


def colors_in(question: str) -> list[str]:
    """The colour names in a question, in order, each once; misspelt ones are mended."""
    words = corrected(question.translate(GLYPHS).lower(), COLORS)
    found = re.findall(rf"\b({'|'.join(COLORS)})\b", words)
    return list(dict.fromkeys(found))


def describe_needs(task: Task) -> str:
    """What a task needs, in words."""
    return f"{_count(task.points, 'point')} in {_count(task.images, 'picture')}"


def _fits(task: Task, points: int, images: int) -> bool:
    return (task.points, task.images) == (points, images)


def _not_understood(question: str, words: str, tasks: Sequence[Task], given: tuple[int, int]) -> UserError:
    """What to say where no task understands: the tasks that come nearest, of those that take what is given."""
    fitting = [task for task in tasks if _fits(task, *given)]
    near = [task for task in fitting if task.resembles(words)]
    if fitting:
        return _which(f"no task understands {question!r}", near or fitting)
    needs = "; ".join(f"{task.name} ({describe_needs(task)})" for task in tasks)
    return UserError(
        f"no task understands {question!r}",
        cause=f"this model was trained on: {needs or 'nothing'}",
        remedy="use other words, or say which task with --task NAME (toolkit tasks lists them)",
    )


def _remedy(tasks: Sequence[Task], images: int) -> str:
    if all(task.images > images for task in tasks):
        return "give both pictures: toolkit ask a.jpg b.jpg QUESTION"
    return "name each point, as in --point red=320,240"


def _which(problem: str, tasks: Sequence[Task]) -> UserError:
    """A question back to the user, with an example of each task that may be meant."""
    width = max(len(task.name) for task in tasks)
    shown = [f"  {task.name:<{width}}  {example(task)}" for task in tasks]
    back = "which of these did you mean?" if len(tasks) > 1 else "did you mean this?"
    return UserError(
        "\n".join([f"{problem}; {back}", *shown]),
        remedy=f"ask in such words, or say which with --task NAME: {', '.join(task.name for task in tasks)}",
    )


def example(task: Task) -> str:
    """A question of a task: its template's first phrasing, up to a question mark or colon; else what the task is."""
    colors = list(COLORS)[: task.points]
    points = [f"the {color} point" for color in colors]
    variables = {"points": points, "names": colors, "unit": task.unit, "point": "".join(points[:1])}
    try:
        given = task.given(Query(()), np.random.default_rng(0))
        asked = task.words.question(task.words.questions[0], {**variables, **given})
    except UserError:  # the phrasing uses what only a picture can tell
        return str(task.describe()["summary"])
    head = re.match(r"[^?:]+(?=[?:])", asked)
    return f"{head[0]}?" if head else asked


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'s' if number != 1 else ''}"
