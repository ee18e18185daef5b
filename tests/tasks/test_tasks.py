"""The seven tasks on scenes with hand-computed answers."""

import numpy as np
import pytest

from tests.support.queries import CAMERA, one_point, two_points, view
from toolkit.errors import UserError
from toolkit.geometry.canonical import Canonicalisation
from toolkit.qa.canonical_view import View
from toolkit.qa.marker import Marker
from toolkit.qa.query import Query, point_in
from toolkit.qa.sample import Presenter
from toolkit.qa.tasks.registry import get_task, task_names
from toolkit.qa.tasks.task import Task
from toolkit.qa.view_labels import PointLabels

SEVEN = (
    "camera_pose",
    "metric_depth",
    "principal_axis_distance",
    "relative_depth",
    "travel_speed",
    "travel_time",
    "two_point_distance",
)


def moved(xyz: tuple[float, float, float], yaw: float) -> Query:
    """Two cameras: the second is at xyz [m] in the first's frame, turned by yaw [deg] about the vertical."""
    angle = np.radians(yaw)
    first = np.eye(4)
    first[:3, :3] = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    first[:3, 3] = (7, -1, 2)
    step = np.eye(4)
    step[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    step[:3, 3] = xyz
    return Query((view(first), view(first @ step)))


def test_all_seven_are_registered() -> None:
    assert set(SEVEN) <= set(task_names())


def test_metric_depth_is_euclidean() -> None:
    assert get_task("metric_depth").label(one_point()) == pytest.approx(5.0)


def test_principal_axis_distance_is_z() -> None:
    assert get_task("principal_axis_distance").label(one_point()) == pytest.approx(4.0)


def test_two_point_distance() -> None:
    assert get_task("two_point_distance").label(two_points()) == pytest.approx(5.0)


def test_two_points_at_one_place_are_not_asked() -> None:
    same = point_in(view(), "red", (50, 40), 2.0)
    assert not get_task("two_point_distance").accepts(Query((view(),), (same, same)))


def test_relative_depth_names_the_closer() -> None:
    assert get_task("relative_depth").label(two_points()) == "red"


@pytest.mark.parametrize(("far", "asked"), [(2.1, False), (2.3, True)])
def test_relative_depth_needs_a_gap(far: float, asked: bool) -> None:
    near, other = point_in(view(), "red", (50, 40), 2.0), point_in(view(), "blue", (50, 40), far)
    assert get_task("relative_depth").accepts(Query((view(),), (near, other))) is asked


def test_travel() -> None:
    assert get_task("travel_speed").label(one_point(time=4.0)) == pytest.approx(1.25)
    assert get_task("travel_time").label(one_point(speed=2.0)) == pytest.approx(2.5)


def test_camera_pose_in_the_first_cameras_frame() -> None:
    motion = get_task("camera_pose").label(moved((0.3, 0.0, 0.4), yaw=12))
    assert motion.distance == pytest.approx(0.5)
    assert motion.rotation == pytest.approx(12)
    assert motion.direction == pytest.approx((0.6, 0.0, 0.8))


def test_camera_pose_does_not_depend_on_the_world_frame() -> None:
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = turn * np.linalg.det(turn), rng.normal(size=3)
    query = moved((0.3, -0.1, 0.4), yaw=-20)
    other = Query(tuple(view(world @ each.frame.world_from_camera) for each in query.views))
    one, two = (get_task("camera_pose").label(each) for each in (query, other))
    assert (two.distance, two.rotation) == pytest.approx((one.distance, one.rotation))
    assert two.direction == pytest.approx(one.direction)


def test_camera_pose_asks_neither_about_standstill_nor_about_strangers() -> None:
    task = get_task("camera_pose")
    assert not task.accepts(moved((0.01, 0, 0), yaw=5))
    away = moved((0.5, 0, 0), yaw=180)
    looked = View(
        away.views[0].frame,
        away.views[0].pixels,
        CAMERA,
        PointLabels(np.array([[50.0, 40.0]]), np.array([2.0]), CAMERA),
    )
    assert not task.accepts(Query((looked, away.views[1])))
    assert task.accepts(Query((looked, moved((0.1, 0, 0), yaw=0).views[1])))


def test_a_pose_task_without_poses_says_so() -> None:
    with pytest.raises(UserError, match="two pictures with poses"):
        get_task("camera_pose").label(Query((view(), view())))


def example(name: str) -> Query:
    if name == "camera_pose":
        return moved((0.3, 0.0, 0.4), yaw=12)
    return two_points() if get_task(name).points == 2 else one_point(time=4.0, speed=2.0)


@pytest.mark.parametrize("name", SEVEN)
@pytest.mark.parametrize("think", [False, True])
def test_every_phrasing_is_written_and_read_back(name: str, think: bool) -> None:
    task, query = get_task(name), example(name)
    presenter = Presenter(Canonicalisation(focal=100), Marker(), think=think)
    prompts = set()
    for seed in range(30):
        sample = presenter.present(task, query, task.label(query), np.random.default_rng(seed))
        value = task.read(sample.completion, query)
        scores = task.metric.score(sample.truth, value)
        assert scores[task.metric.headline] == 1.0, sample.completion
        prompts.add(sample.prompt)
    assert len(prompts) == len(task.words.questions) >= 2
    assert all("{" not in prompt and "  " not in prompt for prompt in prompts)


@pytest.mark.parametrize("name", SEVEN)
def test_its_own_questions_route_to_it_alone(name: str) -> None:
    from toolkit.qa.tasks.routing import route

    task, query = get_task(name), example(name)
    every: dict[str, Task] = {each: get_task(each) for each in SEVEN}
    presenter = Presenter(Canonicalisation(focal=100))
    for seed in range(20):
        prompt = presenter.present(task, query, rng=np.random.default_rng(seed)).prompt
        assert route(prompt, task.points, task.images, every).name == name, prompt


def test_the_working_is_shown() -> None:
    task, query = get_task("travel_speed"), one_point(time=4.0)
    sample = Presenter(Canonicalisation(focal=100)).present(task, query, task.label(query))
    assert sample.completion == "5.00 m / 4.0 s = 1.25 m/s"


@pytest.mark.parametrize(
    ("name", "question", "given"),
    [
        ("travel_speed", "how fast must I go to reach it in 4 seconds", {"time": 4.0}),
        ("travel_speed", "what speed gets me there in half a minute", {"time": 30.0}),
        ("travel_time", "how long does it take at 3.6 km/h", {"speed": 1.0}),
    ],
)
def test_given_numbers_are_read_from_the_question(name: str, question: str, given: dict[str, float]) -> None:
    assert get_task(name).given_in(question) == pytest.approx(given)


@pytest.mark.parametrize("name", ["travel_speed", "travel_time"])
def test_a_question_without_its_number_is_an_error(name: str) -> None:
    with pytest.raises(UserError, match="gives no") as caught:
        get_task(name).given_in("how fast, how long")
    assert "as in" in caught.value.remedy


def test_working_is_done_again() -> None:
    speed, time = get_task("travel_speed"), get_task("travel_time")
    assert speed.rework("8.00 m / 4.0 s = 9.00 m/s", one_point(time=4.0)) == pytest.approx(2.0)
    assert speed.rework("9.00 m/s", one_point(time=4.0)) == pytest.approx(9.0)
    assert time.rework("8.00 m / 2.0 m/s = 9.00 s", one_point(speed=2.0)) == pytest.approx(4.0)
    assert time.rework("I cannot tell", one_point(speed=2.0)) is None
    assert get_task("metric_depth").rework("about 3 m", one_point()) == pytest.approx(3.0)
