"""Drawn shapes on plain backgrounds: simple pictures, in which every object is known.

Each shape has one colour. Shapes do not touch, and they are large enough to be told apart. A picture depends on the
settings and on its number alone (``toolkit.data.synthetic.drawing``). Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from toolkit.data.frames.frame import Frame
from toolkit.data.frames.objects import NAMES, SceneObject
from toolkit.data.synthetic.drawing import LICENSE, add_noise, draw_camera, make_generator, settings_digest
from toolkit.data.synthetic.settings import WHITE, ShapeSettings
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Array32, Pixels
from toolkit.utils.colors import PALETTE

_GAP = 0.03  # least gap between two shapes, and to the border, as a share of the picture's shorter side
_ATTEMPTS = 100  # places that are drawn for a shape; if none of them is free, there are fewer shapes
_TILT = 10.0  # [deg] greatest turn of a shape
_MIXED = 0.5  # share of pictures in which the shapes of the group have several colours
_GREY = (100.0, 150.0)  # range of a background's mean brightness, of 255; both black and white can be seen on it
_TINT = 8.0  # greatest difference of its three channels from this brightness
_SLOPE = 10.0  # greatest rise or fall of its brightness across the picture
_LIGHT = 0.1  # share by which a shape is brighter at its upper left, and darker at its lower right
_ROUND = 96  # corners with which a round shape is drawn

_CORNERS: dict[str, tuple[int, float, tuple[float, ...]]] = {
    "circle": (_ROUND, 0.0, (1.0,)),
    "square": (4, 45.0, (1.0,)),
    "triangle": (3, 0.0, (1.0,)),
    "star": (10, 0.0, (1.0, 0.42)),
    "diamond": (4, 0.0, (1.0, 0.6)),
}
"""For each shape the number of corners, the angle of the first corner clockwise from the top [deg], and the radii.

The radii repeat from corner to corner.
"""

# Shapes are drawn this many times as large, then averaged: the smooth edges of OpenCV itself are a pixel too wide.
_FINE = 8
_CAMERA_STREAM, _SCENE_STREAM, _NOISE_STREAM = range(3)


class Shapes:
    """A source of Frames: pictures of shapes, without depth.

    Args:
        settings: Which shapes are drawn, and how they are seen.
    """

    alike = True

    def __init__(self, settings: ShapeSettings) -> None:
        self.settings = settings

    def __len__(self) -> int:
        return self.settings.pictures

    def frame(self, index: int) -> Frame:
        """The Frame of an index.

        Raises:
            IndexError: If the index is not in 0 ... len - 1.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        drawn = ShapePicture(self.settings, self.settings.first + int(index))
        return Frame(drawn, _camera(drawn), license=LICENSE, objects=ShapeObjects(drawn))

    def partners(self, index: int) -> Sequence[int]:
        """No Frame has partners, since every picture shows another scene."""
        return ()


@dataclass(frozen=True)
class ShapePicture:
    """A picture of shapes, drawn on demand.

    Attributes:
        settings: How pictures are drawn.
        number: The number of the picture.
    """

    settings: ShapeSettings
    number: int

    @property
    def name(self) -> str:
        """A name that no other picture has: it is made of how shapes are drawn, and of the picture's number."""
        return f"shapes-{settings_digest(self.settings, first=0, pictures=1)}/{self.number:06d}"

    def read(self) -> Pixels:
        """The picture (height, width, 3) as 8-bit RGB."""
        rng = _generator(self, _NOISE_STREAM)
        picture = _draw_background(rng, _camera(self))
        for shape in _shapes(self):
            _paint(picture, shape)
        return add_noise(picture, self.settings.noise, rng)


@dataclass(frozen=True)
class ShapeObjects:
    """The objects that a picture of shapes shows."""

    picture: ShapePicture

    def read(self) -> tuple[SceneObject, ...]:
        """The shapes of the picture."""
        return tuple(shape.seen for shape in _shapes(self.picture))


@dataclass(frozen=True, eq=False)
class _Shape:
    """A shape that was drawn.

    Attributes:
        seen: The name, the colour and the box of the shape.
        outline: The corners (N, 2) of the shape, (u, v) [px].
    """

    seen: SceneObject
    outline: Array


def _generator(picture: ShapePicture, stream: int) -> np.random.Generator:
    return make_generator(picture.settings.seed, picture.number, stream)


@lru_cache(maxsize=256)
def _camera(picture: ShapePicture) -> Camera:
    settings = picture.settings
    return draw_camera(_generator(picture, _CAMERA_STREAM), settings.width, settings.height, settings.fov)


@lru_cache(maxsize=256)
def _shapes(picture: ShapePicture) -> tuple[_Shape, ...]:
    """The shapes of a picture; those that are the only ones of their kind come first."""
    settings, camera = picture.settings, _camera(picture)
    rng = _generator(picture, _SCENE_STREAM)
    names, colors = rng.permutation(NAMES).tolist(), rng.permutation(list(PALETTE)).tolist()
    single, group = (int(rng.integers(low, high + 1)) for low, high in (settings.single, settings.group))
    mixed = rng.random() < _MIXED
    wanted = list(zip(names[:single], colors, strict=False))
    wanted += [(names[single], str(rng.choice(colors)) if mixed else colors[single]) for _ in range(group)]
    shapes: list[_Shape] = []
    taken = np.empty((0, 3))
    for name, color in wanted:
        place = _free_place(rng, settings, camera, taken)
        if place is not None:
            taken = np.vstack([taken, place])
            shapes.append(_make_shape(name, color, place, float(rng.uniform(-_TILT, _TILT))))
    return tuple(shapes)


def _free_place(rng: np.random.Generator, settings: ShapeSettings, camera: Camera, taken: Array) -> Array | None:
    """A circle (u, v, radius) [px] that keeps clear of the border and of circles (N, 3) that are taken, or None."""
    side = min(camera.width, camera.height)
    radius, gap = side * float(rng.uniform(*settings.size)), side * _GAP
    span = np.array([camera.width, camera.height]) - 2 * (radius + gap)
    places = radius + gap - 0.5 + rng.random((_ATTEMPTS, 2)) * span
    away = np.linalg.norm(places[:, None] - taken[:, :2], axis=-1) - taken[:, 2]
    free = np.flatnonzero((away >= radius + gap).all(axis=1))
    return np.array([*places[free[0]], radius]) if free.size else None


def _make_shape(name: str, color: str, place: Array, tilt: float) -> _Shape:
    """A shape inside the circle ``place`` (u, v, radius) [px], turned clockwise by ``tilt`` [deg]."""
    cosine, sine = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    outline = place[:2] + place[2] * _outline(name) @ np.array([[cosine, sine], [-sine, cosine]])
    (left, top), (right, bottom) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    return _Shape(SceneObject(name, color, (left, top, right, bottom)), outline)


@lru_cache(maxsize=len(NAMES))
def _outline(name: str) -> Array:
    """The corners (N, 2) of a shape in the unit circle, u right, v down.

    Source of the heart: Weisstein, "Heart Curve", MathWorld; it is moved and scaled into the unit circle.
    """
    if name == "heart":
        turn = np.linspace(0, 2 * np.pi, _ROUND, endpoint=False)
        u = 16 * np.sin(turn) ** 3
        v = 13 * np.cos(turn) - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn) - np.cos(4 * turn)
        return np.stack([u, -v - 1.5], axis=-1) / 18
    corners, start, radii = _CORNERS[name]
    turn = np.radians(start) + np.arange(corners) * 2 * np.pi / corners
    away = np.resize(np.array(radii), corners)
    return np.stack([away * np.sin(turn), -away * np.cos(turn)], axis=-1)


def _draw_background(rng: np.random.Generator, camera: Camera) -> Array32:
    """A background (3, height, width), RGB: a grey with a touch of colour, which changes slowly across the picture."""
    color = rng.uniform(*_GREY) + rng.uniform(-_TINT, _TINT, 3)
    across, down = rng.uniform(-_SLOPE, _SLOPE, 2)
    u, v = _ramp(camera.width) * across, _ramp(camera.height) * down
    return color.astype(np.float32)[:, None, None] + (u + v[:, None])


def _paint(picture: Array32, shape: _Shape) -> None:
    """Paint a shape with smooth edges over a picture (3, height, width), in place."""
    left, top = (max(0, int(least) - 1) for least in shape.outline.min(axis=0))
    right, bottom = (int(most) + 3 for most in shape.outline.max(axis=0))
    patch = picture[:, top:bottom, left:right]
    height, width = patch.shape[1:]
    fine = np.zeros((height * _FINE, width * _FINE), np.uint8)
    corners = (shape.outline - (left, top) + 0.5) * _FINE - 0.5
    cv2.fillPoly(fine, [np.rint(corners).astype(np.int32)], 255)
    cover = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA) / np.float32(WHITE)
    light = 1 - _LIGHT * (_ramp(width) + _ramp(height)[:, None])
    color = np.array(PALETTE[shape.seen.color], np.float32)[:, None, None]
    patch += cover * (color * light - patch)


def _ramp(count: int) -> Array32:
    """Evenly spaced numbers (count,) from -0.5 to 0.5."""
    return np.linspace(-0.5, 0.5, count, dtype=np.float32)
