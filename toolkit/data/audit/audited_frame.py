"""A Shot: all of one manifest line that the checks look at, small enough that hundreds fit into memory.

Conventions: see ``toolkit.geometry.camera``.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.frames.frame import DepthFile, DepthType, Frame, ImageFile, SparseDepth
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Pixels

SIDE = 320
"""Longest side of the picture that is kept [px]."""


MAX_POINTS = 8000
"""Labels that are kept of a frame whose depth is not dense."""


_DENSE = 0.3  # share of a depth map that must be valid for it to be read on the small picture's grid


_BAND = 0.03  # relative; values so near to the least or the greatest say how thick values lie there


_STEPS = (1000, 500, 250, 200, 100, 50, 25, 20, 16, 10, 8, 5, 4, 2)


_NEARLY = 0.9  # rotated bits spill over beyond 8.2 m


_STEP = 1e-6  # relative; values nearer to each other are one value


@dataclass(frozen=True)
class End:
    """The least or the greatest of a frame's values.

    Attributes:
        value: That value.
        at: Labels that have it.
        near: Labels within 3 % of it that do not have it.
        steps: Different values among those.
    """

    value: float
    at: int
    near: int
    steps: int

    @property
    def pile(self) -> float:
        """How many times as many labels have the value as each of its neighbours."""
        return self.at * max(self.steps, 1) / max(self.near, 1)


@dataclass(frozen=True)
class Stored:
    """The values of a frame's labels as stored, before scaling and sampling.

    Attributes:
        count: How many labels.
        top: The greatest value.
        bottom: The least value.
        common: The greatest likely integer that nearly all values are multiples of; 0 where they are no integers.
    """

    count: int
    top: End
    bottom: End
    common: int

    @classmethod
    def of(cls, values: Array) -> "Stored":
        """Of the values (N,) of a frame, at least one, all positive."""
        low, high = float(values.min()), float(values.max())
        return cls(len(values), _end(values, high), _end(values, low), _common(values))


def _end(values: Array, value: float) -> End:
    near = np.abs(values - value) < _BAND * value
    at = near & (np.abs(values - value) < _STEP * value)
    return End(value, int(at.sum()), int((near & ~at).sum()), len(np.unique(values[near & ~at])))


def _common(values: Array) -> int:
    """The greatest of ``_STEPS`` that nearly all values are multiples of, 0 where some is no integer."""
    if np.any(np.rint(values) != values):
        return 0
    return next((step for step in _STEPS if (values % step == 0).mean() > _NEARLY), 1)


@dataclass(frozen=True, eq=False)
class Shot:
    """One manifest line, read.

    Attributes:
        line: Its number in the manifest.
        frame: The Frame; its depth type is ``reading`` where the line does not say.
        declared: What the line says its depth is, None where it says nothing.
        reading: What its depth is taken for.
        picture: Its picture shrunk to at most ``SIDE`` px, (h, w, 3).
        pixels: Labelled pixels (N, 2) of the whole picture.
        depth: Their depth (N,) [m], as the line gives it: depth_z or distance.
        scale: Metres per stored unit.
        dense: Whether the labels are a depth map sampled on the small picture's grid.
        stored: The stored values, in summary.
        digest: Of the picture's bytes.
    """

    line: int
    frame: Frame
    declared: DepthType | None
    reading: DepthType
    picture: Pixels
    pixels: Array
    depth: Array
    scale: float
    dense: bool
    stored: Stored
    digest: str

    @property
    def camera(self) -> Camera:
        """The camera of the whole picture."""
        return self.frame.camera

    @cached_property
    def rays(self) -> Array:
        """Rays (N, 3) with z = 1 of the labelled pixels."""
        return self.camera.rays(self.pixels)

    @cached_property
    def depth_z(self) -> Array:
        """depth_z (N,) [m] of the labels under ``reading``."""
        return self.depth if self.reading == "z" else self.depth / np.linalg.norm(self.rays, axis=-1)

    @cached_property
    def small_camera(self) -> Camera:
        """The camera of the small picture."""
        return self.camera.resized(self.picture.shape[1], self.picture.shape[0])

    @cached_property
    def cells(self) -> NDArray[np.intp]:
        """Column and row (N, 2) of each label in the small picture."""
        size = np.array(self.picture.shape[1::-1])
        scale = size / (self.camera.width, self.camera.height)
        return np.clip(np.rint((self.pixels + 0.5) * scale - 0.5), 0, size - 1).astype(np.intp)

    @cached_property
    def grid(self) -> Array:
        """depth_z [m] on the small picture (h, w), NaN where there is no label."""
        grid = np.full(self.picture.shape[:2], np.nan)
        grid[self.cells[:, 1], self.cells[:, 0]] = self.depth_z
        return grid

    @cached_property
    def grey(self) -> NDArray[np.float32]:
        """The small picture's brightness (h, w), 0 to 255."""
        return cv2.cvtColor(self.picture, cv2.COLOR_RGB2GRAY).astype(np.float32)


def read_shot(line: int, frame: Frame, declared: DepthType | None, rng: np.random.Generator) -> Shot:
    """Read a line's picture and labels.

    Raises:
        UserError: If a file is damaged, or no label is valid.
    """
    whole = frame.picture.read()
    height, width = whole.shape[:2]
    shrink = min(1.0, SIDE / max(width, height))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    picture = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    pixels, values, scale = _labels(frame)
    if not len(values):
        raise UserError(f"{frame.name}: there is no valid depth")
    dense = len(values) > _DENSE * width * height
    keep = _on_grid(pixels, (width, height), size) if dense else _some(len(values), rng)
    return Shot(
        line,
        frame,
        declared,
        declared or "z",
        picture,
        pixels[keep],
        values[keep] * scale,
        scale,
        dense,
        Stored.of(values),
        _digest(frame, whole),
    )


def _labels(frame: Frame) -> tuple[Array, Array, float]:
    """Pixels (N, 2), values as stored (N,), and metres per stored unit."""
    labels = frame.labels
    if isinstance(labels, SparseDepth):
        return labels.pixels, labels.depth, 1.0
    if isinstance(labels, DepthFile):
        return *DepthFile(labels.path, 1.0, "z").read(frame.camera), labels.scale
    raise UserError(f"{frame.name}: there are no labels on disk", remedy="audit a manifest")


def _on_grid(pixels: Array, size: tuple[int, int], small: tuple[int, int]) -> NDArray[np.intp]:
    """Which of the valid pixels (N, 2) are the nearest to a small picture's pixel centres."""
    lookup = np.full((size[1], size[0]), -1, dtype=np.intp)
    columns, rows = pixels.astype(np.intp).T
    lookup[rows, columns] = np.arange(len(pixels))
    u, v = (
        np.rint((np.arange(few) + 0.5) * many / few - 0.5).astype(np.intp)
        for many, few in zip(size, small, strict=True)
    )
    found = lookup[np.ix_(v, u)].ravel()
    return found[found >= 0]


def _some(count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    if count <= MAX_POINTS:
        return np.arange(count)
    return np.sort(rng.choice(count, MAX_POINTS, replace=False))


def _digest(frame: Frame, whole: Pixels) -> str:
    picture = frame.picture
    data = picture.path.read_bytes() if isinstance(picture, ImageFile) else whole.tobytes()
    return hashlib.sha256(data).hexdigest()
