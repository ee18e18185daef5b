"""Depth maps, which hold a depth for every pixel of a picture: from answers or labels, compared, and saved.

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
from toolkit.geometry.interpolation import bilinear
from toolkit.inference.cloud.adaptive_grid import Indices, Survey, depth_ratios
from toolkit.qa.metrics.relative_error import DELTA1_FACTOR
from toolkit.utils.arrays import Array
from toolkit.utils.contact_sheet import png_mark
from toolkit.utils.files import write_bytes

KIND_NAMES: dict[DepthType, str] = {"z": "depth_z", "euclidean": "distance"}
"""The name of each kind of depth, in file names and legends."""

KIND_WORDS: dict[DepthType, str] = {"z": "along the principal axis", "euclidean": "from the camera centre"}
"""Words that say how each kind of depth is measured."""

CLOUD = "cloud"
"""The command whose files these are."""

MILLIMETRE = 0.001
"""Metres per unit of a 16-bit depth map."""

_UNSTORABLE = np.iinfo(np.uint16).max  # this toolkit and others read this value as saturated


@dataclass(frozen=True)
class DepthMap:
    """The depth of every pixel of a picture.

    Attributes:
        depth: The depths, (height, width) [m]; NaN where the depth is not known.
        depth_type: Whether ``depth`` is depth_z or Euclidean distance.
    """

    depth: Array
    depth_type: DepthType

    def converted(self, camera: Camera, depth_type: DepthType) -> "DepthMap":
        """The same map, with the kind of depth that is asked for.

        Args:
            camera: The camera of the picture.
            depth_type: The kind of depth of the result.

        Raises:
            UserError: If the camera belongs to a picture of another size.
        """
        check_size("the depth map", self.depth, camera)
        if depth_type == self.depth_type:
            return self
        pixels = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), axis=-1)
        convert = camera.z_from_distance if depth_type == "z" else camera.distance_from_z
        return DepthMap(convert(pixels, self.depth), depth_type)


@dataclass(frozen=True)
class DepthErrors:
    """The errors of a depth map against a reference, over the pixels where both have a depth.

    Attributes:
        pixels: The number of these pixels.
        delta1: The share of these pixels whose two depths differ by less than a factor of 1.25.
        abs_rel: The mean of |depth - reference| / reference.
        median_ratio: The median of depth / reference, which is above 1 if the depths are too large.
    """

    pixels: int
    delta1: float
    abs_rel: float
    median_ratio: float


def dense_map(survey: Survey, depth_type: DepthType, camera: Camera, ratio: float) -> DepthMap:
    """The depth_z of every pixel, except in the margin of the grid, from the pixels that were asked for.

    In a leaf whose corners agree, 1 / depth_z is interpolated bilinearly. This is exact for a plane that is seen
    without distortion: n . X = d with X = depth_z r gives 1 / depth_z = n . r / d, and the ray r is linear in the
    pixel (Blinn 1992, "Hyperbolic Interpolation"). In a leaf whose corners differ, each pixel takes the depth of its
    nearest corner, so that no points float between foreground and background; it is NaN if that corner could not be
    read. Pixels that were asked for keep their answers.

    Args:
        survey: The pixels that were asked for, and the answers.
        depth_type: Whether the answers are depth_z or Euclidean distance.
        camera: The camera of the picture.
        ratio: Corners agree if the largest depth is less than this many times the smallest (``Grid.ratio``).
    """
    depth_z = survey.depth if depth_type == "z" else camera.z_from_distance(survey.pixels, survey.depth)
    corners = survey.corners(depth_z)
    agree = depth_ratios(corners) < ratio
    dense = np.full(survey.size[::-1], np.nan)
    for (rows, columns), leaf, corner, smooth in zip(survey.owned_pixels(), survey.leaves, corners, agree, strict=True):
        across = (np.arange(columns.start, columns.stop) - leaf[0]) / (leaf[2] - leaf[0])
        down = (np.arange(rows.start, rows.stop) - leaf[1]) / (leaf[3] - leaf[1])
        dense[rows, columns] = (_interpolate_inverse if smooth else _nearest_corner)(corner, across, down)
    answered = ~np.isnan(depth_z)
    u, v = survey.pixels[answered].astype(np.int64).T
    dense[v, u] = depth_z[answered]
    return DepthMap(dense, "z")


def _interpolate_inverse(corners: Array, across: Array, down: Array) -> Array:
    """The depths (H, W) in a cell, where 1 / depth is bilinear between the corners.

    Args:
        corners: The depths at the corners, (2, 2), indexed [lower, right].
        across: Where the columns of pixels lie, (W,), from 0 at the left side to 1 at the right side.
        down: Where the rows of pixels lie, (H,), from 0 at the upper side to 1 at the lower side.
    """
    places = np.stack(np.meshgrid(across, down), axis=-1)
    return 1 / bilinear(1 / corners, places)


def _nearest_corner(corners: Array, across: Array, down: Array) -> Array:
    """The depths (H, W) in a cell, where each pixel has that of the nearest corner; arguments as above."""
    return corners[np.ix_((down > 0.5).astype(int), (across > 0.5).astype(int))]


def sparse_map(pixels: ArrayLike, depth: ArrayLike, depth_type: DepthType, size: tuple[int, int]) -> DepthMap:
    """A depth map that has depths at some pixels alone.

    Args:
        pixels: Positions in the picture, (N, 2); the nearest pixels get the depths.
        depth: The depths, (N,) [m].
        depth_type: Whether ``depth`` is depth_z or Euclidean distance.
        size: The width and height of the picture [px].
    """
    sparse = np.full(size[::-1], np.nan)
    u, v = nearest_pixels(pixels, size)
    sparse[v, u] = depth
    return DepthMap(sparse, depth_type)


def labelled_map(frame: Frame) -> DepthMap:
    """The depth map of a Frame's labels, as depth_z.

    Raises:
        UserError: If the Frame has no labels, or they cannot be read.
    """
    pixels, depth_z = labels_of(frame)
    return sparse_map(pixels, depth_z, "z", (frame.camera.width, frame.camera.height))


def labels_of(frame: Frame) -> tuple[Array, Array]:
    """The labelled pixels (N, 2) of a Frame, and their depth_z (N,) [m].

    Raises:
        UserError: If the Frame has no labels, or they cannot be read.
    """
    if frame.labels is None:
        raise UserError(f"{frame.name}: this picture has no depth", remedy="give `depth_map`, or `pixel_coords`")
    return frame.labels.read(frame.camera)


def nearest_pixels(positions: ArrayLike, size: tuple[int, int]) -> tuple[Indices, Indices]:
    """The columns and rows (N,) of the pixels nearest to positions (N, 2) in a picture of ``size`` (width, height)."""
    # np.rint would round halves to even, so that two neighbours may get the same pixel.
    whole = np.floor(np.asarray(positions, dtype=np.float64).reshape(-1, 2) + 0.5).astype(np.int64)
    u, v = np.clip(whole, 0, np.array(size) - 1).T
    return u, v


def check_size(what: str, array: NDArray[np.generic], camera: Camera) -> None:
    """Check that an array (H, W, ...) has the size of the camera's picture; ``what`` names it in the message.

    Raises:
        UserError: If it has another size.
    """
    height, width = array.shape[:2]
    if (width, height) != (camera.width, camera.height):
        raise UserError(
            f"{what} is {width} x {height}, and the camera is that of a {camera.width} x {camera.height} picture",
            remedy="give the intrinsics that belong to this size of the picture",
        )


def depth_errors(depth_map: DepthMap, reference: DepthMap) -> DepthErrors:
    """The errors of a depth map against a reference, where both have a depth (Eigen, Puhrsch and Fergus 2014).

    Raises:
        UserError: If the maps have different sizes or kinds of depth, or no pixel where both have a depth.
    """
    sizes = [f"{each.depth.shape[1]} x {each.depth.shape[0]}" for each in (depth_map, reference)]
    if sizes[0] != sizes[1]:
        raise UserError(
            f"depth maps of {sizes[0]} and {sizes[1]} pixels cannot be compared", remedy="resample one of them"
        )
    if depth_map.depth_type != reference.depth_type:
        raise UserError(
            f"{KIND_NAMES[depth_map.depth_type]} cannot be compared with {KIND_NAMES[reference.depth_type]}",
            remedy="convert one of the maps",
        )
    both = (depth_map.depth > 0) & (reference.depth > 0)
    if not both.any():
        raise UserError("the depth maps cannot be compared", cause="there is no pixel where both have a depth")
    ratio = depth_map.depth[both] / reference.depth[both]
    return DepthErrors(
        pixels=len(ratio),
        delta1=float(np.mean(np.maximum(ratio, 1 / ratio) < DELTA1_FACTOR)),
        abs_rel=float(np.mean(np.abs(ratio - 1))),
        median_ratio=float(np.median(ratio)),
    )


def png_names(cloud: Path, depth_type: DepthType) -> tuple[Path, Path]:
    """The files of the depth map beside a cloud, in millimetres and in colours: out_depth_z_mm.png, out_depth_z.png."""
    stem = f"{cloud.stem}_{KIND_NAMES[depth_type]}"
    return cloud.with_name(f"{stem}_mm.png"), cloud.with_name(f"{stem}.png")


def save_depth_png(depth_map: DepthMap, path: Path) -> int:
    """Write a depth map as a 16-bit PNG in millimetres, with 0 where there is no depth.

    Depths that round to 0, or to 65.535 m and more, do not fit into 16 bits. They are written as 0. The PNG's text says
    the kind of depth and the scale, under the names that they have in a manifest.

    Returns:
        The number of depths that do not fit.
    """
    known = np.isfinite(depth_map.depth)
    units = np.rint(np.where(known, depth_map.depth, 0) / MILLIMETRE)
    fits = known & (units > 0) & (units < _UNSTORABLE)
    buffer = io.BytesIO()
    picture = Image.fromarray(np.where(fits, units, 0).astype(np.uint16))
    picture.save(buffer, "PNG", pnginfo=_png_text(depth_map.depth_type))
    write_bytes(path, buffer.getvalue())
    return int((known & ~fits).sum())


def _png_text(depth_type: DepthType) -> PngInfo:
    """The text in a PNG of this kind of depth."""
    text = png_mark(CLOUD)
    text.add_text(
        "Description", f"{KIND_NAMES[depth_type]} in millimetres, {KIND_WORDS[depth_type]}; 0 where there is none"
    )
    text.add_text("depth_type", depth_type)
    text.add_text("depth_scale", f"{MILLIMETRE:g}")
    return text
