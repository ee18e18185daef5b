"""Users' words find their task, or are asked back; never another task."""

import numpy as np
import pytest

from tests.support.phrasings import ASKED, REFUSED
from toolkit.cli.options import parse_intrinsics
from toolkit.data.frames.frame import Frame
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.qa.canonical_view import View
from toolkit.qa.metrics import RelativeAccuracy
from toolkit.qa.query import Query, point_in
from toolkit.qa.tasks.registry import get_task
from toolkit.qa.tasks.routing import colors_in, corrected_question, example_question, route
from toolkit.qa.tasks.task import Task

TASKS = {name: get_task(name) for name in ASKED}
CLASSES = {name: type(task) for name, task in TASKS.items()}
SHAPES = ((0, 1), (1, 1), (2, 1), (3, 1), (0, 2), (1, 2), (2, 2))
"""Numbers of points and pictures."""
CAMERA = Camera(100, 100, 50, 40, 201, 81)
QUESTIONS = [(name, question) for name, questions in ASKED.items() for question in questions]


def routed(question: str, points: int, images: int) -> str | None:
    """The task's name, None where the user is asked back."""
    try:
        return route(question, points, images, TASKS, CLASSES).name
    except UserError:
        return None


def test_the_table_finds_its_tasks() -> None:
    found = [routed(question, TASKS[name].points, TASKS[name].images) for name, question in QUESTIONS]
    asked_back = [question for (_, question), got in zip(QUESTIONS, found, strict=True) if got is None]
    wrong = [(question, got) for (name, question), got in zip(QUESTIONS, found, strict=True) if got not in (name, None)]
    assert not wrong
    assert len(QUESTIONS) >= 300
    assert len(asked_back) <= 0.03 * len(QUESTIONS), asked_back


@pytest.mark.parametrize(("name", "question"), QUESTIONS)
def test_with_other_points_or_pictures_no_other_task_is_taken(name: str, question: str) -> None:
    shapes = [shape for shape in SHAPES if shape != (TASKS[name].points, TASKS[name].images)]
    assert {shape: routed(question, *shape) for shape in shapes} == dict.fromkeys(shapes)


@pytest.mark.parametrize("question", REFUSED)
def test_what_no_task_answers_is_never_routed(question: str) -> None:
    assert {shape: routed(question, *shape) for shape in SHAPES} == dict.fromkeys(SHAPES)


@pytest.mark.parametrize("name", ASKED)
def test_every_phrasing_of_a_template_finds_its_task(name: str) -> None:
    task = TASKS[name]
    assert routed(example_question(task), task.points, task.images) == name


def refusal(question: str, points: int, images: int, **tasks: Task) -> UserError:
    with pytest.raises(UserError) as caught:
        route(question, points, images, tasks or TASKS, CLASSES)
    return caught.value


def test_the_user_is_asked_back_with_an_example_of_each_task() -> None:
    error = refusal("how high is the red point", 1, 1)
    assert error.problem.splitlines() == [
        "no task understands 'how high is the red point'; which of these did you mean?",
        "  metric_depth             How far is the red point from the camera, in meters?",
        "  principal_axis_distance  How far is the red point along the principal axis of the camera, in meters?",
        "  travel_speed             How fast must I move from the camera to reach the red point in 6.5 s, in m/s?",
        "  travel_time              "
        "How long does it take to reach the red point from the camera at 3.4 m/s, in seconds?",
    ]
    assert "--task NAME: metric_depth, principal_axis_distance, travel_speed" in error.remedy


def test_tasks_that_come_near_are_named_alone() -> None:
    error = refusal("how far is the red point from the wall", 1, 1)
    assert "did you mean this?\n  metric_depth  How far is" in error.problem
    assert "travel" not in str(error)


def test_where_no_task_takes_so_many_points_all_are_named_with_their_needs() -> None:
    error = refusal("hello", 3, 1)
    assert "metric_depth (1 point in 1 picture)" in error.cause
    assert "--task NAME" in error.remedy


def test_wrong_number_of_points_says_what_is_needed() -> None:
    error = refusal("which is closer", 1, 1)
    assert "does not fit 1 point in 1 picture" in error.problem
    assert "relative_depth needs 2 points in 1 picture" in error.cause
    assert "--point red=320,240" in error.remedy


def test_a_missing_picture_is_asked_for() -> None:
    assert "give both pictures" in refusal("how far did the camera move", 0, 1).remedy


def test_a_task_that_the_model_was_not_trained_on() -> None:
    error = refusal("how fast to red in 3 s", 1, 1, metric_depth=TASKS["metric_depth"])
    assert "not trained on travel_speed" in error.problem


class AboveTheFloor(Task):
    """How far the point is above the floor [m]."""

    name = "above_the_floor"
    unit = "m"
    metric = RelativeAccuracy()
    asks = (r"\b(elevation|altitude)\b", r"\bhow far\b")
    asks_not = (r"\bsea level\b",)


OWN = AboveTheFloor()


@pytest.mark.parametrize("question", ["elevation of red", "what is the elevaton of the red point", "altitdue at red"])
def test_a_task_of_ones_own_profits_from_mended_words(question: str) -> None:
    assert route(question, 1, 1, {**TASKS, OWN.name: OWN}) is OWN


def test_several_tasks_are_never_chosen_in_silence() -> None:
    error = refusal("how far is the red point", 1, 1, metric_depth=TASKS["metric_depth"], above_the_floor=OWN)
    assert "may mean several things; which of these did you mean?" in error.problem
    assert "  above_the_floor  How far the point is above the floor [m]." in error.problem
    assert "--task NAME: metric_depth, above_the_floor" in error.remedy


def test_what_a_task_of_ones_own_does_not_answer() -> None:
    assert OWN.understands("altitude of red") and not OWN.understands("altitude of red over sea level")
    error = refusal("altitude of red over sea level", 1, 1, above_the_floor=OWN, metric_depth=TASKS["metric_depth"])
    assert "did you mean this?\n  above_the_floor" in error.problem


def test_words_are_mended_before_they_are_understood() -> None:
    assert (
        corrected_question("How  fra is teh rde piont’s  shadow?", TASKS.values())
        == "how far is the red point's shadow?"
    )


def two_points() -> Query:
    """Red is 2 m away, blue 6 m."""

    class NoPicture:
        name = "scene"

        def read(self) -> np.ndarray:
            return np.zeros((81, 201, 3), np.uint8)

    view = View(Frame(NoPicture(), CAMERA), NoPicture().read(), CAMERA)
    return Query((view,), (point_in(view, "red", (50, 40), 2.0), point_in(view, "blue", (100, 40), 6.0)))


CLOSER = (
    "which is closer, red or blue",
    "which is nearest",
    "is red in front of blue",
    "which is in the foreground, red or blue",
    "which is not as far, red or blue",
    "which is less far away",
    "which is the least distant",
    "which is closer, not farther",
    "which is nearer rather than further",
    "which one is not the farthest, red or blue",
    "which isn't behind the other",
    "is red closer or farther than blue",
    "is red farther or closer than blue",
    "which has the smaller depth",
    "which has less distance to the camera",
    "which would I reach first, red or blue",
    "depth order of red and blue",
    "the chair in the back is red, the lamp is blue: which is closer?",
    "the farthest house is red, the tree is blue: which is nearer?",
    "which is in front, the lamp behind the sofa (red) or the chair (blue)",
)
FARTHER = (
    "which is farther, red or blue",
    "which is further away",
    "whcih is furhter, red or blue",
    "what is the farthest point",
    "Which is more distant, the red or the blue dot?",
    "is red behind blue",
    "which is in the background, red or blue",
    "which is deeper in the scene",
    "which is less close, red or blue",
    "which is not as near",
    "which is not the closer one, red or blue",
    "which isn’t the nearest, red or blue",
    "which is farther, not closer",
    "which has the greater depth",
    "which is at a larger distance from the camera, red or blue",
    "which would I reach last, red or blue",
    "the chair in front is red, the lamp is blue: which is farther?",
    "the nearest house is red, the tree is blue: which is farther?",
    "the chair in front of the sofa is red, the lamp blue: which is in the back?",
    "first tell me which is behind, red or blue",
    "tell me not which is closer but which is farther",
)


@pytest.mark.parametrize("question", CLOSER + FARTHER)
def test_questions_about_the_depth_order_find_it(question: str) -> None:
    assert routed(question, 2, 1) == "relative_depth"


@pytest.mark.parametrize("question", CLOSER)
def test_the_closer_point_is_meant(question: str) -> None:
    assert TASKS["relative_depth"].meant("red", question, two_points()) == "red"


@pytest.mark.parametrize("question", FARTHER)
def test_the_farther_point_is_meant(question: str) -> None:
    task = TASKS["relative_depth"]
    assert task.meant("red", question, two_points()) == "blue"
    assert task.meant("blue", question, two_points()) == "red"


def test_other_tasks_mean_what_they_say() -> None:
    assert TASKS["metric_depth"].meant(2.0, "how much farther", two_points()) == 2.0


def test_colors_in_a_question() -> None:
    assert colors_in("Is the Red point closer than the blue one, or the red?") == ["red", "blue"]
    assert colors_in("the bored one") == []


def test_misspelt_colors() -> None:
    assert colors_in("is teh rde point closer than the bule, gren or yelow one") == ["red", "blue", "green", "yellow"]
    assert colors_in("dist blu whit") == ["blue", "white"]
    assert colors_in("read the glue label, can you? write a clue on the reed, the blues while orangeade") == []


def test_intrinsics() -> None:
    assert parse_intrinsics("1,2,3.5,4") == (1, 2, 3.5, 4)
    with pytest.raises(UserError, match="not four numbers"):
        parse_intrinsics("1,2,3")
