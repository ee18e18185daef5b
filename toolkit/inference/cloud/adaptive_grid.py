"""Asking for the depths of a picture's pixels: first on a coarse grid, then on finer levels where the depth changes.

Pixels are those of the upright original picture. Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import UserError, raise_all
from toolkit.utils.arrays import Array

AskDepths = Callable[[Array], Array]
"""A function that gives the depths (N,) [m] at pixels (N, 2), with NaN where an answer could not be read."""

Indices = NDArray[np.int64]
_LEFT, _TOP, _RIGHT, _BOTTOM = range(4)


@dataclass(frozen=True)
class Grid:
    """The settings that say at which pixels of a picture questions are asked.

    Attributes:
        columns: The number of points in each row of the first grid. The rows are as far apart as the columns.
        levels: How many times a cell may be split into four.
        ratio: A cell is split if the largest depth at its corners is at least this many times the smallest.
        questions: The largest number of questions.
        margin: The width of the border in which no question is asked, because marks cannot be drawn there [px].
    """

    columns: int = 32
    levels: int = 2
    ratio: float = 1.25
    questions: int = 3000
    margin: int = 0

    def __post_init__(self) -> None:
        faults = [
            (self.columns < 2, f"a grid of {self.columns} columns has no cells", "give at least 2"),
            (self.levels < 0, f"a grid cannot be refined {self.levels} times", "give 0 or more"),
            (not self.ratio > 1, f"depths differ by a factor of {self.ratio:g} everywhere", "give a ratio above 1"),
            (self.margin < 0, f"the margin of {self.margin} px lies outside the picture", "give 0 or more"),
        ]
        raise_all(
            "grid of questions", [UserError(problem, remedy=remedy) for wrong, problem, remedy in faults if wrong]
        )

    def line_positions(self, width: int, height: int) -> tuple[Indices, Indices]:
        """The columns (C,) and rows (R,) of pixels [px] on which the lines of the first grid lie.

        Args:
            width: The width of the picture [px].
            height: The height of the picture [px].

        Raises:
            UserError: If the picture is too small for the margin, or if the grid needs more questions than allowed.
        """
        across, down = width - 1 - 2 * self.margin, height - 1 - 2 * self.margin
        if min(across, down) < 1:
            raise UserError(
                f"a {width} x {height} picture with a margin of {self.margin} px leaves nothing to ask about",
                remedy="give a larger picture",
            )
        columns = min(self.columns, across + 1)
        rows = min(max(round((columns - 1) * down / across) + 1, 2), down + 1)
        if columns * rows > self.questions:
            raise UserError(
                f"a grid of {columns} x {rows} points takes {columns * rows} questions, not {self.questions} at most",
                remedy=f"allow more, or fewer than {columns} columns",
            )
        return self.margin + _spread(across, columns), self.margin + _spread(down, rows)


@dataclass(frozen=True)
class Survey:
    """The depths that were asked for in a picture, and the cells into which they divide it.

    Attributes:
        size: The width and height of the picture [px].
        pixels: The pixels that were asked for, (N, 2), in whole numbers, row by row and without repetition.
        depth: Their depths (N,) [m], of the kind that was asked for; NaN where the answer could not be read.
        leaves: The left, top, right and bottom [px] of the cells, (M, 4). The four corners of each cell were asked for.
    """

    size: tuple[int, int]
    pixels: Array
    depth: Array
    leaves: Indices

    def corners(self, depth: Array) -> Array:
        """The depths at the corners of the leaves, (M, 2, 2), indexed [leaf, lower, right].

        Args:
            depth: The depths at ``pixels``, (N,) [m].
        """
        keys = self.leaves[:, [[_TOP], [_BOTTOM]]] * self.size[0] + self.leaves[:, [[_LEFT, _RIGHT]]]
        return depth[np.searchsorted(self._keys, keys)]

    def owned_pixels(self) -> Iterator[tuple[slice, slice]]:
        """Yield, for each leaf, the rows and columns of the pixels that belong to it.

        Neighbouring leaves share an edge, which belongs to the right or the lower one. Every pixel that is not in the
        margin belongs to exactly one leaf.
        """
        last_u, last_v = self.leaves[:, _RIGHT].max(), self.leaves[:, _BOTTOM].max()
        for left, top, right, bottom in self.leaves.tolist():
            yield slice(top, bottom + (bottom == last_v)), slice(left, right + (right == last_u))

    @property
    def _keys(self) -> Indices:
        return _keys(self.pixels.astype(np.int64), self.size[0])


def survey(size: tuple[int, int], grid: Grid, ask: AskDepths) -> Survey:
    """Ask for the depths on a grid, then at the new corners of the cells in which the depth changes.

    Each level is one call of ``ask``. The cells in which some corners could not be read are split first. The others
    follow, from the largest ratio of depths to the smallest; cells in which no corner could be read come last. A level
    ends at the first cell for which too few questions are left. Things that are smaller than a cell of the first grid
    and touch none of its points are not seen.

    Args:
        size: The width and height of the picture [px].
        grid: The settings of the grid.
        ask: The function that gives the depths of pixels (N, 2), which are in the order of rows. Depths that are not
            positive count as not read.

    Raises:
        UserError: If the first grid does not fit into the picture, or needs more questions than allowed.
    """
    columns, rows = grid.line_positions(*size)
    cells = [(left, top, right, bottom) for top, bottom in pairwise(rows) for left, right in pairwise(columns)]
    nothing = Survey(size, np.empty((0, 2)), np.empty(0), np.array(cells))
    found = _with_answers(nothing, np.add.outer(rows * size[0], columns).ravel(), nothing.leaves, ask)
    for _ in range(grid.levels):
        split, new = _affordable(found, _wanted(found, grid.ratio), grid.questions - len(found.depth))
        kept = np.delete(found.leaves, split, axis=0)
        found = _with_answers(found, new, np.concatenate([kept, _quarters(found.leaves[split])]), ask)
    return found


def depth_ratios(corners: Array) -> Array:
    """The ratio (M,) of the largest to the smallest depth at the corners (M, 2, 2) [m] of cells.

    It is infinite if only some corners of a cell could be read, and NaN if none could.
    """
    flat = corners.reshape(len(corners), -1)
    unread = np.isnan(flat)
    return np.where(unread.any(axis=1) & ~unread.all(axis=1), np.inf, flat.max(axis=1) / flat.min(axis=1))


def _wanted(found: Survey, ratio: float) -> Indices:
    """The indices of the leaves to be split, the one with the largest ratio of depths first."""
    ratios = depth_ratios(found.corners(found.depth))
    order = np.argsort(-ratios, kind="stable")
    return order[~(ratios[order] < ratio)]


def _affordable(found: Survey, wanted: Indices, budget: int) -> tuple[Indices, Indices]:
    """The first of the wanted leaves, as many as the budget allows; and the keys (N,) of the pixels to ask for."""
    keys = _keys(_midpoints(found.leaves[wanted]), found.size[0])
    unasked, first = np.unique(keys, return_index=True)
    is_new = ~np.isin(unasked, found._keys)
    unasked, needed_by = unasked[is_new], first[is_new] // keys.shape[1]
    cost = np.cumsum(np.bincount(needed_by, minlength=len(wanted)))
    fits = int(np.searchsorted(cost, budget, side="right"))
    return wanted[:fits], unasked[needed_by < fits]


def _with_answers(found: Survey, keys: Indices, leaves: Indices, ask: AskDepths) -> Survey:
    """The survey with these leaves, after asking for the pixels with these keys (N,), if there are any."""
    pixels = np.stack([keys % found.size[0], keys // found.size[0]], axis=-1).astype(np.float64)
    answers = np.asarray(ask(pixels), dtype=np.float64) if len(keys) else np.empty(0)
    if answers.shape != keys.shape:
        raise ValueError(f"expected {len(keys)} answers, got an array of shape {answers.shape}")
    depth = np.where(np.isfinite(answers) & (answers > 0), answers, np.nan)
    order = np.argsort(np.concatenate([found._keys, keys]))
    return Survey(
        found.size,
        np.concatenate([found.pixels, pixels])[order],
        np.concatenate([found.depth, depth])[order],
        leaves,
    )


def _midpoints(cells: Indices) -> Indices:
    """The pixels (M, 5, 2) that split cells (M, 4), in whole numbers: the middles of the edges, and the centre."""
    left, top, right, bottom = cells.T
    u, v = (left + right) // 2, (top + bottom) // 2
    return np.stack([u, top, left, v, u, v, right, v, u, bottom], axis=-1).reshape(-1, 5, 2)


def _quarters(cells: Indices) -> Indices:
    """The four parts of each cell (M, 4); two parts if it is one pixel wide or high, and itself if it is both."""
    left, top, right, bottom = cells.T
    u, v = (left + right) // 2, (top + bottom) // 2
    parts = [(left, top, u, v), (u, top, right, v), (left, v, u, bottom), (u, v, right, bottom)]
    quarters = np.concatenate([np.stack(part, axis=-1) for part in parts])
    return quarters[(quarters[:, _RIGHT:] > quarters[:, :_RIGHT]).all(axis=1)]


def _spread(extent: int, count: int) -> Indices:
    """``count`` different whole numbers that are evenly spread from 0 to ``extent``."""
    return np.floor(np.linspace(0, extent, count) + 0.5).astype(np.int64)


def _keys(pixels: Indices, width: int) -> Indices:
    """The keys (...) of pixels (..., 2) in whole numbers: pixels are counted row by row."""
    return pixels[..., 1] * width + pixels[..., 0]
