"""Which labels of a picture are kept: spread over picture and depth, seeded, away from depth edges if wanted."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.utils.arrays import Array

EDGE = 1.1
"""A jump of depth by this factor within the margin is an edge."""


_COLUMNS, _ROWS, _DEPTHS = 8, 6, 8  # cells that labels are spread over; depth is divided by its logarithm


_FAR = np.float32(1e30)  # m; where nothing was measured


def sample(
    pixels: Array, depth: Array, size: tuple[int, int], count: int, margin: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Indices, sorted, of at most ``count`` labels: every cell of picture and depth gives one before any gives two.

    Args:
        pixels: (N, 2) labelled pixels.
        depth: (N,) their depth [m]; labels that are not finite and positive are left out.
        size: Width and height of the picture.
        count: Labels wanted.
        margin: How far to keep from depth edges [px]; 0 for not at all.
        rng: Where chance comes from.
    """
    usable = np.isfinite(depth) & (depth > 0)
    if margin > 0 and usable.any():
        usable[usable] = ~near_edge(pixels[usable], depth[usable], size, margin)
    left = rng.permutation(np.flatnonzero(usable))
    if left.size > count:
        turn = _turns(_cells(pixels[left], depth[left], size))
        cell_order = rng.random(left.size)
        left = left[np.lexsort((cell_order, turn))[:count]]
    return np.sort(left)


def near_edge(pixels: Array, depth: Array, size: tuple[int, int], margin: int) -> NDArray[np.bool_]:
    """Which labels (N,) have one within ``margin`` px (in u and v) that is farther or nearer by the factor EDGE."""
    columns, rows = nearest_pixels(pixels, size)
    low, high = np.full(size[::-1], _FAR), np.zeros(size[::-1], dtype=np.float32)
    np.minimum.at(low, (rows, columns), depth.astype(np.float32))
    np.maximum.at(high, (rows, columns), depth.astype(np.float32))
    window = np.ones((2 * margin + 1, 2 * margin + 1), dtype=np.uint8)
    around_low, around_high = cv2.erode(low, window)[rows, columns], cv2.dilate(high, window)[rows, columns]
    return np.asarray((around_high > EDGE * depth) | (EDGE * around_low < depth))


def nearest_pixels(pixels: Array, size: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Columns and rows (N,) of the pixels that pixels (N, 2) fall into."""
    columns, rows = np.rint(pixels).astype(np.intp).T
    return np.clip(columns, 0, size[0] - 1), np.clip(rows, 0, size[1] - 1)


def _cells(pixels: Array, depth: Array, size: tuple[int, int]) -> NDArray[np.intp]:
    """The cell (N,) of each label."""
    columns, rows = nearest_pixels(pixels, size)
    logs = np.log(depth)
    span = max(float(np.ptp(logs)), 1e-9)
    layer = np.minimum((logs - logs.min()) / span * _DEPTHS, _DEPTHS - 1).astype(np.intp)
    return (columns * _COLUMNS // size[0] * _ROWS + rows * _ROWS // size[1]) * _DEPTHS + layer


def _turns(cells: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many labels of the same cell stand before each (N,)."""
    order = np.argsort(cells, kind="stable")
    ordered = cells[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[first, ordered.size])
    turns = np.empty_like(cells)
    turns[order] = np.arange(ordered.size) - np.repeat(first, sizes)
    return turns
