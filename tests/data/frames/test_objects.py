"""What a picture shows, and what of it a canonical picture still shows."""

from dataclasses import replace

import numpy as np
import pytest

from toolkit.data.frames.frame import Frame
from toolkit.data.frames.objects import NAMES, SceneObject, counts, named, names_in, unique
from toolkit.geometry.camera import Camera
from toolkit.qa.canonical_view import canonicalise
from toolkit.utils.colors import PALETTE

CAMERA = Camera(100, 100, 99.5, 49.5, 200, 100)
STAR = SceneObject("star", "red", (10, 20, 30, 40))
HEART = SceneObject("heart", "blue", (60, 20, 80, 40))
OTHER_STAR = SceneObject("star", "white", (150, 60, 170, 80))


class Scene:
    """A picture that shows a star, a heart and another star."""

    name = "scene"

    def __init__(self, *objects: SceneObject) -> None:
        self._objects = objects

    def read(self) -> np.ndarray:
        return np.zeros((100, 200, 3), np.uint8)

    @property
    def objects(self) -> "Listed":
        return Listed(self._objects)


class Listed:
    def __init__(self, objects: tuple[SceneObject, ...]) -> None:
        self._objects = objects

    def read(self) -> tuple[SceneObject, ...]:
        return self._objects


def frame(camera: Camera = CAMERA) -> Frame:
    scene = Scene(STAR, HEART, OTHER_STAR)
    return Frame(scene, camera, objects=scene.objects)


def test_counting_and_naming() -> None:
    objects = (STAR, HEART, OTHER_STAR)
    assert counts(objects) == {"star": 2, "heart": 1}
    assert unique(objects) == [HEART]
    assert named(objects, "heart") is HEART
    assert HEART.center == (70, 30)


def test_kinds_of_which_one_is_cut_off_are_not_asked_about() -> None:
    assert counts((STAR, HEART, replace(OTHER_STAR, whole=False))) == {"heart": 1}
    assert unique((STAR, replace(HEART, whole=False))) == [STAR]
    assert counts(()) == {}
    assert unique(()) == []


def test_beside_needs_a_column_between() -> None:
    assert STAR.beside(HEART) and HEART.beside(STAR)
    assert not STAR.beside(replace(HEART, box=(25, 60, 45, 80)))
    assert not STAR.beside(replace(HEART, box=(30.5, 20, 45, 40)))


def test_objects_move_and_scale_with_the_picture() -> None:
    # Twice the focal length; the window begins at column 100, row 20 of the canonical picture.
    view = canonicalise(frame(), Camera(200, 200, 2 * 100 - 0.5 - 100, 2 * 50 - 0.5 - 20, 280, 160))
    heart = named(view.objects, "heart")
    left, top = (60 + 0.5) * 2 - 0.5 - 100, (20 + 0.5) * 2 - 0.5 - 20
    assert heart.box == pytest.approx((left, top, left + 40, top + 40))
    assert heart.whole
    assert [thing.color for thing in view.objects] == ["blue", "white"]  # the red star lies left of the window


@pytest.mark.parametrize(
    ("left", "shown"),
    [
        (9.5, {"red": True, "blue": True, "white": True}),
        (15.5, {"red": False, "blue": True, "white": True}),
        (31, {"blue": True, "white": True}),
        (70, {"blue": False, "white": True}),
    ],
)
def test_a_crop_cuts_objects_off_or_out(left: float, shown: dict[str, bool]) -> None:
    window = CAMERA.window(left, 0, 165, 100)
    assert {thing.color: thing.whole for thing in canonicalise(frame(), window).objects} == shown


def test_a_cut_object_stays_cut() -> None:
    scene = Scene(replace(STAR, whole=False))
    (star,) = canonicalise(Frame(scene, CAMERA, objects=scene.objects), CAMERA).objects
    assert not star.whole


def test_what_nobody_said_is_not_shown() -> None:
    assert canonicalise(Frame(Scene(), CAMERA), CAMERA).objects == ()
    assert canonicalise(frame(), CAMERA, labelled=False).objects == ()


def test_names_in_questions() -> None:
    assert names_in("Is the Star left of the circle, or are the stars?") == ["star", "circle"]
    assert names_in("start a circled one") == []


def test_colors_are_far_apart() -> None:
    import cv2

    def lab(color: tuple[int, int, int]) -> np.ndarray:
        return cv2.cvtColor(np.array([[color]], np.float32) / 255, cv2.COLOR_RGB2Lab)[0, 0]

    backgrounds = [(level, level, level) for level in (100, 150)]
    colors = [*map(lab, PALETTE.values())]
    apart = [np.linalg.norm(one - other) for i, one in enumerate(colors) for other in colors[:i]]
    assert min(apart) > 40  # CIE 1976; 2.3 is just noticeable
    assert min(np.linalg.norm(color - lab(grey)) for color in colors for grey in backgrounds) > 30
    assert len(NAMES) == len(set(NAMES))
