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
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Verdict, WorstFrame, frames_to_text
from toolkit.data.audit.support.significance import ALPHA, ENOUGH, STRICT, sign_test, tail
from toolkit.data.frames.frame import DepthType
from toolkit.geometry.planes import find_planes

CHECK = "depth type"

LEAST = 12
"""A frame with fewer points than this says nothing about planes."""

POINTS = 600
"""The number of points of a frame among which planes are searched, at most."""

TOLERANCE = 0.01
"""The greatest relative error of z-depth that a point of a plane may have."""

_SURE = 1e-4  # a frame whose chance by McNemar's test is below this counts as surely of one type
_MIXED_SHARE, _MIXED_LEAST = 0.05, 3  # share and number of frames that are surely of either type in a mixture
_NOT_STATED = "not stated"  # what a finding says of lines that declare no depth type


class Reading(StrEnum):
    """What stored depths turn out to be. The values appear in reports."""

    Z = "z"
    EUCLIDEAN = "euclidean"
    Z_TWICE = "z-depth divided by the length of the ray"
    EUCLIDEAN_TWICE = "distance multiplied by the length of the ray"
    MIXED = "mixed"
    UNKNOWN = "cannot tell"


POWERS = {Reading.Z: 0, Reading.EUCLIDEAN: 1, Reading.Z_TWICE: -1, Reading.EUCLIDEAN_TWICE: 2}
"""The readings that planes can show: stored depth is divided by this power of the ray's length to give z-depth."""

_TYPES: dict[Reading, DepthType] = {Reading.Z: "z", Reading.EUCLIDEAN: "euclidean"}


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
    def sure_type(self) -> Reading:
        """The depth type that this frame alone shows surely; UNKNOWN if it shows none."""
        both = self.only_z + self.only_euclidean
        if tail(self.only_z, both, 0.5) < _SURE:
            return Reading.Z
        return Reading.EUCLIDEAN if tail(self.only_euclidean, both, 0.5) < _SURE else Reading.UNKNOWN

    @property
    def note(self) -> str:
        """The counts in words, as evidence."""
        z, euclidean = self.counts[:2]
        return f"{z} of {self.points} points lie on planes as z, {euclidean} as Euclidean"


def check(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> list[Finding]:
    """One finding for each way in which lines declare their depth."""
    groups: dict[DepthType | None, list[AuditedFrame]] = {}
    for frame in frames:
        groups.setdefault(frame.declared, []).append(frame)
    return [_judge(declared, len(group), _fits(group, rng)) for declared, group in groups.items()]


def found_types(findings: Sequence[Finding]) -> dict[DepthType | None, DepthType | None]:
    """The depth types that the findings of this check found, by the depth type that lines declare, or None.

    A type is None if it is not known, if types are mixed, or if the depths are neither z nor Euclidean.
    """
    declared: dict[float | str, DepthType | None] = {"z": "z", "euclidean": "euclidean", _NOT_STATED: None}
    return {declared[each.numbers["declared"]]: _TYPES.get(Reading(str(each.numbers["found"]))) for each in findings}


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


def _judge(declared: DepthType | None, frames: int, fits: Sequence[_Fit]) -> Finding:
    found, chance = _best_reading(fits)
    sure = {name: sum(fit.sure_type == name for fit in fits) for name in _TYPES}
    mixed = min(sure.values()) >= max(_MIXED_LEAST, _MIXED_SHARE * len(fits))
    if mixed:
        found = Reading.MIXED
    for_z, for_euclidean = _frames_for(fits)
    counts = np.array([fit.counts for fit in fits]).reshape(-1, len(POWERS))
    fitted = {f"points on planes as {name}": float(counts[:, row].mean()) for row, name in enumerate(POWERS) if fits}
    numbers: dict[str, float | str] = {
        "declared": declared or _NOT_STATED,
        "found": found,
        "frames that tell": len(fits),
        "frames for z": for_z,
        "frames for euclidean": for_euclidean,
        "chance": chance,
        **fitted,
    }
    verdict, remedy = _verdict_and_remedy(declared, found)
    evidence = _evidence_to_text(frames, fits, chance)
    if found is not Reading.UNKNOWN:
        evidence += f"; {_found_to_text(declared, found)}"
    return Finding(CHECK, verdict, evidence, remedy, numbers, _worst(fits, found, declared))


def _frames_for(fits: Sequence[_Fit]) -> tuple[int, int]:
    """The number of frames with more points on planes as z than as Euclidean, and the number with fewer."""
    leads = [int(fit.counts[0]) - int(fit.counts[1]) for fit in fits]
    return sum(lead > 0 for lead in leads), sum(lead < 0 for lead in leads)


def _found_to_text(declared: DepthType | None, found: Reading) -> str:
    """The depth type that was found, and the one that the lines declare."""
    stated = f"the lines say {declared}" if declared else "the lines do not say"
    return f"the depths are {found}, {stated}"


def _best_reading(fits: Sequence[_Fit]) -> tuple[Reading, float]:
    """The reading that fits best, or UNKNOWN; and the chance that it is no better than the second best."""
    if not fits:
        return Reading.UNKNOWN, 1.0
    counts = np.array([fit.counts for fit in fits])
    order = np.argsort(-counts.sum(axis=0), kind="stable")
    best, second = counts[:, order[0]], counts[:, order[1]]
    wins, losses = int((best > second).sum()), int((best < second).sum())
    name = list(POWERS)[order[0]]
    if wins + losses >= ENOUGH:
        chance = sign_test(wins, losses)
        return (name if chance < ALPHA and wins > losses else Reading.UNKNOWN), chance
    only_z, only_euclidean = sum(fit.only_z for fit in fits), sum(fit.only_euclidean for fit in fits)
    more, both = max(only_z, only_euclidean), only_z + only_euclidean
    chance = min(1.0, 2 * tail(more, both, 0.5))
    sure = chance < STRICT and losses == 0 and name in _TYPES
    return (name if sure else Reading.UNKNOWN), chance


def _verdict_and_remedy(declared: DepthType | None, found: Reading) -> tuple[Verdict, str]:
    if found is Reading.UNKNOWN:
        return "cannot tell", "give frames with a wider field of view, with labels towards the borders"
    if found is Reading.MIXED:
        return "fault", "state depth_type line by line: the lines below are surely of one type or the other"
    if found not in _TYPES:
        return "fault", f"the depth was converted once too often ({found}): convert it back, then state its type"
    if _TYPES[found] == declared:
        return "ok", ""
    return ("fault" if declared else "suspect"), f'write "depth_type": "{found}" into the lines'


def _evidence_to_text(frames: int, fits: Sequence[_Fit], chance: float) -> str:
    if not fits:
        all_frames = frames_to_text(frames)
        return f"none of {all_frames} has {LEAST} labels that spread far enough from the centre of the picture"
    z, euclidean = np.mean([fit.counts[:2] for fit in fits], axis=0)
    for_z, for_euclidean = _frames_for(fits)
    points, telling = np.mean([fit.points for fit in fits]), frames_to_text(len(fits))
    return (
        f"planes hold {z:.0f} of {points:.0f} points as z, {euclidean:.0f} as Euclidean, in {telling}; "
        f"{for_z} frames for z, {for_euclidean} for Euclidean, "
        f"by chance once in {1 / max(chance, 1e-99):.2g}"
    )


def _worst(fits: Sequence[_Fit], found: Reading, declared: DepthType | None) -> tuple[WorstFrame, ...]:
    """The frames that contradict the declared type most clearly; in a mixture, those of the rarer type."""
    if found in (Reading.UNKNOWN, declared):
        return ()
    if found is Reading.MIXED:
        against = min(_TYPES, key=lambda name: sum(fit.sure_type == name for fit in fits))
    else:
        against = found if found in _TYPES else (Reading.Z if declared == "euclidean" else Reading.EUCLIDEAN)
    sign = 1 if against is Reading.Z else -1
    ranked = sorted(fits, key=lambda fit: -sign * (fit.only_z - fit.only_euclidean))
    return tuple(fit.frame.worst(fit.note) for fit in ranked[:WORST_SHOWN])
