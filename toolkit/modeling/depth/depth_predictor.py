"""The predictor from a dense depth model: whatever follows from the depths of points, at the very points asked.

A point's pixel is taken back from the View to the picture as it was taken, through both cameras, and the model's depth
is read there. The points of the question are put at these depths, and the task's own label is the answer: so distances
between points, depth order, speeds, and a user's own task are answered without a word about them here.
"""

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.modeling.depth.depth_model import DepthModel, load_depth_model
from toolkit.modeling.depth.depth_model_spec import DepthSpec
from toolkit.modeling.depth.scale_alignment import Factor, least_squares, medians, ratio_of_medians
from toolkit.modeling.depth.value_map import ValueMap
from toolkit.modeling.predictor import Reply
from toolkit.qa.canonical_view import View
from toolkit.qa.query import Query
from toolkit.qa.sample import Sample
from toolkit.qa.task import Task
from toolkit.utils.arrays import Array

FEWEST_LABELS = 10
"""Nothing is fitted to fewer labelled points of a picture: the fit would give their depths away."""


_Fit = Callable[[Array], Array]


_Key = tuple[str, Camera, Camera, int, bytes]


_REMEMBERED = 2**29  # bytes of depth maps that are kept, for other questions about the same pictures


_FITS: Mapping[tuple[str, str], Callable[[Array, Array], _Fit]] = {
    ("metric", "median"): ratio_of_medians,
    ("relative", "scale_shift"): least_squares,
    ("relative", "median"): medians,
}


_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, UserError)


@dataclass(frozen=True)
class _Seen:
    """What the model says of one picture.

    Attributes:
        map: Its depth map.
        fit: depth_z from the map's values; None where there are too few labels to fit it.
    """

    map: ValueMap
    fit: _Fit | None


class DepthModelPredictor:
    """A dense depth model, which is not asked in words but read at the points of the questions."""

    def __init__(self, model: DepthModel, tasks: Mapping[str, Task], batch_size: int = 4) -> None:
        """Use a model.

        Args:
            model: It.
            tasks: Whose questions will be asked, by name.
            batch_size: Pictures that pass the model together.
        """
        self.name = model.spec.title
        self._model = model
        self._tasks = tasks
        self._batch_size = batch_size
        self._seen: OrderedDict[_Key, _Seen] = OrderedDict()
        self._unanswered: Counter[str] = Counter()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the answers so far."""
        return tuple(f"{count} questions were not answered: {why}" for why, count in self._unanswered.items())

    def answers(self, task: Task) -> bool:
        """Whether depths answer a task: it is about points of one picture."""
        return task.images == 1 and task.points > 0

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """One Reply a Sample, in order; an empty one where depths give no answer.

        Raises:
            UserError: If the model does not take a picture.
        """
        replies = [Reply("")] * len(samples)
        about: dict[_Key, list[int]] = {}
        for index, sample in enumerate(samples):
            task = self._tasks.get(sample.task)
            if task is not None and self.answers(task):
                about.setdefault(_key(sample.query.views[0]), []).append(index)
            else:
                self._unanswered[f"depths do not answer {sample.task}"] += 1
        keys = list(about)
        for start in range(0, len(keys), self._batch_size):
            some = {key: samples[about[key][0]].query.views[0] for key in keys[start : start + self._batch_size]}
            for key, seen in self._look(some).items():
                for index in about[key]:
                    replies[index] = self._reply(samples[index], seen)
        return replies

    def _look(self, views: Mapping[_Key, View]) -> dict[_Key, _Seen]:
        """What the model says of pictures, from memory where possible."""
        fresh = {key: view for key, view in views.items() if key not in self._seen}
        maps = self._model.predict([view.frame for view in fresh.values()])
        found = {key: self._seen[key] for key in views if key in self._seen}
        for (key, view), made in zip(fresh.items(), maps, strict=True):
            found[key] = self._seen[key] = _Seen(made, self._fit(view, made))
        for key in views:
            self._seen.move_to_end(key)
        while sum(seen.map.values.nbytes for seen in self._seen.values()) > _REMEMBERED:
            self._seen.popitem(last=False)
        return found

    def _fit(self, view: View, made: ValueMap) -> _Fit | None:
        """How a picture's values become depth_z: fitted to all labels of the View, or as they are."""
        fit = _FITS.get((self._model.spec.kind or "", self._model.spec.align or ""))
        if fit is None:
            return Factor()
        values = self._values(view, made, view.points)
        known = np.isfinite(values)
        return fit(values[known], view.depth_z[known]) if known.sum() >= FEWEST_LABELS else None

    def _values(self, view: View, made: ValueMap, pixels: Array) -> Array:
        """What the map says (N,) at pixels (N, 2) of the View, depths as depth_z; NaN outside the picture."""
        rays = view.camera.rays(pixels)
        values = made.read(view.frame.camera.project(rays))
        if self._model.spec.depth_type == "euclidean":
            values = values / np.linalg.norm(rays, axis=-1)
        return values

    def _reply(self, sample: Sample, seen: _Seen) -> Reply:
        if seen.fit is None:
            why = f"their pictures have fewer than {FEWEST_LABELS} labelled points, too few to align depths to"
            return self._without(why)
        query = sample.query
        depths = seen.fit(self._values(query.views[0], seen.map, np.array([point.pixel for point in query.points])))
        if not np.all(np.isfinite(depths) & (depths > 0)):
            return self._without("the model gives no positive depth at their points")
        task = self._tasks[sample.task]
        try:
            placed = _without_truth(query).placed(depths.tolist())
            return Reply(task.write(task.label(placed), placed))
        except _FAILURES:  # the label is the user's code, and may need more than points
            return self._without(f"depths do not answer {sample.task}")

    def _without(self, why: str) -> Reply:
        self._unanswered[why] += 1
        return Reply("")


def load_depth_predictor(text: str, tasks: Mapping[str, Task], batch_size: int = 4) -> DepthModelPredictor:
    """The predictor that ``depth:TEXT`` names; see ``toolkit.modeling.depth.depth_model_spec``.

    Raises:
        UserError: If the text is malformed, or the model cannot be loaded or measured.
    """
    return DepthModelPredictor(load_depth_model(DepthSpec.parse(text)), tasks, batch_size)


def _key(view: View) -> _Key:
    """What tells pictures apart; not the name alone, which two sources may give to different ones."""
    digest = hashlib.sha256(view.pixels.tobytes()).digest()
    return view.frame.name, view.frame.camera, view.camera, len(view.points), digest


def _without_truth(query: Query) -> Query:
    """The same question without any label, so that no task can answer from those."""
    nothing = np.empty(0)
    views = tuple(
        replace(view, frame=replace(view.frame, labels=None), points=nothing.reshape(0, 2), depth_z=nothing)
        for view in query.views
    )
    return replace(query, views=views)
