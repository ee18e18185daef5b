"""Drawn shapes on plain backgrounds: simple pictures of which everything is known that is in them.

Shapes have one colour each, do not touch, and are large enough to be told apart. Everything depends on the
settings and the picture's number alone, through a counter-based generator (Philox: Salmon et al. 2011,
"Parallel random numbers: as easy as 1, 2, 3"). Conventions: see ``toolkit.geometry.camera``.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.frames.frame import Frame
from toolkit.data.frames.objects import NAMES, SceneObject
from toolkit.data.synthetic.ranges import MANY, Range, check_bounds, check_ranges, make_tuples
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Pixels
from toolkit.utils.colors import PALETTE

Floats = NDArray[np.float32]


LICENSE = "CC0-1.0 (synthetic)"


_GAP = 0.03  # least gap between two shapes, and to the picture's border, as a share of its shorter side


_ATTEMPTS = 100  # places drawn for a shape; where none is free there are fewer shapes


_TILT = 10.0  # [deg] that a shape is turned at most


_MIXED = 0.5  # share of pictures in which the shapes of one kind have several colours


_GREY = (100.0, 150.0)  # mean brightness of a background, of 255: black and white both show on it


_TINT = 8.0  # how far its three channels differ from that at most


_SLOPE = 10.0  # how far it rises or falls across the picture at most


_LIGHT = 0.1  # share by which a shape is brighter at its upper left and darker at its lower right


_ROUND = 96  # corners of a shape that has none


_CORNERS: dict[str, tuple[int, float, tuple[float, ...]]] = {
    "circle": (_ROUND, 0.0, (1.0,)),
    "square": (4, 45.0, (1.0,)),
    "triangle": (3, 0.0, (1.0,)),
    "star": (10, 0.0, (1.0, 0.42)),
    "diamond": (4, 0.0, (1.0, 0.6)),
}
"""Of each shape the number of corners, the angle of the first one clockwise from the top [deg], and their radii."""


_FINE = 8  # shapes are drawn so many times as large, and averaged: OpenCV's own smooth edges are a pixel too wide


_WHITE = 255.0


_CAMERA_STREAM, _SCENE_STREAM, _NOISE_STREAM = range(3)


@dataclass(frozen=True)
class ShapeSettings:
    """Which shapes are drawn, and how they are seen. A range is (least, greatest), drawn evenly between.

    Attributes:
        pictures: How many different pictures.
        seed: Of all that is drawn.
        first: Number of the first picture; ranges of numbers that do not overlap hold different pictures.
        width: Range of the picture's width [px].
        height: Range of the picture's height [px].
        fov: Range of the horizontal field of view [deg] that the pictures are said to have.
        size: Range of a shape's radius, as a share of the picture's shorter side.
        single: Range of the number of kinds of which there is one shape, each in a colour of its own.
        group: Range of the number of shapes of one further kind.
        noise: Standard deviation of the sensor noise, in grey levels of 255.
    """

    pictures: int = 10000
    seed: int = 0
    first: int = 0
    width: tuple[int, int] = (600, 760)
    height: tuple[int, int] = (460, 570)
    fov: Range = (50.0, 60.0)
    size: Range = (0.08, 0.12)
    single: tuple[int, int] = (2, 3)
    group: tuple[int, int] = (1, 5)
    noise: float = 2.0

    def __post_init__(self) -> None:
        make_tuples(self)
        check_ranges("shapes", self)
        bounds = [
            ("pictures", self.pictures, 0, MANY),
            ("seed", self.seed, 0, MANY),
            ("first", self.first, 0, MANY),
            ("width", self.width[0], 16, MANY),
            ("height", self.height[0], 16, MANY),
            ("fov", self.fov[0], 1, 179),
            ("fov", self.fov[1], 1, 179),
            ("size", self.size[0], 0.04, 0.25),
            ("size", self.size[1], 0.04, 0.25),
            ("single", self.single[0], 0, len(NAMES) - 1),
            ("single", self.single[1], 0, len(NAMES) - 1),
            ("group", self.group[0], 1, MANY),
            ("noise", self.noise, 0, _WHITE),
        ]
        check_bounds("shapes", bounds)


class Shapes:
    """A source of Frames: pictures of shapes, without depth."""

    alike = True

    def __init__(self, settings: ShapeSettings) -> None:
        self.settings = settings

    def __len__(self) -> int:
        return self.settings.pictures

    def frame(self, index: int) -> Frame:
        """The Frame of that index.

        Raises:
            IndexError: If it is not in 0 ... len - 1.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        drawn = ShapePicture(self.settings, self.settings.first + int(index))
        return Frame(drawn, _camera(drawn), license=LICENSE, objects=ShapeObjects(drawn))

    def partners(self, index: int) -> Sequence[int]:
        """None: every picture shows another scene."""
        return ()


@dataclass(frozen=True)
class ShapePicture:
    """A picture of shapes, drawn on demand.

    Attributes:
        settings: How pictures are drawn.
        number: Which of them.
    """

    settings: ShapeSettings
    number: int

    @property
    def name(self) -> str:
        """What tells it from all others: how shapes are drawn, and its number."""
        return f"shapes-{_digest(self.settings)}/{self.number:06d}"

    def read(self) -> Pixels:
        """The picture, (height, width, 3) uint8 RGB."""
        camera = _camera(self)
        rng = _generator(self, _NOISE_STREAM)
        picture = _background(rng, camera)
        for shape in _scene(self):
            _paint(picture, shape)
        noise = rng.standard_normal(picture.shape[1:], dtype=np.float32) * np.float32(self.settings.noise)
        grey = np.clip(picture + noise, 0, _WHITE) + 0.5
        return np.ascontiguousarray(np.moveaxis(grey.astype(np.uint8), 0, -1))


@lru_cache(maxsize=64)
def _digest(settings: ShapeSettings) -> str:
    drawn = replace(settings, first=0, pictures=1)
    return hashlib.sha256(repr(drawn).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class ShapeObjects:
    """What a picture of shapes shows."""

    picture: ShapePicture

    def read(self) -> tuple[SceneObject, ...]:
        """Its shapes."""
        return tuple(shape.seen for shape in _scene(self.picture))


@dataclass(frozen=True, eq=False)
class _Shape:
    """A shape as drawn.

    Attributes:
        seen: What it is.
        outline: (N, 2), its corners [px].
    """

    seen: SceneObject
    outline: Array


def _generator(picture: ShapePicture, stream: int) -> np.random.Generator:
    """A generator of its own for each purpose; the upper words of the counter tell them apart."""
    return np.random.Generator(np.random.Philox(key=[picture.settings.seed, picture.number], counter=[0, 0, stream, 0]))


@lru_cache(maxsize=256)
def _camera(picture: ShapePicture) -> Camera:
    settings, rng = picture.settings, _generator(picture, _CAMERA_STREAM)
    width, height = (int(rng.integers(low, high + 1)) for low, high in (settings.width, settings.height))
    return Camera.from_fov(width, height, float(rng.uniform(*settings.fov)))


@lru_cache(maxsize=256)
def _scene(picture: ShapePicture) -> tuple[_Shape, ...]:
    """The shapes of a picture, those that are alone of their kind first."""
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
            shapes.append(_shape(name, color, place, float(rng.uniform(-_TILT, _TILT))))
    return tuple(shapes)


def _free_place(rng: np.random.Generator, settings: ShapeSettings, camera: Camera, taken: Array) -> Array | None:
    """A circle (u, v, radius) [px] that keeps clear of those taken (N, 3) and of the border; None if none is found."""
    side = min(camera.width, camera.height)
    radius, gap = side * float(rng.uniform(*settings.size)), side * _GAP
    span = np.array([camera.width, camera.height]) - 2 * (radius + gap)
    places = radius + gap - 0.5 + rng.random((_ATTEMPTS, 2)) * span
    away = np.linalg.norm(places[:, None] - taken[:, :2], axis=-1) - taken[:, 2]
    free = np.flatnonzero((away >= radius + gap).all(axis=1))
    return np.array([*places[free[0]], radius]) if free.size else None


def _shape(name: str, color: str, place: Array, tilt: float) -> _Shape:
    """A shape inside the circle ``place`` (u, v, radius) [px], turned by ``tilt`` [deg]."""
    cosine, sine = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    outline = place[:2] + place[2] * _outline(name) @ np.array([[cosine, sine], [-sine, cosine]])
    (left, top), (right, bottom) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    return _Shape(SceneObject(name, color, (left, top, right, bottom)), outline)


@lru_cache(maxsize=len(NAMES))
def _outline(name: str) -> Array:
    """Corners (N, 2) of a shape in the unit circle, u right, v down.

    The heart is a curve of Weisstein, "Heart Curve", MathWorld, moved and scaled into the unit circle.
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


def _background(rng: np.random.Generator, camera: Camera) -> Floats:
    """A grey with a touch of colour that changes slowly across the picture, (3, height, width)."""
    color = rng.uniform(*_GREY) + rng.uniform(-_TINT, _TINT, 3)
    across, down = rng.uniform(-_SLOPE, _SLOPE, 2)
    u, v = _ramp(camera.width) * across, _ramp(camera.height) * down
    return color.astype(np.float32)[:, None, None] + (u + v[:, None])


def _paint(picture: Floats, shape: _Shape) -> None:
    """Paint a shape over a picture (3, height, width), with smooth edges."""
    left, top = (max(0, int(least) - 1) for least in shape.outline.min(axis=0))
    right, bottom = (int(most) + 3 for most in shape.outline.max(axis=0))
    patch = picture[:, top:bottom, left:right]
    height, width = patch.shape[1:]
    fine = np.zeros((height * _FINE, width * _FINE), np.uint8)
    corners = (shape.outline - (left, top) + 0.5) * _FINE - 0.5
    cv2.fillPoly(fine, [np.rint(corners).astype(np.int32)], 255)
    cover = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA) / np.float32(_WHITE)
    light = 1 - _LIGHT * (_ramp(width) + _ramp(height)[:, None])
    color = np.array(PALETTE[shape.seen.color], np.float32)[:, None, None]
    patch += cover * (color * light - patch)


def _ramp(count: int) -> Floats:
    """Numbers (count,) from -0.5 to 0.5."""
    return np.linspace(-0.5, 0.5, count, dtype=np.float32)
