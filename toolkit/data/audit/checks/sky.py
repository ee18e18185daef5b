"""Are there labels on sky, where there is no depth to measure?

A pixel is taken for sky where the picture is bright, smooth, blue or colourless, and joined to the upper border by
such pixels. White ceilings and walls look the same, so the labels there decide.

Null hypothesis: what looks like sky is a surface, so that its labels lie on a few planes. A frame speaks for sky if
``LEAST`` labels or more lie there, on ``AREA`` of the picture or more, and most of them are on no large plane, or
a good part is beyond ``FAR`` and beyond nearly all else in the frame. One frame in ``1 / RARE`` may do so by chance
(clutter before a white wall; measured on indoor photographs: 0 of 84); the test over frames is binomial, against
``ALPHA``. The verdict is never worse than suspect: colour proves nothing. Fewer than ``FRAMES`` frames with
labels where sky could be cannot tell, unless no frame shows anything like sky.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.audit.audited_frame import Shot
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Worst
from toolkit.data.audit.support.planes import find_planes
from toolkit.data.audit.support.significance import ALPHA, tail

CHECK = "sky"


LEAST = 12


AREA = 0.03


FAR = 20.0


RARE = 0.02


FRAMES = 2


_BRIGHT, _SMOOTH, _COLOUR = 110.0, 10.0, 8.0  # grey levels: brightness, change across 3 px, red or green above blue


_POINTS = 400


_PLANES = 3


_LOOSE = 0.03  # tolerance of a plane: measured ceilings are less flat than walls


_BEYOND = 0.95  # quantile of the rest's depth


_MANY = 0.25  # share of the labels there that must be beyond it; a wall that looks like sky may hang below sky


def check(shots: Sequence[Shot], rng: np.random.Generator) -> list[Finding]:
    """One finding."""
    labelled, wrong = 0, []
    for shot in shots:
        mask = sky_mask(shot)
        inside = mask[shot.cells[:, 1], shot.cells[:, 0]]
        if mask.mean() < AREA or inside.sum() < LEAST:
            continue
        labelled += 1
        note = _oddity(shot, inside, rng)
        if note:
            wrong.append(Worst(shot.line, shot.frame.name, f"{inside.sum()} labels where it looks like sky: {note}"))
    chance = tail(len(wrong), len(shots), RARE)
    numbers: dict[str, float | str] = {
        "frames": len(shots),
        "frames with labels where it is bright and smooth up to the border": labelled,
        "frames whose labels there fit no surface": len(wrong),
        "chance": chance,
    }
    evidence = f"{labelled} of {len(shots)} frames have labels on what may be sky, in {len(wrong)} they fit no surface"
    if len(wrong) >= FRAMES and chance < ALPHA:
        remedy = "mark labels on sky as invalid; look at the frames first"
        return [Finding(CHECK, "suspect", evidence, remedy, numbers, wrong[:WORST_SHOWN])]
    return [Finding(CHECK, "cannot tell" if wrong else "ok", evidence, "", numbers, wrong[:WORST_SHOWN])]


def sky_mask(shot: Shot) -> NDArray[np.bool_]:
    """Where the small picture (h, w) could show sky."""
    picture = cv2.GaussianBlur(shot.picture, (0, 0), 1.0).astype(np.float32)
    red, green, blue = np.moveaxis(picture, -1, 0)
    bright = np.maximum(blue, green) > _BRIGHT
    pale = (blue > red - _COLOUR) & (blue > green - _COLOUR)
    grey = picture.mean(axis=-1)
    change = np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    candidate = (bright & pale & (change < 4 * _SMOOTH)).astype(np.uint8)
    _, parts = cv2.connectedComponents(candidate, connectivity=4)
    upper = np.unique(parts[0][candidate[0] > 0])
    return np.isin(parts, upper) & (candidate > 0)


def _oddity(shot: Shot, inside: NDArray[np.bool_], rng: np.random.Generator) -> str:
    """What is odd about the labels on what looks like sky, or nothing."""
    there = np.flatnonzero(inside)
    keep = rng.permutation(there)[:_POINTS]
    planes = find_planes(shot.rays[keep], shot.depth_z[keep], rng, tolerance=_LOOSE, count=_PLANES)
    flat = sum(plane.members.sum() for plane in planes) / len(keep)
    depth = float(np.median(shot.depth_z[inside]))
    if flat < 0.5:
        return f"{flat:.0%} on planes, median depth {depth:.3g} m"
    rest = shot.depth_z[~inside]
    limit = max(FAR, float(np.quantile(rest, _BEYOND))) if len(rest) else FAR
    beyond = shot.depth_z[inside] > limit
    if beyond.sum() >= LEAST and beyond.mean() > _MANY:
        return f"{beyond.sum()} of them beyond {limit:.3g} m and the rest of the picture"
    return ""
