"""The focal length and principal point that make large surfaces meet at right angles, as they do in buildings.

If the z-depth is right, then 1 / z = n . r holds with rays of any focal length, but the angle between two planes
depends on it: if the true focal length is f s and the true principal point is (cx + dx, cy + dy), the normal n becomes
(nx s, ny s, nz + nx dx / fx + ny dy / fy). The search finds the triple (s, dx, dy) under which most pairs of planes of
a frame are perpendicular. A repeated search among resampled frames tells how far the result can be trusted (bootstrap;
Efron 1979). The idea is that of Coughlan and Yuille 1999, "Manhattan world".

Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.geometry.planes import find_planes
from toolkit.utils.arrays import Array

_POINTS, _PLANES, _LEAST = 800, 4, 8
_SHARP = 0.06  # cosine; two surfaces that are 3.4 degrees off a right angle still count for one
_PARALLEL = 0.9  # cosine; two planes above it have one direction, and no focal length makes them perpendicular
_STEP, _STEPS = 0.025, 40  # step of log s, and steps to either side: s goes from 1/e to e
_SHIFTS = np.linspace(-0.2, 0.2, 17)  # shifts of the principal point that are tried, in picture widths
_NEAR = 0.16  # how far log s may be from the best one where the principal point is searched
_RESAMPLES = 1000
_TAILS = (0.005, 0.995)
_COST = 2.0  # cost of log(s)^2, in perpendicular pairs: a change by a factor of two must gain one pair


@dataclass(frozen=True, eq=False)
class PlanePairs:
    """Pairs of planes that were seen in one frame.

    Attributes:
        one: The unit normals (N, 3) of the first planes, in the camera frame.
        two: The unit normals (N, 3) of the second planes, in the camera frame.
        frame: The number (N,) of the frame in which each pair was seen.
        width: The picture's width divided by fx and by fy (N, 2), for the camera of each pair.
    """

    one: Array
    two: Array
    frame: Array
    width: Array


@dataclass(frozen=True)
class IntrinsicsFit:
    """The intrinsics under which most pairs of planes are perpendicular.

    Attributes:
        scale: The true focal length divided by the given one.
        scale_range: The least and the greatest scale, in all but 1 % of the resamples of the frames.
        shift: The shift (dx, dy) from the given principal point to the true one, in picture widths.
        shift_range: The least and the greatest dx, then dy, in the same share of resamples.
        square: The number of pairs of planes that are perpendicular under these intrinsics.
        frames: The number of frames with pairs of planes.
    """

    scale: float
    scale_range: tuple[float, float]
    shift: tuple[float, float]
    shift_range: tuple[tuple[float, float], tuple[float, float]]
    square: int
    frames: int


def find_plane_pairs(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> PlanePairs:
    """The pairs of large planes of each frame that are not parallel."""
    one, two, numbers, widths = [], [], [], []
    for index, frame in enumerate(frames):
        keep = rng.permutation(len(frame.pixels))[:_POINTS]
        planes = find_planes(frame.rays[keep], frame.depth_z[keep], rng, count=_PLANES, least=_LEAST)
        normals = [plane.normal / np.linalg.norm(plane.normal) for plane in planes]
        for later in range(len(normals)):
            for earlier in range(later):
                if abs(normals[later] @ normals[earlier]) < _PARALLEL:
                    one.append(normals[earlier])
                    two.append(normals[later])
                    numbers.append(index)
                    widths.append((frame.camera.width / frame.camera.fx, frame.camera.width / frame.camera.fy))
    return PlanePairs(
        *(
            np.array(part, dtype=float).reshape(shape)
            for part, shape in ((one, (-1, 3)), (two, (-1, 3)), (numbers, (-1,)), (widths, (-1, 2)))
        )
    )


def fit_intrinsics(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> IntrinsicsFit | None:
    """The intrinsics under which most pairs of planes are perpendicular, and how sure they are.

    Args:
        frames: Frames whose cameras, if they are wrong, are wrong in the same way.
        rng: Draws the planes and the resamples.

    Returns:
        The fit, or None if fewer than two frames have pairs of planes.
    """
    pairs = find_plane_pairs(frames, rng)
    count = len(np.unique(pairs.frame))
    if count < 2:
        return None
    counts = rng.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
    scales = np.exp(_STEP * np.arange(-_STEPS, _STEPS + 1))
    alone = np.column_stack([scales, np.zeros((len(scales), 2))])
    cost = _COST * np.log(scales) ** 2
    found = _scores(pairs, alone)
    drawn = scales[np.argmax(counts @ found - cost, axis=1)]
    scale = float(scales[np.argmax(found.sum(axis=0) - cost)])
    near = scales[np.abs(np.log(scales / scale)) < _NEAR]
    grid = np.array([(s, dx, dy) for s in near for dx in _SHIFTS for dy in _SHIFTS])
    scores = _scores(pairs, grid)
    best = grid[np.argmax(scores.sum(axis=0))]
    shifts = grid[np.argmax(counts @ scores, axis=1), 1:]
    square = int((np.abs(_cosines(pairs, best[None])) < 2 * _SHARP).sum())
    low, high = np.quantile(shifts, _TAILS, axis=0)
    return IntrinsicsFit(
        scale,
        _central_interval(drawn),
        (float(best[1]), float(best[2])),
        ((float(low[0]), float(high[0])), (float(low[1]), float(high[1]))),
        square,
        count,
    )


def _central_interval(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values, _TAILS)
    return float(low), float(high)


def _scores(pairs: PlanePairs, at: Array) -> Array:
    """Scores (frames, G): how nearly perpendicular the pairs of each frame are under each (s, dx, dy) of (G, 3)."""
    scores = np.exp(-0.5 * (_cosines(pairs, at) / _SHARP) ** 2)
    _, which = np.unique(pairs.frame, return_inverse=True)
    total = np.zeros((which.max() + 1, len(at)))
    np.add.at(total, which, scores)
    return total


def _cosines(pairs: PlanePairs, at: Array) -> Array:
    """Cosines (N, G) of the angles between the planes of each pair, under each (s, dx, dy) of (G, 3)."""
    z = [normal[:, 2:] + (normal[:, :2] * pairs.width) @ at[:, 1:].T for normal in (pairs.one, pairs.two)]
    plane = [
        np.sum(a[:, :2] * b[:, :2], axis=1)[:, None] * at[:, 0] ** 2
        for a, b in ((pairs.one, pairs.two), (pairs.one, pairs.one), (pairs.two, pairs.two))
    ]
    return (plane[0] + z[0] * z[1]) / np.sqrt((plane[1] + z[0] ** 2) * (plane[2] + z[1] ** 2))
