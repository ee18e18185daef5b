"""16-bit depth pictures: the encodings of public sets, into metres and out of them."""

from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.readers.read_files import reading
from toolkit.errors import UserError
from toolkit.utils.arrays import Array

INVALID = (0, 65535)
"""Stored values that mean "unknown": nothing measured, and saturated."""


def read_depth_png(path: Path) -> NDArray[np.uint16]:
    """The stored values (H, W) of a one-channel 16-bit picture.

    Raises:
        UserError: If it is missing, damaged or of another kind.
    """
    remedy = "get this file again, or leave it out with --skip-bad"
    with reading(path, cv2.error):
        # OpenCV would decode a PNG that is cut short, in part and without a word.
        whole = path.suffix != ".png" or b"IEND" in path.read_bytes()[-12:]
        stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if whole else None
    if stored is None:
        raise UserError(f"{path}: the depth map cannot be read", "it is cut short or no picture", remedy)
    if stored.dtype != np.uint16 or stored.ndim != 2:
        raise UserError(
            f"{path}: this is no depth map", f"it holds {stored.dtype} of shape {stored.shape}, not 16 bits", remedy
        )
    return stored.astype(np.uint16, copy=False)


def rotated(stored: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Millimetres (H, W) of SUN RGB-D's and NYUv2's pictures, which hold them rotated left by three bits.

    Source: SUN RGB-D toolbox (Song et al. 2015), read3dPoints.
    """
    return (stored >> np.uint16(3)) | (stored << np.uint16(13))


def metres(stored: NDArray[np.generic], scale: float, invalid: Collection[int] = INVALID) -> Array:
    """Depth (H, W) [m], NaN where the stored value is one of ``invalid``, from metres per stored unit."""
    depth = np.asarray(stored, dtype=np.float64) * scale
    depth[np.isin(stored, list(invalid))] = np.nan
    return depth


def encode(depth: Array, scale: float) -> bytes:
    """A 16-bit PNG of depth (H, W) [m], for ``depth_scale``; 0 where it is NaN, not positive or out of range."""
    units = np.rint(np.nan_to_num(depth, nan=0.0, posinf=0.0, neginf=0.0) / scale)
    units[(units < 0) | (units >= np.iinfo(np.uint16).max)] = 0
    return cv2.imencode(".png", units.astype(np.uint16))[1].tobytes()


def labelled(depth: Array, size: tuple[int, int] | None = None) -> tuple[Array, Array]:
    """Pixels (N, 2) and depth (N,) [m] of a depth map (H, W) [m], where it is finite and positive.

    Args:
        depth: The map.
        size: Width and height of the picture, where the map has fewer pixels over the same view; its pixels then
            lie between the picture's.
    """
    rows, columns = np.nonzero(np.isfinite(depth) & (depth > 0))
    pixels = np.stack([columns, rows], axis=-1).astype(np.float64)
    if size is not None:
        pixels = (pixels + 0.5) * (np.array(size) / depth.shape[::-1]) - 0.5
    return pixels, depth[rows, columns]
