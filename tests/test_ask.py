"""Asking: the picture reaches the model as in training; the camera, the points and the task are never guessed."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import HEIGHT, TINY, WIDTH, wall
from PIL import Image

from toolkit.ask import Asked, ask, find_checkpoint
from toolkit.checkpoint import Checkpoint, load_checkpoint
from toolkit.errors import UserError
from toolkit.intrinsics import CameraFlags
from toolkit.mixture import Feed, Mixture
from toolkit.recipe_file import load_recipe
from toolkit.sources.rooms import Rooms, RoomSettings
from toolkit.train import train

TASKS = "tasks={metric_depth: 1, relative_depth: 1, two_point_distance: 1, camera_pose: 1, travel_time: 1}"
FLAGS = CameraFlags(intrinsics=(100, 100, 59.5, 44.5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that knows several tasks and answers nonsense."""
    home = tmp_path_factory.mktemp("asked")
    (home / "quick.yaml").write_text(TINY)
    train(load_recipe(home / "quick.yaml", [TASKS, "trainer.steps=2", "evaluation.samples=0"]), home / "run")
    return home / "run"


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    return load_checkpoint(folder)


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


def test_the_model_sees_what_it_saw_in_training(checkpoint: Checkpoint, tmp_path: Path) -> None:
    rooms = Rooms(RoomSettings(rooms=3, views=2, width=(40, 44), height=(40, 44)))
    task = checkpoint.tasks["two_point_distance"]
    drawn = Mixture(((task, 1.0),), (Feed("rooms", rooms),), checkpoint.presenter, 0, 10)
    for index in range(10):
        sample = drawn[index]
        frame = sample.query.views[0].frame
        if frame.camera.width * 26 / frame.camera.fx > 32:
            continue  # too wide for the model: the window is drawn in training, centred when asking
        path = tmp_path / "room.png"
        Image.fromarray(frame.picture.read()).save(path)
        view = sample.query.views[0]
        originals = frame.camera.project(view.camera.rays([point.pixel for point in sample.query.points]))
        points = {point.name: tuple(place) for point, place in zip(sample.query.points, originals, strict=True)}
        camera = CameraFlags(intrinsics=tuple(frame.camera.intrinsics[:4]))
        answer = ask(checkpoint, Asked([path], "how far apart are they", points, camera))
        assert (answer.images[0] == sample.images[0]).all()
        assert answer.task == "two_point_distance"


def test_answer_carries_all_that_it_rests_on(checkpoint: Checkpoint, photo: Path) -> None:
    answer = ask(checkpoint, Asked([photo], "how far is the red point", {"red": (60.0, 45.0)}, FLAGS))
    assert answer.task == "metric_depth"
    assert "the point marked by the red dot" in answer.prompt
    assert answer.camera == [[100, 100, 59.5, 44.5, WIDTH, HEIGHT]]
    assert answer.camera_source == "--intrinsics"
    assert answer.points["red"] == {"pixel": [60.0, 45.0], "source": "--point"}
    assert json.loads(json.dumps(answer.as_json()))["schema"] == 1
    assert answer.images[0].shape == (32, 32, 3)


def test_the_mark_lies_on_the_canonical_pixel(checkpoint: Checkpoint, photo: Path) -> None:
    from toolkit.marker import find_marks

    answer = ask(checkpoint, Asked([photo], "how far is the red point", {"red": (60.0, 45.0)}, FLAGS))
    (mark,) = find_marks(answer.images[0], "red")
    scale = 26 / 100
    assert mark == pytest.approx([60.5 * scale - 0.5, 45.5 * scale - 0.5], abs=0.75)


def test_a_drawn_mark_is_found_and_reported(checkpoint: Checkpoint, tmp_path: Path) -> None:
    answer = ask(checkpoint, Asked([marked(tmp_path, (80, 30))], "How far is the red point?", camera=FLAGS))
    assert answer.points["red"]["pixel"] == pytest.approx([80, 30], abs=0.5)
    assert answer.points["red"]["source"] == "a mark in the picture"


@pytest.mark.parametrize(("places", "said"), [((), "has no compact red"), (((30, 30), (80, 60)), "has 2 compact red")])
def test_none_or_several_marks_are_an_error(
    checkpoint: Checkpoint, tmp_path: Path, places: tuple[tuple[int, int], ...], said: str
) -> None:
    with pytest.raises(UserError, match=said) as caught:
        ask(checkpoint, Asked([marked(tmp_path, *places)], "how far is the red point", camera=FLAGS))
    assert "--point red=U,V" in caught.value.remedy


def test_two_pictures(checkpoint: Checkpoint, photo: Path) -> None:
    question = "how far has the camera moved between these images"
    answer = ask(checkpoint, Asked([photo, photo], question, camera=CameraFlags(fov=60)))
    assert answer.task == "camera_pose"
    assert len(answer.images) == len(answer.camera) == 2


def test_given_numbers_reach_the_prompt(checkpoint: Checkpoint, photo: Path) -> None:
    question = "how long does it take to reach the red point at 7.2 km/h"
    answer = ask(checkpoint, Asked([photo], question, {"red": (60, 45)}, FLAGS))
    assert "2.0 m/s" in answer.prompt


def test_without_a_camera_there_is_a_loud_warning(checkpoint: Checkpoint, photo: Path) -> None:
    answer = ask(checkpoint, Asked([photo], "how far is the red point", {"red": (60, 45)}))
    assert answer.camera_source == "assumed"
    assert "nothing is known of the camera" in answer.warnings[0]


def test_an_untrained_colour_is_warned_about(checkpoint: Checkpoint, photo: Path) -> None:
    answer = ask(checkpoint, Asked([photo], "how far is the cyan point", {"cyan": (60, 45)}, FLAGS))
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
    checkpoint: Checkpoint, photo: Path, question: str, points: dict[str, tuple[float, float]], message: str, hint: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        ask(checkpoint, Asked([photo], question, points, FLAGS))
    assert hint in caught.value.remedy


def test_task_overrides_the_words(checkpoint: Checkpoint, photo: Path) -> None:
    asked = Asked([photo], "tell me", {"red": (60, 45)}, FLAGS, task="metric_depth")
    assert ask(checkpoint, asked).task == "metric_depth"
    with pytest.raises(UserError, match="needs 2 points in 1 picture"):
        ask(checkpoint, Asked([photo], "tell me", {"red": (60, 45)}, FLAGS, task="relative_depth"))
    with pytest.raises(UserError, match="was not trained on travel_speed"):
        ask(checkpoint, Asked([photo], "how fast in 3 s", {"red": (60, 45)}, FLAGS, task="travel_speed"))


def test_points_too_far_apart_for_the_model(checkpoint: Checkpoint, photo: Path) -> None:
    asked = Asked([photo], "how far apart", {"red": (2, 45), "blue": (117, 45)}, CameraFlags(focal=60))
    with pytest.raises(UserError, match="px apart at a focal length of 26 px"):
        ask(checkpoint, asked)


def test_an_unreadable_answer_is_said_to_be_one(
    checkpoint: Checkpoint, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.ask.generate", lambda *_, **__: ["I cannot tell"])
    answer = ask(checkpoint, Asked([photo], "how far is the red point", {"red": (60, 45)}, FLAGS))
    assert (answer.value, answer.said, answer.text) == (None, "", "I cannot tell")


@pytest.mark.parametrize(("text", "said"), [("about 2.4 meters", "2.40 m"), ("240 cm", "2.40 m"), ("8 ft", "2.44 m")])
def test_prose_is_read(
    checkpoint: Checkpoint, photo: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setattr("toolkit.ask.generate", lambda *_, **__: [text])
    assert ask(checkpoint, Asked([photo], "how far is the red point", {"red": (60, 45)}, FLAGS)).said == said


def test_the_newest_run_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model to ask") as caught:
        find_checkpoint(None, tmp_path / "runs")
    assert str(tmp_path / "runs") in caught.value.cause
    for name in ("old", "new"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "toolkit.json").write_text("{}")
        import os

        os.utime(tmp_path / "runs" / name / "toolkit.json", (0, 0 if name == "old" else 9))
    assert find_checkpoint(None, tmp_path / "runs") == tmp_path / "runs" / "new"


def test_edited_templates_are_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    saved = json.loads((copy / "toolkit.json").read_text())
    saved["templates"]["metric_depth"] = "000000000000"
    (copy / "toolkit.json").write_text(json.dumps(saved))
    with pytest.raises(UserError, match="templates of metric_depth are not those"):
        load_checkpoint(copy)


def test_colours_swap_with_their_points(checkpoint: Checkpoint, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.ask.generate", lambda *_, **__: ["blue"])
    places = {"red": (40.0, 45.0), "blue": (80.0, 45.0)}
    answer = ask(checkpoint, Asked([photo], "which is closer, red or blue?", places, FLAGS))
    assert answer.value == "blue"
    assert np.array_equal(answer.images[0].shape, (32, 32, 3))


def test_points_are_asked_in_the_order_of_the_question(checkpoint: Checkpoint, photo: Path) -> None:
    places = {"blue": (80.0, 45.0), "red": (40.0, 45.0)}
    answer = ask(checkpoint, Asked([photo], "how far is the red point from the blue one, how far apart", places, FLAGS))
    assert answer.prompt.index("red") < answer.prompt.index("blue")


@pytest.mark.parametrize(
    ("points", "message"),
    [({"red": (40, 45)}, "names a blue point"), ({"blue": (40, 45), "red": (40, 45)}, "at the same place")],
)
def test_points_that_contradict_the_question(
    checkpoint: Checkpoint, photo: Path, points: dict[str, tuple[float, float]], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        ask(checkpoint, Asked([photo], "how far is the blue point", points, FLAGS))


def test_an_untrained_task_is_named(checkpoint: Checkpoint, photo: Path) -> None:
    with pytest.raises(UserError, match="was not trained on travel_speed"):
        ask(checkpoint, Asked([photo], "how fast must I go to reach the red point in 3 s", {"red": (60, 45)}, FLAGS))


@pytest.mark.parametrize(("speed", "written"), [(0.25, "0.25"), (4.0, "4.0"), (1 / 3, "0.333333")])
def test_given_numbers_are_not_rounded(checkpoint: Checkpoint, photo: Path, speed: float, written: str) -> None:
    question = f"how long does it take to reach the red point at {speed:.6f} m/s"
    assert f"{written} m/s" in ask(checkpoint, Asked([photo], question, {"red": (60, 45)}, FLAGS)).prompt


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


def test_a_camera_beside_the_picture_is_used(checkpoint: Checkpoint, photo: Path) -> None:
    photo.with_suffix(".json").write_text(json.dumps({"intrinsics": [90, 91, 59, 44, WIDTH, HEIGHT]}))
    answer = ask(checkpoint, Asked([photo], "how far is the red point", {"red": (60, 45)}))
    assert answer.camera == [[90, 91, 59, 44, WIDTH, HEIGHT]]
    assert answer.camera_source == str(photo.with_suffix(".json"))
    assert answer.warnings == []
