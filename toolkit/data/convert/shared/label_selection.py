"""Which labels of a picture are kept: spread over the picture and its depths, and away from depth edges if wanted."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.utils.arrays import Array

EDGE = 1.1
"""Two depths within the margin form an edge if they differ by more than this factor."""

NOT_MEASURED = np.float32(1e30)
"""The depth [m] of pixels without a measurement, in maps whose smallest depth is looked for."""

_COLUMNS, _ROWS, _DEPTHS = 8, 6, 8  # cells that labels are spread over; depth is divided by its logarithm


def select_labels(
    pixels: Array, depth: Array, size: tuple[int, int], count: int, margin: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Choose at most ``count`` labels: every cell of picture and depth gives one before any cell gives two.

    Args:
        pixels: The labelled pixels (N, 2).
        depth: Their depths (N,) [m], z-depth or Euclidean; those that are not finite and positive are left out.
        size: The width and height of the picture [px].
        count: The number of labels that are wanted.
        margin: How far the labels keep from depth edges [px]; 0 to keep labels at edges too.
        rng: The source of the random draws.

    Returns:
        The indices of the chosen labels, sorted.
    """
    usable = np.isfinite(depth) & (depth > 0)
    if margin > 0 and usable.any():
        usable[usable] = ~near_edge(pixels[usable], depth[usable], size, margin)
    left = rng.permutation(np.flatnonzero(usable))
    if left.size > count:
        turn = _count_before(_cells(pixels[left], depth[left], size))
        cell_order = rng.random(left.size)
        left = left[np.lexsort((cell_order, turn))[:count]]
    return np.sort(left)


def near_edge(pixels: Array, depth: Array, size: tuple[int, int], margin: int) -> NDArray[np.bool_]:
    """Which labels are near a depth edge.

    Args:
        pixels: The labelled pixels (N, 2).
        depth: Their depths (N,) [m].
        size: The width and height of the picture [px].
        margin: How far around a label edges are looked for, in u and in v [px].

    Returns:
        For each label (N,), whether another one within the margin is farther or nearer by the factor ``EDGE``.
    """
    columns, rows = pixels_at(pixels, size)
    low, high = np.full(size[::-1], NOT_MEASURED), np.zeros(size[::-1], dtype=np.float32)
    np.minimum.at(low, (rows, columns), depth.astype(np.float32))
    np.maximum.at(high, (rows, columns), depth.astype(np.float32))
    window = np.ones((2 * margin + 1, 2 * margin + 1), dtype=np.uint8)
    around_low, around_high = cv2.erode(low, window)[rows, columns], cv2.dilate(high, window)[rows, columns]
    return np.asarray((around_high > EDGE * depth) | (EDGE * around_low < depth))


def pixels_at(pixels: Array, size: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The column and row (N,) of the pixel that each position (N, 2) [px] falls into."""
    # Clipped before they are whole: a faulty file may hold any numbers, which are told when its line is checked.
    columns, rows = np.nan_to_num(np.clip(np.rint(pixels), 0, np.array(size) - 1)).astype(np.intp).T
    return columns, rows


def _cells(pixels: Array, depth: Array, size: tuple[int, int]) -> NDArray[np.intp]:
    """The number (N,) of the cell that each label falls into."""
    columns, rows = pixels_at(pixels, size)
    logs = np.log(depth)
    span = max(float(np.ptp(logs)), 1e-9)
    layer = np.minimum((logs - logs.min()) / span * _DEPTHS, _DEPTHS - 1).astype(np.intp)
    return (columns * _COLUMNS // size[0] * _ROWS + rows * _ROWS // size[1]) * _DEPTHS + layer


def _count_before(cells: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each label (N,), the number of labels of the same cell that come before it."""
    order = np.argsort(cells, kind="stable")
    ordered = cells[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[first, ordered.size])
    before = np.empty_like(cells)
    before[order] = np.arange(ordered.size) - np.repeat(first, sizes)
    return before
