"""Canonicalisation: every picture resampled, once, so that fx = fy = one focal length and distortion is gone.

Width scales by f / fx and height by f / fy (Cai et al. 2025, arXiv 2509.25413, section 3.3), then a window
of a size that the model family takes without resizing is cut or padded. Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Pixels

PADDING = 127
"""Grey value of pixels outside the picture: near the mean that processors subtract."""


_STRIP_PIXELS = 4_000_000
"""Supersampled pixels warped at once, so that large pictures need little memory."""


_ROUNDING = 0.5
"""Rounding the canonical size may leave out this much [px] of the picture's right and lower edge."""


_MAX_SIDE = 16_384
"""A canonical picture above this side means implausible intrinsics."""


@dataclass(frozen=True)
class Canvas:
    """Picture sizes that a model family takes without resizing.

    Attributes:
        multiple: Both sides must be exact multiples of this [px].
        square: If set, both sides must be exactly this [px].
    """

    multiple: int = 1
    square: int | None = None

    def fitted(self, length: int, up: bool) -> int:
        """The side [px] that this canvas takes next to ``length``, above (``up``) or below it; never 0."""
        if self.square:
            return self.square
        below = length // self.multiple * self.multiple
        return below + self.multiple if below == 0 or (up and below < length) else below


@dataclass(frozen=True)
class Crop:
    """Random windows for training, before they are fitted to the canvas.

    Attributes:
        width: Smallest and largest window width [px of the canonical picture].
        height: Smallest and largest window height [px of the canonical picture].
    """

    width: tuple[int, int]
    height: tuple[int, int]


@dataclass(frozen=True)
class Canonicalisation:
    """How pictures are made canonical.

    Attributes:
        focal: The canonical focal length [px].
        canvas: Sizes the model takes.
        crop: Random crop for training, or None for the whole picture.
        keep_focal: Pictures keep focal lengths of their own: they are only scaled, whole, to a square canvas, and
            ``focal`` says nothing. For comparisons; answers in metres then depend on a camera the model cannot know.
    """

    focal: float
    canvas: Canvas = Canvas()
    crop: Crop | None = None
    keep_focal: bool = False

    def whole(self, camera: Camera) -> Camera:
        """The canonical camera of the whole picture, before it is fitted to the canvas.

        Raises:
            UserError: If the canonical picture would be empty or enormous.
        """
        sx, sy = self._scales(camera)
        width, height = round(camera.width * sx), round(camera.height * sy)
        if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
            raise UserError(
                f"a {camera.width} x {camera.height} picture with fx = {camera.fx:g} px and "
                f"fy = {camera.fy:g} px would become {width} x {height} at a focal length of {self.focal:g} px",
                cause=f"its field of view of {camera.fov[0]:.1f} x {camera.fov[1]:.1f} degrees is implausible",
                remedy="check that the focal length is in pixels (not millimetres) of this picture's size",
            )
        # The outer corner of the picture keeps its place: (u + 0.5) scales about it.
        cx, cy = (camera.cx + 0.5) * sx - 0.5, (camera.cy + 0.5) * sy - 0.5
        fx, fy = (camera.fx * sx, camera.fy * sy) if self.keep_focal else (self.focal, self.focal)
        return Camera(fx, fy, cx, cy, width, height)

    def _scales(self, camera: Camera) -> tuple[float, float]:
        """By which width and height change."""
        if not self.keep_focal:
            return self.focal / camera.fx, self.focal / camera.fy
        scale = self.canvas.square / max(camera.width, camera.height) if self.canvas.square else 1.0
        return scale, scale

    def window(self, camera: Camera, rng: np.random.Generator | None, keep: ArrayLike = ()) -> Camera:
        """The camera of the View: a window of the canonical picture whose size the canvas takes.

        Args:
            camera: The original camera.
            rng: Draws the crop (if there is one) and the place of windows smaller than the picture;
                None centres them.
            keep: Pixels (N, 2) of the original picture that the window must show.

        Raises:
            UserError: If no window of that size shows all of ``keep``.
        """
        whole = self.whole(camera)
        kept = to_canonical(camera, whole, np.reshape(np.asarray(keep, dtype=np.float64), (-1, 2)))
        crops = (self.crop.width, self.crop.height) if self.crop and rng is not None else (None, None)
        left, width = self._span(whole.width, crops[0], kept[:, 0], rng)
        top, height = self._span(whole.height, crops[1], kept[:, 1], rng)
        return whole.window(left, top, width, height)

    def holds(self, camera: Camera, pixels: ArrayLike) -> NDArray[np.bool_]:
        """Which pixels (N, 2) of a picture its canonical picture shows: not those that its lens bends out of it."""
        width, height, kept = self._placed(camera, pixels)
        return _inside(kept[:, 0], width) & _inside(kept[:, 1], height)

    def tiles(self, camera: Camera, pixels: ArrayLike) -> list[tuple[Camera, NDArray[np.int64]]]:
        """Windows that together show all of some pixels, for asking about each by itself.

        Where the canonical picture fits the canvas there is one, of the whole picture. Else windows overlap by a
        quarter, and each pixel goes to the one in whose middle it lies most nearly.

        Args:
            camera: The original camera.
            pixels: (N, 2) of the original picture.

        Returns:
            The camera of each window that is needed, and the indices of its pixels.

        Raises:
            UserError: If a pixel has no place in the canonical picture.
        """
        base, whole = self.window(camera, None), self.whole(camera)
        width, height, kept = self._placed(camera, pixels)
        _check_inside(kept[:, 0], width)
        _check_inside(kept[:, 1], height)
        lefts, tops = _starts(whole.width, base.width), _starts(whole.height, base.height)
        nearest = np.stack([_nearest(kept[:, 0], lefts, base.width), _nearest(kept[:, 1], tops, base.height)], axis=-1)
        chosen, which = np.unique(nearest, axis=0, return_inverse=True)
        return [
            (whole.window(lefts[i], tops[j], base.width, base.height), np.flatnonzero(which.ravel() == index))
            for index, (i, j) in enumerate(chosen.tolist())
        ]

    def _placed(self, camera: Camera, pixels: ArrayLike) -> tuple[int, int, Array]:
        """Width and height [px] of the canonical picture, with its padding, and the places (N, 2) of pixels in it."""
        base, whole = self.window(camera, None), self.whole(camera)
        places = np.reshape(np.asarray(pixels, dtype=np.float64), (-1, 2))
        kept = to_canonical(camera, whole, places)
        return max(whole.width, base.width), max(whole.height, base.height), kept

    def _span(
        self, full: int, crop: tuple[int, int] | None, kept: Array, rng: np.random.Generator | None
    ) -> tuple[int, int]:
        """Start and length [px] of a window along one axis of a picture ``full`` px long."""
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


def _inside(kept: Array, length: int) -> NDArray[np.bool_]:
    """Which places along an axis of a canonical picture lie in it."""
    return (kept >= -0.5 - _ROUNDING) & (kept <= length - 0.5 + _ROUNDING)


def _check_inside(kept: Array, length: int) -> None:
    """Check that places along an axis of a canonical picture lie in it."""
    if not _inside(kept, length).all():
        raise UserError(
            "a point of the picture has no place in the canonical picture",
            cause="it lies outside, or so far out that the lens distortion moves it there",
            remedy="ask about a point nearer to the middle of the picture",
        )


def _starts(full: int, size: int) -> NDArray[np.int64]:
    """Where windows of ``size`` px begin that cover ``full`` px and overlap by a quarter at least."""
    count = 1 + max(0, int(np.ceil((full - size) / (0.75 * size))))
    return np.round(np.linspace(0, max(0, full - size), count)).astype(np.int64)


def _nearest(places: Array, starts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Index of the window whose middle is nearest to each place."""
    return np.abs(places[:, None] - (starts + (size - 1) / 2)).argmin(axis=1)


def to_canonical(camera: Camera, canonical: Camera, pixels: Array) -> Array:
    """Pixels (N, 2) of the canonical picture, from pixels (N, 2) of the original one."""
    return canonical.project(camera.rays(pixels))


def resample(picture: Pixels, source: Camera, target: Camera) -> tuple[Pixels, NDArray[np.bool_]]:
    """One resample of a picture from one camera to another that shares its centre and axes.

    Each target pixel is the mean of bilinear samples spaced at most one source pixel apart (before
    distortion), which is area averaging when shrinking and bilinear interpolation when enlarging.

    Args:
        picture: (h, w, 3) uint8 of ``source``.
        source: The picture's camera, distortion included.
        target: The camera wanted, without distortion.

    Returns:
        The picture (H, W, 3) uint8 of ``target``, padded with ``PADDING``; and the mask (H, W) of pixels
        whose centre the source picture covers.
    """
    samples_u = max(1, int(np.ceil(source.fx / target.fx)))
    samples_v = max(1, int(np.ceil(source.fy / target.fy)))
    averaged = samples_u * samples_v > 1
    # Averages are taken of 16-bit samples, so that the result is rounded once and not brightened.
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
    mask = _covered(source, target)
    out[~mask] = PADDING
    return out, mask


def _strips(target: Camera, samples: int) -> Iterator[NDArray[np.int64]]:
    """Runs of target rows that hold about ``_STRIP_PIXELS`` supersampled pixels."""
    step = max(1, _STRIP_PIXELS // (target.width * samples))
    for start in range(0, target.height, step):
        yield np.arange(start, min(start + step, target.height))


def _source_pixels(
    source: Camera, target: Camera, rows: NDArray[np.int64], samples_u: int, samples_v: int
) -> NDArray[np.float32]:
    """Source pixels (len(rows) * samples_v, width * samples_u, 2) of evenly spaced places in target rows."""
    u = (np.arange(target.width * samples_u) + 0.5) / samples_u - 0.5
    v = (np.arange(len(rows) * samples_v) + 0.5) / samples_v - 0.5 + rows[0]
    if not source.distortion:
        mapped = np.empty((len(v), len(u), 2), dtype=np.float32)
        mapped[..., 0] = (u - target.cx) * (source.fx / target.fx) + source.cx
        mapped[..., 1] = ((v - target.cy) * (source.fy / target.fy) + source.cy)[:, None]
        return mapped
    grid = np.stack(np.meshgrid(u, v), axis=-1)
    return source.project(target.rays(grid)).astype(np.float32)


def _covered(source: Camera, target: Camera) -> NDArray[np.bool_]:
    """Which target pixels (height, width) the source picture covers."""
    if source.distortion:
        return source.contains(_source_pixels(source, target, np.arange(target.height), 1, 1))
    u = (np.arange(target.width) - target.cx) * (source.fx / target.fx) + source.cx
    v = (np.arange(target.height) - target.cy) * (source.fy / target.fy) + source.cy
    columns = (u >= -0.5) & (u <= source.width - 0.5)
    lines = (v >= -0.5) & (v <= source.height - 0.5)
    return lines[:, None] & columns
