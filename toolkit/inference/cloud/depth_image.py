"""Depth maps as coloured pictures, with a legend that says what the colours mean.

Conventions: see ``toolkit.geometry.camera``.
"""

from dataclasses import dataclass
from math import ceil, floor, log10
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from toolkit.errors import UserError
from toolkit.inference.cloud.depth_map import CLOUD, KIND_NAMES, KIND_WORDS, DepthMap
from toolkit.utils.arrays import Array, Pixels
from toolkit.utils.contact_sheet import save_png

UNKNOWN = (150, 150, 150)
"""The colour of pixels without depth, which is not a colour of the colour map."""

_PAPER, _INK, _FAINT = (255, 255, 255), (25, 25, 30), (110, 110, 115)
_SMALLEST = 360  # px; smaller maps are enlarged by a whole number until they are this high
_FONT_SHARE = 30  # the legend's font is this small a part of the picture's height
_FONT = 13  # px; the smallest font
_OUTLIERS = 1.0  # per cent of the depths at either end that share the end's colour
_LOG_ABOVE = 4.0  # a range wider than this factor is shown on a logarithmic scale
_NARROWEST = 1.05  # a range is widened to this factor, so that a wall has a scale
_WIDEST = 1e6  # a range is cut to this factor
_MOST_TICKS = 9
_FAR_COLOR, _NEAR_COLOR = 18, 240  # of the map's 256 colours; those beyond are too dark to tell apart
_LOG_DIGITS = [(1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)]


@dataclass(frozen=True)
class ColorScale:
    """The scale that assigns colours to depths.

    Attributes:
        low: The depth [m] of the near end; smaller depths have the same colour.
        high: The depth [m] of the far end; larger depths have the same colour.
        logarithmic: Whether equal steps of colour are equal ratios of depth; if not, they are equal differences.
    """

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, depth: Array) -> "ColorScale":
        """A scale for positive depths (N,) [m]. It is logarithmic if they differ by a factor above 4."""
        low, high = (float(value) for value in np.percentile(depth, [_OUTLIERS, 100 - _OUTLIERS]))
        low = max(low, high / _WIDEST)
        widening = max(1.0, (_NARROWEST * low / high) ** 0.5)
        return cls(low / widening, high * widening, high > _LOG_ABOVE * low)

    def share(self, depth: Array | float) -> Array:
        """Where depths (...) [m] lie on the scale, from 0 at the near end to 1 at the far end."""
        metres = np.asarray(depth, dtype=np.float64)
        if self.logarithmic:
            share = np.log(metres / self.low) / np.log(self.high / self.low)
        else:
            share = (metres - self.low) / (self.high - self.low)
        return np.clip(share, 0, 1)

    def depth(self, share: Array) -> Array:
        """The depths (...) [m] at places on the scale, from 0 at the near end to 1 at the far end."""
        if self.logarithmic:
            return self.low * (self.high / self.low) ** share
        return self.low + (self.high - self.low) * share

    def ticks(self) -> list[tuple[float, str]]:
        """At most nine round depths [m] from near to far, with their labels."""
        powers = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        if self.logarithmic:
            series = [[digit * 10.0**power for power in powers for digit in digits] for digits in _LOG_DIGITS]
        else:
            steps = [digit * 10.0**power for power in range(powers[-1], powers[-1] - 5, -1) for digit in (5, 2, 1)]
            series = [[step * count for count in range(1, floor(self.high / step) + 1)] for step in steps]
        inside = [[tick for tick in ticks if self.low <= tick <= self.high] for ticks in series]
        ticks = max((ticks for ticks in inside if len(ticks) <= _MOST_TICKS), key=len)
        labels = [f"{tick:g}" for tick in ticks]
        if not self.logarithmic:
            decimals = max(len(label.partition(".")[2]) for label in labels)
            labels = [f"{tick:.{decimals}f}" for tick in ticks]
        return list(zip(ticks, labels, strict=True))


def colored(depth: Array, scale: ColorScale) -> Pixels:
    """Depths (H, W) [m] as colours (H, W, 3): red is near, blue is far, and grey is unknown.

    Source of the colours: Mikhailov 2019, "Turbo, An Improved Rainbow Colormap for Visualization".
    """
    known = np.isfinite(depth)
    share = scale.share(np.where(known, depth, scale.low))
    colors = np.round(_FAR_COLOR + (_NEAR_COLOR - _FAR_COLOR) * (1 - share)).astype(np.uint8)
    bgr = cv2.applyColorMap(colors, cv2.COLORMAP_TURBO)
    return np.where(known[..., None], bgr[..., ::-1], np.array(UNKNOWN, np.uint8))


def draw_depth(depth_map: DepthMap) -> Image.Image:
    """Draw a depth map in colours, with a legend at its right.

    Raises:
        UserError: If the map has no depth at all.
    """
    known = depth_map.depth[np.isfinite(depth_map.depth)]
    if not known.size:
        raise UserError("the depth map cannot be shown", cause="no pixel has a depth")
    scale = ColorScale.of(known)
    enlarged = ceil(_SMALLEST / depth_map.depth.shape[0])
    picture = colored(depth_map.depth, scale).repeat(enlarged, axis=0).repeat(enlarged, axis=1)
    height, width = picture.shape[:2]
    legend = _legend(depth_map, scale, height)
    drawn = Image.new("RGB", (width + legend.width, height), _PAPER)
    drawn.paste(Image.fromarray(picture), (0, 0))
    drawn.paste(legend, (width, 0))
    return drawn


def save_depth_picture(depth_map: DepthMap, path: Path) -> None:
    """Write a depth map as a PNG in colours, with a legend.

    Raises:
        UserError: If the map has no depth at all, or the file cannot be written.
    """
    save_png(np.asarray(draw_depth(depth_map)), path, CLOUD)


def _legend(depth_map: DepthMap, scale: ColorScale, height: int) -> Image.Image:
    """Draw a panel that is ``height`` px high: the kind of depth, a bar of colours with metres, and what grey means."""
    size = max(_FONT, height // _FONT_SHARE)
    gap, line = size, round(1.5 * size)
    font = ImageFont.load_default(size)
    known = depth_map.depth[np.isfinite(depth_map.depth)]
    words = (KIND_WORDS[depth_map.depth_type], f"{known.min():.3g} to {known.max():.3g} m in all")
    panel = Image.new("RGB", (ceil(2 * gap + max(font.getlength(text) for text in words)), height), _PAPER)
    pen = ImageDraw.Draw(panel)
    pen.text((gap, gap), f"{KIND_NAMES[depth_map.depth_type]} [m]", font=ImageFont.load_default(line), fill=_INK)
    for index, text in enumerate(words, start=1):
        pen.text((gap, gap + line * index + size // 2), text, font=font, fill=_FAINT)
    _draw_bar(panel, scale, (gap, gap + 4 * line + size // 2), (3 * gap, height - gap - 2 * line))
    pen.rectangle([(gap, height - gap - size), (3 * gap - 1, height - gap)], fill=UNKNOWN)
    pen.text((4 * gap, height - gap - size // 2), "no depth", font=font, fill=_INK, anchor="lm")
    return panel


def _draw_bar(panel: Image.Image, scale: ColorScale, start: tuple[int, int], stop: tuple[int, int]) -> None:
    """Draw a bar of colours between two corners [px] of a panel: far at the top, near below, metres to the right."""
    (left, top), (right, bottom) = start, stop
    size, length = left, bottom - top
    metres = scale.depth(np.linspace(1, 0, length))[:, None].repeat(right - left, axis=1)
    panel.paste(Image.fromarray(colored(metres, scale)), start)
    pen, font = ImageDraw.Draw(panel), ImageFont.load_default(size)
    for depth, label in scale.ticks():
        y = bottom - 1 - round(float(scale.share(depth)) * (length - 1))
        pen.line([(right, y), (right + size // 2, y)], fill=_INK, width=max(1, size // 13))
        pen.text((right + size, y), label, font=font, fill=_INK, anchor="lm")
