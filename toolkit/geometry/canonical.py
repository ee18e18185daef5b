"""Canonicalisation: every picture is resampled once, to one focal length (fx = fy) and without distortion.

The width is scaled by f / fx and the height by f / fy (Cai et al. 2025, arXiv 2509.25413, section 3.3). Then a window
is cut out or padded, whose size the model takes without resizing. Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator, Field

from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Pixels

PADDING = 127
"""The grey value of pixels outside the picture. It is close to the mean that processors subtract."""

_STRIP_PIXELS = 4_000_000
"""The number of supersampled pixels that are warped at a time, so that large pictures need little memory."""

_ROUNDING = 0.5
"""Rounding the canonical size may cut off this much [px] of the picture at its right and lower border."""

_WHOLE_PIXEL = 1e-3  # px; a window that begins this near to a whole pixel of the scaled picture is cut from it
_MAX_SIDE = 16_384
"""The longest side of a canonical picture [px]. A longer one means that the intrinsics are implausible."""


@dataclass(frozen=True)
class Canvas:
    """The picture sizes that a model takes without resizing.

    Attributes:
        multiple: Both sides must be exact multiples of this number [px].
        square: If set, both sides must have exactly this length [px].
    """

    multiple: int = 1
    square: int | None = None

    def fitted(self, length: int, up: bool) -> int:
        """The side [px] nearest to ``length`` that this canvas takes: not shorter if ``up``, otherwise not longer.

        It is never 0, so it may be longer than a ``length`` below ``multiple``. A square canvas takes one side only.
        """
        if self.square:
            return self.square
        below = length // self.multiple * self.multiple
        return below + self.multiple if below == 0 or (up and below < length) else below


def _check_order(sides: tuple[int, int]) -> tuple[int, int]:
    """Check that the smallest side of a recipe's crop is not larger than the largest one, and return both."""
    if sides[0] > sides[1]:
        raise ValueError(f"the smallest, {sides[0]}, is larger than the largest, {sides[1]}")
    return sides


_Side = Annotated[int, Field(ge=1, le=10**9)]
_Sides = Annotated[tuple[_Side, _Side], AfterValidator(_check_order)]


@dataclass(frozen=True)
class Crop:
    """The random windows that training shows, before they are fitted to the canvas.

    Attributes:
        width: The smallest and the largest width of the window [px of the canonical picture].
        height: The smallest and the largest height of the window [px of the canonical picture].

    Raises:
        UserError: If a smallest side is not positive, or larger than the largest one.
    """

    width: _Sides
    height: _Sides

    def __post_init__(self) -> None:
        for smallest, largest in (self.width, self.height):
            if not 1 <= smallest <= largest:
                raise UserError(
                    f"the smallest side of a crop, {smallest}, is larger than the largest, {largest}, or not positive",
                    remedy="give [smallest, largest] in pixels",
                )


@dataclass(frozen=True, kw_only=True)
class CanonicalSettings:
    """What a recipe says about canonical pictures.

    Attributes:
        focal: The canonical focal length [px].
        keep_focal: Whether pictures keep their own focal lengths, for comparisons. Whole pictures are then scaled to
            a square canvas, and ``focal`` is not used. Answers in metres depend on a camera that the model cannot know.
        crop: The random windows that training shows; None shows whole pictures.
    """

    focal: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1000.0
    keep_focal: bool = False
    crop: Crop | None = None


@dataclass(frozen=True, kw_only=True)
class Canonicalisation(CanonicalSettings):
    """How pictures are made canonical for a model: the recipe's settings, and the sizes that the model takes.

    Attributes:
        canvas: The picture sizes that the model takes.
    """

    canvas: Canvas = Canvas()

    def whole(self, camera: Camera) -> Camera:
        """The canonical camera of the whole picture, before it is fitted to the canvas.

        Raises:
            UserError: If the canonical picture would be empty or enormous.
        """
        sx, sy = self._scale_factors(camera)
        width, height = round(camera.width * sx), round(camera.height * sy)
        if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
            raise UserError(
                f"a {camera.width} x {camera.height} picture with fx = {camera.fx:g} px and "
                f"fy = {camera.fy:g} px would become {width} x {height} at a focal length of {self.focal:g} px",
                cause=f"its field of view of {camera.fov[0]:.1f} x {camera.fov[1]:.1f} degrees is implausible",
                remedy="check that the focal length is in pixels (not millimetres) of this picture's size",
            )
        # Scaling starts from the outer corner of the picture, (-0.5, -0.5), which keeps its place.
        cx, cy = (camera.cx + 0.5) * sx - 0.5, (camera.cy + 0.5) * sy - 0.5
        fx, fy = (camera.fx * sx, camera.fy * sy) if self.keep_focal else (self.focal, self.focal)
        return Camera(fx, fy, cx, cy, width, height)

    def _scale_factors(self, camera: Camera) -> tuple[float, float]:
        """The factors by which the width and the height of a picture are multiplied."""
        if not self.keep_focal:
            return self.focal / camera.fx, self.focal / camera.fy
        scale = self.canvas.square / max(camera.width, camera.height) if self.canvas.square else 1.0
        return scale, scale

    def window(self, camera: Camera, rng: np.random.Generator | None, keep: ArrayLike = ()) -> Camera:
        """The camera of the View: a window of the canonical picture whose size the canvas takes.

        Args:
            camera: The camera of the original picture.
            rng: The generator that draws the size of a crop and the place of a window smaller than the picture.
                None does not crop, and puts the window in the middle.
            keep: Pixels (N, 2) of the original picture that the window must show.

        Raises:
            UserError: If no window of that size shows all of ``keep``.
        """
        whole = self.whole(camera)
        kept = _as_pixels(keep)
        if len(kept):
            kept = to_canonical(camera, whole, kept)
        crops = (self.crop.width, self.crop.height) if self.crop and rng is not None else (None, None)
        left, width = self._choose_span(whole.width, crops[0], kept[:, 0], rng)
        top, height = self._choose_span(whole.height, crops[1], kept[:, 1], rng)
        return whole.window(left, top, width, height)

    def holds(self, camera: Camera, pixels: ArrayLike) -> NDArray[np.bool_]:
        """The mask (N,) of the pixels (N, 2) that the canonical picture shows; a lens may bend some out of it."""
        whole = self.whole(camera)
        places = to_canonical(camera, whole, _as_pixels(pixels))
        width, height = self._window_size(whole)
        return _inside(places[:, 0], max(whole.width, width)) & _inside(places[:, 1], max(whole.height, height))

    def tiles(self, camera: Camera, pixels: ArrayLike) -> list[tuple[Camera, NDArray[np.int64]]]:
        """Windows that together show all given pixels, so that a question can be asked about each pixel.

        If the canonical picture fits the canvas, there is one window: the whole picture. Otherwise windows overlap by
        a quarter, and each pixel belongs to the window whose middle is nearest to it.

        Args:
            camera: The camera of the original picture.
            pixels: Pixels (N, 2) of the original picture.

        Returns:
            The camera of each window that is needed, and the indices of the pixels that belong to it.

        Raises:
            UserError: If a pixel has no place in the canonical picture.
        """
        whole = self.whole(camera)
        places = to_canonical(camera, whole, _as_pixels(pixels))
        width, height = self._window_size(whole)
        _check_inside(places[:, 0], max(whole.width, width))
        _check_inside(places[:, 1], max(whole.height, height))
        lefts, tops = _window_starts(whole.width, width), _window_starts(whole.height, height)
        nearest = np.stack(
            [_nearest_window(places[:, 0], lefts, width), _nearest_window(places[:, 1], tops, height)], axis=-1
        )
        chosen, which = np.unique(nearest, axis=0, return_inverse=True)
        return [
            (whole.window(lefts[i], tops[j], width, height), np.flatnonzero(which.ravel() == index))
            for index, (i, j) in enumerate(chosen.tolist())
        ]

    def _window_size(self, whole: Camera) -> tuple[int, int]:
        """The width and height [px] of the window that shows as much of a canonical picture as the canvas takes."""
        return self.canvas.fitted(whole.width, up=True), self.canvas.fitted(whole.height, up=True)

    def _choose_span(
        self, full: int, crop: tuple[int, int] | None, kept: Array, rng: np.random.Generator | None
    ) -> tuple[int, int]:
        """Choose the start and the length [px] of a window along one axis.

        Args:
            full: The length of the canonical picture along this axis [px].
            crop: The smallest and the largest length of a random window [px]; None for no crop.
            kept: The places (N,) [px of the canonical picture] that the window must show.
            rng: The generator that draws length and start; None takes the middle.
        """
        length = min(full, int(rng.integers(crop[0], crop[1], endpoint=True))) if rng and crop else full
        size = self.canvas.fitted(length, up=length == full)
        _check_inside(kept, max(full, size))
        if size >= full:
            return 0, size
        low, high = 0, full - size
        if kept.size:
            kept = kept.clip(-0.5, full - 0.5)
            low = max(low, int(np.ceil(kept.max() + 0.5)) - size)
            high = min(high, int(np.floor(kept.min() + 0.5)))
        if low > high:
            raise UserError(
                f"the points lie {kept.max() - kept.min():.0f} px apart at a focal length of {self.focal:g} px; "
                f"the model takes {size} px",
                remedy="ask about points that are closer together in the picture",
            )
        start = int(rng.integers(low, high, endpoint=True)) if rng else int(np.clip((full - size) // 2, low, high))
        return start, size


def _as_pixels(pixels: ArrayLike) -> Array:
    """Turn pixels into an array (N, 2)."""
    return np.reshape(np.asarray(pixels, dtype=np.float64), (-1, 2))


def _inside(kept: Array, length: int) -> NDArray[np.bool_]:
    """Which places (N,) along one axis lie in a canonical picture of this length [px]."""
    return (kept >= -0.5 - _ROUNDING) & (kept <= length - 0.5 + _ROUNDING)


def _check_inside(kept: Array, length: int) -> None:
    """Check that places (N,) along one axis lie in a canonical picture of this length [px]."""
    if not _inside(kept, length).all():
        raise UserError(
            "a point of the picture has no place in the canonical picture",
            cause="it lies outside, or so far out that the lens distortion moves it there",
            remedy="ask about a point nearer to the middle of the picture",
        )


def _window_starts(full: int, size: int) -> NDArray[np.int64]:
    """The starts of windows of ``size`` px that together cover ``full`` px and overlap by at least a quarter."""
    count = 1 + max(0, int(np.ceil((full - size) / (0.75 * size))))
    return np.round(np.linspace(0, max(0, full - size), count)).astype(np.int64)


def _nearest_window(places: Array, starts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The index of the window whose middle is nearest to each place."""
    return np.abs(places[:, None] - (starts + (size - 1) / 2)).argmin(axis=1)


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
    out = _warp(picture, source, target)
    out[~coverage(source, target)] = PADDING
    return out


def _resized_window(picture: Pixels, source: Camera, target: Camera) -> Pixels | None:
    """The picture (H, W, 3) of ``target`` where that is a window of the scaled picture; None where it is not."""
    if source.distortion:
        return None
    sx, sy = target.fx / source.fx, target.fy / source.fy
    # The outer corner of the picture keeps its place when it is scaled, so the window begins at these pixels.
    left, top = (source.cx + 0.5) * sx - 0.5 - target.cx, (source.cy + 0.5) * sy - 0.5 - target.cy
    start_u, start_v = round(left), round(top)
    if max(abs(left - start_u), abs(top - start_v)) > _WHOLE_PIXEL:
        return None
    height, width = round(source.height * sy), round(source.width * sx)
    rows = slice(max(0, -start_v), min(target.height, height - start_v))
    columns = slice(max(0, -start_u), min(target.width, width - start_u))
    if height < 1 or width < 1 or rows.start >= rows.stop or columns.start >= columns.stop:
        return np.full((target.height, target.width, 3), PADDING, dtype=np.uint8)
    if (rows.stop - rows.start, columns.stop - columns.start) == (height, width):  # the whole picture, in place
        out = _padded(target, rows, columns)
        _scale(picture, sx, sy, out[rows, columns])
        return out
    scaled = np.empty((height, width, 3), dtype=np.uint8)
    _scale(picture, sx, sy, scaled)
    shown = scaled[rows.start + start_v : rows.stop + start_v, columns.start + start_u : columns.stop + start_u]
    if shown.shape[:2] == (target.height, target.width):
        return shown
    out = _padded(target, rows, columns)
    out[rows, columns] = shown
    return out


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


def _warp(picture: Pixels, source: Camera, target: Camera) -> Pixels:
    """The picture (H, W, 3) of ``target``, from any camera; outside, the border of the picture is repeated."""
    samples_u = max(1, int(np.ceil(source.fx / target.fx)))
    samples_v = max(1, int(np.ceil(source.fy / target.fy)))
    averaged = samples_u * samples_v > 1
    # The mean is taken of 16-bit samples, so that the result is rounded only once and does not become brighter.
    given = picture.astype(np.uint16) << 8 if averaged else picture
    out = np.empty((target.height, target.width, 3), dtype=np.uint8)
    for rows in _strips(target, samples_u * samples_v):
        fine = _source_pixels(source, target, rows, samples_u, samples_v)
        warped = cv2.remap(given, fine[..., 0], fine[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
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
