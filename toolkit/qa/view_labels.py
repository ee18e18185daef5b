"""The labelled pixels of a View: a few points, or a depth map of which nothing is computed before it is asked for.

Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from toolkit.data.frames.frame import DepthGrid
from toolkit.geometry.camera import Camera
from toolkit.geometry.resample import to_canonical
from toolkit.utils.arrays import Array


class ViewLabels(Protocol):
    """The labelled pixels of a View."""

    @property
    def points(self) -> Array:
        """All labelled pixels (N, 2), (u, v) in the View."""

    @property
    def depth_z(self) -> Array:
        """The z-depth (N,) [m] of all labelled pixels."""

    def inside(self, margin: float) -> "ViewLabels":
        """The labels at least ``margin`` px from the border of the View."""

    def __len__(self) -> int: ...

    def take(self, numbers: Sequence[int] | NDArray[np.int64]) -> tuple[Array, Array]:
        """Pixels (K, 2) and z-depth (K,) [m] of the labels with these numbers, 0 … len - 1."""

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        """Pixels (count, 2) and z-depth (count,) [m] of different labels, drawn at random."""


@dataclass(frozen=True)
class PointLabels:
    """Labelled pixels that are known one by one.

    Attributes:
        points: The labelled pixels (N, 2), (u, v) in the View.
        depth_z: Their z-depth (N,) [m].
        camera: The camera of the View.
    """

    points: Array
    depth_z: Array
    camera: Camera

    def inside(self, margin: float) -> "PointLabels":
        """The labels at least ``margin`` px from the border of the View."""
        kept = self.camera.contains(self.points, margin)
        return PointLabels(self.points[kept], self.depth_z[kept], self.camera)

    def __len__(self) -> int:
        return len(self.points)

    def take(self, numbers: Sequence[int] | NDArray[np.int64]) -> tuple[Array, Array]:
        """Pixels (K, 2) and z-depth (K,) [m] of the labels with these numbers."""
        return self.points[numbers], self.depth_z[numbers]

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        """Pixels (count, 2) and z-depth (count,) [m] of different labels, drawn at random."""
        return self.take(rng.choice(len(self), count, replace=False, shuffle=True))


NO_LABELS = PointLabels(np.empty((0, 2)), np.empty(0), Camera(1.0, 1.0, 0.0, 0.0, 1, 1))
"""The labels of a View that has none."""


@dataclass(frozen=True)
class GridLabels:
    """The valid pixels of a depth map that a View shows, where no lens bends the picture.

    The numbers of the labels count the valid pixels of the depth map, row by row, in the part that the View shows.

    Attributes:
        grid: The depth map.
        source: The camera of the original picture, without distortion.
        camera: The camera of the View.
        margin: The distance [px of the View] that labels keep from the View's border.
    """

    grid: DepthGrid
    source: Camera
    camera: Camera
    margin: float = 0.0

    def inside(self, margin: float) -> "GridLabels":
        """The labels at least ``margin`` px from the border of the View."""
        return GridLabels(self.grid, self.source, self.camera, margin)

    def __len__(self) -> int:
        return len(self._valid)

    def take(self, numbers: Sequence[int] | NDArray[np.int64]) -> tuple[Array, Array]:
        """Pixels (K, 2) and z-depth (K,) [m] of the labels with these numbers."""
        rows, columns = self._part
        places = self._valid[np.asarray(numbers, dtype=np.int64)]
        row, column = np.divmod(places, columns.stop - columns.start)
        pixels = np.stack([column + columns.start, row + rows.start], axis=-1)
        return to_canonical(self.source, self.camera, pixels.astype(np.float64)), self.grid.depth_z(self.source, pixels)

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        """Pixels (count, 2) and z-depth (count,) [m] of different labels, drawn at random."""
        return self.take(rng.choice(len(self), count, replace=False, shuffle=True))

    @cached_property
    def points(self) -> Array:
        """All labelled pixels (N, 2), (u, v) in the View."""
        return self._all[0]

    @cached_property
    def depth_z(self) -> Array:
        """The z-depth (N,) [m] of all labelled pixels."""
        return self._all[1]

    @cached_property
    def _all(self) -> tuple[Array, Array]:
        return self.take(np.arange(len(self)))

    @cached_property
    def _part(self) -> tuple[slice, slice]:
        """The rows and columns of the depth map whose pixels lie inside of the margin."""
        height, width = self.grid.valid.shape
        upper_row, left_column = np.zeros((width, 2)), np.zeros((height, 2))
        upper_row[:, 0], left_column[:, 1] = np.arange(width), np.arange(height)
        u = to_canonical(self.source, self.camera, upper_row)[:, 0]
        v = to_canonical(self.source, self.camera, left_column)[:, 1]
        return _shown(v, self.camera.height, self.margin), _shown(u, self.camera.width, self.margin)

    @cached_property
    def _valid(self) -> NDArray[np.int64]:
        """The places of the valid pixels in the part that is shown, counted row by row."""
        return np.flatnonzero(self.grid.valid[self._part])


def _shown(places: Array, length: int, margin: float) -> slice:
    """Which of increasing places along an axis of a View of ``length`` px keep ``margin`` px from its ends."""
    shown = np.flatnonzero((places >= margin - 0.5) & (places <= length - 0.5 - margin))
    return slice(int(shown[0]), int(shown[-1]) + 1) if len(shown) else slice(0, 0)
