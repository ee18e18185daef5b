"""Whether the answers of several tasks agree: what a model says of depth implies what it must say of the rest.

The points of a question are put where the model's own depths put them; the task's own label for that is what the
model should have answered. So two-point distance is checked against two back-projected depths, principal-axis
distance against Euclidean distance, speed and time against distance, relative depth against two depths, and a
user's own task against whatever its ``label`` makes of depths.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from toolkit.modeling.predictor import Reply
from toolkit.qa.query import Query
from toolkit.qa.sample import Presenter, Sample
from toolkit.qa.task import Task


@dataclass(frozen=True)
class Check:
    """An answer beside the one that depths imply.

    Attributes:
        by: The task that gave the depths.
        depths: What it gave for each point [m], by the point's name; None where its answer could not be read.
        implied: What the depths imply, in the unit of the task checked; None where they imply nothing.
        agrees: Whether the answer counts as right if ``implied`` is the truth; None where it cannot be told.
        said: ``implied`` as a person reads it.
    """

    by: str
    depths: Mapping[str, float | None]
    implied: Any
    agrees: bool | None
    said: str = ""


def judge_of(task: Task, tasks: Mapping[str, Task]) -> Task | None:
    """The task whose depths check the answers of ``task``; None where there is none, or nothing to check."""
    if task.images != 1 or not task.points:
        return None
    judges = [other for other in tasks.values() if other.gives and other.name != task.name]
    return min(judges, key=lambda other: other.gives != "distance", default=None)


def check(
    samples: Sequence[Sample],
    values: Sequence[Any],
    tasks: Mapping[str, Task],
    presenter: Presenter,
    answer: Callable[[Sequence[Sample]], Sequence[Reply]],
) -> list[Check | None]:
    """Check answers to Samples against depths at the same points.

    Args:
        samples: The Samples.
        values: What was read from their answers, None where nothing was.
        tasks: The tasks that the model knows, by name.
        presenter: How its questions are shown.
        answer: Answers the questions about depth, one Reply a Sample.

    Returns:
        One Check a Sample, None where its task cannot be checked.
    """
    judges = [judge_of(tasks[sample.task], tasks) for sample in samples]
    asked = [
        presenter.present(judge, replace(sample.query, points=(point,), given={}), labelled=False)
        for sample, judge in zip(samples, judges, strict=True)
        if judge is not None
        for point in sample.query.points
    ]
    replies = iter(answer(asked) if asked else ())
    checks: list[Check | None] = []
    for sample, value, judge in zip(samples, values, judges, strict=True):
        if judge is None:
            checks.append(None)
            continue
        depths = [judge.read(next(replies).text, sample.query) for _ in sample.query.points]
        checks.append(_compare(tasks[sample.task], sample.query, value, judge, depths))
    return checks


def _compare(task: Task, query: Query, value: Any, judge: Task, depths: Sequence[float | None]) -> Check:
    said = {point.name: depth for point, depth in zip(query.points, depths, strict=True)}
    if not all(depth is not None and depth > 0 for depth in depths):
        return Check(judge.name, said, None, None)
    placed = placed_by(judge, query, [depth for depth in depths if depth is not None])
    implied = task.label(placed)
    if not task.metric.scorable(implied):
        return Check(judge.name, said, None, None)
    clear = value is not None and task.accepts(placed)
    agrees = bool(task.metric.score(implied, value)[task.metric.headline]) if clear else None
    return Check(judge.name, said, implied, agrees, task.write(implied, query))


def placed_by(judge: Task, query: Query, depths: Sequence[float]) -> Query:
    """A Query with its points where the answers of a task put them.

    Args:
        judge: The task; it says whether its answers are Euclidean distances or depth_z.
        query: The Query, of one View.
        depths: Its answers, one a point [m].
    """
    if judge.gives == "depth_z":
        return query.placed(depths)
    camera = query.views[0].camera
    pixels = [point.pixel for point in query.points]
    return query.placed(camera.z_from_distance(pixels, depths).tolist())
