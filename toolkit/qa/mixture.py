"""A Mixture: which question is drawn about which picture, in which shares.

``mixture[i]`` depends only on the seed and on i, through the counter-based generator Philox (Salmon et al. 2011). It
does not depend on workers, ranks, the order of access, or what was drawn before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from toolkit.data.frames.frame import Frame
from toolkit.data.sources.source import Source, SourceWithOverview, examples
from toolkit.errors import UserError
from toolkit.qa.canonical_view import View
from toolkit.qa.query import Point, Query, point_in
from toolkit.qa.sample import NO_HINTS, Hints, Presenter, Sample, Turn
from toolkit.qa.tasks.task import Task, label_of
from toolkit.qa.view_labels import NO_LABELS

MAX_REDRAWS = 50
"""How many Frames are tried for one Sample before it is an error that none can be asked about."""

_POINT_DRAWS = 20
"""How many sets of points are tried in one View before another Frame is drawn."""

_STREAM = 0x3D
"""The second word of the generator's key. It keeps the draws of a Mixture apart from other uses of the same seed."""


@dataclass(frozen=True)
class Feed:
    """One source of a Mixture.

    Attributes:
        name: The name of the source in the recipe.
        source: The source, which gives the Frames.
        weight: The weight among all sources that have what a task needs. Weights are normalised.
    """

    name: str
    source: Source
    weight: float = 1.0


@dataclass(frozen=True)
class Phase:
    """A part of a Mixture with its own shares.

    Attributes:
        end: The index of the first Sample after this part.
        tasks: The tasks with their shares, which are normalised.
        hints: What training teaches besides the answers.
        questions: The highest number of questions in one Sample; None for the number of the Mixture.
    """

    end: int
    tasks: tuple[tuple[Task, float], ...]
    hints: Hints = NO_HINTS
    questions: int | None = None


@dataclass(frozen=True)
class Mixture:
    """Samples of several tasks about pictures of several sources, in given shares.

    Attributes:
        tasks: The tasks with their shares, which are normalised.
        feeds: The sources with their weights.
        presenter: How questions are shown and worded.
        seed: The seed. Together with the index of a Sample, it determines all draws.
        length: How many Samples count as one pass. Larger indices are valid, too.
        questions: The highest number of questions in one Sample.
        phases: The parts with their own shares, one after the other. The last one also holds for all Samples after its
            end. If there are no phases, ``tasks`` holds for all Samples.
    """

    tasks: tuple[tuple[Task, float], ...]
    feeds: tuple[Feed, ...]
    presenter: Presenter
    seed: int
    length: int
    questions: int = 1
    phases: tuple[Phase, ...] = ()

    def __post_init__(self) -> None:
        for task, _ in self.tasks:
            if not self._feeds_by_task[task.name]:
                raise UserError(
                    f"no source can feed the task {task.name!r}",
                    cause=_needs_to_text(task),
                    remedy="add a source that has this, or set the task's share to 0",
                )

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        """Draw the Sample of an index.

        Raises:
            IndexError: If the index is negative.
            UserError: If none of the drawn Frames can be asked about.
        """
        rng, task = self._draw_task(index)
        feeds = self._feeds_by_task[task.name]
        feed = feeds[_draw_index(rng, np.array([feed.weight for feed in feeds]))]
        return self._draw_sample(task, feed, rng, self.phase(index))

    def pictures(self, index: int) -> int:
        """How many pictures the Sample of an index shows, without drawing it.

        Raises:
            IndexError: If the index is negative.
        """
        return self._draw_task(index)[1].images

    def shares(self) -> dict[tuple[str, str], float]:
        """The expected share of the Samples whose first question has a task and source, by the names of both."""
        parts = self.parts
        begins = [0, *(part.end for part in parts)]
        shares = dict.fromkeys([task.name for task, _ in self.tasks], 0.0)
        for part, begin in zip(parts, begins, strict=False):
            length = (part.end - begin) / parts[-1].end
            total = sum(share for _, share in part.tasks)
            for task, share in part.tasks:
                shares[task.name] += length * share / total
        return {
            (task.name, feed.name): shares[task.name]
            * feed.weight
            / sum(o.weight for o in self._feeds_by_task[task.name])
            for task, _ in self.tasks
            for feed in self._feeds_by_task[task.name]
        }

    def phase(self, index: int) -> Phase:
        """The Phase that the Sample of an index belongs to."""
        return next((part for part in self.parts if index < part.end), self.parts[-1])

    def only(self, task: Task) -> "Mixture":
        """The same Mixture with one task only."""
        return replace(self, tasks=((task, 1.0),), phases=())

    @cached_property
    def parts(self) -> tuple[Phase, ...]:
        """All Phases. If none are given, there is one for all Samples."""
        return self.phases or (Phase(max(self.length, 1), self.tasks),)

    @cached_property
    def _feeds_by_task(self) -> dict[str, list[Feed]]:
        """The sources that have what a task needs, by the name of the task."""
        return {
            task.name: [feed for feed in self.feeds if feed.weight > 0 and can_feed(feed.source, task)]
            for task, _ in self.tasks
        }

    def _draw_task(self, index: int) -> tuple[np.random.Generator, Task]:
        """The generator of a Sample, and the task of its first question."""
        if index < 0:
            raise IndexError(index)
        rng = sample_generator(self.seed, index)
        tasks = self.phase(index).tasks
        return rng, tasks[_draw_index(rng, np.array([share for _, share in tasks]))][0]

    def _draw_sample(self, task: Task, feed: Feed, rng: np.random.Generator, phase: Phase) -> Sample:
        """Draw Frames of a source until one can be asked about, and make the Sample."""
        for redraws in range(MAX_REDRAWS):
            views = self._draw_views(task, feed.source, rng)
            drawn = draw_query(task, views, self.presenter, rng) if views else None
            if drawn is not None:
                first = self.presenter.turn(task, *drawn, rng)
                count = (phase.questions or self.questions) - 1
                more = self._more_turns(count, phase, feed, first, rng) if count else ()
                sample = self.presenter.gather([first, *more])
                hints = replace(phase.hints, seed=int(rng.integers(2**32))) if phase.hints.patches else phase.hints
                return replace(sample, source=feed.name, redraws=redraws, hints=hints)
        raise UserError(
            f"the source {feed.name!r} gave no picture to ask {task.name!r} about in {MAX_REDRAWS} draws",
            cause="its pictures hold too few labelled points away from the border, or show too few objects whole, "
            "its pairs do not overlap, or the task's `label` gives what its metric cannot score "
            "(no number, or none above zero)",
            remedy="look at it with `toolkit data preview`, lower canonical.focal, which is "
            f"{self.presenter.canonicalisation.focal:g} px, so that more of a picture is shown, or leave this source "
            "or task out",
        )

    def _more_turns(
        self, count: int, phase: Phase, feed: Feed, first: Turn, rng: np.random.Generator
    ) -> Iterator[Turn]:
        """Yield up to ``count`` further questions about the picture of a first one, each about other points.

        No point is used twice, and a task without points does not follow itself, so that no answer can be worked out
        from an earlier one. With markers, there are at most as many questions as the remaining colours allow.
        """
        choices = [
            (task, share) for task, share in phase.tasks if task.images == 1 and feed in self._feeds_by_task[task.name]
        ]
        last = first.task
        taken = list(first.query.points)
        for _ in range(count):
            choices = [(other, share) for other, share in choices if other.points or other.name != last]
            if len(first.query.views) > 1 or not choices:
                return
            task = choices[_draw_index(rng, np.array([share for _, share in choices]))][0]
            last = task.name
            further = draw_query(task, first.query.views, self.presenter, rng, taken)
            if further is not None:
                taken += further[0].points
                yield self.presenter.turn(task, *further, rng)

    def _draw_views(self, task: Task, source: Source, rng: np.random.Generator) -> tuple[View, ...]:
        """Draw the View of a Frame, or the Views of it and a partner; () if it has no partner."""
        first = int(rng.integers(len(source)))
        chosen = [first]
        if task.images == 2:
            partners = source.partners(first)
            if not len(partners):
                return ()
            chosen.append(int(partners[int(rng.integers(len(partners)))]))
        return tuple(self.presenter.view(source.frame(index), rng) for index in chosen)


def sample_generator(seed: int, index: int) -> np.random.Generator:
    """The random generator of the Sample with this index: a counter-based stream of its own."""
    return np.random.Generator(np.random.Philox(key=(seed, _STREAM), counter=(0, 0, index, 0)))


def can_feed(source: Source, task: Task) -> bool:
    """Whether a source has what a task needs: Frames with labels or objects, and pairs with poses."""
    if isinstance(source, SourceWithOverview) and not source.alike:
        known = source.overview()
        fits = known.labelled | (task.points == 0)
        if task.needs == "objects":
            fits &= known.objects
        return bool(fits.any()) and (task.images < 2 or known.has_pairs())
    if task.images == 2 and not any(len(source.partners(index)) for index in range(len(source))):
        return False
    return any(_frame_fits(frame, task) for frame in examples(source))


def _frame_fits(frame: Frame, task: Task) -> bool:
    """Whether a Frame has the labels or objects that a task needs."""
    if task.needs == "objects" and frame.objects is None:
        return False
    return task.points == 0 or frame.labels is not None


def draw_query(
    task: Task,
    views: tuple[View, ...],
    presenter: Presenter,
    rng: np.random.Generator,
    taken: Sequence[Point] = (),
) -> tuple[Query, Any] | None:
    """Draw points from the labels of the first View until the task accepts the Query about them.

    Args:
        task: The task whose question is asked.
        views: The Views that the question is about.
        presenter: It says how far points must be from the border and from each other, and it names them.
        rng: The generator of all draws.
        taken: The points of other questions about the same View, from which the new points must keep away.

    Returns:
        The Query and the task's label of it; None if none is found, or if no names are left.
    """
    view = views[0]
    # Without points, no random numbers are drawn for names: ordinary questions do not depend on the marker.
    names = presenter.names(rng, task.points, [point.name for point in taken]) if task.points else []
    allowed = (NO_LABELS if view.labels is None else view.labels).inside(presenter.clearance)
    if len(allowed) < task.points or len(names) < task.points:
        return None
    for _ in range(_POINT_DRAWS if task.points else 1):
        points: tuple[Point, ...] = ()
        if task.points:
            drawn = zip(names, *allowed.draw(rng, task.points), strict=True)
            points = tuple(point_in(view, name, pixel, float(depth_z)) for name, pixel, depth_z in drawn)
        clear = len(points) + len(taken) < 2 or _are_clear(points, taken, presenter)
        query = Query(views, points)
        query = replace(query, given=dict(task.given(query, rng)))
        if clear and task.accepts(query):
            truth = label_of(task, query)
            if task.metric.scorable(truth):
                return query, truth
    return None


def _are_clear(points: Sequence[Point], taken: Sequence[Point], presenter: Presenter) -> bool:
    """Whether points are far enough, along at least one axis, from each other and from those of other questions."""
    within = all(_gap(a, b) >= presenter.separation for i, a in enumerate(points) for b in points[:i])
    return within and all(_gap(a, b) >= presenter.turn_separation for a in points for b in taken)


def _gap(one: Point, other: Point) -> float:
    """The distance [px] between two points along u or along v, whichever is larger."""
    return float(np.abs(one.pixel - other.pixel).max())


def _draw_index(rng: np.random.Generator, weights: np.ndarray) -> int:
    """Draw an index with a probability proportional to its weight."""
    return int(np.searchsorted(np.cumsum(weights), rng.random() * weights.sum(), side="right"))


def _needs_to_text(task: Task) -> str:
    """What no source has for a task, as the cause of an error."""
    needs = []
    if task.images == 2:
        needs.append("two pictures of one sequence, each with a pose (world_from_camera)")
    if task.points:
        needs.append("labelled points")
    if task.needs == "objects":
        needs.append("pictures that say what they show (a source of kind: shapes)")
    return f"it needs {' and '.join(needs)}, and no source with a share above 0 has them"
