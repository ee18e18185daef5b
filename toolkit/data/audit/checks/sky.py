"""Are there labels on sky, where there is no depth to measure?

A pixel may be sky if the picture is bright and smooth there, blue or colourless, and if such pixels connect it to the
upper border. White ceilings and walls look the same, so the labels there decide.

The null hypothesis is that what looks like sky is a surface, so that its labels lie on a few planes. A frame
contradicts it if at least ``LEAST`` labels lie there, if the region covers at least ``AREA`` of the picture, and if
either most of these labels are on no large plane, or a good part of them is beyond ``FAR`` and beyond nearly everything
else in the frame. Of ``1 / RARE`` frames, one may do so by chance (clutter before a white wall; on indoor photographs
it was 0 of 84). The test over frames is binomial, below ``ALPHA``. The verdict is never worse than suspect, since
colour proves nothing. At least ``FRAMES`` frames must contradict the null hypothesis. If some do, but too few to reject
it, the verdict is "cannot tell".
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.data.audit.finding import WORST_SHOWN, Finding
from toolkit.data.audit.support.significance import ALPHA, tail
from toolkit.geometry.planes import find_planes

CHECK = "sky"
LEAST = 12
"""The number of labels on what looks like sky that are needed."""

AREA = 0.03
"""The share of the picture that what looks like sky must cover."""

FAR = 20.0
"""The depth beyond which a label may be one of the sky [m]."""

RARE = 0.02
"""The chance that a frame without sky contradicts the null hypothesis."""

FRAMES = 2
"""The number of frames that must contradict the null hypothesis."""

# Grey levels: least brightness, greatest change across 3 px, greatest excess of red or green over blue.
_BRIGHT, _SMOOTH, _COLOUR = 110.0, 10.0, 8.0
_POINTS = 400
_PLANES = 3
_LOOSE = 0.03  # the tolerance of a plane; measured ceilings are less flat than walls
_BEYOND = 0.95  # the quantile of the depth of the other labels
_MANY = 0.25  # the share of labels that must be beyond this quantile; a wall like sky may be seen below sky


def check(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> list[Finding]:
    """Find labels on what looks like sky; one finding."""
    labelled, wrong = 0, []
    for frame in frames:
        mask = sky_mask(frame)
        inside = mask[frame.cells[:, 1], frame.cells[:, 0]]
        if mask.mean() < AREA or inside.sum() < LEAST:
            continue
        labelled += 1
        note = _sky_evidence(frame, inside, rng)
        if note:
            wrong.append(frame.worst(f"{inside.sum()} labels where it looks like sky: {note}"))
    chance = tail(len(wrong), len(frames), RARE)
    numbers: dict[str, float | str] = {
        "frames": len(frames),
        "frames with labels where it is bright and smooth up to the border": labelled,
        "frames whose labels there fit no surface": len(wrong),
        "chance": chance,
    }
    evidence = (
        f"{labelled} of {len(frames)} frames have labels on what may be sky; in {len(wrong)} of them, the labels there "
        "fit no surface"
    )
    if len(wrong) >= FRAMES and chance < ALPHA:
        remedy = "mark labels on sky as invalid; look at the frames first"
        return [Finding(CHECK, "suspect", evidence, remedy, numbers, wrong[:WORST_SHOWN])]
    return [Finding(CHECK, "cannot tell" if wrong else "ok", evidence, "", numbers, wrong[:WORST_SHOWN])]


def sky_mask(frame: AuditedFrame) -> NDArray[np.bool_]:
    """For each pixel (h, w) of the small picture, whether it may show sky."""
    picture = cv2.GaussianBlur(frame.picture, (0, 0), 1.0).astype(np.float32)
    red, green, blue = np.moveaxis(picture, -1, 0)
    bright = np.maximum(blue, green) > _BRIGHT
    pale = (blue > red - _COLOUR) & (blue > green - _COLOUR)
    grey = picture.mean(axis=-1)
    change = np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    candidate = (bright & pale & (change < 4 * _SMOOTH)).astype(np.uint8)
    _, parts = cv2.connectedComponents(candidate, connectivity=4)
    upper = np.unique(parts[0][candidate[0] > 0])
    return np.isin(parts, upper) & (candidate > 0)


def _sky_evidence(frame: AuditedFrame, inside: NDArray[np.bool_], rng: np.random.Generator) -> str:
    """What shows that the labels inside a sky-like region are on no surface, in words; empty if nothing does.

    Args:
        frame: The frame.
        inside: For each label (N,), whether it lies in the region.
        rng: Draws the labels among which planes are searched, and the planes.
    """
    there = np.flatnonzero(inside)
    keep = rng.permutation(there)[:_POINTS]
    planes = find_planes(frame.rays[keep], frame.depth_z[keep], rng, tolerance=_LOOSE, count=_PLANES)
    flat = sum(plane.members.sum() for plane in planes) / len(keep)
    depth = float(np.median(frame.depth_z[inside]))
    if flat < 0.5:
        return f"{flat:.0%} on planes, median depth {depth:.3g} m"
    rest = frame.depth_z[~inside]
    limit = max(FAR, float(np.quantile(rest, _BEYOND))) if len(rest) else FAR
    beyond = frame.depth_z[inside] > limit
    if beyond.sum() >= LEAST and beyond.mean() > _MANY:
        return f"{beyond.sum()} of them beyond {limit:.3g} m and the rest of the picture"
    return ""
