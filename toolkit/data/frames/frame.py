"""A Frame: one picture on disk (or rendered on demand), with its camera and its labels.

Conventions: see ``toolkit.geometry.camera``.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.frames.image_file import open_image, orientation_of, read_rgb
from toolkit.data.frames.objects import Objects
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Pixels

DepthType = Literal["z", "euclidean"]
"""Whether depth is z-depth, along the principal axis, or the Euclidean distance from the camera centre."""

_REDUCTIONS = (8, 4, 2)  # JPEG can be decoded at these parts of its size
_SATURATED = np.iinfo(np.uint16).max  # the stored value at which 16-bit depth saturates


class Picture(Protocol):
    """A picture whose pixels are read on demand."""

    @property
    def name(self) -> str:
        """What messages and reports call the picture: a path, or the name of a scene."""

    def read(self) -> Pixels:
        """The upright picture (height, width, 3), 8-bit RGB."""


class Labels(Protocol):
    """Depth labels that are read on demand."""

    def read(self, camera: Camera) -> tuple[Array, Array]:
        """Read the labels of a Frame.

        Args:
            camera: The camera of the Frame.

        Returns:
            All labelled pixels (N, 2) of the Frame's picture, and their z-depth (N,) [m] without NaN.
        """


@runtime_checkable
class DepthMap(Labels, Protocol):
    """Depth labels on the pixels of the picture, which need not be listed to draw some of them."""

    def grid(self, camera: Camera) -> "DepthGrid":
        """The depth map of a Frame, and which of its pixels are valid.

        Args:
            camera: The camera of the Frame.
        """


@dataclass(frozen=True)
class ImageFile:
    """A picture on disk. Its EXIF orientation is applied here, and nowhere else."""

    path: Path

    @property
    def name(self) -> str:
        """The path of the file."""
        return str(self.path)

    def read(self) -> Pixels:
        """The upright picture (height, width, 3), 8-bit RGB.

        Raises:
            UserError: If the file is missing, truncated or not a picture.
        """
        return read_rgb(self.path)[0]

    def read_reduced(self, shrink: float) -> tuple[Pixels, int]:
        """The picture, decoded at a half, a quarter or an eighth of its size where the file allows it.

        Args:
            shrink: The factor by which the picture will be shrunk, so that it may be decoded that much smaller.

        Returns:
            The picture (h, w, 3) uint8 RGB, and the factor by which it is smaller than the file says: 1, 2, 4 or 8.
            Its sides are those of the whole picture divided by the factor and rounded up.

        Raises:
            UserError: If the file is missing, truncated, or not a picture.
        """
        return read_rgb(self.path, next((each for each in _REDUCTIONS if each <= shrink), 1))

    def stored_size(self) -> tuple[int, int, int]:
        """The stored width and height [px], and the EXIF orientation (1 to 8), without decoding the pixels.

        Raises:
            UserError: If the file is missing or not a picture.
        """
        with open_image(self.path) as image:
            return *image.size, orientation_of(image)


@dataclass(frozen=True)
class ImageArray:
    """A picture in memory.

    Attributes:
        pixels: The upright picture (height, width, 3), 8-bit RGB.
        name: What messages and reports call the picture.
    """

    pixels: Pixels = field(repr=False)
    name: str = "the picture"

    def read(self) -> Pixels:
        """The picture (height, width, 3), 8-bit RGB."""
        return self.pixels


@dataclass(frozen=True)
class SparseDepth:
    """Depth at some pixels.

    Attributes:
        pixels: The labelled pixels (N, 2), (u, v) in the Frame's picture.
        depth: Their depth (N,) [m], finite and positive.
        depth_type: Whether ``depth`` is z-depth or Euclidean distance.
    """

    pixels: Array
    depth: Array
    depth_type: DepthType

    def read(self, camera: Camera) -> tuple[Array, Array]:
        """The labelled pixels (N, 2) and their z-depth (N,) [m]."""
        return self.pixels, _depth_z(camera, self.pixels, self.depth, self.depth_type)


@dataclass(frozen=True, eq=False)
class DepthGrid:
    """A depth map in memory.

    Attributes:
        stored: The numbers (h, w) as they are stored.
        valid: Which pixels (h, w) have depth.
        scale: Metres per stored unit.
        depth_type: Whether the depth map holds z-depth or Euclidean distance.
    """

    stored: NDArray[Any]
    valid: NDArray[np.bool_]
    scale: float
    depth_type: DepthType

    def depth_z(self, camera: Camera, pixels: NDArray[np.int64]) -> Array:
        """The z-depth (N,) [m] of valid pixels (N, 2), (column, row), of the picture of ``camera``."""
        depth = self.stored[pixels[:, 1], pixels[:, 0]].astype(np.float64) * self.scale
        return _depth_z(camera, pixels.astype(np.float64), depth, self.depth_type)


@dataclass(frozen=True)
class DepthFile:
    """A depth map on disk: a 16-bit PNG, a float TIFF or a .npy array of the picture's size.

    Attributes:
        path: The path of the file.
        scale: Metres per stored unit.
        depth_type: Whether the depth map holds z-depth or Euclidean distance.
    """

    path: Path
    scale: float
    depth_type: DepthType

    def read(self, camera: Camera) -> tuple[Array, Array]:
        """The pixels (N, 2) with valid depth, and their z-depth (N,) [m].

        Zero, negative numbers and NaN are invalid, and so is the largest 16-bit value, at which depth saturates.

        Raises:
            UserError: If the file is missing, damaged, or of another size than the picture.
        """
        grid = self.grid(camera)
        rows, columns = np.nonzero(grid.valid)
        pixels = np.stack([columns, rows], axis=-1)
        return pixels.astype(np.float64), grid.depth_z(camera, pixels)

    def grid(self, camera: Camera) -> "DepthGrid":
        """The depth map as it is stored, and which of its pixels are valid.

        Raises:
            UserError: If the file is missing, damaged, or of another size than the picture.
        """
        stored = self._stored()
        if stored.shape != (camera.height, camera.width):
            raise UserError(
                f"{self.path}: the depth map is {stored.shape[1]} x {stored.shape[0]}, "
                f"its picture {camera.width} x {camera.height}",
                remedy="resample the depth map to the picture's size with nearest neighbours",
            )
        valid = stored > 0
        if stored.dtype == np.uint16:
            valid &= stored < _SATURATED
        elif stored.dtype.kind == "f":
            valid &= np.isfinite(stored)
        return DepthGrid(stored, valid, self.scale, self.depth_type)

    def _stored(self) -> NDArray[Any]:
        if not self.path.is_file():
            raise UserError(
                f"{self.path}: there is no such depth map",
                remedy="check its path; a manifest's paths are relative to the manifest",
            )
        try:
            if self.path.suffix == ".npy":
                stored = np.load(self.path)
            else:
                stored = cv2.imread(str(self.path), cv2.IMREAD_UNCHANGED)
        except (OSError, ValueError, EOFError, cv2.error) as error:
            raise self._unreadable(str(error)) from None
        if stored is None:
            raise self._unreadable("OpenCV does not recognise it")
        if stored.dtype == np.uint8:
            raise self._unreadable("it has 8 bits: a picture of the depth, not the depth")
        if stored.ndim != 2 or stored.dtype.kind not in "iuf":
            raise self._unreadable(f"it holds {stored.dtype} of shape {stored.shape}, not one channel")
        return stored

    def _unreadable(self, cause: str) -> UserError:
        return UserError(
            f"{self.path}: the depth map cannot be read",
            cause=cause,
            remedy="give a one-channel 16-bit PNG, a float TIFF or a .npy array",
        )


def _depth_z(camera: Camera, pixels: Array, depth: Array, depth_type: DepthType) -> Array:
    """The z-depth (N,) [m] of pixels (N, 2) with depth (N,) [m] of a type."""
    return depth if depth_type == "z" else camera.z_from_distance(pixels, depth)


@dataclass(frozen=True)
class Frame:
    """One picture with its camera and its labels; the pixels and the labels are read on demand.

    Attributes:
        picture: The picture.
        camera: The camera of the upright picture.
        labels: The depth labels, or None.
        world_from_camera: The pose (4, 4) of the camera, or None.
        sequence: The recording that the picture belongs to, or ""; only poses of one sequence can be compared.
        license: The licence of the data, or "".
        objects: The objects that the picture shows, or None if they are not known.
    """

    picture: Picture
    camera: Camera
    labels: Labels | None = None
    world_from_camera: Array | None = None
    sequence: str = ""
    license: str = ""
    objects: Objects | None = None

    @property
    def name(self) -> str:
        """What messages and reports call the Frame: the name of its picture."""
        return self.picture.name
