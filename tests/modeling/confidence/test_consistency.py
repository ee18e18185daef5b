"""Answers of several tasks are held against each other, by hand-computed scenes."""

from collections.abc import Sequence

import numpy as np
import pytest

from tests.support.queries import one_point, two_points
from toolkit.geometry.canonical import Canonicalisation
from toolkit.modeling.confidence.consistency import check_consistency, judge_of
from toolkit.modeling.predictor import Reply
from toolkit.qa.marker import Marker
from toolkit.qa.query import Query
from toolkit.qa.sample import Presenter, Sample
from toolkit.qa.tasks.registry import get_task
from toolkit.qa.tasks.task import Task

PRESENTER = Presenter(Canonicalisation(focal=100), Marker("dot", 2))
ALL = {
    name: get_task(name)
    for name in (
        "metric_depth",
        "principal_axis_distance",
        "two_point_distance",
        "relative_depth",
        "travel_speed",
        "travel_time",
        "camera_pose",
    )
}


class Says:
    """Depths by the colour of the point."""

    name = "says"
    notes = ()

    def __init__(self, **depths: str) -> None:
        self.depths = depths
        self.asked: list[str] = []

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        self.asked += [sample.task for sample in samples]
        return [Reply(self.depths[sample.query.points[0].name]) for sample in samples]


def checked(task: str, query: Query, value: object, tasks: dict[str, Task] = ALL, **depths: str) -> object:
    unlabelled = query.placed([np.nan] * len(query.points))
    sample = PRESENTER.present(ALL[task], unlabelled)
    (found,) = check_consistency([sample], [value], tasks, PRESENTER, Says(**depths).answer)
    return found and (found.implied, found.agrees)


def test_distance_is_checked_against_depth_along_the_axis() -> None:
    # The point at (3, 0, 4) is 5 m away and 4 m along the axis.
    assert checked("metric_depth", one_point(), 5.2, red="4.0 m") == (pytest.approx(5.0), True)
    assert checked("metric_depth", one_point(), 6.5, red="4.0 m") == (pytest.approx(5.0), False)
    assert checked("principal_axis_distance", one_point(), 4.1, red="5.0 m") == (pytest.approx(4.0), True)


def test_two_points_are_checked_against_two_depths() -> None:
    # Red at (0, 0, 2), blue at (3, 0, 6): 6.708 m away; 5 m apart.
    depths = {"red": "2.0 m", "blue": f"{45**0.5:.6f} m"}
    assert checked("two_point_distance", two_points(), 5.5, **depths) == (pytest.approx(5.0, abs=1e-4), True)
    assert checked("two_point_distance", two_points(), 2.0, **depths) == (pytest.approx(5.0, abs=1e-4), False)


def test_order_is_checked_against_two_depths_where_they_differ() -> None:
    assert checked("relative_depth", two_points(), "red", red="2 m", blue="3 m") == ("red", True)
    assert checked("relative_depth", two_points(), "blue", red="2 m", blue="3 m") == ("red", False)
    assert checked("relative_depth", two_points(), "blue", red="2.9 m", blue="3 m") == ("red", None)


def test_speed_and_time_are_checked_against_distance() -> None:
    assert checked("travel_speed", one_point(time=4.0), 2.0, red="8 m") == (pytest.approx(2.0), True)
    assert checked("travel_time", one_point(speed=2.0), 9.0, red="8 m") == (pytest.approx(4.0), False)


def test_what_cannot_be_told() -> None:
    assert checked("two_point_distance", two_points(), 5.0, red="who knows", blue="3 m") == (None, None)
    assert checked("two_point_distance", two_points(), 5.0, red="-2 m", blue="3 m") == (None, None)
    assert checked("two_point_distance", two_points(), None, red="2 m", blue="6.7 m")[1] is None  # type: ignore[index]
    assert checked("metric_depth", one_point(), 5.0, {"metric_depth": ALL["metric_depth"]}, red="4 m") is None
    assert judge_of(ALL["camera_pose"], ALL) is None


def test_a_task_is_not_its_own_judge_and_distance_goes_first() -> None:
    assert judge_of(ALL["two_point_distance"], ALL) is ALL["metric_depth"]
    assert judge_of(ALL["metric_depth"], ALL) is ALL["principal_axis_distance"]
