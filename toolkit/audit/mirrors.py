"""Do labels lie behind a wall where a mirror shows the room again?

Null hypothesis: labels behind a plane and enclosed by it in the picture are of another room, seen through an opening.
In a mirror they are the points of this room reflected at the plane: reflected back, they fall on surfaces that
the frame shows and labels. They are reflected at the plane, and for comparison at the same plane moved by
``MOVED`` to and fro, where only chance makes them fall on surfaces. A frame speaks for a mirror if
``LEAST`` labels or more can be compared, ``SHARE`` of them fall on surfaces, and that is twice as many as at the moved
planes. One frame in ``1 / RARE`` may do so by chance (binomial test over frames, ``ALPHA``). A mirror whose
image is of things that the frame does not show is not found: an ok means that none was seen.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, QhullError

from toolkit.audit.finding import WORST_SHOWN, Finding, Worst
from toolkit.audit.planes import Plane, find_planes
from toolkit.audit.shot import Shot
from toolkit.audit.statistics import ALPHA, tail
from toolkit.camera import Array

CHECK = "mirrors"
LEAST = 60
SHARE = 0.4
RARE = 0.02
MOVED = (0.9, 1.1)

_BEHIND = 0.05  # relative, of the plane's distance along the ray
_NEAR = 0.03  # relative error of depth_z of a point on a labelled surface
_POINTS, _PLANES = 1500, 3
_FRAMES = 2


def check(shots: Sequence[Shot], rng: np.random.Generator) -> list[Finding]:
    """One finding; none where there are no depth maps, for sparse labels seldom meet."""
    dense = [shot for shot in shots if shot.dense]
    if not dense:
        return []
    seen = [(shot, *_mirror(shot, rng)) for shot in dense]
    wrong = [(shot, share, count) for shot, share, count in seen if count >= LEAST and share >= SHARE]
    wrong.sort(key=lambda each: -each[1] * each[2])
    chance = tail(len(wrong), len(dense), RARE)
    openings = sum(count >= LEAST for _, _, count in seen)
    numbers: dict[str, float | str] = {
        "frames": len(dense),
        "frames with labels behind a surface": openings,
        "frames where they are reflections": len(wrong),
        "chance": chance,
    }
    evidence = (
        f"{openings} of {len(dense)} frames show labels behind a flat surface that encloses them; "
        f"in {len(wrong)} they are reflections of the room"
    )
    worst = [
        Worst(shot.line, shot.frame.name, f"{share:.0%} of {count} labels behind a surface are reflections")
        for shot, share, count in wrong[:WORST_SHOWN]
    ]
    if len(wrong) >= _FRAMES and chance < ALPHA:
        return [Finding(CHECK, "suspect", evidence, "mark labels on mirrors as invalid", numbers, worst)]
    return [Finding(CHECK, "cannot tell" if wrong else "ok", evidence, "", numbers, worst)]


def _mirror(shot: Shot, rng: np.random.Generator) -> tuple[float, int]:
    """Share of labels behind a plane that are reflections, and how many were compared: of the clearest plane."""
    keep = rng.permutation(len(shot.pixels))[:_POINTS]
    points = shot.rays[keep] * shot.depth_z[keep, None]
    best = (0.0, 0)
    for plane in find_planes(shot.rays[keep], shot.depth_z[keep], rng, count=_PLANES):
        behind = points[_enclosed(points, shot.cells[keep], plane)]
        share, count = _on_surfaces(shot, _reflected(behind, plane.normal))
        chance = max(_on_surfaces(shot, _reflected(behind, plane.normal / moved))[0] for moved in MOVED)
        if count >= LEAST:
            best = max(best, (share if share > 2 * chance else 0.0, count))
    return best


def _enclosed(points: Array, cells: NDArray[np.intp], plane: Plane) -> NDArray[np.bool_]:
    """Which points (N, 3) lie behind a plane, within the outline of its own points in the picture."""
    behind = points @ plane.normal > 1 + _BEHIND
    try:
        outline = Delaunay(cells[plane.members])
    except (QhullError, ValueError):
        return np.zeros(len(points), dtype=bool)
    return np.asarray(behind & (outline.find_simplex(cells) >= 0))


def _reflected(points: Array, normal: Array) -> Array:
    """Points (N, 3) reflected at the plane normal . X = 1 (Householder 1958)."""
    return points - 2 * ((points @ normal - 1) / (normal @ normal))[:, None] * normal


def _on_surfaces(shot: Shot, points: Array) -> tuple[float, int]:
    """Share of points (N, 3) in view that lie on labelled surfaces, and how many are in view."""
    pixels = np.nan_to_num(shot.small_camera.project(points), nan=-9.0)
    seen = shot.small_camera.contains(pixels)
    columns, rows = np.rint(pixels[seen]).astype(int).T
    size = shot.grid.shape
    labelled = shot.grid[np.clip(rows, 0, size[0] - 1), np.clip(columns, 0, size[1] - 1)]
    known = np.isfinite(labelled)
    if not known.any():
        return 0.0, 0
    near = np.abs(np.log(points[seen, 2][known] / labelled[known])) < _NEAR
    return float(near.mean()), int(known.sum())
