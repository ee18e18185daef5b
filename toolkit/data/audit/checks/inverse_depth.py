"""Do the labels hold inverse depth: disparity, or what models of relative depth give?

A flat surface is flat only if depth is read as what it is (see ``toolkit.geometry.planes``): if inverse depth
is stored, it bends unless the inverse of the stored numbers is taken. In each frame, the check searches the largest
planes under each reading, both for z-depth and for Euclidean distance; the reading under which more points lie on
planes wins the frame.

The null hypothesis is that both readings fit equally well, so that either wins a frame with a chance of 1/2. If
``ENOUGH`` frames tell something, a sign test over frames rejects it below ``ALPHA``. If fewer frames do, McNemar's test
(1947) is used on the points that fit under one reading only, summed over the frames: its chance must be below
``STRICT``, and no frame may favour the other reading. For a fault, inverse depth must also hold ``CLEAR`` times as many
points on planes, since noise bends surfaces, too. Walls that are seen head-on tell nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.data.audit.finding import WORST_SHOWN, Finding, WorstFrame, frames_to_text
from toolkit.data.audit.support.significance import ALPHA, ENOUGH, STRICT, sign_test, tail
from toolkit.geometry.planes import find_planes
from toolkit.utils.arrays import Array

CHECK = "inverse depth"

LEAST = 12
"""A frame with fewer points than this says nothing about planes."""

POINTS = 600
"""The number of points of a frame among which planes are searched, at most."""

CLEAR = 1.1
"""How many times as many points must lie on planes for a fault if depth is read as inverse depth."""


REMEDY = (
    "store depth, which is 1 / the stored number, and audit again; disparity in pixels is focal length x baseline / "
    "depth, and relative inverse depth has no metres at all"
)
"""What to do about inverse depth."""


@dataclass(frozen=True, eq=False)
class _PlaneCounts:
    """How many points of one frame lie on planes.

    Attributes:
        frame: The frame.
        points: The number of points that were looked at.
        direct: Which points (N,) are on planes if the labels are depth.
        inverse: Which points (N,) are on planes if the labels are inverse depth.
    """

    frame: AuditedFrame
    points: int
    direct: NDArray[np.bool_]
    inverse: NDArray[np.bool_]

    @property
    def lead(self) -> int:
        """How many more points are on planes if the labels are inverse depth."""
        return int(self.inverse.sum()) - int(self.direct.sum())


def check(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> list[Finding]:
    """Find whether the labels are inverse depth; one finding."""
    counts = [found for frame in frames if (found := _count(frame, rng)) is not None]
    wins, losses = sum(each.lead > 0 for each in counts), sum(each.lead < 0 for each in counts)
    direct, inverse = sum(int(each.direct.sum()) for each in counts), sum(int(each.inverse.sum()) for each in counts)
    chance = _chance(counts, wins, losses)
    numbers: dict[str, float | str] = {
        "frames that tell": len(counts),
        "frames for depth": losses,
        "frames for inverse depth": wins,
        "points on planes as depth": direct,
        "points on planes as inverse depth": inverse,
        "chance": chance,
    }
    evidence = (
        f"planes hold {direct} points if they are depth, {inverse} if they are inverse depth; of "
        f"{frames_to_text(len(counts))}, {losses} are for depth, {wins} for inverse depth, "
        f"by chance once in {1 / max(chance, 1e-99):.2g}"
    )
    sure = chance < (ALPHA if wins + losses >= ENOUGH else STRICT)
    if sure and wins > losses and inverse > CLEAR * direct:
        return [Finding(CHECK, "fault", evidence, REMEDY, numbers, _worst(counts))]
    return [Finding(CHECK, "ok" if sure and losses > wins else "cannot tell", evidence, "", numbers)]


def is_found(finding: Finding) -> bool:
    """Whether a finding says that the labels are inverse depth."""
    return finding.check == CHECK and finding.verdict == "fault"


def _worst(counts: Sequence[_PlaneCounts]) -> tuple[WorstFrame, ...]:
    """The frames that show inverse depth most clearly."""
    ranked = sorted(counts, key=lambda each: -each.lead)[:WORST_SHOWN]
    note = "{} of {} points more lie on planes as inverse depth"
    return tuple(each.frame.worst(note.format(each.lead, each.points)) for each in ranked)


def _chance(counts: Sequence[_PlaneCounts], wins: int, losses: int) -> float:
    """The chance of so clear a result if depth and inverse depth fit equally well."""
    if wins + losses >= ENOUGH:
        return sign_test(wins, losses)
    if wins and losses:
        return 1.0
    only_direct = sum(int((each.direct & ~each.inverse).sum()) for each in counts)
    only_inverse = sum(int((each.inverse & ~each.direct).sum()) for each in counts)
    return min(1.0, 2 * tail(max(only_direct, only_inverse), only_direct + only_inverse, 0.5))


def _count(frame: AuditedFrame, rng: np.random.Generator) -> _PlaneCounts | None:
    """The points of a frame on planes; None if it has too few."""
    keep = np.sort(rng.permutation(len(frame.pixels))[:POINTS])
    rays, depth = frame.rays[keep], frame.depth[keep]
    if np.isfinite(rays).all(axis=-1).sum() < LEAST:
        return None
    lengths, seed = np.linalg.norm(rays, axis=-1), int(rng.integers(2**32))
    direct, inverse = (
        max((_on_planes(rays, given / divisor, seed) for divisor in (1.0, lengths)), key=np.sum)
        for given in (depth, 1 / depth)
    )
    return _PlaneCounts(frame, len(rays), direct, inverse)


def _on_planes(rays: Array, depth_z: Array, seed: int) -> NDArray[np.bool_]:
    """Which points (N,) with rays (N, 3) and z-depth (N,) lie on the largest planes.

    Every reading gets the same seed, and so the same triples, so that luck favours none of them.
    """
    planes = find_planes(rays, depth_z, np.random.default_rng(seed))
    return np.any([plane.members for plane in planes], axis=0) if planes else np.zeros(len(rays), dtype=bool)
