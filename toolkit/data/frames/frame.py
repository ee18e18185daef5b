"""A Frame: one picture on disk (or rendered on demand), with its camera and its labels.

Conventions: see ``toolkit.geometry.camera``.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from toolkit.data.frames.image_file import open_image, orientation_of, read_rgb, turn_upright
from toolkit.data.frames.objects import Objects
from toolkit.data.frames.stored_depth import read_stored_depth
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Pixels

DepthType = Literal["z", "euclidean"]
"""Whether depth is z-depth, along the principal axis, or the Euclidean distance from the camera centre."""

FARTHEST = 10_000.0
"""Greater depths [m] are refused: they come from a wrong unit, or stand for "no depth"."""

NEAREST = 1e-5
"""Smaller depths [m] are refused in lists, and unknown in depth maps: they come from a wrong unit, or from rounding."""

SHORTEST_UNIT = 1e-7
"""Depth maps whose unit is shorter [m] are refused: 16 bits would not reach a centimetre."""

_COARSEST_STEP = 10.0  # m; whole numbers in longer units cannot tell how far the things in a room are
_REDUCTIONS = (8, 4, 2)  # JPEG can be decoded at these parts of its size
_UNKNOWN = np.iinfo(np.uint16).max  # the stored value that means "unknown" in files of every type


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
class LabelMap(Labels, Protocol):
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
        name: What messages call the depth map.
    """

    stored: NDArray[Any]
    valid: NDArray[np.bool_]
    scale: float
    depth_type: DepthType
    name: str = "the depth map"

    def depth_z(self, camera: Camera, pixels: NDArray[np.int64]) -> Array:
        """The z-depth (N,) [m] of valid pixels (N, 2), (column, row), of the picture of ``camera``."""
        return _depth_z(camera, pixels.astype(np.float64), self.values(pixels) * self.scale, self.depth_type)

    def values(self, pixels: NDArray[np.int64]) -> Array:
        """The stored numbers (N,) of valid pixels (N, 2), (column, row).

        Raises:
            UserError: If one of them is an impossible depth.
        """
        with np.errstate(over="ignore"):  # infinity is checked
            values = self.stored[pixels[:, 1], pixels[:, 0]].astype(np.float64)
            self._check_farthest(values * self.scale)
        return values

    def _check_farthest(self, depth: Array) -> None:
        """Raise a UserError if one of some depths (N,) [m] is ``FARTHEST`` or beyond."""
        if depth.max(initial=0.0) < FARTHEST:
            return
        sky = "store 0 where no depth is known, such as in the sky"
        raise UserError(
            f"{self.name}: there are depths of {FARTHEST / 1000:g} km or more, such as {depth.max():.4g} m",
            cause=f"depth_scale {self.scale:g} is wrong, or a large number stands for unknown depth",
            remedy=f"{_inverse(self.scale)}; {sky}",
        )

    @property
    def pixels(self) -> NDArray[np.int64]:
        """All valid pixels (N, 2), (column, row)."""
        rows, columns = np.nonzero(self.valid)
        return np.stack([columns, rows], axis=-1)


@dataclass(frozen=True)
class DepthFile:
    """A depth map on disk: a 16-bit PNG, a float TIFF or a .npy array of the picture's size.

    Attributes:
        path: The path of the file.
        scale: Metres per stored unit.
        depth_type: Whether the depth map holds z-depth or Euclidean distance.
        orientation: The EXIF orientation of the stored picture, 1 to 8. The depth map turns with the picture, unless
            its size shows that it is upright already.
    """

    path: Path
    scale: float
    depth_type: DepthType
    orientation: int = 1

    def read(self, camera: Camera) -> tuple[Array, Array]:
        """The pixels (N, 2) with valid depth, and their z-depth (N,) [m].

        Zero, negative numbers, NaN and infinity are invalid, and so are depths below ``NEAREST``, 65535, and the
        largest number of an integer type, at which depth saturates.

        Raises:
            UserError: If the file is missing, damaged, of another size than the picture, or in another unit than
                ``scale`` says.
        """
        grid = self.grid(camera)
        pixels = grid.pixels
        return pixels.astype(np.float64), grid.depth_z(camera, pixels)

    def grid(self, camera: Camera) -> "DepthGrid":
        """The depth map as it is stored, but upright, and which of its pixels are valid.

        Raises:
            UserError: If the file is missing, damaged, of another size than the picture, or in another unit than
                ``scale`` says.
        """
        size = (camera.width, camera.height)
        stored = self._upright(read_stored_depth(self.path, size, turned=self.orientation >= 5), camera)
        try:
            check_unit(self.scale, whole=stored.dtype.kind != "f")
        except UserError as fault:
            raise UserError(f"{self.path}, depth_scale: {fault.problem}", fault.cause, fault.remedy) from None
        known = _known(stored, self.scale)
        if not known.any():
            self._check_unknown(stored)
        return DepthGrid(stored, known, self.scale, self.depth_type, str(self.path))

    def _check_unknown(self, stored: NDArray[Any]) -> None:
        """Raise a UserError if numbers (h, w) of which none is a depth do not all say that the depth is unknown."""
        strange = stored[np.isfinite(stored) & (stored != 0) & (stored.astype(np.float64) < _UNKNOWN)]
        if strange.size:
            raise UserError(
                f"{self.path}: no number in it is a depth, such as {strange[0]:g}",
                cause=f"depths are positive, and at least {1000 * NEAREST:g} mm",
                remedy="store positive numbers with their depth_scale, and 0 where no depth is known",
            )

    def _upright(self, stored: NDArray[Any], camera: Camera) -> NDArray[Any]:
        """The depth map (h, w), turned like its picture unless its size shows that it is upright already."""
        told_by_size = self.orientation >= 5 and camera.width != camera.height
        if told_by_size and stored.shape == (camera.height, camera.width):
            return stored
        return turn_upright(stored, self.orientation)


def _known(stored: NDArray[Any], scale: float) -> NDArray[np.bool_]:
    """Which stored numbers (h, w), with a unit of ``scale`` [m], are depths: not "unknown", "too far" or rounding."""
    known = np.asarray(stored > 0)
    if stored.dtype != np.float16:  # which cannot hold it
        known &= stored != _UNKNOWN
    if stored.dtype.kind == "f":
        known &= np.isfinite(stored)
        known &= stored >= NEAREST / scale
    elif stored.dtype.type is not np.uint16:
        known &= stored != np.iinfo(stored.dtype).max
    return known


def longest_unit(whole: bool) -> float:
    """The bound [m] that the unit of a depth map stays below.

    Args:
        whole: Whether whole numbers are stored. Other numbers may lie between 0 and 1, in units of the greatest depth.
    """
    return _COARSEST_STEP if whole else FARTHEST


def check_unit(scale: float, whole: bool) -> None:
    """Check the length of one stored unit of a depth map.

    Args:
        scale: Metres per stored unit.
        whole: Whether whole numbers are stored.

    Raises:
        UserError: If the unit is shorter than any that is used, or so long that ``scale`` must be the number of units
            in a metre.
    """
    if scale < SHORTEST_UNIT:
        raise UserError(
            f"one stored unit would be {scale:g} m long, and must be {SHORTEST_UNIT:g} m at least",
            cause="this is metres per stored unit",
            remedy=_inverse(scale),
        )
    if scale >= longest_unit(whole):
        raise UserError(
            f"one stored unit would be {scale:g} m long, and must be shorter than {longest_unit(whole):g} m",
            cause=f"this is metres per stored unit; {scale:g} looks like stored units per metre",
            remedy=_inverse(scale),
        )


def _inverse(scale: float) -> str:
    """The remedy for a ``depth_scale`` that may be the inverse of the right one."""
    inverse = f"1/{scale:g} = {1 / scale:.6g} if a metre has {scale:g} units, " if scale > 1 else ""
    return f"give metres per stored unit as depth_scale: {inverse}0.001 for millimetres"


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
