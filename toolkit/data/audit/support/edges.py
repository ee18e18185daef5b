"""How well the edges of a picture lie on the edges of its depth, for every small shift between the two.

The edges of depth are where 1 / z, which is linear over the pixels of a plane, bends or jumps. With a depth map
they are compared pixel by pixel; with sparse labels along the lines between neighbouring ones (Delaunay 1934).
"""

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.spatial import Delaunay, QhullError

from toolkit.data.audit.audited_frame import Shot
from toolkit.utils.arrays import Array

REACH = 16
"""Greatest shift that is tried [px of the small picture]."""


_STEP = 2  # px between the shifts that are tried of sparse labels


_ARM = 4  # px on either side of a pixel at which depth is compared with it


_BEND = 0.2  # relative; greater bends count as this


_POINTS = 300  # of sparse labels


_SAMPLES = 10  # along a line between two labels


_LONGEST = 50  # px; longer lines cross too much


_FEWEST = 60  # lines or edge pixels below which a frame tells nothing


Surface = Array
"""Correlation at each shift (rows dy, columns dx) from -REACH to REACH: picture edges found at depth edge + shift."""


class Outline(Protocol):
    """The edges of a frame's depth."""

    def against(self, edges: Array, flips: tuple[int, ...] = ()) -> Surface:
        """Correlation with a picture's edges (h, w), the depth flipped along some axes first."""


def picture_edges(shot: Shot) -> Array:
    """How strongly colour changes at each pixel (h, w) of the small picture, in logarithmic steps, mean 0."""
    lab = cv2.cvtColor(shot.picture, cv2.COLOR_RGB2LAB).astype(np.float32)
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
    along = np.stack([cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx) for dx in (0, 1)])
    strength = np.log1p(np.linalg.norm(along, axis=(0, 3)))
    return np.asarray(strength - strength.mean(), dtype=np.float64)


def outline_of(shot: Shot, rng: np.random.Generator) -> Outline | None:
    """The edges of a frame's depth, None where it has too few labels or edges."""
    if shot.dense:
        bends = _bends(1 / shot.grid)
        return DenseOutline(bends) if (bends > _BEND / 4).sum() >= _FEWEST else None
    keep = rng.permutation(len(shot.cells))[:_POINTS]
    cells, nearness = shot.cells[keep].astype(np.float64), 1 / shot.depth_z[keep]
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
    return SparseOutline(cells[lines], change, shot.picture.shape[:2])


class DenseOutline:
    """Of a depth map: how much 1 / z bends at each pixel."""

    def __init__(self, bends: Array) -> None:
        self._bends = bends

    def against(self, edges: Array, flips: tuple[int, ...] = ()) -> Surface:
        """Correlation with a picture's edges (h, w), the depth flipped along some axes first."""
        known = np.flip(np.isfinite(self._bends), flips)
        bends = np.flip(self._bends, flips)
        bends = np.where(known, bends - bends[known].mean(), 0.0)
        near = edges[: bends.shape[0], : bends.shape[1]]
        padded = np.pad(near, REACH)
        products = fftconvolve(padded, bends[::-1, ::-1], mode="valid")
        return np.asarray(products / (np.linalg.norm(bends) * np.linalg.norm(near) + 1e-12))


class SparseOutline:
    """Of sparse labels: how much depth changes along lines between neighbours."""

    def __init__(self, lines: Array, change: Array, size: tuple[int, int]) -> None:
        self._lines = lines
        self._size = size
        lengths = np.linalg.norm(lines[:, 0] - lines[:, 1], axis=1)
        terms = np.stack([np.ones_like(lengths), lengths, lengths**2], axis=1)
        # Long lines cross more edges and more depth: only what length does not explain is compared.
        self._plain = np.linalg.qr(terms)[0]
        self._change = self._without_length(change.argsort().argsort().astype(np.float64))

    def against(self, edges: Array, flips: tuple[int, ...] = ()) -> Surface:
        """Correlation with a picture's edges (h, w), the depth flipped along some axes first."""
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
    """How much 1 / z (h, w) bends at each pixel, relative, at most ``_BEND``; NaN where it is not known."""
    bends = np.full(nearness.shape, np.nan)
    middle = nearness[_ARM:-_ARM, _ARM:-_ARM]
    across = nearness[_ARM:-_ARM, 2 * _ARM :] + nearness[_ARM:-_ARM, : -2 * _ARM] - 2 * middle
    along = nearness[2 * _ARM :, _ARM:-_ARM] + nearness[: -2 * _ARM, _ARM:-_ARM] - 2 * middle
    bends[_ARM:-_ARM, _ARM:-_ARM] = np.minimum(np.maximum(np.abs(across), np.abs(along)) / middle, _BEND)
    return bends
