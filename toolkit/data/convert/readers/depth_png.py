"""16-bit depth pictures: reading the encodings of public data sets, and writing."""

from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.readers.read_files import reading
from toolkit.data.frames.stored_depth import decode_depth
from toolkit.errors import UserError
from toolkit.utils.arrays import Array
from toolkit.utils.bounded_file import read_bounded

INVALID = (0, 65535)
"""The stored values that mean "unknown": nothing was measured, or the value is saturated."""

MILLIMETRE = 1e-3
"""The scale of depth maps in millimetres [m per stored unit]."""


def read_depth_png(path: Path) -> NDArray[np.uint16]:
    """The stored values (H, W) of a 16-bit picture with one channel.

    Raises:
        UserError: If it is missing, damaged or another kind of picture.
    """
    remedy = "get this file again, or leave it out with --skip-bad"
    with reading(path):
        stored = decode_depth(path, read_bounded(path))
    if stored.dtype != np.uint16 or stored.ndim != 2:
        raise UserError(
            f"{path}: this is no depth map", f"it holds {stored.dtype} of shape {stored.shape}, not 16 bits", remedy
        )
    return stored.astype(np.uint16, copy=False)


def undo_rotation(stored: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Millimetres (H, W) from the depth pictures of SUN RGB-D, which store them rotated left by three bits.

    Source: SUN RGB-D toolbox (Song et al. 2015), read3dPoints.
    """
    return (stored >> np.uint16(3)) | (stored << np.uint16(13))


def to_metres(stored: NDArray[np.generic], scale: float, invalid: Collection[int] = INVALID) -> Array:
    """The depths (H, W) [m] of stored values.

    Args:
        stored: The stored values (H, W).
        scale: The length of one stored unit [m].
        invalid: The stored values that mean "unknown"; they become NaN.
    """
    depth = np.asarray(stored, dtype=np.float64) * scale
    depth[np.isin(stored, list(invalid))] = np.nan
    return depth


def encode_depth_png(depth: Array, scale: float) -> bytes:
    """The content of a 16-bit PNG file that holds depths.

    Args:
        depth: The depths (H, W) [m]; those that are NaN, not positive or too large are stored as 0.
        scale: The length of one stored unit [m], the ``depth_scale`` of a manifest.
    """
    units = np.rint(np.nan_to_num(depth, nan=0.0, posinf=0.0, neginf=0.0) / scale)
    units[(units < 0) | (units >= np.iinfo(np.uint16).max)] = 0
    return cv2.imencode(".png", units.astype(np.uint16))[1].tobytes()


def labelled_pixels(depth: Array, size: tuple[int, int] | None = None) -> tuple[Array, Array]:
    """The pixels of a picture whose depth is known.

    Args:
        depth: The depth map (H, W) [m]; unknown depths are not finite or not positive.
        size: The width and height of the picture [px], where the depth map has fewer pixels for the same field of
            view; its pixels then lie between those of the picture.

    Returns:
        The pixels (N, 2) of the picture, and their depths (N,) [m].
    """
    rows, columns = np.nonzero(np.isfinite(depth) & (depth > 0))
    pixels = np.stack([columns, rows], axis=-1).astype(np.float64)
    if size is not None:
        pixels = (pixels + 0.5) * (np.array(size) / depth.shape[::-1]) - 0.5
    return pixels, depth[rows, columns]
