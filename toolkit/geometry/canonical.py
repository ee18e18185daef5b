"""Canonicalisation: every picture is resampled once, to one focal length (fx = fy) and without distortion.

The width is scaled by f / fx and the height by f / fy (Cai et al. 2025, arXiv 2509.25413, section 3.3). Then a window
is cut out or padded, whose size the model takes without resizing. Conventions: see ``toolkit.geometry.camera``.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator

from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.resample import to_canonical
from toolkit.utils.arrays import Array
from toolkit.utils.setting_types import MAX_SIDE, FocalLength, Side

_ROUNDING = 0.5
"""Rounding the canonical size may cut off this much [px] of the picture at its right and lower border."""


@dataclass(frozen=True)
class Canvas:
    """The picture sizes that a model takes without resizing.

    Attributes:
        multiple: Both sides must be exact multiples of this number [px].
        square: If set, both sides must have exactly this length [px].
        fit: How a whole picture becomes such a size. ``padded`` adds grey at the right and lower border. ``cut`` takes
            away less than ``multiple`` there, so that the model sees no padding, as published models are asked.
    """

    multiple: Side = 1
    square: Side | None = None
    fit: Literal["padded", "cut"] = "padded"

    def fitted(self, length: int, up: bool) -> int:
        """The side [px] nearest to ``length`` that this canvas takes: not shorter if ``up``, otherwise not longer.

        A canvas that cuts whole pictures is never longer. No side is 0, so it may be longer than a ``length`` below
        ``multiple``. A square canvas takes one side only.
        """
        if self.square:
            return self.square
        below = length // self.multiple * self.multiple
        return below + self.multiple if below == 0 or (up and self.fit == "padded" and below < length) else below


def _check_order(sides: tuple[int, int]) -> tuple[int, int]:
    """Check that the smallest side of a recipe's crop is not larger than the largest one, and return both."""
    if sides[0] > sides[1]:
        raise ValueError(f"the smallest, {sides[0]}, is larger than the largest, {sides[1]}")
    return sides


_Sides = Annotated[tuple[Side, Side], AfterValidator(_check_order)]


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

    focal: FocalLength = 1000.0
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
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
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
                None does not crop, and puts the window in the middle, or at the left upper corner if the canvas cuts.
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
        a quarter, and each pixel belongs to the window whose middle is nearest to it. A canvas that cuts pictures
        shows their left upper part, and another one only to pixels that are cut off there.

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
        choose = _first_window if self._cuts else _nearest_window
        owners = np.stack([choose(places[:, 0], lefts, width), choose(places[:, 1], tops, height)], axis=-1)
        chosen, which = np.unique(owners, axis=0, return_inverse=True)
        return [
            (whole.window(lefts[i], tops[j], width, height), np.flatnonzero(which.ravel() == index))
            for index, (i, j) in enumerate(chosen.tolist())
        ]

    @property
    def _cuts(self) -> bool:
        """Whether whole pictures lose a strip at their right and lower border."""
        return self.canvas.fit == "cut" and not self.canvas.square

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
            rng: The generator that draws length and start; None takes the middle, or cuts the end off.
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
        if rng is not None:
            return int(rng.integers(low, high, endpoint=True)), size
        return int(np.clip(0 if self._cuts else (full - size) // 2, low, high)), size


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


def _first_window(places: Array, starts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The index of the first window that shows each place; of the last one if none does."""
    shown = places[:, None] <= starts + (size - _ROUNDING)
    return np.where(shown.any(axis=1), shown.argmax(axis=1), len(starts) - 1)
