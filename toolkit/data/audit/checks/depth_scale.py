"""Is depth off by a common factor, for instance because an encoding was read with the wrong unit?

For each factor in ``FACTORS``, the check adds the log-odds of three kinds of evidence (Good 1950, "Probability and the
Weighing of Evidence"):

- the height of the camera above the floor: for people and cars it is 1.45 m within a factor of 1.35, except in one
  data set of twenty;
- the height of rooms: it is 2.8 m within a factor of 1.25, except in one data set of seven;
- the distance of things: the median is 2.5 m indoors and 15 m on roads, each within a factor of 2.

These are priors about the world. Each is used once for a data set, since its frames share a camera. Stored whole
numbers that are all multiples of one number, such as 5 or 8, show an encoding, and by far the most common step of an
encoding is a millimetre.

The null hypothesis is that the factor is 1; its prior odds are 9 to 1 against all other factors together. The verdict
is fault if its probability falls below ``FAULT``, and suspect if it falls below ``SUSPECT``; the verdict ok needs
floors and a probability above the prior one. Such priors cannot detect a factor near 1 (1.25, 0.8); the evidence says
which factors remain possible. If the camera moves, ``toolkit.data.audit.checks.pose_scale`` tells more.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Verdict, frames_to_text
from toolkit.data.audit.support.significance import median_or_nan
from toolkit.geometry.planes import find_planes
from toolkit.utils.arrays import Array

CHECK = "scale"
FAULT, SUSPECT = 0.01, 0.2

FRAMES = 3
"""The number of frames that must show a floor (or a floor and a ceiling) before their heights are used."""

FACTORS = {
    1.0: "as given",
    0.001: "millimetres read as metres",
    1000.0: "metres read as millimetres",
    0.01: "centimetres read as metres",
    100.0: "metres read as centimetres",
    0.1: "a factor of ten",
    10.0: "a factor of ten",
    0.3048: "feet read as metres",
    1 / 0.3048: "metres read as feet",
    0.2: "1/5000 m (TUM RGB-D) read as millimetres",
    5.0: "millimetres read as 1/5000 m",
    1000 / 256: "1/256 m (KITTI) read as millimetres",
    256 / 1000: "millimetres read as 1/256 m",
    0.125: "rotated bits, 1/8000 m (SUN RGB-D, NYUv2), read as millimetres",
    8.0: "millimetres read as 1/8000 m",
    1.25: "rotated bits, 1/8000 m (SUN RGB-D, NYUv2), read as 1/10000 m",
    0.8: "1/10000 m read as 1/8000 m",
    2.0: "a factor of two",
    0.5: "a factor of two",
}
"""The factors that may make depth right when it is multiplied by them, and what went wrong in that case."""

_PRIOR = 0.9  # the prior probability that the factor is 1
_MILLIMETRE = 0.001  # [m]
_ENCODED = 2000.0  # the odds by which whole numbers with a common step favour a step of one millimetre
_POINTS, _PLANES, _LEAST = 800, 5, 12
_LEVEL = 0.75  # least cosine between a floor's normal and the camera's y axis: cameras are nearly upright
_BEYOND = 0.03  # the share of labels that may lie beneath a floor; and the relative depth from which they do


@dataclass(frozen=True)
class Prior:
    """What is known beforehand about a length in the world, as a mixture of log-normal distributions.

    Attributes:
        parts: For each part its weight, its median [m], and the standard deviation of its logarithm.
    """

    parts: tuple[tuple[float, float, float], ...]

    def density(self, metres: float) -> float:
        """The probability density of the logarithm of a length [m]."""
        return sum(
            weight / (spread * np.sqrt(2 * np.pi)) * float(np.exp(-0.5 * (np.log(metres / middle) / spread) ** 2))
            for weight, middle, spread in self.parts
        )


HEIGHT = Prior(((0.95, 1.45, 0.30), (0.05, 1.0, 1.0)))
ROOM = Prior(((0.86, 2.8, 0.22), (0.14, 4.0, 0.6)))
RANGE = Prior(((0.55, 2.5, 0.6), (0.4, 15.0, 0.7), (0.05, 5.0, 2.0)))


@dataclass(frozen=True)
class _Measures:
    """What was measured in the frames of a data set, in metres as the data set gives them.

    Attributes:
        heights: The height (N,) [m] of the camera above the floor, for each frame that shows a floor.
        rooms: The height (M,) [m] from floor to ceiling, for each frame that shows both.
        far: The median over the frames of their median z-depth.
        step: Metres per common step of the stored whole numbers; 0 where there is no common step.
        multiple: The number of which the stored whole numbers are multiples; 0 where most frames share no such number.
    """

    heights: Array
    rooms: Array
    far: float
    step: float
    multiple: int


def check(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> list[Finding]:
    """Find the factor by which depth must be multiplied; one finding."""
    measured = _measure(frames, rng)
    odds = {factor: _PRIOR if factor == 1 else (1 - _PRIOR) / (len(FACTORS) - 1) for factor in FACTORS}
    for factor in odds:
        odds[factor] *= _likelihood(measured, factor)
    total = sum(odds.values())
    likely = max(odds, key=lambda factor: odds[factor])
    right = odds[1.0] / total
    possible = [factor for factor in FACTORS if odds[factor] > 0.003 * total and factor != 1]
    numbers: dict[str, float | str] = {
        "probability that it is right": right,
        "likeliest factor": likely,
        "camera above the floor [m]": median_or_nan(measured.heights),
        "frames with a floor": len(measured.heights),
        "room height [m]": median_or_nan(measured.rooms),
        "frames with floor and ceiling": len(measured.rooms),
        "median depth [m]": measured.far,
        "stored values are multiples of": measured.multiple,
    }
    evidence = _evidence_to_text(measured, possible)
    sure = right > _PRIOR and len(measured.heights) >= FRAMES
    verdict: Verdict = "fault" if right < FAULT else "suspect" if right < SUSPECT else "ok" if sure else "cannot tell"
    if verdict in ("ok", "cannot tell"):
        return [Finding(CHECK, verdict, evidence, "", numbers)]
    remedy = f"multiply depth_scale, or the depths, by {likely:.6g}: {FACTORS[likely]}?"
    # The typical frames show it best.
    ranked = sorted(frames, key=lambda frame: abs(np.log(median_or_nan(frame.depth_z) / measured.far)))
    worst = [frame.worst(f"median depth {median_or_nan(frame.depth_z):.3g} m") for frame in ranked[:WORST_SHOWN]]
    return [Finding(CHECK, verdict, evidence, remedy, numbers, worst)]


def _evidence_to_text(measured: _Measures, possible: Sequence[float]) -> str:
    parts = [f"the median depth is {measured.far:.3g} m"]
    if len(measured.heights) >= FRAMES:
        seen = frames_to_text(len(measured.heights))
        parts.append(f"the camera is {median_or_nan(measured.heights):.3g} m above the floor in {seen}")
    else:
        parts.append(f"a floor is seen in {frames_to_text(len(measured.heights))}, and {FRAMES} are needed")
    if len(measured.rooms) >= FRAMES:
        parts.append(f"rooms are {median_or_nan(measured.rooms):.3g} m high in {frames_to_text(len(measured.rooms))}")
    if measured.multiple > 1:
        parts.append(f"stored values are multiples of {measured.multiple}")
    if possible:
        parts.append(f"factors of {', '.join(f'{factor:.3g}' for factor in sorted(possible))} are not excluded")
    return "; ".join(parts)


def _likelihood(measured: _Measures, factor: float) -> float:
    """The likelihood of the measurements, up to a constant, if depth must be multiplied by this factor."""
    likelihood = RANGE.density(measured.far * factor)
    if len(measured.heights) >= FRAMES:
        likelihood *= HEIGHT.density(median_or_nan(measured.heights) * factor)
    if len(measured.rooms) >= FRAMES:
        likelihood *= ROOM.density(median_or_nan(measured.rooms) * factor)
    if measured.step and abs(np.log(measured.step * factor / _MILLIMETRE)) < np.log(1.02):
        likelihood *= _ENCODED
    return likelihood


def _measure(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> _Measures:
    heights, rooms = [], []
    for frame in frames:
        floor, ceiling = _floor_and_ceiling(frame, rng)
        if floor:
            heights.append(floor)
            if ceiling:
                rooms.append(floor + ceiling)
    multiple, sharing = Counter(frame.stored.common for frame in frames).most_common(1)[0]
    multiple = multiple if 2 * sharing > len(frames) else 0
    return _Measures(
        np.array(heights),
        np.array(rooms),
        median_or_nan([median_or_nan(frame.depth_z) for frame in frames]),
        multiple * frames[0].scale if multiple > 1 else 0.0,
        multiple,
    )


def _floor_and_ceiling(frame: AuditedFrame, rng: np.random.Generator) -> tuple[float, float]:
    """The heights [m] of the camera above the floor and below the ceiling; 0 where they are not seen."""
    keep = rng.permutation(len(frame.pixels))[:_POINTS]
    points = frame.rays[keep] * frame.depth_z[keep, None]
    floor = ceiling = 0.0
    for plane in find_planes(frame.rays[keep], frame.depth_z[keep], rng, count=_PLANES, least=_LEAST):
        beyond = (points @ plane.normal > 1 + _BEYOND).mean()
        down = plane.normal[1] * plane.distance
        if beyond < _BEYOND and abs(down) > _LEVEL:
            if down > 0:
                floor = max(floor, plane.distance)
            else:
                ceiling = max(ceiling, plane.distance)
    return floor, ceiling
