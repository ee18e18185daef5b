"""Depth maps: one depth for every pixel of a picture; filled from a survey, read from labels, written, compared.

Conventions: see ``toolkit.geometry.camera``.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from toolkit.data.frames.frame import DepthType, Frame
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.inference.cloud.adaptive_grid import Indices, Survey, change
from toolkit.utils.arrays import Array
from toolkit.utils.files import write_bytes

KIND_NAMES: dict[DepthType, str] = {"z": "depth_z", "euclidean": "distance"}
"""What a depth of each kind is called in file names and legends."""


KIND_WORDS: dict[DepthType, str] = {"z": "along the principal axis", "euclidean": "from the camera centre"}
"""How a depth of each kind is measured."""


MILLIMETRE = 0.001
"""Metres per unit of a 16-bit depth map."""


_UNSTORABLE = np.iinfo(np.uint16).max  # read as saturated, by this toolkit and by others


_DELTA = 1.25


@dataclass(frozen=True)
class DepthMap:
    """The depth of every pixel of a picture.

    Attributes:
        depth: (height, width) [m]; NaN where it is not known.
        depth_type: Whether that is depth_z or Euclidean distance.
    """

    depth: Array
    depth_type: DepthType

    def converted(self, camera: Camera, depth_type: DepthType) -> "DepthMap":
        """The same map as the other kind of depth.

        Raises:
            UserError: If the camera is that of another picture size.
        """
        check_size("the depth map", self.depth, camera)
        if depth_type == self.depth_type:
            return self
        pixels = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), axis=-1)
        convert = camera.z_from_distance if depth_type == "z" else camera.distance_from_z
        return DepthMap(convert(pixels, self.depth), depth_type)


@dataclass(frozen=True)
class Comparison:
    """How one depth map differs from another, the reference, where both have a depth.

    Attributes:
        pixels: How many pixels that are.
        delta1: Share of them whose depths differ by less than a factor of 1.25.
        abs_rel: Mean of |first - reference| / reference.
        median_ratio: Median of first / reference: above 1 where the first map is too far.
    """

    pixels: int
    delta1: float
    abs_rel: float
    median_ratio: float


def dense_map(survey: Survey, depth_type: DepthType, camera: Camera, ratio: float) -> DepthMap:
    """The depth_z of every pixel within a survey's margin, from what was asked.

    In a leaf whose corners agree, 1 / depth_z is interpolated bilinearly. That is exact for a plane seen without
    distortion: n . X = d with X = depth_z r gives 1 / depth_z = n . r / d, and the ray r is linear in the pixel
    (Blinn 1992, "Hyperbolic Interpolation"). In a leaf whose corners differ, each pixel takes the depth of its
    nearest corner, so that no points float between foreground and background; NaN where that corner could not
    be read. Pixels that were asked keep their answers.

    Args:
        survey: What was asked, and the answers.
        depth_type: Whether the answers are depth_z or Euclidean distance.
        camera: The camera of the picture.
        ratio: Corners agree if the largest depth is less than this many times the smallest (``Grid.ratio``).
    """
    depth_z = survey.depth if depth_type == "z" else camera.z_from_distance(survey.pixels, survey.depth)
    corners = survey.corners(depth_z)
    agree = change(corners) < ratio
    dense = np.full(survey.size[::-1], np.nan)
    for (rows, columns), leaf, corner, smooth in zip(survey.owned(), survey.leaves, corners, agree, strict=True):
        across = (np.arange(columns.start, columns.stop) - leaf[0]) / (leaf[2] - leaf[0])
        down = (np.arange(rows.start, rows.stop) - leaf[1]) / (leaf[3] - leaf[1])
        dense[rows, columns] = (_bilinear if smooth else _nearest_corner)(corner, across, down)
    answered = ~np.isnan(depth_z)
    u, v = survey.pixels[answered].astype(np.int64).T
    dense[v, u] = depth_z[answered]
    return DepthMap(dense, "z")


def _bilinear(corners: Array, across: Array, down: Array) -> Array:
    """Depths (H, W) at shares (W,) and (H,) of a cell's sides: 1 / depth is bilinear between the corners (2, 2)."""
    upper, lower = 1 / corners
    left, right = (upper[side] + (lower[side] - upper[side]) * down[:, None] for side in (0, 1))
    return 1 / (left + (right - left) * across)


def _nearest_corner(corners: Array, across: Array, down: Array) -> Array:
    """Depths (H, W) at shares (W,) and (H,) of a cell's sides: that of the nearest of the corners (2, 2)."""
    return corners[np.ix_((down > 0.5).astype(int), (across > 0.5).astype(int))]


def sparse_map(pixels: ArrayLike, depth: ArrayLike, depth_type: DepthType, size: tuple[int, int]) -> DepthMap:
    """A map of a picture of ``size`` (width, height) with depths (N,) [m] at the pixels nearest to (N, 2) alone."""
    found = np.full(size[::-1], np.nan)
    u, v = nearest(pixels, size)
    found[v, u] = depth
    return DepthMap(found, depth_type)


def labelled_map(frame: Frame) -> DepthMap:
    """The depth_z of a Frame's labels.

    Raises:
        UserError: If it has none, or they cannot be read.
    """
    pixels, depth_z = labels_of(frame)
    return sparse_map(pixels, depth_z, "z", (frame.camera.width, frame.camera.height))


def labels_of(frame: Frame) -> tuple[Array, Array]:
    """Labelled pixels (N, 2) of a Frame and their depth_z (N,) [m].

    Raises:
        UserError: If it has none, or they cannot be read.
    """
    if frame.labels is None:
        raise UserError(f"{frame.name}: this picture has no depth", remedy="give `depth_map`, or `pixel_coords`")
    return frame.labels.read(frame.camera)


def nearest(pixels: ArrayLike, size: tuple[int, int]) -> tuple[Indices, Indices]:
    """Columns and rows (N,) of the pixels nearest to (N, 2), which lie in a picture of ``size`` (width, height)."""
    # Not np.rint, which rounds halves to even: two neighbours to the same pixel.
    whole = np.floor(np.asarray(pixels, dtype=np.float64).reshape(-1, 2) + 0.5).astype(np.int64)
    u, v = np.clip(whole, 0, np.array(size) - 1).T
    return u, v


def check_size(what: str, array: NDArray[np.generic], camera: Camera) -> None:
    """Check that an array (H, W, ...) is of the camera's picture size.

    Raises:
        UserError: If it is not.
    """
    height, width = array.shape[:2]
    if (width, height) != (camera.width, camera.height):
        raise UserError(
            f"{what} is {width} x {height}, and the camera is that of a {camera.width} x {camera.height} picture",
            remedy="give the intrinsics of this picture in this size",
        )


def compare(first: DepthMap, reference: DepthMap) -> Comparison:
    """How a map differs from a reference, where both have a depth (Eigen, Puhrsch and Fergus 2014).

    Raises:
        UserError: If the maps are of different sizes or kinds, or nowhere both valid.
    """
    sizes = [f"{map_.depth.shape[1]} x {map_.depth.shape[0]}" for map_ in (first, reference)]
    if sizes[0] != sizes[1]:
        raise UserError(f"depth maps of {sizes[0]} and {sizes[1]} pixels cannot be compared", remedy="resample one")
    if first.depth_type != reference.depth_type:
        raise UserError(
            f"{KIND_NAMES[first.depth_type]} cannot be compared with {KIND_NAMES[reference.depth_type]}",
            remedy="convert one of the maps",
        )
    both = (first.depth > 0) & (reference.depth > 0)
    if not both.any():
        raise UserError("the depth maps cannot be compared", cause="there is no pixel where both have a depth")
    ratio = first.depth[both] / reference.depth[both]
    return Comparison(
        pixels=len(ratio),
        delta1=float(np.mean(np.maximum(ratio, 1 / ratio) < _DELTA)),
        abs_rel=float(np.mean(np.abs(ratio - 1))),
        median_ratio=float(np.median(ratio)),
    )


def png_names(cloud: Path, depth_type: DepthType) -> tuple[Path, Path]:
    """Where the depth map beside a cloud goes, in millimetres and in colours: out_depth_z_mm.png, out_depth_z.png."""
    stem = f"{cloud.stem}_{KIND_NAMES[depth_type]}"
    return cloud.with_name(f"{stem}_mm.png"), cloud.with_name(f"{stem}.png")


def save_depth_png(depth_map: DepthMap, path: Path) -> int:
    """Write a map as a 16-bit PNG in millimetres, 0 where there is no depth; how many depths do not fit in.

    Those are the depths that round to 65.535 m, or lie beyond, and those that round to 0; they are written as 0.
    The kind of depth and the scale stand in the file's text, under the names that they have in a manifest.
    """
    known = np.isfinite(depth_map.depth)
    units = np.rint(np.where(known, depth_map.depth, 0) / MILLIMETRE)
    fits = known & (units > 0) & (units < _UNSTORABLE)
    buffer = io.BytesIO()
    Image.fromarray(np.where(fits, units, 0).astype(np.uint16)).save(buffer, "PNG", pnginfo=_text(depth_map.depth_type))
    write_bytes(path, buffer.getvalue())
    return int((known & ~fits).sum())


def _text(depth_type: DepthType) -> PngInfo:
    words = PngInfo()
    words.add_text(
        "Description", f"{KIND_NAMES[depth_type]} in millimetres, {KIND_WORDS[depth_type]}; 0 where there is none"
    )
    words.add_text("depth_type", depth_type)
    words.add_text("depth_scale", f"{MILLIMETRE:g}")
    return words
