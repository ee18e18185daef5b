"""Asking a model about lengths that a person has measured in a picture.

Conventions: see ``toolkit.geometry.camera``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.inference.known_length import Interval, MeasuredLength
from toolkit.inference.known_syntax import PointNames
from toolkit.inference.points import LocatedPoint
from toolkit.modeling.confidence.uncertainty import answer_interval
from toolkit.modeling.predictor import Reply
from toolkit.qa.sample import Sample
from toolkit.qa.tasks.length_power import is_length_between
from toolkit.qa.tasks.task import Task
from toolkit.utils.arrays import Array

_Reading = tuple[float | None, Interval | None]
"""What an answer says, and its interval [m]; None where it is not known."""


@dataclass(frozen=True)
class LengthQuestions:
    """How a model is asked about known lengths.

    Attributes:
        tasks: The tasks that the model knows, by name.
        show: A function that makes the Sample of a task's question about points, given by name.
        answer: A function that answers Samples, with one Reply for each.
        camera: The camera of the picture.
    """

    tasks: Mapping[str, Task]
    show: Callable[[Task, Mapping[str, LocatedPoint]], Sample]
    answer: Callable[[Sequence[Sample]], Sequence[Reply]]
    camera: Camera

    def measure(self, known: Mapping[PointNames, float], located: Mapping[str, LocatedPoint]) -> list[MeasuredLength]:
        """Ask the model about known lengths.

        Args:
            known: The known lengths [m] by the names of their points.
            located: The points by name.

        Raises:
            UserError: If the model knows no task that can be asked about them, or the points cannot be shown to it.
        """
        plans = [self._plan({name: located[name] for name in names}) for names in known]
        replies = iter(self.answer([sample for _, samples in plans for sample in samples]))
        measured = []
        for (names, length), (task, samples) in zip(known.items(), plans, strict=True):
            read = [_read(task, sample, next(replies)) for sample in samples]
            pixels = np.array([located[name].pixel for name in names])
            answered, interval = self._length(task, pixels, read) if task.gives else read[0]
            measured.append(MeasuredLength(names, length, answered, interval, task.name))
        return measured

    def _plan(self, points: Mapping[str, LocatedPoint]) -> tuple[Task, list[Sample]]:
        """The task that is asked about one known length, and its Samples.

        For a length between two points, it is a task that answers with such lengths. If there is none, it is one that
        gives depths, and it is asked about both points.
        """
        if len(points) == 2:
            pairs = [task for task in self.tasks.values() if (task.images, task.points, task.unit) == (1, 2, "m")]
            for task in pairs:
                sample = self.show(task, points)
                if is_length_between(task, sample.query):
                    return task, [sample]
        depths = [task for task in self.tasks.values() if task.gives]
        if not depths:
            raise UserError(
                f"this model cannot be asked how far {' and '.join(points)} {'are' if len(points) == 2 else 'is'}",
                cause=f"it was trained on {', '.join(sorted(self.tasks))}",
                remedy="give a known length that it has a task for, or none",
            )
        task = min(depths, key=lambda each: each.gives != "distance")
        return task, [self.show(task, {name: point}) for name, point in points.items()]

    def _length(self, task: Task, pixels: Array, read: Sequence[_Reading]) -> _Reading:
        """The distance of one pixel or the length between two, (N, 2), from answers about their depths.

        The errors of two depths are independent: what each of them changes alone is added in quadrature.
        """
        depths = [depth for depth, _ in read if depth]
        if len(depths) < len(read):
            return None, None
        rays = self.camera.rays(pixels)
        if task.gives == "distance":
            rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
        middle = _span(rays, depths)
        ends = []
        for index, (_, interval) in enumerate(read):
            if interval is None:
                return middle, None
            ends.append(sorted(_span(rays, [*depths[:index], end, *depths[index + 1 :]]) for end in interval))
        if len(ends) == 1:
            return middle, (ends[0][0], ends[0][1])
        below, above = (math.hypot(*(end[side] - middle for end in ends)) for side in (0, 1))
        return middle, (middle - below, middle + above)


def _read(task: Task, sample: Sample, reply: Reply) -> _Reading:
    """Read the answer to a question about a length."""
    value = task.read(reply.readable, sample.query)
    return value, answer_interval(reply, lambda text: task.number_in(text, sample.query))


def _span(rays: Array, depths: Sequence[float]) -> float:
    """How far the point at a depth [m] along the ray (1, 3) is from the camera, or two points are from each other."""
    points = rays * np.array(depths)[:, None]
    return float(np.linalg.norm(points[0] - points[1] if len(points) == 2 else points[0]))
