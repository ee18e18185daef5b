"""How answers depend on lengths follows from what a task labels, and not from its name."""

from typing import Any

import numpy as np
import pytest

from tests.support.queries import one_point, two_points, view
from toolkit.qa.metrics import Accuracy
from toolkit.qa.query import Query
from toolkit.qa.tasks.length_power import is_length_between, length_power
from toolkit.qa.tasks.registry import get_task
from toolkit.qa.tasks.task import Task

TWO_VIEWS = Query((view(), view()))


class Own(Task):
    """A task of a user's own."""

    points = 2
    unit = "m"
    metric = Accuracy()

    def __init__(self, label: Any) -> None:
        super().__init__()
        self._label = label

    def label(self, query: Query) -> Any:
        return self._label(*(point.xyz for point in query.points))


def angle(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.arccos(first @ second / np.linalg.norm(first) / np.linalg.norm(second)))


OWN = {
    "height difference": (lambda first, second: float(second[2] - first[2]), 1.0),
    "area": (lambda first, second: float(np.linalg.norm(np.cross(first, second))), 2.0),
    "angle": (angle, 0.0),
    "ratio": (lambda first, second: float(first[2] / second[2]), 0.0),
    "curvature": (lambda first, second: float(1 / np.linalg.norm(first - second)), -1.0),
    "a name": (lambda first, second: "red", 0.0),
    "rest of the way": (lambda first, second: float(first[2]) - 0.5, None),
    "broken": (lambda first, second: second.nothing, None),
    "nothing": (lambda first, second: 0.0, None),
}


@pytest.mark.parametrize(
    ("name", "query", "power"),
    [
        ("metric_depth", one_point(), 1.0),
        ("principal_axis_distance", one_point(), 1.0),
        ("two_point_distance", two_points(), 1.0),
        ("travel_time", one_point(speed=1.5), 1.0),
        ("travel_speed", one_point(time=4.0), 1.0),
        ("camera_pose", TWO_VIEWS, 1.0),
        ("relative_depth", two_points(), 0.0),
    ],
)
def test_the_built_in_tasks(name: str, query: Query, power: float) -> None:
    assert length_power(get_task(name), query) == power


@pytest.mark.parametrize(("label", "power"), OWN.values(), ids=OWN)
def test_tasks_of_ones_own(label: Any, power: float | None) -> None:
    assert length_power(Own(label), two_points()) == power


def test_values_that_nobody_can_multiply_cannot_be_told() -> None:
    class Pair(Own):
        def number(self, value: tuple[float, float]) -> float:
            return value[0]

    assert length_power(Pair(lambda first, second: (first[2], second[2])), two_points()) is None


def test_a_task_without_a_label_cannot_be_told() -> None:
    assert length_power(Task(), one_point()) is None


def test_lengths_between_points_are_told_from_other_lengths() -> None:
    assert is_length_between(get_task("two_point_distance"), two_points())
    assert is_length_between(Own(lambda first, second: float(np.linalg.norm(second - first))), two_points())
    assert not is_length_between(Own(OWN["height difference"][0]), two_points())
    assert not is_length_between(get_task("relative_depth"), two_points())
    assert not is_length_between(Own(OWN["broken"][0]), two_points())
