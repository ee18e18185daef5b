"""Consistency of a model's answers: its answers about depth imply what it should answer to other questions.

The points of a question are placed at the depths that the model itself gives for them. The task's label for these
points is what the model should have answered. So the distance between two points is checked against two back-projected
depths, principal-axis distance against Euclidean distance, speed and time against distance, relative depth against two
depths, and a user's own task against what its ``label`` makes of the depths.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from toolkit.modeling.predictor import Reply
from toolkit.qa.query import Query
from toolkit.qa.sample import Presenter, Sample
from toolkit.qa.tasks.task import Task


@dataclass(frozen=True)
class ConsistencyCheck:
    """An answer compared with the one that the model's own depths imply.

    Attributes:
        by: The name of the task that gave the depths.
        depths: The answer of that task for each point [m], by the point's name; None where it could not be read.
        implied: The answer that the depths imply, in the unit of the checked task; None where they imply no answer.
        agrees: Whether the answer counts as right if ``implied`` is the truth; None where this cannot be told.
        said: ``implied`` in words, as a person reads it.
    """

    by: str
    depths: Mapping[str, float | None]
    implied: Any
    agrees: bool | None
    said: str = ""


def judge_of(task: Task, tasks: Mapping[str, Task]) -> Task | None:
    """The task whose depths check the answers of ``task``; None if there is no such task, or nothing to check."""
    if task.images != 1 or not task.points:
        return None
    judges = [other for other in tasks.values() if other.gives and other.name != task.name]
    return min(judges, key=lambda other: other.gives != "distance", default=None)


def check_consistency(
    samples: Sequence[Sample],
    values: Sequence[Any],
    tasks: Mapping[str, Task],
    presenter: Presenter,
    answer: Callable[[Sequence[Sample]], Sequence[Reply]],
) -> list[ConsistencyCheck | None]:
    """Check answers to Samples against the model's own depths at the same points.

    Args:
        samples: The Samples.
        values: The values that were read from their answers; None where no value could be read.
        tasks: The tasks that the model knows, by name.
        presenter: The Presenter that shows and words the questions about depth.
        answer: A function that answers the questions about depth, with one Reply for each Sample.

    Returns:
        One ConsistencyCheck for each Sample; None where its task cannot be checked.
    """
    judges = [judge_of(tasks[sample.task], tasks) for sample in samples]
    asked = [
        presenter.present(judge, replace(sample.query, points=(point,), given={}))
        for sample, judge in zip(samples, judges, strict=True)
        if judge is not None
        for point in sample.query.points
    ]
    replies = iter(answer(asked) if asked else ())
    checks: list[ConsistencyCheck | None] = []
    for sample, value, judge in zip(samples, values, judges, strict=True):
        if judge is None:
            checks.append(None)
            continue
        depths = [judge.read(next(replies).readable, sample.query) for _ in sample.query.points]
        checks.append(_compare_with_depths(tasks[sample.task], sample.query, value, judge, depths))
    return checks


def _compare_with_depths(
    task: Task, query: Query, value: Any, judge: Task, depths: Sequence[float | None]
) -> ConsistencyCheck:
    """Compare the value of an answer with the one that the depths from the task ``judge`` imply."""
    by_name = {point.name: depth for point, depth in zip(query.points, depths, strict=True)}
    if not all(depth is not None and depth > 0 for depth in depths):
        return ConsistencyCheck(judge.name, by_name, None, None)
    placed = _placed_by(judge, query, [depth for depth in depths if depth is not None])
    implied = task.label(placed)
    if not task.metric.scorable(implied):
        return ConsistencyCheck(judge.name, by_name, None, None)
    clear = value is not None and task.accepts(placed)
    agrees = bool(task.metric.score(implied, value)[task.metric.headline]) if clear else None
    return ConsistencyCheck(judge.name, by_name, implied, agrees, task.write(implied, query))


def _placed_by(judge: Task, query: Query, depths: Sequence[float]) -> Query:
    """A Query whose points lie where the answers of a task place them.

    Args:
        judge: The task, which says whether its answers are Euclidean distances or depth_z.
        query: The Query, about one View.
        depths: The answers of the task, one for each point [m].
    """
    if judge.gives == "depth_z":
        return query.placed(depths)
    camera = query.views[0].camera
    pixels = [point.pixel for point in query.points]
    return query.placed(camera.z_from_distance(pixels, depths).tolist())
