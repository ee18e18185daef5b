"""The predictor that a dense depth model makes: it answers everything that follows from the depths of points.

The pixel of a point is mapped from the View back to the picture as it was taken, through both cameras, and the model's
depth map is read there. The points of the question are placed at these depths, and the task's label for them is the
answer. So distances between points, depth order, speeds and a user's own task are answered without special code here.
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
from toolkit.modeling.depth.scale_alignment import ScaleFactor, fit_least_squares, fit_medians, fit_ratio_of_medians
from toolkit.modeling.depth.value_map import ValueMap
from toolkit.modeling.predictor import Reply
from toolkit.qa.canonical_view import View
from toolkit.qa.query import Query
from toolkit.qa.sample import Sample
from toolkit.qa.tasks.task import Task
from toolkit.utils.arrays import Array

_FEWEST_LABELS = 10
"""Depths are not fitted to fewer labelled points of a picture: the fit would give their depths away."""

_REMEMBERED = 2**29  # bytes of depth maps that are kept for other questions about the same pictures

_ToDepth = Callable[[Array], Array]
"""A function from values of a depth map (N,) to depth_z (N,) [m]."""

_Key = tuple[str, Camera, Camera, int, bytes]
"""What tells pictures apart."""

_FITS: Mapping[tuple[str, str], Callable[[Array, Array], _ToDepth]] = {
    ("metric", "median"): fit_ratio_of_medians,
    ("relative", "scale_shift"): fit_least_squares,
    ("relative", "median"): fit_medians,
}
"""The functions that fit values to labels, by kind and alignment."""

_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, UserError)


@dataclass(frozen=True)
class _PictureDepth:
    """The model's output for one picture.

    Attributes:
        map: The depth map.
        to_depth_z: A function that turns values of the map into depth_z; None where there are too few labels to fit it.
    """

    map: ValueMap
    to_depth_z: _ToDepth | None


class DepthModelPredictor:
    """A dense depth model, which is not asked in words: its depth map is read at the points of the questions."""

    def __init__(self, model: DepthModel, tasks: Mapping[str, Task], batch_size: int = 4) -> None:
        """Make a predictor from a model.

        Args:
            model: The depth model.
            tasks: The tasks that will be asked, by name.
            batch_size: How many pictures pass through the model in one batch.
        """
        self.name = model.spec.title
        self._model = model
        self._tasks = tasks
        self._batch_size = batch_size
        self._seen: OrderedDict[_Key, _PictureDepth] = OrderedDict()
        self._unanswered: Counter[str] = Counter()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the answers so far should know."""
        return tuple(f"{count} questions were not answered: {why}" for why, count in self._unanswered.items())

    def can_answer(self, task: Task) -> bool:
        """Whether depths can answer a task, because it is about points in one picture."""
        return task.images == 1 and task.points > 0

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """One Reply for each Sample, in order; it is empty where depths give no answer.

        Raises:
            UserError: If the model does not take a picture.
        """
        replies = [Reply("")] * len(samples)
        about: dict[_Key, list[int]] = {}
        for index, sample in enumerate(samples):
            task = self._tasks.get(sample.task)
            if task is not None and self.can_answer(task):
                about.setdefault(_picture_key(sample.query.views[0]), []).append(index)
            else:
                self._unanswered[f"depths do not answer {sample.task}"] += 1
        keys = list(about)
        for start in range(0, len(keys), self._batch_size):
            views = {key: samples[about[key][0]].query.views[0] for key in keys[start : start + self._batch_size]}
            for key, seen in self._predict_depth(views).items():
                for index in about[key]:
                    replies[index] = self._reply(samples[index], seen)
        return replies

    def _predict_depth(self, views: Mapping[_Key, View]) -> dict[_Key, _PictureDepth]:
        """The model's output for pictures; what is remembered is not computed again."""
        fresh = {key: view for key, view in views.items() if key not in self._seen}
        maps = self._model.predict([view.frame for view in fresh.values()])
        found = {key: self._seen[key] for key in views if key in self._seen}
        for (key, view), depth_map in zip(fresh.items(), maps, strict=True):
            found[key] = self._seen[key] = _PictureDepth(depth_map, self._fit_to_labels(view, depth_map))
        for key in views:
            self._seen.move_to_end(key)
        while sum(seen.map.values.nbytes for seen in self._seen.values()) > _REMEMBERED:
            self._seen.popitem(last=False)
        return found

    def _fit_to_labels(self, view: View, depth_map: ValueMap) -> _ToDepth | None:
        """How the values of a map become depth_z: by a fit to all labels of the View, or unchanged."""
        fit = _FITS.get((self._model.spec.kind or "", self._model.spec.align or ""))
        if fit is None:
            return ScaleFactor()
        values = self._values(view, depth_map, view.points)
        known = np.isfinite(values)
        return fit(values[known], view.depth_z[known]) if known.sum() >= _FEWEST_LABELS else None

    def _values(self, view: View, depth_map: ValueMap, pixels: Array) -> Array:
        """Values (N,) of the map at pixels (N, 2) of the View, depths as depth_z; NaN outside the picture."""
        rays = view.camera.rays(pixels)
        values = depth_map.read(view.frame.camera.project(rays))
        if self._model.spec.depth_type == "euclidean":
            values = values / np.linalg.norm(rays, axis=-1)
        return values

    def _reply(self, sample: Sample, seen: _PictureDepth) -> Reply:
        if seen.to_depth_z is None:
            why = f"their pictures have fewer than {_FEWEST_LABELS} labelled points, too few to align depths to"
            return self._no_answer(why)
        query = sample.query
        depths = seen.to_depth_z(
            self._values(query.views[0], seen.map, np.array([point.pixel for point in query.points]))
        )
        if not np.all(np.isfinite(depths) & (depths > 0)):
            return self._no_answer("the model gives no positive depth at their points")
        task = self._tasks[sample.task]
        try:
            placed = _without_truth(query).placed(depths.tolist())
            return Reply(task.write(task.label(placed), placed))
        except _FAILURES:  # the label may be the user's code, and may need more than points
            return self._no_answer(f"depths do not answer {sample.task}")

    def _no_answer(self, why: str) -> Reply:
        """An empty Reply; the reason is counted for the notes."""
        self._unanswered[why] += 1
        return Reply("")


def load_depth_predictor(text: str, tasks: Mapping[str, Task], batch_size: int = 4) -> DepthModelPredictor:
    """Load the predictor that ``depth:TEXT`` names.

    Args:
        text: The text after ``depth:``; see ``toolkit.modeling.depth.depth_model_spec``.
        tasks: The tasks that will be asked, by name.
        batch_size: How many pictures pass through the model in one batch.

    Raises:
        UserError: If the text is malformed, or the model cannot be loaded or is not supported.
    """
    return DepthModelPredictor(load_depth_model(DepthSpec.parse(text)), tasks, batch_size)


def _picture_key(view: View) -> _Key:
    """What tells pictures apart. The name alone does not: two sources may give it to different pictures."""
    digest = hashlib.sha256(view.pixels.tobytes()).digest()
    return view.frame.name, view.frame.camera, view.camera, 0 if view.labels is None else len(view.labels), digest


def _without_truth(query: Query) -> Query:
    """The same question without any labels, so that no task can answer from them."""
    views = tuple(replace(view, frame=replace(view.frame, labels=None), labels=None) for view in query.views)
    return replace(query, views=views)
