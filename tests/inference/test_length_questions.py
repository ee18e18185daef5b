"""Known lengths in questions: a model whose answers are all wrong by one factor is put right by one of them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.walls import wall
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.canonical import Canonicalisation, Canvas
from toolkit.inference.asker import Asker
from toolkit.inference.camera_source import CameraFlags
from toolkit.inference.known_length import Scale
from toolkit.inference.scene import open_scene
from toolkit.modeling.predictor import Piece, Reply
from toolkit.qa.marker import Marker
from toolkit.qa.sample import Presenter, Sample
from toolkit.qa.tasks.registry import get_task

CAMERA = Camera(100.0, 100.0, 59.5, 44.5, 120, 90)
WRONG = 0.5
"""The model says half of every length."""

POINTS = {"red": (40.0, 45.0), "blue": (80.0, 45.0), "green": (60.0, 70.0)}
DEPTHS = {"red": 2.0, "blue": 4.0, "green": 3.0}
XYZ = {name: CAMERA.unproject(POINTS[name], DEPTHS[name]) for name in POINTS}
FAR = {name: float(np.linalg.norm(xyz)) for name, xyz in XYZ.items()}
TASKS = (
    "metric_depth",
    "principal_axis_distance",
    "two_point_distance",
    "relative_depth",
    "travel_time",
    "camera_pose",
)


class Halving:
    """Knows the scene, but says only a part of each length, and cannot tell of some points."""

    name = "halving"
    notes = ()

    def __init__(self, unreadable: Sequence[str] = ()) -> None:
        self._unreadable = unreadable
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        return [self._reply(sample) for sample in samples]

    def _reply(self, sample: Sample) -> Reply:
        names = tuple(point.name for point in sample.query.points)
        self.asked.append((sample.task, names))
        if set(names) & set(self._unreadable):
            return Reply("I cannot tell")
        if sample.task == "relative_depth":
            return Reply(min(names, key=FAR.__getitem__))
        if sample.task == "camera_pose":
            return Reply(f"{WRONG * 0.8:.2f} m, 10.0 deg, right 0.00, down 0.00, forward 1.00")
        if sample.task == "principal_axis_distance":
            return _sure(WRONG * DEPTHS[names[0]], "m")
        if sample.task == "two_point_distance":
            return _sure(WRONG * float(np.linalg.norm(XYZ[names[0]] - XYZ[names[1]])), "m")
        far = WRONG * FAR[names[0]]
        return _sure(far / 2.0, "s") if sample.task == "travel_time" else _sure(far, "m")


def _sure(value: float, unit: str) -> Reply:
    """An answer of a model that is sure of every digit."""
    text = f"{value:.3f} {unit}"
    pieces = [Piece(letter, 1.0, {letter: 1.0} if letter in "0123456789." else {}) for letter in text]
    return Reply(text, tuple(pieces))


def asker(*tasks: str, unreadable: Sequence[str] = ()) -> Asker:
    presenter = Presenter(Canonicalisation(focal=100, canvas=Canvas(square=128)), Marker("dot", 3))
    return Asker(Halving(unreadable), presenter, {name: get_task(name) for name in tasks or TASKS})


def given(*names: str) -> dict[str, Any]:
    """These points, and the camera."""
    return {"points": {name: POINTS[name] for name in names}, "camera": CAMERA}


@pytest.mark.parametrize(
    ("question", "truth"),
    [
        ("how far is the red point", FAR["red"]),
        ("how far is the red point along the optical axis", DEPTHS["red"]),
        ("how far is the red point from the green one", float(np.linalg.norm(XYZ["red"] - XYZ["green"]))),
        ("how long does it take to reach the red point at 2 m/s", FAR["red"] / 2),
    ],
)
@pytest.mark.parametrize("known", [("blue",), ("blue", "green")])
def test_one_known_length_puts_all_lengths_right(question: str, truth: float, known: tuple[str, ...]) -> None:
    length = FAR["blue"] if len(known) == 1 else float(np.linalg.norm(XYZ["blue"] - XYZ["green"]))
    asked = [name for name in POINTS if name in question]
    wrong = asker().ask(wall(), question, **given(*asked))
    answer = asker().ask(wall(), question, **given(*asked, *known), known={known: length})
    assert wrong.value == pytest.approx(truth / 2, rel=0.01)
    assert answer.value == pytest.approx(truth, rel=0.01)
    assert answer.interval == pytest.approx((truth, truth), rel=0.01)
    assert answer.scale is not None and answer.scale.factor == pytest.approx(2, rel=0.01)
    assert answer.said.startswith(f"{answer.value:.2f} ")


def test_points_that_only_a_known_length_needs_are_not_asked_about() -> None:
    model = asker()
    answer = model.ask(wall(), "how far is it", **given("red", "blue"), known={"blue": 4})
    assert answer.task == "metric_depth"
    assert list(answer.points) == ["red"]
    assert model.predictor.asked == [("metric_depth", ("blue",)), ("metric_depth", ("red",))]  # type: ignore[attr-defined]


def test_a_question_without_names_takes_known_points_where_it_needs_them() -> None:
    answer = asker().ask(wall(), "how far apart are they", **given("red", "blue"), known={"blue": FAR["blue"]})
    assert list(answer.points) == ["red", "blue"]
    answer = asker().ask(wall(), "how far is it", **given("blue"), known={"blue": 4.5})
    assert answer.value == pytest.approx(4.5)
    assert any("repeats what you gave" in line for line in answer.warnings)


def test_the_metres_of_a_motion_are_scaled() -> None:
    pictures = [wall(0), wall(1)]
    answer = asker().ask(pictures, "how far has the camera moved", **given("blue"), known={"blue": FAR["blue"]})
    assert answer.value.distance == pytest.approx(0.8, rel=0.01)
    assert answer.value.rotation == pytest.approx(10)
    assert answer.said.startswith("0.80 m, 10.0 deg")


def test_what_does_not_depend_on_lengths_stays_and_says_so() -> None:
    answer = asker().ask(wall(), "which is closer, red or green", **given(*POINTS), known={"blue": FAR["blue"]})
    assert answer.value == "red"
    assert any("does not depend on the scale" in line for line in answer.warnings)
    known = {"blue": FAR["blue"]}
    answer = asker().ask(wall(), "say how far red is", **given("red", "blue"), known=known, raw=True)
    assert answer.value is None
    assert any("not known how this answer depends on lengths" in line for line in answer.warnings)


def test_a_model_that_knows_depths_alone_is_asked_for_both_ends_of_a_length() -> None:
    length = float(np.linalg.norm(XYZ["blue"] - XYZ["green"]))
    for task, truth in (("metric_depth", FAR["red"]), ("principal_axis_distance", DEPTHS["red"])):
        answer = asker(task).ask(
            wall(), "", task=task, **given(*POINTS), known={("blue", "green"): length, "blue": FAR["blue"]}
        )
        assert answer.value == pytest.approx(truth, rel=0.01)
        assert answer.interval is not None
        assert answer.scale is not None and [each.by for each in answer.scale.known] == [task, task]


def test_a_model_without_a_task_for_a_known_length_is_an_error() -> None:
    with pytest.raises(UserError, match="this model cannot be asked how far blue is"):
        asker("two_point_distance").ask(wall(), "how far is red from green", **given(*POINTS), known={"blue": 4.0})
    with pytest.raises(UserError, match="this model cannot be asked how far blue and green are"):
        asker("relative_depth").ask(wall(), "is red or green closer", **given(*POINTS), known={("blue", "green"): 4.0})


def test_unknown_points_are_an_error() -> None:
    with pytest.raises(UserError, match=r"names the point 'gren', and the points are red, blue, green") as caught:
        asker().ask(wall(), "how far is red", **given(*POINTS), known={"gren": 4.0})
    assert "did you mean green" in str(caught.value)
    with pytest.raises(UserError, match="a known length names a blue point, and the picture has no compact blue marks"):
        asker().measure_scale(wall(), {"blue": 4.0}, camera=CAMERA)


def test_an_answer_about_a_known_thing_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(UserError, match="gives no scale: blue is 4 m, the model says cannot be read"):
        asker(unreadable=["blue"]).ask(wall(), "how far is red", **given("red", "blue"), known={"blue": 4.0})
    known = {"blue": 4.0, "green": FAR["green"]}
    answer = asker(unreadable=["blue"]).ask(wall(), "how far is red", **given(*POINTS), known=known)
    assert answer.value == pytest.approx(FAR["red"], rel=0.01)
    assert any("1 of 2 known lengths are not used" in line for line in answer.warnings)


def test_a_scale_is_measured_once_and_applied_to_many() -> None:
    model = asker()
    scale = model.measure_scale(wall(), {"blue": FAR["blue"]}, **given("blue"))
    model.predictor.asked.clear()  # type: ignore[attr-defined]
    answers = model.ask_many(open_scene(wall(1), CAMERA), "how far is it", [(40, 45)], known=scale)
    assert len(model.predictor.asked) == 1  # type: ignore[attr-defined]
    assert answers[0].value == pytest.approx(FAR["red"], rel=0.01)
    assert answers[0].scale is scale
    answer = model.ask(wall(1), "how far is red", **given("red"), known=Scale(3.0, 2.9, 3.1, "given"))
    assert answer.value == pytest.approx(WRONG * 3 * FAR["red"], rel=0.01)


def test_many_points_take_the_known_points_of_their_scene() -> None:
    scene = open_scene(wall(), CAMERA, POINTS)
    answers = asker().ask_many(scene, "how far is it", [(40, 45), (41, 46)], known={"blue": FAR["blue"] * 10})
    assert [answer.value for answer in answers] == [pytest.approx(FAR["red"] * 10, rel=0.01)] * 2
    assert any("20 times as long" in line for line in answers[0].warnings)


def test_the_check_is_scaled_with_the_answer() -> None:
    question = "how far is the red point from the green one"
    answer = asker().ask(wall(), question, **given(*POINTS), known={"blue": FAR["blue"]}, check=True)
    assert answer.check is not None and answer.check.agrees
    assert answer.check.depths == pytest.approx({name: FAR[name] for name in ("red", "green")}, rel=0.01)
    assert answer.check.implied == pytest.approx(answer.value, rel=0.01)
    assert answer.check.said == f"{answer.check.implied:.2f} m"


def test_a_known_distance_takes_away_the_doubt_about_an_assumed_camera() -> None:
    model = replace(
        asker(), presenter=Presenter(Canonicalisation(focal=100, canvas=Canvas(square=160)), Marker("dot", 3))
    )
    loose = model.ask(wall(), "how far is red", points={"red": POINTS["red"]}, camera=CameraFlags())
    points = {name: POINTS[name] for name in ("red", "blue")}
    tight = model.ask(wall(), "how far is red", points=points, camera=CameraFlags(), known={"blue": FAR["blue"]})
    assert loose.interval is not None and tight.interval is not None
    assert loose.interval[1] / loose.interval[0] > 2
    assert tight.interval[1] / tight.interval[0] < 1.01


def test_json_says_the_factor_and_where_it_comes_from() -> None:
    answer = asker().ask(wall(), "how far is red", **given("red", "blue"), known={"blue": FAR["blue"]})
    scale = json.loads(json.dumps(answer.to_json()))["scale"]
    assert scale.keys() == {"factor", "low", "high", "origin", "known"}
    assert scale["low"] < scale["factor"] < scale["high"]
    (known,) = scale["known"]
    assert known == {
        "points": ["blue"],
        "length": FAR["blue"],
        "answered": pytest.approx(FAR["blue"] / 2, abs=0.001),
        "interval": [pytest.approx(FAR["blue"] / 2, abs=0.002)] * 2,
        "by": "metric_depth",
    }
    assert asker().ask(wall(), "how far is red", **given("red")).to_json()["scale"] is None
