"""How well the edges of a picture lie on the edges of its depth, for every small shift between the two.

The edges of depth are the places where 1 / z, which is linear over the pixels of a plane, bends or jumps. With a depth
map, they are compared pixel by pixel; with sparse labels, along the lines between neighbouring labels (Delaunay 1934).
"""

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.spatial import Delaunay, QhullError

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.utils.arrays import Array

REACH = 16
"""The greatest shift that is tried [px of the small picture]."""

_STEP = 2  # px between the shifts that are tried with sparse labels
_ARM = 4  # px from a pixel to those on either side whose depth is compared with it
_BEND = 0.2  # relative; a greater bend counts as this one
_POINTS = 300  # how many sparse labels are used
_SAMPLES = 10  # pixels that are looked at along a line between two labels
_LONGEST = 50  # px; longer lines cross too much
_FEWEST = 60  # a frame with fewer lines or edge pixels than this tells nothing

Surface = Array
"""The correlation at each shift (rows dy, columns dx) from -REACH to REACH, of picture edges at depth edge + shift."""


class Outline(Protocol):
    """The edges of a frame's depth, to be compared with the edges of a picture."""

    def against(self, edges: Array, flips: tuple[int, ...] = ()) -> Surface:
        """The correlation with a picture's edges (h, w) at each shift, after depth is flipped along these axes."""


def picture_edges(frame: AuditedFrame) -> Array:
    """How strongly the colour changes at each pixel (h, w) of the small picture: a logarithm, minus its mean."""
    lab = cv2.cvtColor(frame.picture, cv2.COLOR_RGB2LAB).astype(np.float32)
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
    along = np.stack([cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx) for dx in (0, 1)])
    strength = np.log1p(np.linalg.norm(along, axis=(0, 3)))
    return np.asarray(strength - strength.mean(), dtype=np.float64)


def depth_outline(frame: AuditedFrame, rng: np.random.Generator) -> Outline | None:
    """The edges of a frame's depth, or None if it has too few labels or edges."""
    if frame.dense:
        bends = _bends(1 / frame.grid)
        return DenseOutline(bends) if (bends > _BEND / 4).sum() >= _FEWEST else None
    keep = rng.permutation(len(frame.cells))[:_POINTS]
    cells, nearness = frame.cells[keep].astype(np.float64), 1 / frame.depth_z[keep]
    try:
        corners = Delaunay(cells).simplices
    except (QhullError, ValueError):
        return None
    lines = np.unique(
        np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]]), axis=1), axis=0
    )
    lengths = np.linalg.norm(cells[lines[:, 0]] - cells[lines[:, 1]], axis=1)
    lines = lines[lengths < _LONGEST]
    if len(lines) < _FEWEST:
        return None
    change = np.abs(np.log(nearness[lines[:, 0]] / nearness[lines[:, 1]]))
    return SparseOutline(cells[lines], change, frame.picture.shape[:2])


class DenseOutline:
    """The edges of a depth map: how much 1 / z bends at each pixel.

    Args:
        bends: The bend of 1 / z (h, w) at each pixel, relative to 1 / z; NaN where it is not known.
    """

    def __init__(self, bends: Array) -> None:
        self._bends = bends

    def against(self, edges: Array, flips: tuple[int, ...] = ()) -> Surface:
        """The correlation with a picture's edges (h, w) at each shift, after depth is flipped along these axes."""
        known = np.flip(np.isfinite(self._bends), flips)
        bends = np.flip(self._bends, flips)
        bends = np.where(known, bends - bends[known].mean(), 0.0)
        near = edges[: bends.shape[0], : bends.shape[1]]
        padded = np.pad(near, REACH)
        products = fftconvolve(padded, bends[::-1, ::-1], mode="valid")
        return np.asarray(products / (np.linalg.norm(bends) * np.linalg.norm(near) + 1e-12))


class SparseOutline:
    """The edges of sparse depth: how much depth changes along the lines between neighbouring labels.

    Args:
        lines: The two ends (N, 2, 2) of each line, (u, v) in the small picture [px].
        change: How much the logarithm of depth differs between the two ends, (N,).
        size: Height and width of the small picture [px].
    """

    def __init__(self, lines: Array, change: Array, size: tuple[int, int]) -> None:
        self._lines = lines
        self._size = size
        lengths = np.linalg.norm(lines[:, 0] - lines[:, 1], axis=1)
        terms = np.stack([np.ones_like(lengths), lengths, lengths**2], axis=1)
        # Long lines cross more edges and more depth, so only what their length does not explain is compared.
        self._plain = np.linalg.qr(terms)[0]
        self._change = self._without_length(change.argsort().argsort().astype(np.float64))

    def against(self, edges: Array, flips: tuple[int, ...] = ()) -> Surface:
        """The correlation with a picture's edges (h, w) at each shift, after depth is flipped along these axes."""
        height, width = self._size
        lines = self._lines.copy()
        if 1 in flips:
            lines[..., 0] = width - 1 - lines[..., 0]
        if 0 in flips:
            lines[..., 1] = height - 1 - lines[..., 1]
        share = np.linspace(0, 1, _SAMPLES)[:, None]
        places = np.rint(lines[:, :1] * (1 - share) + lines[:, 1:] * share).astype(np.intp)
        padded = np.pad(edges, REACH, mode="edge")
        shifts = range(0, 2 * REACH + 1, _STEP)
        return np.array([[self._correlation(padded, places + np.array([dx, dy])) for dx in shifts] for dy in shifts])

    def _correlation(self, edges: Array, places: NDArray[np.intp]) -> float:
        rows, columns = (np.minimum(places[..., axis], edges.shape[1 - axis] - 1) for axis in (1, 0))
        strongest = self._without_length(edges[rows, columns].max(axis=1))
        return float(self._change @ strongest / (np.linalg.norm(self._change) * np.linalg.norm(strongest) + 1e-12))

    def _without_length(self, values: Array) -> Array:
        return values - self._plain @ (self._plain.T @ values)


def _bends(nearness: Array) -> Array:
    """How much 1 / z (h, w) bends at each pixel, relative to 1 / z, at most ``_BEND``; NaN where it is not known."""
    bends = np.full(nearness.shape, np.nan)
    middle = nearness[_ARM:-_ARM, _ARM:-_ARM]
    across = nearness[_ARM:-_ARM, 2 * _ARM :] + nearness[_ARM:-_ARM, : -2 * _ARM] - 2 * middle
    along = nearness[2 * _ARM :, _ARM:-_ARM] + nearness[: -2 * _ARM, _ARM:-_ARM] - 2 * middle
    bends[_ARM:-_ARM, _ARM:-_ARM] = np.minimum(np.maximum(np.abs(across), np.abs(along)) / middle, _BEND)
    return bends
