"""Is depth off by a common factor, such as an encoding read with the wrong unit?

Three kinds of evidence, in a sum of log-odds (Good 1950, "Probability and the Weighing of Evidence") over the factors
in ``FACTORS``:

- how high the camera is above the floor: 1.45 m within a factor of 1.35 for people and cars, but in one set of twenty;
- how high rooms are: 2.8 m within a factor of 1.25, but in one set of seven;
- how far things are: a median of 2.5 m indoors, 15 m on roads, each within a factor of 2.

They are priors about the world, taken once a data set, since its frames share a camera. Stored integers that are
multiples of one number, such as 5 or 8, show an encoding: by far the commonest step is a millimetre.

Null hypothesis: factor 1, with prior odds of 9 to all others together. It is a fault where its probability falls below
``FAULT``, suspect below ``SUSPECT``; ok needs a floor and more than the prior. A factor near 1 (1.25, 0.8) cannot be
told by such priors; the evidence says which factors remain possible. Where the camera moves,
``toolkit.data.audit.checks.pose_scale`` tells more.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.data.audit.audited_frame import Shot
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Verdict, Worst, counted
from toolkit.data.audit.support.planes import find_planes
from toolkit.data.audit.support.significance import median
from toolkit.utils.arrays import Array

CHECK = "scale"


FAULT, SUSPECT = 0.01, 0.2


FRAMES = 3
"""Frames with a floor below which its height is not used."""


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
"""Factors by which depth is multiplied to be right, and what went wrong."""


_PRIOR = 0.9  # that the factor is 1


_MILLIMETRE = 0.001


_ENCODED = 2000.0  # odds that integers with a common step speak for a step of a millimetre and no other length


_POINTS, _PLANES, _LEAST = 800, 5, 12


_LEVEL = 0.75  # cosine to the camera's vertical above which a plane may be a floor: the camera is nearly upright


_BEYOND = 0.03  # share of labels that may lie beneath a floor, and how far beneath it, relative


@dataclass(frozen=True)
class Prior:
    """A quantity that the world knows: a mixture of log-normals.

    Attributes:
        parts: Weight, median [m] and standard deviation of the logarithm of each part.
    """

    parts: tuple[tuple[float, float, float], ...]

    def density(self, metres: float) -> float:
        """Of the logarithm of a value."""
        return sum(
            weight / (spread * np.sqrt(2 * np.pi)) * float(np.exp(-0.5 * (np.log(metres / middle) / spread) ** 2))
            for weight, middle, spread in self.parts
        )


HEIGHT = Prior(((0.95, 1.45, 0.30), (0.05, 1.0, 1.0)))


ROOM = Prior(((0.86, 2.8, 0.22), (0.14, 4.0, 0.6)))


RANGE = Prior(((0.55, 2.5, 0.6), (0.4, 15.0, 0.7), (0.05, 5.0, 2.0)))


@dataclass(frozen=True)
class _Measures:
    """What a data set measures, in metres as given.

    Attributes:
        heights: The camera above the floor, of each frame that shows it.
        rooms: Floor to ceiling, of each frame that shows both.
        far: Median depth_z of all frames.
        step: Metres per common step of the stored integers, 0 where there is none.
        multiple: What the stored integers are multiples of.
    """

    heights: Array
    rooms: Array
    far: float
    step: float
    multiple: int


def check(shots: Sequence[Shot], rng: np.random.Generator) -> list[Finding]:
    """One finding."""
    measured = _measure(shots, rng)
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
        "camera above the floor [m]": median(measured.heights),
        "frames with a floor": len(measured.heights),
        "room height [m]": median(measured.rooms),
        "frames with floor and ceiling": len(measured.rooms),
        "median depth [m]": measured.far,
        "stored values are multiples of": measured.multiple,
    }
    evidence = _evidence(measured, possible)
    sure = right > _PRIOR and len(measured.heights) >= FRAMES
    verdict: Verdict = "fault" if right < FAULT else "suspect" if right < SUSPECT else "ok" if sure else "cannot tell"
    if verdict in ("ok", "cannot tell"):
        return [Finding(CHECK, verdict, evidence, "", numbers)]
    remedy = f"multiply depth_scale, or the depths, by {likely:.6g}: {FACTORS[likely]}?"
    ranked = sorted(shots, key=lambda shot: abs(np.log(median(shot.depth_z) / measured.far)))  # the typical ones
    worst = [
        Worst(shot.line, shot.frame.name, f"median depth {median(shot.depth_z):.3g} m") for shot in ranked[:WORST_SHOWN]
    ]
    return [Finding(CHECK, verdict, evidence, remedy, numbers, worst)]


def _evidence(measured: _Measures, possible: Sequence[float]) -> str:
    parts = [f"the median depth is {measured.far:.3g} m"]
    if len(measured.heights) >= FRAMES:
        parts.append(
            f"the camera is {median(measured.heights):.3g} m above the floor in {counted(len(measured.heights))}"
        )
    else:
        parts.append(f"a floor is seen in {len(measured.heights)}, and {FRAMES} are needed")
    if len(measured.rooms) >= FRAMES:
        parts.append(f"rooms are {median(measured.rooms):.3g} m high in {len(measured.rooms)}")
    if measured.multiple > 1:
        parts.append(f"stored values are multiples of {measured.multiple}")
    if possible:
        parts.append(f"factors of {', '.join(f'{factor:.3g}' for factor in sorted(possible))} are not excluded")
    return "; ".join(parts)


def _likelihood(measured: _Measures, factor: float) -> float:
    likelihood = RANGE.density(measured.far * factor)
    if len(measured.heights) >= FRAMES:
        likelihood *= HEIGHT.density(median(measured.heights) * factor)
    if len(measured.rooms) >= FRAMES:
        likelihood *= ROOM.density(median(measured.rooms) * factor)
    if measured.step and abs(np.log(measured.step * factor / _MILLIMETRE)) < np.log(1.02):
        likelihood *= _ENCODED
    return likelihood


def _measure(shots: Sequence[Shot], rng: np.random.Generator) -> _Measures:
    heights, rooms = [], []
    for shot in shots:
        floor, ceiling = _floor_and_ceiling(shot, rng)
        if floor:
            heights.append(floor)
            if ceiling:
                rooms.append(floor + ceiling)
    multiple, frames = Counter(shot.stored.common for shot in shots).most_common(1)[0]
    multiple = multiple if 2 * frames > len(shots) else 0
    return _Measures(
        np.array(heights),
        np.array(rooms),
        median([median(shot.depth_z) for shot in shots]),
        multiple * shots[0].scale if multiple > 1 else 0.0,
        multiple,
    )


def _floor_and_ceiling(shot: Shot, rng: np.random.Generator) -> tuple[float, float]:
    """Heights [m] of the camera above the floor and below the ceiling, 0 where they are not seen."""
    keep = rng.permutation(len(shot.pixels))[:_POINTS]
    points = shot.rays[keep] * shot.depth_z[keep, None]
    floor = ceiling = 0.0
    for plane in find_planes(shot.rays[keep], shot.depth_z[keep], rng, count=_PLANES, least=_LEAST):
        beyond = (points @ plane.normal > 1 + _BEYOND).mean()
        down = plane.normal[1] * plane.distance
        if beyond < _BEYOND and abs(down) > _LEVEL:
            if down > 0:
                floor = max(floor, plane.distance)
            else:
                ceiling = max(ceiling, plane.distance)
    return floor, ceiling
