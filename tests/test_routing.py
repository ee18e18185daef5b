"""Users' words find their task; points and cameras are read from the command line."""

import pytest

from toolkit.errors import UserError
from toolkit.registry import get_task
from toolkit.routing import colors_in, parse_intrinsics, parse_points, route

TASKS = {
    name: get_task(name)
    for name in (
        "metric_depth",
        "principal_axis_distance",
        "two_point_distance",
        "relative_depth",
        "camera_pose",
        "travel_speed",
        "travel_time",
    )
}


@pytest.mark.parametrize(
    ("question", "points", "images", "task"),
    [
        ("how far is the red point", 1, 1, "metric_depth"),
        ("How far away is the red point?", 1, 1, "metric_depth"),
        ("what's the distance to the red dot", 1, 1, "metric_depth"),
        ("depth of the red point", 1, 1, "metric_depth"),
        ("how close is the blue arrow to me", 1, 1, "metric_depth"),
        ("what is the z-depth of the red point", 1, 1, "principal_axis_distance"),
        ("how far is red along the principal axis", 1, 1, "principal_axis_distance"),
        ("distance along the optical axis of the red point", 1, 1, "principal_axis_distance"),
        ("how far apart are red and blue", 2, 1, "two_point_distance"),
        ("distance between the red and the blue point", 2, 1, "two_point_distance"),
        ("how far is it from the red point to the blue point", 2, 1, "two_point_distance"),
        ("which is closer, red or blue?", 2, 1, "relative_depth"),
        ("is the red point nearer than the blue one", 2, 1, "relative_depth"),
        ("which point is nearest", 2, 1, "relative_depth"),
        ("how far has the camera moved between these images", 0, 2, "camera_pose"),
        ("how did the camera move", 0, 2, "camera_pose"),
        ("what is the relative pose", 0, 2, "camera_pose"),
        ("how fast must I go to reach the red point in 3 s", 1, 1, "travel_speed"),
        ("what speed do I need to get to red in 5 seconds", 1, 1, "travel_speed"),
        ("how long does it take to reach the red point at 2 m/s", 1, 1, "travel_time"),
        ("how many seconds to the red point at 5 km/h", 1, 1, "travel_time"),
    ],
)
def test_routes(question: str, points: int, images: int, task: str) -> None:
    assert route(question, points, images, TASKS).name == task


def test_no_task_lists_what_there_is() -> None:
    with pytest.raises(UserError, match="no task understands") as caught:
        route("what colour is the cat", 1, 1, TASKS)
    assert "metric_depth" in caught.value.cause


def test_wrong_number_of_points_says_what_is_needed() -> None:
    with pytest.raises(UserError, match="does not fit 1 point in 1 picture") as caught:
        route("which is closer", 1, 1, TASKS)
    assert "relative_depth needs 2 points in 1 picture" in caught.value.cause


def test_several_tasks_are_never_chosen_in_silence() -> None:
    with pytest.raises(UserError, match="may mean several things") as caught:
        route("how far and how fast is the red point", 1, 1, TASKS)
    assert "--task" in caught.value.remedy


def test_colors_in_a_question() -> None:
    assert colors_in("Is the Red point closer than the blue one, or the red?") == ["red", "blue"]
    assert colors_in("the bored one") == []


def test_points() -> None:
    assert parse_points(["red=320,240", "blue=1.5,2"]) == {"red": (320.0, 240.0), "blue": (1.5, 2.0)}


@pytest.mark.parametrize("given", ["red", "red=1", "red=1,2,3", "red:1,2", "=1,2", "red=a,b"])
def test_malformed_points(given: str) -> None:
    with pytest.raises(UserError, match="not NAME=U,V"):
        parse_points([given])


def test_a_point_twice() -> None:
    with pytest.raises(UserError, match="given twice"):
        parse_points(["red=1,2", "red=3,4"])


def test_intrinsics() -> None:
    assert parse_intrinsics("1,2,3.5,4") == (1, 2, 3.5, 4)
    with pytest.raises(UserError, match="not four numbers"):
        parse_intrinsics("1,2,3")
