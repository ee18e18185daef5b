"""Asking: the picture reaches the model as in training, and camera, points and task are never guessed."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.support.hub_server import HubServer
from tests.support.training import TINY
from tests.support.walls import HEIGHT, WIDTH, wall
from toolkit.config.load import load_recipe
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.inference.asker import Asker, find_checkpoint, load
from toolkit.inference.camera_source import CameraFlags
from toolkit.inference.points import LocatedPoint, PointSource, grid_points
from toolkit.modeling.checkpoint import load_checkpoint
from toolkit.modeling.predictor import Ending, Piece, Reply
from toolkit.qa.mixture import Feed, Mixture
from toolkit.qa.sample import Sample
from toolkit.training.train import train
from toolkit.utils.resources import model_folder

pytestmark = pytest.mark.slow

TASKS = "tasks={metric_depth: 1, relative_depth: 1, two_point_distance: 1, camera_pose: 1, travel_time: 1}"
FLAGS = CameraFlags(intrinsics=(100, 100, 59.5, 44.5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that was trained on several tasks, for so short a time that its answers are nonsense."""
    home = tmp_path_factory.mktemp("asked")
    (home / "quick.yaml").write_text(TINY)
    train(load_recipe(home / "quick.yaml", [TASKS, "trainer.steps=2", "evaluation.samples=0"]), home / "run")
    return home / "run"


@pytest.fixture(scope="module")
def asker(folder: Path) -> Asker:
    return load(folder)


class Scripted:
    """A predictor that always gives the same texts."""

    name = "scripted"
    notes = ()

    def __init__(self, *texts: str) -> None:
        self._texts = texts
        self.samples: list[Sample] = []

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        self.samples += samples
        return [Reply(self._texts[index % len(self._texts)]) for index, _ in enumerate(samples)]


def saying(asker: Asker, *texts: str) -> Asker:
    return replace(asker, predictor=Scripted(*texts))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(wall()).save(path)
    return path


def marked(tmp_path: Path, *places: tuple[int, int]) -> Path:
    """A photo with red dots drawn by hand."""
    pixels = wall()
    for place in places:
        cv2.circle(pixels, place, 3, (255, 0, 0), -1)
    path = tmp_path / "marked.png"
    Image.fromarray(pixels).save(path)
    return path


def test_the_model_sees_what_it_saw_in_training(asker: Asker, tmp_path: Path) -> None:
    rooms = Rooms(RoomSettings(rooms=3, views=2, width=(40, 44), height=(40, 44)))
    task = asker.tasks["two_point_distance"]
    drawn = Mixture(((task, 1.0),), (Feed("rooms", rooms),), asker.presenter, 0, 10)
    for index in range(10):
        sample = drawn[index]
        frame = sample.query.views[0].frame
        if frame.camera.width * 26 / frame.camera.fx > 32:
            continue  # too wide for the model: training draws the window at random, asking takes the middle
        path = tmp_path / "room.png"
        Image.fromarray(frame.picture.read()).save(path)
        view = sample.query.views[0]
        originals = frame.camera.project(view.camera.rays([point.pixel for point in sample.query.points]))
        points = {point.name: tuple(place) for point, place in zip(sample.query.points, originals, strict=True)}
        camera = CameraFlags(intrinsics=tuple(frame.camera.intrinsics[:4]))
        answer = asker.ask(path, "how far apart are they", points=points, camera=camera)
        assert (answer.images[0] == sample.images[0]).all()
        assert answer.task == "two_point_distance"


def test_answer_carries_all_that_it_rests_on(asker: Asker, photo: Path) -> None:
    answer = asker.ask(photo, "how far is the red point", points={"red": (60.0, 45.0)}, camera=FLAGS)
    assert answer.task == "metric_depth"
    assert "the point marked by the red dot" in answer.prompt
    assert [known.camera.intrinsics for known in answer.cameras] == [[100, 100, 59.5, 44.5, WIDTH, HEIGHT]]
    assert answer.cameras[0].source == "--intrinsics"
    assert answer.points["red"] == LocatedPoint((60.0, 45.0), PointSource.FLAG)
    assert json.loads(json.dumps(answer.to_json()))["schema"] == 2
    assert answer.images[0].shape == (32, 32, 3)


def test_the_mark_lies_on_the_canonical_pixel(asker: Asker, photo: Path) -> None:
    from toolkit.qa.marker import find_marks

    answer = asker.ask(photo, "how far is the red point", points={"red": (60.0, 45.0)}, camera=FLAGS)
    (mark,) = find_marks(answer.images[0], "red")
    scale = 26 / 100
    assert mark == pytest.approx([60.5 * scale - 0.5, 45.5 * scale - 0.5], abs=0.75)


def test_a_drawn_mark_is_found_and_reported(asker: Asker, tmp_path: Path) -> None:
    answer = asker.ask(marked(tmp_path, (80, 30)), "How far is the red point?", camera=FLAGS)
    assert answer.points["red"].pixel == pytest.approx([80, 30], abs=0.5)
    assert answer.points["red"].source == "a mark in the picture"


@pytest.mark.parametrize(
    ("places", "problem"), [((), "has no compact red"), (((30, 30), (80, 60)), "has 2 compact red")]
)
def test_none_or_several_marks_are_an_error(
    asker: Asker, tmp_path: Path, places: tuple[tuple[int, int], ...], problem: str
) -> None:
    with pytest.raises(UserError, match=problem) as caught:
        asker.ask(marked(tmp_path, *places), "how far is the red point", camera=FLAGS)
    assert "--point red=U,V" in caught.value.remedy


def test_two_pictures(asker: Asker, photo: Path) -> None:
    question = "how far has the camera moved between these images"
    answer = asker.ask([photo, photo], question, camera=CameraFlags(fov=60))
    assert answer.task == "camera_pose"
    assert len(answer.images) == len(answer.cameras) == 2


def test_given_numbers_reach_the_prompt(asker: Asker, photo: Path) -> None:
    question = "how long does it take to reach the red point at 7.2 km/h"
    answer = asker.ask(photo, question, points={"red": (60, 45)}, camera=FLAGS)
    assert "2.0 m/s" in answer.prompt


def test_without_a_camera_there_is_a_loud_warning(asker: Asker, photo: Path) -> None:
    answer = asker.ask(photo, "how far is the red point", points={"red": (60, 45)})
    assert answer.cameras[0].source == "assumed"
    assert "nothing is known of the camera" in answer.warnings[0]


def test_an_untrained_colour_is_warned_about(asker: Asker, photo: Path) -> None:
    answer = asker.ask(photo, "how far is the cyan point", points={"cyan": (60, 45)}, camera=FLAGS)
    assert any("not trained with cyan" in warning for warning in answer.warnings)


@pytest.mark.parametrize(
    ("question", "points", "message", "hint"),
    [
        ("how far is the red point", {"red": (500, 45)}, "lies outside the 120 x 90 picture", "upright picture"),
        ("how far is it", {"crimson": (5, 45)}, "unknown marker colour", "red"),
        ("how far is it", {}, "does not fit no points in 1 picture", "--point red=320,240"),
        ("what is the meaning of life", {"red": (5, 45)}, "no task understands", "--task NAME"),
        ("which is closer", {"red": (5, 45)}, "does not fit 1 point", "--point"),
        ("how long does it take to the red point", {"red": (60, 45)}, "gives no speed", "1.5 m/s"),
    ],
)
def test_wrong_questions(
    asker: Asker, photo: Path, question: str, points: dict[str, tuple[float, float]], message: str, hint: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        asker.ask(photo, question, points=points, camera=FLAGS)
    assert hint in caught.value.remedy


def test_task_overrides_the_words(asker: Asker, photo: Path) -> None:
    answer = asker.ask(photo, "tell me", points={"red": (60, 45)}, camera=FLAGS, task="metric_depth")
    assert answer.task == "metric_depth"
    with pytest.raises(UserError, match="needs 2 points in 1 picture"):
        asker.ask(photo, "tell me", points={"red": (60, 45)}, camera=FLAGS, task="relative_depth")
    with pytest.raises(UserError, match="was not trained on travel_speed"):
        asker.ask(photo, "how fast in 3 s", points={"red": (60, 45)}, camera=FLAGS, task="travel_speed")


def test_points_too_far_apart_for_the_model(asker: Asker, photo: Path) -> None:
    places = {"red": (2.0, 45.0), "blue": (117.0, 45.0)}
    with pytest.raises(UserError, match="px apart at a focal length of 26 px"):
        asker.ask(photo, "how far apart", points=places, camera=CameraFlags(focal=60))


def test_an_unreadable_answer_is_said_to_be_one(asker: Asker, photo: Path) -> None:
    asker = saying(asker, "I cannot tell")
    answer = asker.ask(photo, "how far is the red point", points={"red": (60, 45)}, camera=FLAGS)
    assert (answer.value, answer.said, answer.text) == (None, "", "I cannot tell")


@pytest.mark.parametrize(("text", "said"), [("about 2.4 meters", "2.40 m"), ("240 cm", "2.40 m"), ("8 ft", "2.44 m")])
def test_prose_is_read(asker: Asker, photo: Path, text: str, said: str) -> None:
    asker = saying(asker, text)
    assert asker.ask(photo, "how far is the red point", points={"red": (60, 45)}, camera=FLAGS).said == said


def test_the_newest_run_is_asked(tmp_path: Path) -> None:
    assert find_checkpoint(tmp_path / "runs") == model_folder("tiny")
    for name in ("old", "new"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "toolkit.json").write_text("{}")
        os.utime(tmp_path / "runs" / name / "toolkit.json", (0, 0 if name == "old" else 9))
    assert find_checkpoint(tmp_path / "runs") == tmp_path / "runs" / "new"


def test_a_run_that_is_dated_in_the_future_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, moment in (("b", 9), ("a", 9), ("future", 2**32)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "toolkit.json").write_text("{}")
        os.utime(tmp_path / name / "toolkit.json", (0, moment))
    assert find_checkpoint(tmp_path) == tmp_path / "future"
    assert "future is dated in the future" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "future")
    assert find_checkpoint(tmp_path) == tmp_path / "a"  # of the same time: the first by name
    assert not capsys.readouterr().err


def test_the_toolkits_own_model_says_how_a_server_is_asked() -> None:
    pytest.importorskip("openai", reason="the extra `remote` is not installed")
    asker = load("openai:served@http://127.0.0.1:9/v1", like="tiny")
    assert asker.presenter == load("openai:served@http://127.0.0.1:9/v1", like=model_folder("tiny")).presenter
    assert asker.presenter != load("openai:served@http://127.0.0.1:9/v1").presenter


def test_a_checkpoint_on_the_hub_says_how_a_server_is_asked(hub: HubServer) -> None:
    pytest.importorskip("openai", reason="the extra `remote` is not installed")
    hub.add("ada/tiny", Path(model_folder("tiny")))
    asker = load("openai:served@http://127.0.0.1:9/v1", like="ada/tiny")
    assert asker.presenter == load("openai:served@http://127.0.0.1:9/v1", like="tiny").presenter
    assert hub.downloads(".safetensors") == []


def test_edited_templates_are_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    saved = json.loads((copy / "toolkit.json").read_text())
    saved["templates"]["metric_depth"] = "000000000000"
    (copy / "toolkit.json").write_text(json.dumps(saved))
    with pytest.raises(UserError, match="templates of metric_depth are not those"):
        load_checkpoint(copy)


def test_colours_swap_with_their_points(asker: Asker, photo: Path) -> None:
    asker = saying(asker, "blue")
    places = {"red": (40.0, 45.0), "blue": (80.0, 45.0)}
    answer = asker.ask(photo, "which is closer, red or blue?", points=places, camera=FLAGS)
    assert answer.value == "blue"
    assert np.array_equal(answer.images[0].shape, (32, 32, 3))


def test_points_are_asked_in_the_order_of_the_question(asker: Asker, photo: Path) -> None:
    places = {"blue": (80.0, 45.0), "red": (40.0, 45.0)}
    answer = asker.ask(photo, "how far is the red point from the blue one, how far apart", points=places, camera=FLAGS)
    assert answer.prompt.index("red") < answer.prompt.index("blue")


@pytest.mark.parametrize(
    ("points", "message"),
    [({"red": (40, 45)}, "names a blue point"), ({"blue": (40, 45), "red": (40, 45)}, "at the same place")],
)
def test_points_that_contradict_the_question(
    asker: Asker, photo: Path, points: dict[str, tuple[float, float]], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        asker.ask(photo, "how far is the blue point", points=points, camera=FLAGS)


def test_an_untrained_task_is_named(asker: Asker, photo: Path) -> None:
    with pytest.raises(UserError, match="was not trained on travel_speed"):
        asker.ask(photo, "how fast must I go to reach the red point in 3 s", points={"red": (60, 45)}, camera=FLAGS)


@pytest.mark.parametrize(("speed", "written"), [(0.25, "0.25"), (4.0, "4.0"), (1 / 3, "0.333333")])
def test_given_numbers_are_not_rounded(asker: Asker, photo: Path, speed: float, written: str) -> None:
    question = f"how long does it take to reach the red point at {speed:.6f} m/s"
    assert f"{written} m/s" in asker.ask(photo, question, points={"red": (60, 45)}, camera=FLAGS).prompt


def test_an_edited_contract_is_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "edited"
    shutil.copytree(folder, copy)
    recipe = (copy / "recipe.yaml").read_text()
    (copy / "recipe.yaml").write_text(recipe.replace("focal: 26.0", "focal: 40.0"))
    with pytest.raises(UserError, match="canonical_focal"):
        load_checkpoint(copy)
    for broken in ("[1]", '{"schema": 1}', "{"):
        (copy / "toolkit.json").write_text(broken)
        with pytest.raises(UserError, match=r"toolkit\.json"):
            load_checkpoint(copy)


def test_a_camera_beside_the_picture_is_used(asker: Asker, photo: Path) -> None:
    photo.with_suffix(".json").write_text(json.dumps({"intrinsics": [90, 91, 59, 44, WIDTH, HEIGHT]}))
    answer = asker.ask(photo, "how far is the red point", points={"red": (60, 45)})
    assert answer.cameras[0].camera.intrinsics == [90, 91, 59, 44, WIDTH, HEIGHT]
    assert answer.cameras[0].origin == str(photo.with_suffix(".json"))
    assert set(answer.warnings) <= {Ending.CUT.why_unread, *asker.caveats.values()}  # it hardly ever ends its answers


def test_a_run_without_results_says_that_nothing_is_known(asker: Asker, photo: Path) -> None:
    (said,) = asker.caveats.values()
    assert "nothing is known about how good" in said and said.endswith("RECIPE measures it")
    assert said in asker.ask(photo, "how far is the red point", points={"red": (60, 45)}, camera=FLAGS).warnings
    (one,) = asker.ask_many(photo, "how far is it", [(60, 45)], camera=FLAGS, task="metric_depth")
    assert said in one.to_json()["warnings"]


def test_pictures_from_memory_are_answered_like_files(asker: Asker, photo: Path) -> None:
    asked = {"points": {"red": (60.0, 45.0)}, "camera": FLAGS}
    by_path = asker.ask(photo, "how far is the red point", **asked)
    for given in (str(photo), Image.open(photo), np.asarray(Image.open(photo))):
        again = asker.ask(given, "how far is the red point", **asked)
        assert again.text == by_path.text
        assert (again.shown == by_path.shown).all()
        assert again.cameras == by_path.cameras


def test_a_camera_object_is_taken_as_it_is(asker: Asker, photo: Path) -> None:
    camera = Camera(100, 98, 59, 44, WIDTH, HEIGHT, (0.1, 0, 0, 0, 0))
    answer = asker.ask(photo, "how far is the red point", points={"red": (60.0, 45.0)}, camera=camera)
    assert (answer.cameras[0].camera, answer.cameras[0].source) == (camera, "given")


def doubted(first: float) -> Reply:
    """The reply 2.00 m, whose first digit has this probability. The digit 3 has the rest."""
    sure = [Piece(text, 1.0, {text: 1.0} if text != " m" else {}) for text in (".", "0", "0", " m")]
    return Reply("2.00 m", (Piece("2", first, {"2": first, "3": 1 - first}), *sure))


class Doubting:
    name = "doubting"
    notes = ()

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        return [doubted(0.8)] * len(samples)


def test_the_interval_is_widened_where_the_camera_is_assumed(asker: Asker, photo: Path) -> None:
    asker = replace(asker, predictor=Doubting())
    known = asker.ask(photo, "how far is the red point", points={"red": (60, 45)}, camera=FLAGS)
    assert known.interval == pytest.approx((1.995 + 0.01 * 0.05 / 0.8, 2.995 + 0.15 / 0.2))
    assumed = asker.ask(photo, "how far is the red point", points={"red": (60, 45)})
    narrow, wide = np.tan(np.radians(30)) / np.tan(np.radians([45, 22.5]))
    assert assumed.interval == pytest.approx((known.interval[0] * narrow, known.interval[1] * wide))
    assert assumed.to_json()["interval"]["high"] == assumed.interval[1]


def test_raw_words_reach_the_model_as_they_are(asker: Asker, photo: Path) -> None:
    asker = saying(asker, "blue, about 3 m away")
    answer = asker.ask(photo, "which colour is the red thing", points={"red": (60, 45)}, camera=FLAGS, raw=True)
    assert (answer.prompt, answer.task, answer.value, answer.text) == (
        "which colour is the red thing",
        "",
        None,
        "blue, about 3 m away",
    )
    plain = asker.ask(photo, "how far is the red point", points={"red": (60, 45)}, camera=FLAGS)
    assert (answer.shown == plain.shown).all()
    read = asker.ask(photo, "so?", points={"red": (60, 45)}, camera=FLAGS, raw=True, task="metric_depth")
    assert (read.prompt, read.value) == ("so?", 3.0)


def test_two_points_are_checked_against_their_depths(asker: Asker, photo: Path) -> None:
    # The focal length is 100 px, so for each metre of depth_z, the points lie 0.5 m to the left and to the right.
    places = {"red": (9.5, 44.5), "blue": (109.5, 44.5)}
    for text, agrees in (("2.00 m", True), ("3.00 m", False)):
        asker = saying(asker, text, f"{2 * 1.25**0.5:.4f} m")
        # The first reply is the distance between the points, and the next two replies are their depths.
        asker.predictor.answer = sequence(text, *[f"{2 * 1.25**0.5:.4f} m"] * 2)  # type: ignore[method-assign]
        answer = asker.ask(photo, "how far apart are red and blue", points=places, camera=FLAGS, check=True)
        assert answer.check is not None
        assert answer.check.by == "metric_depth"
        assert answer.check.implied == pytest.approx(2.0, abs=1e-3)
        assert answer.check.agrees is agrees


def test_a_check_answers_the_question_that_was_asked(asker: Asker, photo: Path) -> None:
    places = {"red": (40.0, 45.0), "blue": (80.0, 45.0)}
    asker = saying(asker)
    for question, value in (("which is closer, red or blue", "red"), ("which is farther, red or blue", "blue")):
        asker.predictor.answer = sequence("red", "2.00 m", "3.00 m")  # type: ignore[method-assign]
        answer = asker.ask(photo, question, points=places, camera=FLAGS, check=True)
        assert answer.check is not None and answer.check.agrees is True
        assert answer.value == answer.check.implied == value
        assert value in answer.check.said


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.REFUSED, Ending.WITHHELD])
def test_nothing_is_read_from_an_answer_that_is_not_complete(asker: Asker, photo: Path, ending: Ending) -> None:
    predictor = Doubting()
    predictor.answer = lambda samples: [replace(doubted(0.8), ending=ending)] * len(samples)  # type: ignore[method-assign]
    asker = replace(asker, predictor=predictor)
    answer = asker.ask(photo, "how far is the red point", points={"red": (60, 45)}, camera=FLAGS)
    assert (answer.value, answer.said, answer.interval, answer.text) == (None, "", None, "2.00 m")
    assert (answer.ending, answer.warnings) == (ending, (*asker.caveats.values(), ending.why_unread))
    assert answer.to_json()["ending"] == ending.value
    places = {"red": (40.0, 45.0), "blue": (80.0, 45.0)}
    checked = asker.ask(photo, "how far apart are red and blue", points=places, camera=FLAGS, check=True).check
    assert checked is not None and set(checked.depths.values()) == {None}
    many = asker.ask_many(photo, "how far is it", [(60, 45)], camera=FLAGS, task="metric_depth")
    assert (many[0].value, many[0].ending) == (None, ending)


def test_thoughts_alone_are_told_apart_from_words_that_cannot_be_read(asker: Asker, photo: Path) -> None:
    for text, ending in (("<think>The door is 2 m tall", Ending.THOUGHTS), ("far away", Ending.COMPLETE)):
        asker = saying(asker, text)
        answer = asker.ask(photo, "how far is the red point", points={"red": (60, 45)}, camera=FLAGS)
        assert (answer.value, answer.ending) == (None, ending)


def test_a_length_cannot_be_negative(asker: Asker, photo: Path) -> None:
    answer = saying(asker, "-2.4 m").ask(photo, "how far is it", points={"red": (60, 45)}, camera=FLAGS)
    assert (answer.value, answer.said) == (None, "")


def sequence(*texts: str) -> Callable[[Sequence[Sample]], list[Reply]]:
    """A method ``answer`` that gives these texts one after the other."""
    left = list(texts)
    return lambda samples: [Reply(left.pop(0)) for _ in samples]


def test_what_cannot_be_checked_says_so(asker: Asker, photo: Path) -> None:
    asker = saying(asker, "I cannot tell")
    places = {"red": (40.0, 45.0), "blue": (80.0, 45.0)}
    answer = asker.ask(photo, "how far apart are red and blue", points=places, camera=FLAGS, check=True)
    assert answer.check is not None
    assert (answer.check.implied, answer.check.agrees) == (None, None)
    depth = asker.ask(photo, "how far is the red point", points={"red": (60, 45)}, camera=FLAGS, check=True)
    assert depth.check is None  # this model was trained on no other task that gives a depth
    assert any("cannot be checked" in warning for warning in depth.warnings)


def test_in_text_coordinates_points_keep_the_users_names(asker: Asker, photo: Path) -> None:
    asker = replace(asker, presenter=replace(asker.presenter, reference="text"))
    asker = saying(asker, "B")
    asker.predictor.answer = sequence("B", "3 m", "2 m")  # type: ignore[method-assign]
    places = {"red": (40.0, 45.0), "blue": (80.0, 45.0)}
    answer = asker.ask(photo, "which is closer, red or blue?", points=places, camera=FLAGS, check=True)
    assert "point A" in answer.prompt
    assert (answer.value, answer.said) == ("blue", "blue")
    assert answer.check is not None
    assert (answer.check.depths, answer.check.said) == ({"red": 3.0, "blue": 2.0}, "blue")
    assert answer.check.agrees is True


def test_many_points_are_answered_as_if_asked_one_by_one(asker: Asker, photo: Path) -> None:
    where = grid_points(5, 4, WIDTH, HEIGHT)
    camera = CameraFlags(focal=60)  # 52 px wide at the canonical focal length: more than one window of 32 px
    together = asker.ask_many(photo, "how far is it", where, camera=camera)
    for place, answer in zip(where.tolist(), together, strict=True):
        alone = asker.ask(photo, "how far is the red point", points={"red": tuple(place)}, camera=camera)
        assert (answer.text, answer.value, answer.prompt) == (alone.text, alone.value, alone.prompt)
        assert answer.points["red"].pixel == tuple(place)
        assert answer.interval == (alone.interval and pytest.approx(alone.interval, rel=1e-3))


def test_many_points_need_a_task_about_one(asker: Asker, photo: Path) -> None:
    with pytest.raises(UserError, match="needs 2 points in 1 picture"):
        asker.ask_many(photo, "", [[3, 3]], task="relative_depth")
    with pytest.raises(UserError, match="lies outside"):
        asker.ask_many(photo, "how far is it", [[3, 3], [500, 3]])


def test_points_that_the_model_cannot_heed_are_told(asker: Asker, photo: Path) -> None:
    blind = replace(saying(asker, "It is 2.5 m away."), presenter=replace(asker.presenter, reference="none"))
    answer = blind.ask(photo, "how far is the red point", points={"red": (60, 45)}, camera=FLAGS)
    (one,) = blind.ask_many(photo, "how far is it", [(60, 45)], camera=FLAGS)
    for warnings in (answer.warnings, one.warnings):
        assert (
            "this model was not trained to be told which point is meant: its answer is the same for all points"
            in warnings
        )
    odd = saying(asker, "It is 2.5 m away.").ask(
        photo, "how far is the cyan point", points={"cyan": (60, 45)}, camera=FLAGS
    )
    assert [warning for warning in odd.warnings if "was not trained with cyan marks" in warning]
