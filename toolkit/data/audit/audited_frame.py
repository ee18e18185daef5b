"""An AuditedFrame: what the checks look at of one manifest line, small enough that hundreds fit into memory.

Conventions: see ``toolkit.geometry.camera``.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.audit.finding import WorstFrame
from toolkit.data.frames.frame import DepthFile, DepthType, Frame, ImageFile, SparseDepth
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Pixels

SIDE = 320
"""The longest side of the small picture that is kept [px]."""

MAX_POINTS = 8000
"""The number of labels that are kept of a frame whose depth is not dense."""

_DENSE = 0.3  # the share of pixels with valid depth above which depth is read on the small picture's grid
_BAND = 0.03  # relative; the values so near to the least or the greatest show how dense the values are there
_STEPS = (1000, 500, 250, 200, 100, 50, 25, 20, 16, 10, 8, 5, 4, 2)
_NEARLY = 0.9  # the share of values that must be multiples: rotated bits spill over beyond 8.2 m
_STEP = 1e-6  # relative; values nearer to each other than this count as one value


@dataclass(frozen=True)
class RangeEnd:
    """The least or the greatest of a frame's values.

    Attributes:
        value: The least or the greatest value, in stored units.
        at: The number of labels that have this value.
        near: The number of labels within 3 % of the value that do not have it.
        steps: The number of different values among those near labels.
    """

    value: float
    at: int
    near: int
    steps: int

    @property
    def pile(self) -> float:
        """How many times as many labels have this value as have each of the values next to it."""
        return self.at * max(self.steps, 1) / max(self.near, 1)


@dataclass(frozen=True)
class StoredValues:
    """The values of a frame's labels as stored, before scaling and sampling.

    Attributes:
        count: The number of labels.
        top: The greatest value.
        bottom: The least value.
        common: The greatest number of ``_STEPS`` of which nearly all values are multiples: 1 if there is none, 0 if
            the values are not whole numbers.
    """

    count: int
    top: RangeEnd
    bottom: RangeEnd
    common: int

    @classmethod
    def of(cls, values: Array) -> "StoredValues":
        """The summary of a frame's stored values (N,), which are at least one and all positive."""
        low, high = float(values.min()), float(values.max())
        return cls(len(values), _range_end(values, high), _range_end(values, low), _common_step(values))


def _range_end(values: Array, value: float) -> RangeEnd:
    near = np.abs(values - value) < _BAND * value
    at = near & (np.abs(values - value) < _STEP * value)
    return RangeEnd(value, int(at.sum()), int((near & ~at).sum()), len(np.unique(values[near & ~at])))


def _common_step(values: Array) -> int:
    """The greatest of ``_STEPS`` of which nearly all values are multiples; 0 where a value is not a whole number."""
    if np.any(np.rint(values) != values):
        return 0
    return next((step for step in _STEPS if (values % step == 0).mean() > _NEARLY), 1)


@dataclass(frozen=True, eq=False)
class AuditedFrame:
    """One manifest line whose picture and labels were read.

    Attributes:
        line: The number of the line in the manifest.
        frame: The Frame of the line; its depth type is "z" where the line does not state one.
        declared: The depth type that the line states, or None.
        reading: The depth type that the checks assume.
        picture: The picture (h, w, 3), RGB, shrunk to at most ``SIDE`` px.
        pixels: The labelled pixels (N, 2), in pixels of the full-size picture.
        depth: The depth (N,) [m] of these pixels as the line gives it: depth_z or distance.
        scale: Metres per stored unit.
        dense: Whether the labels are a depth map, sampled on the small picture's grid.
        stored: A summary of the stored values.
        digest: The SHA-256 of the picture's bytes.
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
    stored: StoredValues
    digest: str

    @property
    def name(self) -> str:
        """What messages and reports call the frame."""
        return self.frame.name

    @property
    def sequence(self) -> str:
        """The recording that the frame belongs to."""
        return self.frame.sequence

    @property
    def world_from_camera(self) -> Array | None:
        """The pose (4, 4) of the camera, or None."""
        return self.frame.world_from_camera

    @property
    def camera(self) -> Camera:
        """The camera of the full-size picture."""
        return self.frame.camera

    def worst(self, note: str) -> WorstFrame:
        """This frame as an entry of a finding; the note says what is wrong with it."""
        return WorstFrame(self.line, self.name, note)

    @cached_property
    def rays(self) -> Array:
        """The viewing rays (N, 3) of the labelled pixels in the camera frame, with z = 1."""
        return self.camera.rays(self.pixels)

    @cached_property
    def depth_z(self) -> Array:
        """The z-depth (N,) [m] of the labels, if their depth type is ``reading``."""
        return self.depth if self.reading == "z" else self.depth / np.linalg.norm(self.rays, axis=-1)

    @cached_property
    def small_camera(self) -> Camera:
        """The camera of the small picture."""
        return self.camera.resized(self.picture.shape[1], self.picture.shape[0])

    @cached_property
    def cells(self) -> NDArray[np.intp]:
        """The column and row (N, 2) of each label in the small picture."""
        size = np.array(self.picture.shape[1::-1])
        scale = size / (self.camera.width, self.camera.height)
        return np.clip(np.rint((self.pixels + 0.5) * scale - 0.5), 0, size - 1).astype(np.intp)

    @cached_property
    def grid(self) -> Array:
        """The z-depth (h, w) [m] on the small picture, NaN where there is no label."""
        grid = np.full(self.picture.shape[:2], np.nan)
        grid[self.cells[:, 1], self.cells[:, 0]] = self.depth_z
        return grid

    @cached_property
    def grey(self) -> NDArray[np.float32]:
        """The brightness (h, w) of the small picture, 0 to 255."""
        return cv2.cvtColor(self.picture, cv2.COLOR_RGB2GRAY).astype(np.float32)


def read_audited_frame(line: int, frame: Frame, declared: DepthType | None, rng: np.random.Generator) -> AuditedFrame:
    """Read the picture and the labels of a manifest line.

    Args:
        line: The number of the line.
        frame: The Frame of the line.
        declared: The depth type that the line states, or None.
        rng: Draws the labels that are kept.

    Raises:
        UserError: If a file is damaged, or no label is valid.
    """
    whole = frame.picture.read()
    height, width = whole.shape[:2]
    shrink = min(1.0, SIDE / max(width, height))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    picture = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    pixels, values, scale = _stored_labels(frame)
    if not len(values):
        raise UserError(f"{frame.name}: there is no valid depth")
    dense = len(values) > _DENSE * width * height
    keep = _on_grid(pixels, (width, height), size) if dense else _sample(len(values), rng)
    return AuditedFrame(
        line,
        frame,
        declared,
        declared or "z",
        picture,
        pixels[keep],
        values[keep] * scale,
        scale,
        dense,
        StoredValues.of(values),
        _digest(frame, whole),
    )


def _stored_labels(frame: Frame) -> tuple[Array, Array, float]:
    """The labelled pixels (N, 2), their values as stored (N,), and metres per stored unit."""
    labels = frame.labels
    if isinstance(labels, SparseDepth):
        return labels.pixels, labels.depth, 1.0
    if isinstance(labels, DepthFile):
        grid = labels.grid(frame.camera)
        pixels = grid.pixels
        return pixels.astype(np.float64), grid.values(pixels), labels.scale
    raise UserError(f"{frame.name}: there are no labels on disk", remedy="audit a manifest")


def _on_grid(pixels: Array, size: tuple[int, int], small: tuple[int, int]) -> NDArray[np.intp]:
    """Indices of those pixels (N, 2) that are the nearest to the pixel centres of the small picture.

    Args:
        pixels: The valid pixels (N, 2) of the full-size picture, at whole coordinates.
        size: Width and height of the full-size picture [px].
        small: Width and height of the small picture [px].
    """
    lookup = np.full((size[1], size[0]), -1, dtype=np.intp)
    columns, rows = pixels.astype(np.intp).T
    lookup[rows, columns] = np.arange(len(pixels))
    u, v = (
        np.rint((np.arange(few) + 0.5) * many / few - 0.5).astype(np.intp)
        for many, few in zip(size, small, strict=True)
    )
    found = lookup[np.ix_(v, u)].ravel()
    return found[found >= 0]


def _sample(count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices of at most ``MAX_POINTS`` of ``count`` labels, in ascending order."""
    if count <= MAX_POINTS:
        return np.arange(count)
    return np.sort(rng.choice(count, MAX_POINTS, replace=False))


def _digest(frame: Frame, whole: Pixels) -> str:
    picture = frame.picture
    data = picture.path.read_bytes() if isinstance(picture, ImageFile) else whole.tobytes()
    return hashlib.sha256(data).hexdigest()
