"""Batches of questions for tiny models of every architecture."""

import numpy as np
import pytest

from tests.support.tiny_architectures import TWINS
from toolkit.geometry.canonical import Canvas
from toolkit.modeling.vlm.vlm import Vlm

PROMPTS = ("How far is the red point?", "How far is the blue one from the red one?")


ANSWERS = ("12.30 m", "It is 4.05 m away.")


# In units of a canvas' multiple: wide, tall, and one whose number of pixels processors like to change.
AWKWARD = ((3, 5), (7, 2), (1, 2))


every_architecture = pytest.mark.parametrize("name", TWINS)


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def fitting(canvas: Canvas) -> list[np.ndarray]:
    """Three pictures of sizes that the canvas takes."""
    if canvas.square:
        return [noise(canvas.square, canvas.square, seed) for seed in range(len(AWKWARD))]
    return [noise(w * canvas.multiple, h * canvas.multiple, seed) for seed, (w, h) in enumerate(AWKWARD)]


def one_and_two(vlm: Vlm) -> list[list[np.ndarray]]:
    """Pictures of a row with one and of a row with two."""
    first, second, third = fitting(vlm.geometry.canvas)
    return [[first], [second, third]]
