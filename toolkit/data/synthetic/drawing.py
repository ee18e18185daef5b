"""What rooms and shapes have in common: their licence, their random draws, their cameras and their sensor noise."""

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from toolkit.data.synthetic.settings import WHITE, Range
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array32, Pixels

LICENSE = "CC0-1.0 (synthetic)"
"""The licence of all synthetic pictures."""


def make_generator(seed: int, number: int, stream: int, view: int = 0) -> np.random.Generator:
    """A random generator that depends on these numbers alone, not on what was drawn before.

    Source: Philox, a counter-based generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). The
    upper words of its counter keep the streams apart.

    Args:
        seed: The seed of the settings.
        number: The number of the room or of the picture.
        stream: What is drawn; each purpose has a stream of its own.
        view: The number of the view of a room.
    """
    return np.random.Generator(np.random.Philox(key=[seed, number], counter=[0, 0, stream, view]))


@lru_cache(maxsize=64)
def settings_digest(settings: Any, **numbering: int) -> str:
    """Eight hexadecimal digits that tell apart how pictures are drawn.

    Args:
        settings: The settings of a generator, a frozen dataclass.
        numbering: Values for the fields that only say which pictures a source has. They replace those of the settings,
            so that all sources of the same pictures have the same digits.
    """
    return hashlib.sha256(repr(replace(settings, **numbering)).encode()).hexdigest()[:8]


def draw_camera(rng: np.random.Generator, width: tuple[int, int], height: tuple[int, int], fov: Range) -> Camera:
    """A camera with square pixels and the principal point in the centre.

    Args:
        rng: Draws the size, then the field of view.
        width: The range of the picture's width [px].
        height: The range of the picture's height [px].
        fov: The range of the horizontal field of view [deg].
    """
    columns, rows = (int(rng.integers(low, high + 1)) for low, high in (width, height))
    return Camera.from_fov(columns, rows, float(rng.uniform(*fov)))


def add_noise(picture: Array32, deviation: float, rng: np.random.Generator) -> Pixels:
    """The picture as a sensor stores it.

    Args:
        picture: The picture (3, H, W), RGB, where 255 is white.
        deviation: The standard deviation of the noise [grey levels of 255]; the three channels have the same noise.
        rng: Draws the noise.

    Returns:
        The picture (H, W, 3) as 8-bit RGB.
    """
    noise = rng.standard_normal(picture.shape[1:], dtype=np.float32) * np.float32(deviation)
    grey = np.clip(picture + noise, 0, WHITE) + 0.5
    return np.ascontiguousarray(np.moveaxis(grey.astype(np.uint8), 0, -1))
