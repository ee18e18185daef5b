"""Drawn shapes: the picture shows what is said of it, and nothing else."""

import hashlib
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import cv2
import numpy as np
import pytest

from toolkit.data.frames.frame import Frame
from toolkit.data.frames.objects import NAMES, SceneObject
from toolkit.data.synthetic.drawing import LICENSE
from toolkit.data.synthetic.shapes import Shapes, ShapeSettings
from toolkit.errors import UserErrors
from toolkit.utils.colors import PALETTE

SETTINGS = ShapeSettings(pictures=60, width=(240, 320), height=(200, 240))
SHAPES = Shapes(SETTINGS)


def objects(frame: Frame) -> tuple[SceneObject, ...]:
    assert frame.objects is not None
    return frame.objects.read()


def lab(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels.reshape(-1, 1, 3).astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[:, 0]


def nearest_color(pixel: np.ndarray) -> str:
    palette = lab(np.array(list(PALETTE.values())))
    return list(PALETTE)[int(np.linalg.norm(palette - lab(pixel), axis=1).argmin())]


def foreground(picture: np.ndarray) -> np.ndarray:
    """Pixels that differ from a plane of grey fitted to the picture's border."""
    height, width = picture.shape[:2]
    rows, columns = np.indices((height, width))
    plane = np.stack([np.ones(height * width), rows.ravel() / height, columns.ravel() / width], axis=-1)
    border = ((rows < 3) | (columns < 3) | (rows >= height - 3) | (columns >= width - 3)).ravel()
    colors = picture.reshape(-1, 3).astype(float)
    fitted, *_ = np.linalg.lstsq(plane[border], colors[border], rcond=None)
    return (np.abs(colors - plane @ fitted).max(axis=1) > 25).reshape(height, width)


@pytest.mark.parametrize("index", range(0, 60, 3))
def test_the_picture_shows_these_objects_and_no_others(index: int) -> None:
    frame = SHAPES.frame(index)
    picture = frame.picture.read()
    count, labels, stats, _ = cv2.connectedComponentsWithStats(foreground(picture).astype(np.uint8))
    things = objects(frame)
    assert count - 1 == len(things)  # regions that do not touch, one a thing
    seen = set()
    for thing in things:
        u, v = np.rint(thing.center).astype(int)
        assert nearest_color(picture[v, u]) == thing.color
        region = int(labels[v, u])
        seen.add(region)
        left, top, wide, high = stats[region][:4]
        inner = np.array([left - thing.box[0], top - thing.box[1]])
        outer = np.array([thing.box[2] - (left + wide - 1), thing.box[3] - (top + high - 1)])
        for gap in (inner, outer):
            assert gap.min() > -0.75 and gap.max() < 2.0  # pointed ends cover too little of their last pixels
    assert len(seen) == len(things)


def test_regions_have_the_shape_that_their_name_says() -> None:
    # Share of its bounding box that each shape fills, if it stands upright; turning it lowers this.
    fills = {"circle": np.pi / 4, "square": 1.0, "triangle": 0.5, "diamond": 0.5, "star": 0.38, "heart": 0.63}
    for index in range(0, 60, 4):
        frame = SHAPES.frame(index)
        mask = foreground(frame.picture.read())
        for thing in objects(frame):
            left, top, right, bottom = thing.box
            area = mask[round(top) : round(bottom) + 1, round(left) : round(right) + 1].sum()
            assert 0.7 <= area / ((right - left) * (bottom - top)) / fills[thing.name] <= 1.1, thing


def test_shapes_are_large_and_inside() -> None:
    for index in range(60):
        frame = SHAPES.frame(index)
        camera = frame.camera
        for thing in objects(frame):
            left, top, right, bottom = thing.box
            assert max(right - left, bottom - top) > 0.1 * min(camera.width, camera.height)
            assert left >= 0 and top >= 0 and right <= camera.width - 1 and bottom <= camera.height - 1


def test_kinds_that_stand_alone_and_one_group() -> None:
    sizes = []
    for index in range(60):
        things = objects(SHAPES.frame(index))
        count = {name: sum(thing.name == name for thing in things) for name in NAMES}
        several = [number for number in count.values() if number > 1]
        assert len(several) <= 1
        sizes.append(max(several, default=1))
        alone = [thing.color for thing in things if count[thing.name] == 1]
        assert len(alone) >= 2
    assert set(sizes) == {1, 2, 3, 4, 5}


def digest(index: int) -> str:
    frame = Shapes(SETTINGS).frame(index)
    return hashlib.sha256(frame.picture.read().tobytes() + repr((objects(frame), frame.camera)).encode()).hexdigest()


def test_pictures_depend_on_settings_and_number_alone() -> None:
    alone = [digest(index) for index in range(12)]
    assert len(set(alone)) == 12
    assert [digest(index) for index in reversed(range(12))] == alone[::-1]
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        assert list(pool.map(digest, range(12))) == alone
    later = Shapes(ShapeSettings(pictures=5, first=7, width=(240, 320), height=(200, 240)))
    assert (later.frame(0).picture.read() == SHAPES.frame(7).picture.read()).all()
    other = Shapes(ShapeSettings(pictures=5, seed=1, width=(240, 320), height=(200, 240)))
    assert objects(other.frame(0)) != objects(SHAPES.frame(0))


def test_a_source_like_the_others() -> None:
    assert len(SHAPES) == 60
    assert SHAPES.partners(3) == ()
    frame = pickle.loads(pickle.dumps(SHAPES.frame(3)))
    assert objects(frame) == objects(SHAPES.frame(3))
    assert (frame.license, frame.labels) == (LICENSE, None)
    assert frame.name.endswith("/000003")
    assert Shapes(replace(SETTINGS, first=1, pictures=3)).frame(2).name == frame.name
    assert Shapes(replace(SETTINGS, seed=9)).frame(3).name != frame.name
    assert 50 <= frame.camera.fov[0] <= 60
    for index in (-1, 60):
        with pytest.raises(IndexError):
            SHAPES.frame(index)


def test_small_pictures_and_crowds_can_be_drawn() -> None:
    tight = ShapeSettings(pictures=20, width=(32, 40), height=(32, 40), size=(0.25, 0.25), group=(9, 9), single=(0, 0))
    for index in range(20):
        frame = Shapes(tight).frame(index)
        things = objects(frame)
        assert 1 <= len(things) < 9  # as many as there is room for
        assert frame.picture.read().shape == (frame.camera.height, frame.camera.width, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": (0.2, 0.1)}, "size"),
        ({"size": (0.01, 0.1)}, "size"),
        ({"single": (2, 6)}, "single"),
        ({"group": (0, 2)}, "group"),
        ({"fov": (0, 60)}, "fov"),
        ({"noise": -1}, "noise"),
        ({"width": (3, 30)}, "width"),
    ],
)
def test_wrong_settings(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(UserErrors, match="shapes: 1 fault") as caught:
        ShapeSettings(**wrong)  # type: ignore[arg-type]
    assert message in str(caught.value)
