"""Are the depths along the principal axis (z) or from the camera centre (Euclidean)?

A flat surface is flat under the right reading only: under the other one it bends by the length of the viewing
ray, 8 % at 23 degrees off the axis. In each frame the largest planes are searched under each reading; the
reading under which more points lie on planes wins the frame.

Null hypothesis: the readings fit equally well, so that either wins a frame with chance 1/2. With ten or more
frames that tell, a sign test over frames rejects it (``ALPHA``); frames are independent where points in one are
not. With fewer, McNemar's test (1947) on points that fit under one reading only, summed over frames, must be
below ``STRICT`` and no frame may speak against. Frames whose rays differ in length by less than three times
the tolerance of a plane, or with fewer than ``LEAST`` points, tell nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.data.audit.audited_frame import Shot
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Verdict, Worst, counted
from toolkit.data.audit.support.planes import find_planes
from toolkit.data.audit.support.significance import ALPHA, STRICT, sign_test, tail
from toolkit.data.frames.frame import DepthType

CHECK = "depth type"


LEAST = 12
"""Points below which a frame says nothing about planes."""


POINTS = 600
"""Points of a frame that planes are searched among."""


TOLERANCE = 0.01


_SURE = 1e-4  # McNemar's chance below which a frame speaks for itself


_MIXED_SHARE, _MIXED_LEAST = 0.05, 3


_ENOUGH = 10  # frames


POWERS = {
    "z": 0,
    "euclidean": 1,
    "z-depth divided by the length of the ray": -1,
    "distance multiplied by the length of the ray": 2,
}
"""Readings: the power of the ray's length by which stored depth is divided to give depth_z."""


@dataclass(frozen=True, eq=False)
class _Fit:
    """How well one frame's depth fits planes.

    Attributes:
        shot: The frame.
        counts: Points on planes under each of ``POWERS`` (4,).
        only_z: Points on planes under z and not under Euclidean.
        only_euclidean: The other way round.
        points: Points that were looked at.
    """

    shot: Shot
    counts: NDArray[np.int64]
    only_z: int
    only_euclidean: int
    points: int

    @property
    def says(self) -> str:
        """What the frame says by itself, or nothing."""
        both = self.only_z + self.only_euclidean
        if tail(self.only_z, both, 0.5) < _SURE:
            return "z"
        return "euclidean" if tail(self.only_euclidean, both, 0.5) < _SURE else ""

    @property
    def note(self) -> str:
        """The counts in words."""
        z, euclidean = self.counts[:2]
        return f"{z} of {self.points} points lie on planes as z, {euclidean} as Euclidean"


def check(shots: Sequence[Shot], rng: np.random.Generator) -> list[Finding]:
    """One finding for each way in which lines declare their depth."""
    groups: dict[str | None, list[Shot]] = {}
    for shot in shots:
        groups.setdefault(shot.declared, []).append(shot)
    return [_judge(declared, len(group), _fits(group, rng)) for declared, group in groups.items()]


def found_reading(finding: Finding) -> DepthType | None:
    """What a finding of this check says the depth is, None where it is not known or mixed."""
    readings: dict[float | str, DepthType] = {"z": "z", "euclidean": "euclidean"}
    return readings.get(finding.numbers["found"])


def _fits(shots: Sequence[Shot], rng: np.random.Generator) -> list[_Fit]:
    return [fit for shot in shots if (fit := _fit(shot, rng)) is not None]


def _fit(shot: Shot, rng: np.random.Generator) -> _Fit | None:
    keep = np.sort(rng.permutation(len(shot.pixels))[:POINTS])
    rays, depth = shot.rays[keep], shot.depth[keep]
    lengths = np.linalg.norm(rays, axis=-1)
    known = np.isfinite(lengths)
    if known.sum() < LEAST or np.ptp(lengths[known]) < 3 * TOLERANCE * lengths[known].min():
        return None
    seed = rng.integers(2**32)
    masks = []
    for power in POWERS.values():
        # The same triples under every reading, so that luck favours none.
        planes = find_planes(rays, depth / lengths**power, np.random.default_rng(seed), TOLERANCE)
        masks.append(np.any([plane.members for plane in planes], axis=0) if planes else np.zeros(len(rays), dtype=bool))
    z, euclidean = masks[:2]
    counts = np.array([mask.sum() for mask in masks])
    return _Fit(shot, counts, int((z & ~euclidean).sum()), int((euclidean & ~z).sum()), len(rays))


def _judge(declared: str | None, frames: int, fits: Sequence[_Fit]) -> Finding:
    found, chance = _found(fits)
    sure = {name: sum(fit.says == name for fit in fits) for name in ("z", "euclidean")}
    mixed = min(sure.values()) >= max(_MIXED_LEAST, _MIXED_SHARE * len(fits))
    if mixed:
        found = "mixed"
    counts = np.array([fit.counts for fit in fits]).reshape(-1, len(POWERS))
    fitted = {f"points on planes as {name}": float(counts[:, row].mean()) for row, name in enumerate(POWERS) if fits}
    numbers: dict[str, float | str] = {
        "declared": declared or "not stated",
        "found": found or "cannot tell",
        "frames that tell": len(fits),
        "frames for z": int((counts[:, 0] > counts[:, 1]).sum()),
        "frames for euclidean": int((counts[:, 1] > counts[:, 0]).sum()),
        "chance": chance,
        **fitted,
    }
    verdict, remedy = _verdict(declared, found)
    evidence = _evidence(frames, fits, numbers) + (f"; {remedy_lead(declared, found)}" if found else "")
    return Finding(CHECK, verdict, evidence, remedy, numbers, _worst(fits, found, declared))


def remedy_lead(declared: str | None, found: str) -> str:
    """What was found, beside what is declared."""
    stated = f"the lines say {declared}" if declared else "the lines do not say"
    return f"the depths are {found}, {stated}"


def _found(fits: Sequence[_Fit]) -> tuple[str, float]:
    """The reading that fits best, if it is sure; and the chance that it is not better than the next."""
    if not fits:
        return "", 1.0
    counts = np.array([fit.counts for fit in fits])
    order = np.argsort(-counts.sum(axis=0), kind="stable")
    best, second = counts[:, order[0]], counts[:, order[1]]
    wins, losses = int((best > second).sum()), int((best < second).sum())
    name = list(POWERS)[order[0]]
    if wins + losses >= _ENOUGH:
        chance = sign_test(wins, losses)
        return (name if chance < ALPHA and wins > losses else ""), chance
    only_z, only_euclidean = sum(fit.only_z for fit in fits), sum(fit.only_euclidean for fit in fits)
    more, both = max(only_z, only_euclidean), only_z + only_euclidean
    chance = min(1.0, 2 * tail(more, both, 0.5))
    sure = chance < STRICT and losses == 0 and name in ("z", "euclidean")
    return (name if sure else ""), chance


def _verdict(declared: str | None, found: str) -> tuple[Verdict, str]:
    if not found:
        return "cannot tell", "give frames with a wider field of view, with labels towards the borders"
    if found == "mixed":
        return "fault", "state depth_type line by line: the lines below are surely of one type or the other"
    if found not in ("z", "euclidean"):
        return "fault", f"the depth was converted once too often ({found}): convert it back, then state its type"
    if found == declared:
        return "ok", ""
    return ("fault" if declared else "suspect"), f'write "depth_type": "{found}" into the lines'


def _evidence(frames: int, fits: Sequence[_Fit], numbers: dict[str, float | str]) -> str:
    if not fits:
        return f"none of {counted(frames)} has {LEAST} labels that spread far enough from the centre of the picture"
    z, euclidean = (numbers[f"points on planes as {name}"] for name in ("z", "euclidean"))
    points = np.mean([fit.points for fit in fits])
    return (
        f"planes hold {z:.0f} of {points:.0f} points as z, {euclidean:.0f} as Euclidean, in {counted(len(fits))}; "
        f"{numbers['frames for z']} frames for z, {numbers['frames for euclidean']} for Euclidean, "
        f"by chance once in {1 / max(float(numbers['chance']), 1e-99):.2g}"
    )


def _worst(fits: Sequence[_Fit], found: str, declared: str | None) -> tuple[Worst, ...]:
    """The frames that speak the clearest against what is declared; of a mixture, those of the rarer type."""
    if found in ("", declared):
        return ()
    if found == "mixed":
        against = min(("z", "euclidean"), key=lambda name: sum(fit.says == name for fit in fits))
    else:
        against = found if found in ("z", "euclidean") else ("z" if declared == "euclidean" else "euclidean")
    sign = 1 if against == "z" else -1
    ranked = sorted(fits, key=lambda fit: -sign * (fit.only_z - fit.only_euclidean))
    return tuple(Worst(fit.shot.line, fit.shot.frame.name, fit.note) for fit in ranked[:WORST_SHOWN])
