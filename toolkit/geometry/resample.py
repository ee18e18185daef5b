"""From a camera to a canonical one: pixels moved, and the picture resampled once.

Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Pixels

PADDING = 127
"""The grey value of pixels outside the picture. It is close to the mean that processors subtract."""

_STRIP_PIXELS = 4_000_000
"""The number of supersampled pixels that are warped at a time, so that large pictures need little memory."""

_LENS_MAP_PIXELS = 6_000_000
"""The largest picture [supersampled px] whose map through a lens is kept; a map takes 8 bytes for each of these."""

_LENS_MAP_STEP = 64  # px; the sides of kept maps are multiples of it

_WHOLE_PIXEL = 1e-3  # px; a window that begins this near to a whole pixel of the scaled picture is cut from it


def to_canonical(camera: Camera, canonical: Camera, pixels: Array) -> Array:
    """The pixels (N, 2) of the canonical picture, from pixels (N, 2) of the original picture."""
    return canonical.project(camera.rays(pixels))


def resample(picture: Pixels, source: Camera, target: Camera) -> Pixels:
    """Resample a picture once, from its camera to another camera with the same centre and axes.

    Without distortion, and where the target is a window of the scaled picture, OpenCV's ``resize`` does it: areas are
    averaged along the axes that shrink, and bilinear interpolation enlarges the others. Otherwise each target pixel is
    the mean of bilinear samples that are at most one source pixel apart (before distortion), which comes to the same.

    Args:
        picture: The picture (h, w, 3) uint8 RGB of ``source``.
        source: The camera of the picture, with its distortion.
        target: The camera of the result, without distortion.

    Returns:
        The picture (H, W, 3) uint8 RGB of ``target``, padded with ``PADDING`` where the source picture ends.
    """
    resized = _resized_window(picture, source, target)
    if resized is not None:
        return resized
    samples = _samples(source, target)
    lens = _lens_map(source, target, samples)
    out = _warp(picture, source, target, samples, lens)
    out[~(coverage(source, target) if lens is None else lens.covered)] = PADDING
    return out


def _resized_window(picture: Pixels, source: Camera, target: Camera) -> Pixels | None:
    """The picture (H, W, 3) of ``target`` where that is a window of the scaled picture; None where it is not."""
    if source.distortion:
        return None
    scaled, start = _scaled_camera(source, target)
    if start is None:
        return None
    (start_u, start_v), (height, width) = start, (scaled.height, scaled.width)
    sx, sy = target.fx / source.fx, target.fy / source.fy
    rows = slice(max(0, -start_v), min(target.height, height - start_v))
    columns = slice(max(0, -start_u), min(target.width, width - start_u))
    if height < 1 or width < 1 or rows.start >= rows.stop or columns.start >= columns.stop:
        return np.full((target.height, target.width, 3), PADDING, dtype=np.uint8)
    if (rows.stop - rows.start, columns.stop - columns.start) == (height, width):  # the whole picture, in place
        out = _padded(target, rows, columns)
        _scale(picture, sx, sy, out[rows, columns])
        return out
    enlarged = np.empty((height, width, 3), dtype=np.uint8)
    _scale(picture, sx, sy, enlarged)
    shown = enlarged[rows.start + start_v : rows.stop + start_v, columns.start + start_u : columns.stop + start_u]
    if shown.shape[:2] == (target.height, target.width):
        return shown
    out = _padded(target, rows, columns)
    out[rows, columns] = shown
    return out


def _scaled_camera(source: Camera, target: Camera) -> tuple[Camera, tuple[int, int] | None]:
    """The camera of the whole picture at the focal lengths of ``target``, without distortion.

    Returns:
        The camera, and the pixel (u, v) of it at which ``target`` begins; None if it begins between pixels.
    """
    sx, sy = target.fx / source.fx, target.fy / source.fy
    # The outer corner of the picture keeps its place when it is scaled.
    cx, cy = (source.cx + 0.5) * sx - 0.5, (source.cy + 0.5) * sy - 0.5
    scaled = Camera(target.fx, target.fy, cx, cy, round(source.width * sx), round(source.height * sy))
    left, top = cx - target.cx, cy - target.cy
    start = round(left), round(top)
    return scaled, start if max(abs(left - start[0]), abs(top - start[1])) <= _WHOLE_PIXEL else None


def _padded(target: Camera, rows: slice, columns: slice) -> Pixels:
    """An empty picture (H, W, 3) of ``target`` that is padded outside of some rows and columns."""
    out = np.empty((target.height, target.width, 3), dtype=np.uint8)
    out[: rows.start], out[rows.stop :] = PADDING, PADDING
    out[rows, : columns.start], out[rows, columns.stop :] = PADDING, PADDING
    return out


def _scale(picture: Pixels, sx: float, sy: float, out: Pixels) -> None:
    """Scale a picture (h, w, 3) by exact factors into ``out`` (round(h sy), round(w sx), 3).

    Axes that shrink are averaged by area, the others are interpolated bilinearly.
    """
    given: NDArray[Any] = picture
    if min(sx, sy) < 1 and max(sx, sy) > 1:
        given = cv2.resize(picture, None, fx=min(sx, 1.0), fy=min(sy, 1.0), interpolation=cv2.INTER_AREA)
        sx, sy = max(sx, 1.0), max(sy, 1.0)
    kind = cv2.INTER_LINEAR_EXACT if min(sx, sy) >= 1 else cv2.INTER_AREA
    made = cv2.resize(given, None, dst=out, fx=sx, fy=sy, interpolation=kind)
    if made is not out and not np.shares_memory(made, out):
        out[...] = made


@dataclass(frozen=True, eq=False)
class _LensMap:
    """Where the pixels of a camera without distortion lie in a picture with distortion.

    Attributes:
        u: The u coordinates (h, w) [px of the source] of evenly spaced samples of each pixel.
        v: Their v coordinates (h, w).
        covered: The mask (H, W) of the pixels whose centre the picture covers.
    """

    u: NDArray[np.float32]
    v: NDArray[np.float32]
    covered: NDArray[np.bool_]

    def window(self, left: int, top: int, width: int, height: int) -> "_LensMap":
        """The map of a window that lies within this one [px]."""
        samples_v, samples_u = np.array(self.u.shape) // self.covered.shape
        fine = (
            slice(top * samples_v, (top + height) * samples_v),
            slice(left * samples_u, (left + width) * samples_u),
        )
        return _LensMap(self.u[fine], self.v[fine], self.covered[top : top + height, left : left + width])


def _lens_map(source: Camera, target: Camera, samples: tuple[int, int]) -> _LensMap | None:
    """The map of ``target`` through the lens of ``source``: kept for each camera, whatever window of it is shown.

    Args:
        source: The camera of the original picture.
        target: The camera of the result, without distortion.
        samples: The number of samples in each target pixel along u and along v.

    Returns:
        The map; None without distortion, and for pictures that are too large to keep a map of.
    """
    scaled, start = _scaled_camera(source, target)
    if start is None or min(start) < 0:
        scaled, start = target, (0, 0)
    # A window may reach beyond the picture by the padding that a canvas needs.
    width = _rounded_up(max(scaled.width, start[0] + target.width))
    height = _rounded_up(max(scaled.height, start[1] + target.height))
    if not source.distortion or width * height * samples[0] * samples[1] > _LENS_MAP_PIXELS:
        return None
    kept = _make_lens_map(source, scaled.window(0, 0, width, height), samples)
    return kept.window(*start, target.width, target.height)


def _rounded_up(length: int) -> int:
    """The length [px] of a map, a little longer than needed, so that different windows share one map."""
    return -(-length // _LENS_MAP_STEP) * _LENS_MAP_STEP


@lru_cache(maxsize=4)
def _make_lens_map(source: Camera, target: Camera, samples: tuple[int, int]) -> _LensMap:
    fine = _source_pixels(source, target, np.arange(target.height), *samples)
    u, v = (np.ascontiguousarray(fine[..., axis]) for axis in range(2))
    return _LensMap(u, v, coverage(source, target))


def _samples(source: Camera, target: Camera) -> tuple[int, int]:
    """The number of samples in each target pixel along u and v, so that they are at most one source pixel apart."""
    return max(1, int(np.ceil(source.fx / target.fx))), max(1, int(np.ceil(source.fy / target.fy)))


def _warp(
    picture: Pixels, source: Camera, target: Camera, samples: tuple[int, int], lens: _LensMap | None = None
) -> Pixels:
    """The picture (H, W, 3) of ``target``, from any camera; outside, the border of the picture is repeated.

    Args:
        picture: The picture (h, w, 3) of ``source``.
        source: The camera of the picture.
        target: The camera of the result, without distortion.
        samples: The number of samples in each target pixel along u and along v.
        lens: The map of ``target``, if it is known.
    """
    samples_u, samples_v = samples
    averaged = samples_u * samples_v > 1
    # The mean is taken of 16-bit samples, so that the result is rounded only once and does not become brighter.
    given = picture.astype(np.uint16) << 8 if averaged else picture
    out = np.empty((target.height, target.width, 3), dtype=np.uint8)
    for rows in _strips(target, samples_u * samples_v):
        if lens is None:
            fine = _source_pixels(source, target, rows, samples_u, samples_v)
            u, v = fine[..., 0], fine[..., 1]
        else:
            lines = slice(rows[0] * samples_v, (rows[-1] + 1) * samples_v)
            u, v = lens.u[lines], lens.v[lines]
        warped = cv2.remap(given, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if averaged:
            mean = cv2.resize(warped, (target.width, len(rows)), interpolation=cv2.INTER_AREA)
            out[rows] = (mean.astype(np.uint16) + 128) >> 8
        else:
            out[rows] = warped
    return out


def _strips(target: Camera, samples: int) -> Iterator[NDArray[np.int64]]:
    """Consecutive target rows that together hold about ``_STRIP_PIXELS`` supersampled pixels."""
    step = max(1, _STRIP_PIXELS // (target.width * samples))
    for start in range(0, target.height, step):
        yield np.arange(start, min(start + step, target.height))


def _source_pixels(
    source: Camera, target: Camera, rows: NDArray[np.int64], samples_u: int, samples_v: int
) -> NDArray[np.float32]:
    """The source pixels of evenly spaced places in target rows.

    Args:
        source: The camera of the original picture.
        target: The camera of the result, without distortion.
        rows: The consecutive target rows.
        samples_u: The number of places in each target pixel along u.
        samples_v: The number of places in each target pixel along v.

    Returns:
        Source pixels (len(rows) * samples_v, width * samples_u, 2) [px].
    """
    u = (np.arange(target.width * samples_u) + 0.5) / samples_u - 0.5
    v = (np.arange(len(rows) * samples_v) + 0.5) / samples_v - 0.5 + rows[0]
    if not source.distortion:
        mapped = np.empty((len(v), len(u), 2), dtype=np.float32)
        mapped[..., 0] = (u - target.cx) * (source.fx / target.fx) + source.cx
        mapped[..., 1] = ((v - target.cy) * (source.fy / target.fy) + source.cy)[:, None]
        return mapped
    grid = np.stack(np.meshgrid(u, v), axis=-1)
    return source.project(target.rays(grid)).astype(np.float32)


def coverage(source: Camera, target: Camera) -> NDArray[np.bool_]:
    """The mask (H, W) of the pixels of ``target`` whose centre the picture of ``source`` covers."""
    if source.distortion:
        return source.contains(_source_pixels(source, target, np.arange(target.height), 1, 1))
    u = (np.arange(target.width) - target.cx) * (source.fx / target.fx) + source.cx
    v = (np.arange(target.height) - target.cy) * (source.fy / target.fy) + source.cy
    columns = (u >= -0.5) & (u <= source.width - 0.5)
    lines = (v >= -0.5) & (v <= source.height - 0.5)
    return lines[:, None] & columns
