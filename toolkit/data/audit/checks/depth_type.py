"""Are the depths along the principal axis (z) or from the camera centre (Euclidean)?

A flat surface is flat only if depth is read as the right type. Under the other type it bends with the length of the
viewing ray, by 8 % at 23 degrees off the axis. In each frame, the check searches the largest planes under each reading;
the reading under which more points lie on planes wins the frame.

The null hypothesis is that the readings fit equally well, so that either wins a frame with a chance of 1/2. If ten or
more frames tell something, a sign test over frames rejects it below ``ALPHA``; frames are independent, while the points
of one frame are not. If fewer frames do, McNemar's test (1947) is used on the points that fit under one reading only,
summed over the frames: its chance must be below ``STRICT``, and no frame may favour the other reading. A frame tells
nothing if its rays differ in length by less than three times the tolerance of a plane, or if it has fewer than
``LEAST`` points.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Verdict, WorstFrame, frames_to_text
from toolkit.data.audit.support.planes import find_planes
from toolkit.data.audit.support.significance import ALPHA, STRICT, sign_test, tail
from toolkit.data.frames.frame import DepthType

CHECK = "depth type"

LEAST = 12
"""A frame with fewer points than this says nothing about planes."""

POINTS = 600
"""The number of points of a frame among which planes are searched, at most."""

TOLERANCE = 0.01
"""The greatest relative error of z-depth that a point of a plane may have."""

_SURE = 1e-4  # a frame whose chance by McNemar's test is below this counts as surely of one type
_MIXED_SHARE, _MIXED_LEAST = 0.05, 3  # share and number of frames that are surely of either type in a mixture
_ENOUGH = 10  # frames from which on the sign test is used

POWERS = {
    "z": 0,
    "euclidean": 1,
    "z-depth divided by the length of the ray": -1,
    "distance multiplied by the length of the ray": 2,
}
"""The readings by name: stored depth is divided by this power of the ray's length to give z-depth."""


@dataclass(frozen=True, eq=False)
class _Fit:
    """How well the depth of one frame fits planes.

    Attributes:
        frame: The frame.
        counts: The number of points on planes (4,) under each reading of ``POWERS``.
        only_z: The number of points that are on planes if depth is z-depth, but not if it is Euclidean.
        only_euclidean: The number of points that are on planes if depth is Euclidean, but not if it is z-depth.
        points: The number of points that were looked at.
    """

    frame: AuditedFrame
    counts: NDArray[np.int64]
    only_z: int
    only_euclidean: int
    points: int

    @property
    def sure_type(self) -> str:
        """The depth type that this frame alone shows surely, or an empty string."""
        both = self.only_z + self.only_euclidean
        if tail(self.only_z, both, 0.5) < _SURE:
            return "z"
        return "euclidean" if tail(self.only_euclidean, both, 0.5) < _SURE else ""

    @property
    def note(self) -> str:
        """The counts in words, as evidence."""
        z, euclidean = self.counts[:2]
        return f"{z} of {self.points} points lie on planes as z, {euclidean} as Euclidean"


def check(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> list[Finding]:
    """One finding for each way in which lines declare their depth."""
    groups: dict[str | None, list[AuditedFrame]] = {}
    for frame in frames:
        groups.setdefault(frame.declared, []).append(frame)
    return [_judge(declared, len(group), _fits(group, rng)) for declared, group in groups.items()]


def found_type(finding: Finding) -> DepthType | None:
    """The depth type that a finding of this check found; None if it is not known, mixed, or neither of the two."""
    readings: dict[float | str, DepthType] = {"z": "z", "euclidean": "euclidean"}
    return readings.get(finding.numbers["found"])


def _fits(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> list[_Fit]:
    return [fit for frame in frames if (fit := _fit(frame, rng)) is not None]


def _fit(frame: AuditedFrame, rng: np.random.Generator) -> _Fit | None:
    keep = np.sort(rng.permutation(len(frame.pixels))[:POINTS])
    rays, depth = frame.rays[keep], frame.depth[keep]
    lengths = np.linalg.norm(rays, axis=-1)
    known = np.isfinite(lengths)
    if known.sum() < LEAST or np.ptp(lengths[known]) < 3 * TOLERANCE * lengths[known].min():
        return None
    seed = rng.integers(2**32)
    masks = []
    for power in POWERS.values():
        # Every reading gets the same triples, so that luck favours none of them.
        planes = find_planes(rays, depth / lengths**power, np.random.default_rng(seed), TOLERANCE)
        masks.append(np.any([plane.members for plane in planes], axis=0) if planes else np.zeros(len(rays), dtype=bool))
    z, euclidean = masks[:2]
    counts = np.array([mask.sum() for mask in masks])
    return _Fit(frame, counts, int((z & ~euclidean).sum()), int((euclidean & ~z).sum()), len(rays))


def _judge(declared: str | None, frames: int, fits: Sequence[_Fit]) -> Finding:
    found, chance = _best_reading(fits)
    sure = {name: sum(fit.sure_type == name for fit in fits) for name in ("z", "euclidean")}
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
    verdict, remedy = _verdict_and_remedy(declared, found)
    evidence = _evidence_to_text(frames, fits, numbers) + (f"; {_found_to_text(declared, found)}" if found else "")
    return Finding(CHECK, verdict, evidence, remedy, numbers, _worst(fits, found, declared))


def _found_to_text(declared: str | None, found: str) -> str:
    """The depth type that was found, and the one that the lines declare."""
    stated = f"the lines say {declared}" if declared else "the lines do not say"
    return f"the depths are {found}, {stated}"


def _best_reading(fits: Sequence[_Fit]) -> tuple[str, float]:
    """The reading that fits best, or "" if it is not sure; and the chance that it is no better than the second best."""
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


def _verdict_and_remedy(declared: str | None, found: str) -> tuple[Verdict, str]:
    if not found:
        return "cannot tell", "give frames with a wider field of view, with labels towards the borders"
    if found == "mixed":
        return "fault", "state depth_type line by line: the lines below are surely of one type or the other"
    if found not in ("z", "euclidean"):
        return "fault", f"the depth was converted once too often ({found}): convert it back, then state its type"
    if found == declared:
        return "ok", ""
    return ("fault" if declared else "suspect"), f'write "depth_type": "{found}" into the lines'


def _evidence_to_text(frames: int, fits: Sequence[_Fit], numbers: dict[str, float | str]) -> str:
    if not fits:
        all_frames = frames_to_text(frames)
        return f"none of {all_frames} has {LEAST} labels that spread far enough from the centre of the picture"
    z, euclidean = (numbers[f"points on planes as {name}"] for name in ("z", "euclidean"))
    points, telling = np.mean([fit.points for fit in fits]), frames_to_text(len(fits))
    return (
        f"planes hold {z:.0f} of {points:.0f} points as z, {euclidean:.0f} as Euclidean, in {telling}; "
        f"{numbers['frames for z']} frames for z, {numbers['frames for euclidean']} for Euclidean, "
        f"by chance once in {1 / max(float(numbers['chance']), 1e-99):.2g}"
    )


def _worst(fits: Sequence[_Fit], found: str, declared: str | None) -> tuple[WorstFrame, ...]:
    """The frames that contradict the declared type most clearly; in a mixture, those of the rarer type."""
    if found in ("", declared):
        return ()
    if found == "mixed":
        against = min(("z", "euclidean"), key=lambda name: sum(fit.sure_type == name for fit in fits))
    else:
        against = found if found in ("z", "euclidean") else ("z" if declared == "euclidean" else "euclidean")
    sign = 1 if against == "z" else -1
    ranked = sorted(fits, key=lambda fit: -sign * (fit.only_z - fit.only_euclidean))
    return tuple(fit.frame.worst(fit.note) for fit in ranked[:WORST_SHOWN])
