"""The focal length and principal point that make large surfaces meet at right angles, as they do in buildings.

Where depth_z is right, 1 / z = n . r holds with rays of any focal length, but the angle between two planes does
not: with the true focal length f s and centre (cx + dx, cy + dy), the normal n becomes
(nx s, ny s, nz + nx dx / fx + ny dy / fy). The triple (s, dx, dy) under which most pairs of planes of a frame are
perpendicular is searched; how far it can be trusted is told by searching again among resampled frames (bootstrap;
Efron 1979). Source of the idea: Coughlan and Yuille 1999, "Manhattan world".

Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.data.audit.audited_frame import Shot
from toolkit.data.audit.support.planes import find_planes
from toolkit.utils.arrays import Array

_POINTS, _PLANES, _LEAST = 800, 4, 8


_SHARP = 0.06  # cosine: surfaces 3.4 degrees off a right angle still speak for one


_PARALLEL = 0.9  # cosine above which two planes are one direction, which no focal length makes perpendicular


_STEP, _STEPS = 0.025, 40  # of log s: from 1/e to e


_SHIFTS = np.linspace(-0.2, 0.2, 17)  # of the principal point, in picture widths


_NEAR = 0.16  # of log s, around the best: where the principal point is searched


_RESAMPLES = 1000


_TAILS = (0.005, 0.995)


_COST = 2.0  # of log(s)^2, in square pairs: a focal length wrong by a factor of two must gain one pair


@dataclass(frozen=True, eq=False)
class Corners:
    """Pairs of planes of frames, as unit normals in the camera frame.

    Attributes:
        one: (N, 3).
        two: (N, 3).
        frame: Which frame each pair is of, (N,).
        width: Width over fx and over fy of each pair's camera, (N, 2).
    """

    one: Array
    two: Array
    frame: Array
    width: Array


@dataclass(frozen=True)
class Fit:
    """What the corners say of the intrinsics.

    Attributes:
        scale: True focal length over the given one.
        scale_range: Between which it lies, in all but 1 % of resamples of the frames.
        shift: (dx, dy) from the given principal point to the true one, in picture widths.
        shift_range: Between which dx lies, and dy.
        square: Pairs of planes that are perpendicular under this fit.
        frames: Frames with pairs of planes.
    """

    scale: float
    scale_range: tuple[float, float]
    shift: tuple[float, float]
    shift_range: tuple[tuple[float, float], tuple[float, float]]
    square: int
    frames: int


def corners(shots: Sequence[Shot], rng: np.random.Generator) -> Corners:
    """Pairs of large planes of each frame that are not parallel."""
    one, two, frame, width = [], [], [], []
    for index, shot in enumerate(shots):
        keep = rng.permutation(len(shot.pixels))[:_POINTS]
        planes = find_planes(shot.rays[keep], shot.depth_z[keep], rng, count=_PLANES, least=_LEAST)
        normals = [plane.normal / np.linalg.norm(plane.normal) for plane in planes]
        for later in range(len(normals)):
            for earlier in range(later):
                if abs(normals[later] @ normals[earlier]) < _PARALLEL:
                    one.append(normals[earlier])
                    two.append(normals[later])
                    frame.append(index)
                    width.append((shot.camera.width / shot.camera.fx, shot.camera.width / shot.camera.fy))
    return Corners(
        *(
            np.array(part, dtype=float).reshape(shape)
            for part, shape in ((one, (-1, 3)), (two, (-1, 3)), (frame, (-1,)), (width, (-1, 2)))
        )
    )


def fit_intrinsics(shots: Sequence[Shot], rng: np.random.Generator) -> Fit | None:
    """The best intrinsics, and how sure they are; None where fewer than two frames have corners.

    Args:
        shots: Frames of cameras that are wrong in the same way, if they are.
        rng: Draws planes and resamples.
    """
    pairs = corners(shots, rng)
    frames = len(np.unique(pairs.frame))
    if frames < 2:
        return None
    counts = rng.multinomial(frames, np.full(frames, 1 / frames), size=_RESAMPLES)
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
    return Fit(
        scale,
        _interval(drawn),
        (float(best[1]), float(best[2])),
        ((float(low[0]), float(high[0])), (float(low[1]), float(high[1]))),
        square,
        frames,
    )


def _interval(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values, _TAILS)
    return float(low), float(high)


def _scores(pairs: Corners, at: Array) -> Array:
    """How rectangular each frame is, (frames, G), under each of some intrinsics (G, 3)."""
    scores = np.exp(-0.5 * (_cosines(pairs, at) / _SHARP) ** 2)
    _, which = np.unique(pairs.frame, return_inverse=True)
    total = np.zeros((which.max() + 1, len(at)))
    np.add.at(total, which, scores)
    return total


def _cosines(pairs: Corners, at: Array) -> Array:
    """Cosines (N, G) of the angles between the planes under each of some intrinsics (G, 3)."""
    z = [normal[:, 2:] + (normal[:, :2] * pairs.width) @ at[:, 1:].T for normal in (pairs.one, pairs.two)]
    plane = [
        np.sum(a[:, :2] * b[:, :2], axis=1)[:, None] * at[:, 0] ** 2
        for a, b in ((pairs.one, pairs.two), (pairs.one, pairs.one), (pairs.two, pairs.two))
    ]
    return (plane[0] + z[0] * z[1]) / np.sqrt((plane[1] + z[0] ** 2) * (plane[2] + z[1] ** 2))
