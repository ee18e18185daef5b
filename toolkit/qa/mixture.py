"""A Mixture: which question is drawn about which picture, in which shares.

``mixture[i]`` depends on (seed, i) alone, through a counter-based generator (Philox; Salmon et al. 2011):
not on workers, ranks, order or what was drawn before.
"""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from toolkit.data.frames.frame import Frame
from toolkit.data.sources.source import Source, Surveyed, examples
from toolkit.errors import UserError
from toolkit.qa.canonical_view import View
from toolkit.qa.query import Point, Query, point_in
from toolkit.qa.sample import NO_HINTS, Hints, Presenter, Sample, Turn
from toolkit.qa.task import Task

MAX_REDRAWS = 50
"""Frames tried for one Sample before the source is held unable to feed the task."""


_POINT_DRAWS = 20
"""Sets of points tried in one View before another Frame is drawn."""


_STREAM = 0x3D
"""Second word of the generator's key: keeps a Mixture's draws apart from other uses of the same seed."""


@dataclass(frozen=True)
class Feed:
    """One source of a Mixture.

    Attributes:
        name: Its name in the recipe.
        source: Its Frames.
        weight: Its share among the sources that can feed a task; shares are normalised.
    """

    name: str
    source: Source
    weight: float = 1.0


@dataclass(frozen=True)
class Phase:
    """A part of a Mixture with shares of its own.

    Attributes:
        end: Index of the first Sample after it.
        tasks: Tasks and their shares; shares are normalised.
        hints: What is taught besides the answers.
        questions: Most questions that a Sample asks about its picture; None for those of the Mixture.
    """

    end: int
    tasks: tuple[tuple[Task, float], ...]
    hints: Hints = NO_HINTS
    questions: int | None = None


@dataclass(frozen=True)
class Mixture:
    """Sources x tasks, with weights.

    Attributes:
        tasks: Tasks and their shares; shares are normalised.
        feeds: Sources and their shares.
        presenter: How questions are shown and worded.
        seed: Draws everything, together with the index.
        length: How many Samples count as one pass; indices beyond it are valid too.
        questions: Most questions that a Sample asks about its picture.
        phases: Parts with shares of their own, one after the other; the last holds for all that follows. Without
            any, ``tasks`` holds throughout.
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
            if not self._fed[task.name]:
                raise UserError(
                    f"no source can feed the task {task.name!r}",
                    cause=_needs(task),
                    remedy="add a source that has this, or set the task's share to 0",
                )

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        """The Sample of an index.

        Raises:
            IndexError: If the index is negative.
            UserError: If no drawn Frame can be asked about.
        """
        rng, task = self._task(index)
        feeds = self._fed[task.name]
        feed = feeds[_draw(rng, np.array([feed.weight for feed in feeds]))]
        return self._sample(task, feed, rng, self.phase(index))

    def pictures(self, index: int) -> int:
        """How many pictures the Sample of an index shows, without drawing it.

        Raises:
            IndexError: If the index is negative.
        """
        return self._task(index)[1].images

    def shares(self) -> dict[tuple[str, str], float]:
        """Share of the Samples that each task and source is expected to have, by its first question."""
        parts = self.parts
        begins = [0, *(part.end for part in parts)]
        shares = dict.fromkeys([task.name for task, _ in self.tasks], 0.0)
        for part, begin in zip(parts, begins, strict=False):
            length = (part.end - begin) / parts[-1].end
            total = sum(share for _, share in part.tasks)
            for task, share in part.tasks:
                shares[task.name] += length * share / total
        return {
            (task.name, feed.name): shares[task.name] * feed.weight / sum(o.weight for o in self._fed[task.name])
            for task, _ in self.tasks
            for feed in self._fed[task.name]
        }

    def phase(self, index: int) -> Phase:
        """The Phase that the Sample of an index belongs to."""
        return next((part for part in self.parts if index < part.end), self.parts[-1])

    def only(self, task: Task) -> "Mixture":
        """The same Mixture, asking one task."""
        return replace(self, tasks=((task, 1.0),), phases=())

    @cached_property
    def parts(self) -> tuple[Phase, ...]:
        """All Phases; one that holds throughout, where none are given."""
        return self.phases or (Phase(max(self.length, 1), self.tasks),)

    @cached_property
    def _fed(self) -> dict[str, list[Feed]]:
        """The sources that can feed each task."""
        return {
            task.name: [feed for feed in self.feeds if feed.weight > 0 and can_feed(feed.source, task)]
            for task, _ in self.tasks
        }

    def _task(self, index: int) -> tuple[np.random.Generator, Task]:
        """The generator of a Sample, and the task that it draws first."""
        if index < 0:
            raise IndexError(index)
        rng = generator(self.seed, index)
        tasks = self.phase(index).tasks
        return rng, tasks[_draw(rng, np.array([share for _, share in tasks]))][0]

    def _sample(self, task: Task, feed: Feed, rng: np.random.Generator, phase: Phase) -> Sample:
        for redraws in range(MAX_REDRAWS):
            views = self._views(task, feed.source, rng)
            query = draw_query(task, views, self.presenter, rng) if views else None
            if query is not None:
                first = self.presenter.turn(task, query, rng)
                sample = self.presenter.gather([first, *self._more_turns(phase, feed, task, query, rng)])
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
        self, phase: Phase, feed: Feed, task: Task, query: Query, rng: np.random.Generator
    ) -> Iterator[Turn]:
        """Further questions about one picture, each about points of its own.

        No point serves twice, and a task without points asks once, so no answer can be worked out from an
        earlier one. With markers there are as many questions as there are colours left.
        """
        choices = [(task, share) for task, share in phase.tasks if task.images == 1 and feed in self._fed[task.name]]
        taken = list(query.points)
        for _ in range((phase.questions or self.questions) - 1):
            choices = [(other, share) for other, share in choices if other.points or other is not task]
            if len(query.views) > 1 or not choices:
                return
            task = choices[_draw(rng, np.array([share for _, share in choices]))][0]
            further = draw_query(task, query.views, self.presenter, rng, taken)
            if further is not None:
                taken += further.points
                yield self.presenter.turn(task, further, rng)

    def _views(self, task: Task, source: Source, rng: np.random.Generator) -> tuple[View, ...]:
        """Views of one drawn Frame, or of it and a partner; () where it has none."""
        first = int(rng.integers(len(source)))
        chosen = [first]
        if task.images == 2:
            partners = source.partners(first)
            if not len(partners):
                return ()
            chosen.append(int(partners[int(rng.integers(len(partners)))]))
        return tuple(self.presenter.view(source.frame(index), rng) for index in chosen)


def generator(seed: int, index: int) -> np.random.Generator:
    """The generator of Sample ``index``: a counter-based stream of its own."""
    return np.random.Generator(np.random.Philox(key=(seed, _STREAM), counter=(0, 0, index, 0)))


def can_feed(source: Source, task: Task) -> bool:
    """Whether a source has what the task needs: Frames with labels or objects, and pairs with poses."""
    if isinstance(source, Surveyed) and not source.alike:
        known = source.overview()
        fits = known.labelled | (task.points == 0)
        if task.needs == "objects":
            fits &= known.objects
        return bool(fits.any()) and (task.images < 2 or known.has_pairs())
    if task.images == 2 and not any(len(source.partners(index)) for index in range(len(source))):
        return False
    return any(_has(frame, task) for frame in examples(source))


def _has(frame: Frame, task: Task) -> bool:
    """Whether a Frame has what the task needs of one."""
    if task.needs == "objects" and frame.objects is None:
        return False
    return task.points == 0 or frame.labels is not None


def draw_query(
    task: Task,
    views: tuple[View, ...],
    presenter: Presenter,
    rng: np.random.Generator,
    taken: Sequence[Point] = (),
) -> Query | None:
    """A Query that the task accepts, with points drawn from the first View's labels.

    Args:
        task: Who asks.
        views: What it is about.
        presenter: Says how far points must keep from the border and from each other, and names them.
        rng: Draws.
        taken: Points of other questions about the same View, to keep away from.

    Returns:
        The Query; None if none is found, or there are no names left.
    """
    view = views[0]
    allowed = np.flatnonzero(view.camera.contains(view.points, presenter.clearance))
    # Without points nothing is drawn for names: ordinary questions are the same whatever the marks are.
    names = presenter.names(rng, task.points, [point.name for point in taken]) if task.points else []
    if len(allowed) < task.points or len(names) < task.points:
        return None
    for _ in range(_POINT_DRAWS if task.points else 1):
        chosen = rng.choice(allowed, task.points, replace=False, shuffle=True) if task.points else ()
        points = tuple(
            point_in(view, name, view.points[k], view.depth_z[k]) for name, k in zip(names, chosen, strict=True)
        )
        query = Query(views, points)
        query = replace(query, given=dict(task.given(query, rng)))
        if _clear(points, taken, presenter) and task.accepts(query) and task.metric.scorable(_label(task, query)):
            return query
    return None


def _label(task: Task, query: Query) -> object:
    """The task's label; faults in a user's code are told as such."""
    try:
        return task.label(query)
    except (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError) as error:
        raise UserError(
            f"the task {task.name!r} cannot label a question",
            cause=f"{type(error).__name__}: {error}",
            remedy=f"mend `label` in {inspect.getfile(type(task))}",
        ) from error


def _clear(points: Sequence[Point], taken: Sequence[Point], presenter: Presenter) -> bool:
    """Whether points keep from each other, and from those of other questions, along one axis at least."""
    within = all(_gap(a, b) >= presenter.separation for i, a in enumerate(points) for b in points[:i])
    return within and all(_gap(a, b) >= presenter.turn_separation for a in points for b in taken)


def _gap(one: Point, other: Point) -> float:
    return float(np.abs(one.pixel - other.pixel).max())


def _draw(rng: np.random.Generator, weights: np.ndarray) -> int:
    """An index with probability proportional to its weight."""
    return int(np.searchsorted(np.cumsum(weights), rng.random() * weights.sum(), side="right"))


def _needs(task: Task) -> str:
    needs = []
    if task.images == 2:
        needs.append("two pictures of one sequence, each with a pose (world_from_camera)")
    if task.points:
        needs.append("labelled points")
    if task.needs == "objects":
        needs.append("pictures that say what they show (a source of kind: shapes)")
    return f"it needs {' and '.join(needs)}, and no source with a share above 0 has them"
