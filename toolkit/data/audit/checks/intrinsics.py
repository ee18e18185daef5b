"""Are focal length and principal point plausible, by rules for cameras and by surfaces that meet at right angles?

The rules apply to each line. The null hypothesis is that pixels are square and that the principal point is near the
middle. In the cameras of iBims-1 and of a HoloLens walk, fx and fy differ by at most 0.4 %, and the principal point is
at most 7 % of the picture's size off its middle. ``UNEVEN`` and ``OFF`` allow more, since there are crops and stretched
pictures; twice as much is a fault. If the principal point is at the same multiple of the middle along u and v, the
intrinsics probably belong to a picture of another size.

The surfaces are those of all frames together (see ``toolkit.data.audit.support.focal_from_planes``). The null
hypothesis is that the focal length is right: 1 lies within the range that resampling gives for the true focal length
divided by the given one, outside which it lies by chance in 1 % of data sets. For a fault, the focal length must also
differ by more than ``CLOSE``, since rooms are not exactly rectangular; the verdict ok needs a range within ``WIDE``.
Fewer than ``LEAST`` perpendicular pairs of planes, or fewer than ``LEAST`` frames with pairs, tell nothing, and neither
does a wider range.
"""

from collections.abc import Sequence

import numpy as np

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Verdict, frames_to_text
from toolkit.data.audit.support.focal_from_planes import IntrinsicsFit, fit_intrinsics
from toolkit.geometry.camera import Camera

RULES, SURFACES = "intrinsics", "focal length"
UNEVEN = 0.04
"""How much the logarithms of fx and fy may differ."""

OFF = 0.15
"""How far the principal point may be off the middle, in picture sizes."""

OTHER_SIZE = 0.04
"""If the two multiples of the middle differ by less than this, relative, another picture size is suspected."""

CLOSE = 0.06
"""How much the logarithm of the focal length may be wrong without a fault."""

WIDE = 0.25
"""The relative width, to either side, up to which the range of the focal length tells something."""

LEAST = 8
"""The number of perpendicular pairs of planes, and of frames, that are needed."""

SHIFTED = 0.08
"""The shift of the principal point, in picture widths, from which on it counts; surfaces tell it less exactly."""


def check_rules(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> list[Finding]:
    """Check the camera of each line by rules; one finding. ``rng`` is not used."""
    return [_by_rules(frames)]


def check_surfaces(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> list[Finding]:
    """Check the focal length and the principal point by surfaces that meet at right angles; one finding."""
    return [_by_surfaces(frames, rng)]


def oddity(camera: Camera) -> tuple[float, str]:
    """How unusual a camera is, where 1 is the limit, and in what way it is unusual."""
    uneven = abs(float(np.log(camera.fx / camera.fy))) / UNEVEN
    off = float(_off_center(camera, camera.cx, camera.cy)) / OFF
    if uneven > off:
        return uneven, f"fx is {camera.fx / camera.fy:.3g} times fy"
    place = f"the principal point ({camera.cx:.4g}, {camera.cy:.4g})"
    return off, f"{place} is {off * OFF:.0%} of the picture off its middle{_likely_cause(camera) if off > 1 else ''}"


def _off_center(camera: Camera, cx: float, cy: float) -> float:
    """How far a principal point is off the middle, in picture sizes, along the axis where it is farther off."""
    return max(abs(cx + 0.5 - camera.width / 2) / camera.width, abs(cy + 0.5 - camera.height / 2) / camera.height)


def _likely_cause(camera: Camera) -> str:
    """The likely cause of a principal point that is far off the middle, in words; empty if there is none."""
    times = 2 * (camera.cx + 0.5) / camera.width, 2 * (camera.cy + 0.5) / camera.height
    mean = sum(times) / 2
    if abs(times[0] - times[1]) < OTHER_SIZE * mean:
        return f", as in a picture of {mean * camera.width:.0f} x {mean * camera.height:.0f}"
    exchanged = _off_center(camera, camera.cy, camera.cx) < OFF
    return ", but not if cx and cy are exchanged" if exchanged else ""


def _by_rules(frames: Sequence[AuditedFrame]) -> Finding:
    ranked = sorted(((*oddity(frame.camera), frame) for frame in frames), key=lambda each: -each[0])
    odd = [each for each in ranked if each[0] > 1]
    fov = [frame.camera.fov[0] for frame in frames]
    numbers: dict[str, float | str] = {
        "frames": len(frames),
        "odd frames": len(odd),
        "least field of view [deg]": min(fov),
        "greatest field of view [deg]": max(fov),
        "greatest oddity": ranked[0][0],
    }
    range_ = f"fields of view {min(fov):.0f} to {max(fov):.0f} degrees"
    if not odd:
        evidence = f"{range_}; pixels are square and principal points near the middle in {frames_to_text(len(frames))}"
        return Finding(RULES, "ok", evidence, "", numbers)
    verdict: Verdict = "fault" if ranked[0][0] > 2 else "suspect"
    worst = [frame.worst(words) for _, words, frame in odd[:WORST_SHOWN]]
    remedy = "give fx, fy, cx, cy of this picture itself: they scale with its size, and cx and cy move with a crop"
    return Finding(
        RULES, verdict, f"{len(odd)} of {len(frames)} frames are odd: {ranked[0][1]}; {range_}", remedy, numbers, worst
    )


def _by_surfaces(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> Finding:
    fit = fit_intrinsics(frames, rng)
    if fit is None or min(fit.square, fit.frames) < LEAST:
        square = fit.square if fit else 0
        return Finding(
            SURFACES, "cannot tell", f"{square} pairs of surfaces meet at right angles; {LEAST} frames are needed"
        )
    low, high = fit.scale_range
    numbers: dict[str, float | str] = {
        "true / given focal length": fit.scale,
        "least": low,
        "greatest": high,
        "principal point shift u [widths]": fit.shift[0],
        "principal point shift v [widths]": fit.shift[1],
        "square pairs": fit.square,
        "frames": fit.frames,
    }
    evidence = (
        f"{fit.square} pairs of surfaces in {fit.frames} frames meet at right angles if the focal length is "
        f"{fit.scale:.2f} times what is given ({low:.2f} to {high:.2f})"
    )
    focal = abs(np.log(fit.scale)) > CLOSE and not low <= 1 <= high and high / low < (1 + WIDE) ** 2
    moved = [axis for axis in (0, 1) if _is_moved(fit, axis)]
    if focal:
        given = float(np.median([frame.camera.fx for frame in frames]))
        remedy = f"multiply fx and fy by {fit.scale:.2f}: about {given * fit.scale:.0f} px instead of {given:.0f}"
        return Finding(SURFACES, "fault", evidence, remedy, numbers)
    if moved:
        shift = " and ".join(f"{'uv'[axis]} by {fit.shift[axis]:+.0%} of the width" for axis in moved)
        return Finding(
            SURFACES,
            "suspect",
            f"{evidence} and the principal point is moved along {shift}",
            "look for a crop that the intrinsics do not know",
            numbers,
        )
    sure = low > 1 / (1 + WIDE) and high < 1 + WIDE
    return Finding(SURFACES, "ok" if sure else "cannot tell", evidence, "", numbers)


def _is_moved(fit: IntrinsicsFit, axis: int) -> bool:
    """Whether surfaces show that the principal point is shifted along an axis (0 for u, 1 for v)."""
    low, high = fit.shift_range[axis]
    return abs(fit.shift[axis]) >= SHIFTED and not low <= 0 <= high
