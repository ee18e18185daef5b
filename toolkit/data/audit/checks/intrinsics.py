"""Are focal length and principal point plausible: by rules that hold for cameras, and by surfaces that meet squarely?

Rules, line by line. Null hypothesis: pixels are square and the principal point is near the middle. The cameras of
iBims-1 and of a HoloLens walk have fx and fy within 0.4 % of each other and principal points within 7 % of the picture
of its middle; ``UNEVEN`` and ``OFF`` allow more, for crops and stretched pictures exist, and twice as much is a fault.
A principal point at the same multiple of the middle along u and v says that the intrinsics are of another size.

Surfaces, over all frames (see ``toolkit.data.audit.support.focal_from_planes``). Null hypothesis: the focal length is
right, so that 1 lies within the range that resampling gives for (true / given), which it leaves by chance in 1 % of
data sets. A fault must also leave by ``CLOSE``, since rooms are not quite square; ok needs a range within ``WIDE``.
Fewer than ``LEAST`` square pairs of planes, in as many frames, tell nothing, nor does a range that is wider.
"""

from collections.abc import Sequence

import numpy as np

from toolkit.data.audit.audited_frame import Shot
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Verdict, Worst, counted
from toolkit.data.audit.support.focal_from_planes import Fit, fit_intrinsics
from toolkit.geometry.camera import Camera

RULES, SURFACES = "intrinsics", "focal length"


UNEVEN = 0.04


OFF = 0.15


OTHER_SIZE = 0.04
"""How near the two multiples of the middle must be to each other for another size to be suspected."""


CLOSE = 0.06


WIDE = 0.25


LEAST = 8


SHIFTED = 0.08
"""Principal point, in picture widths, that surfaces must call for; they place it worse than the focal length."""


def check_rules(shots: Sequence[Shot], rng: np.random.Generator) -> list[Finding]:
    """One finding by rules; ``rng`` is not used."""
    return [_by_rules(shots)]


def check_surfaces(shots: Sequence[Shot], rng: np.random.Generator) -> list[Finding]:
    """One finding by surfaces."""
    return [_by_surfaces(shots, rng)]


def oddity(camera: Camera) -> tuple[float, str]:
    """How far a camera is from the usual, 1 at the limit, and in what way."""
    uneven = abs(float(np.log(camera.fx / camera.fy))) / UNEVEN
    off = float(_off(camera, camera.cx, camera.cy)) / OFF
    if uneven > off:
        return uneven, f"fx is {camera.fx / camera.fy:.3g} times fy"
    place = f"the principal point ({camera.cx:.4g}, {camera.cy:.4g})"
    return off, f"{place} is {off * OFF:.0%} of the picture off its middle{_cause(camera) if off > 1 else ''}"


def _off(camera: Camera, cx: float, cy: float) -> float:
    """How far a principal point would be off the middle, in picture sizes, along the worse axis."""
    return max(abs(cx + 0.5 - camera.width / 2) / camera.width, abs(cy + 0.5 - camera.height / 2) / camera.height)


def _cause(camera: Camera) -> str:
    """What a principal point that is far off suggests, or nothing."""
    times = 2 * (camera.cx + 0.5) / camera.width, 2 * (camera.cy + 0.5) / camera.height
    mean = sum(times) / 2
    if abs(times[0] - times[1]) < OTHER_SIZE * mean:
        return f", as in a picture of {mean * camera.width:.0f} x {mean * camera.height:.0f}"
    exchanged = _off(camera, camera.cy, camera.cx) < OFF
    return ", but not if cx and cy are exchanged" if exchanged else ""


def _by_rules(shots: Sequence[Shot]) -> Finding:
    ranked = sorted(((*oddity(shot.camera), shot) for shot in shots), key=lambda each: -each[0])
    odd = [each for each in ranked if each[0] > 1]
    fov = [shot.camera.fov[0] for shot in shots]
    numbers: dict[str, float | str] = {
        "frames": len(shots),
        "odd frames": len(odd),
        "least field of view [deg]": min(fov),
        "greatest field of view [deg]": max(fov),
        "greatest oddity": ranked[0][0],
    }
    range_ = f"fields of view {min(fov):.0f} to {max(fov):.0f} degrees"
    if not odd:
        evidence = f"{range_}; pixels are square and principal points near the middle in {counted(len(shots))}"
        return Finding(RULES, "ok", evidence, "", numbers)
    verdict: Verdict = "fault" if ranked[0][0] > 2 else "suspect"
    worst = [Worst(shot.line, shot.frame.name, words) for _, words, shot in odd[:WORST_SHOWN]]
    remedy = "give fx, fy, cx, cy of the very picture: they scale with its size, and cx and cy move with a crop"
    return Finding(
        RULES, verdict, f"{len(odd)} of {len(shots)} frames are odd: {ranked[0][1]}; {range_}", remedy, numbers, worst
    )


def _by_surfaces(shots: Sequence[Shot], rng: np.random.Generator) -> Finding:
    fit = fit_intrinsics(shots, rng)
    if fit is None or min(fit.square, fit.frames) < LEAST:
        square = fit.square if fit else 0
        return Finding(SURFACES, "cannot tell", f"{square} pairs of surfaces meet squarely; {LEAST} frames are needed")
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
        f"{fit.square} pairs of surfaces in {fit.frames} frames meet squarely if the focal length is "
        f"{fit.scale:.2f} times what is given ({low:.2f} to {high:.2f})"
    )
    focal = abs(np.log(fit.scale)) > CLOSE and not low <= 1 <= high and high / low < (1 + WIDE) ** 2
    moved = [axis for axis in (0, 1) if _is_moved(fit, axis)]
    if focal:
        given = float(np.median([shot.camera.fx for shot in shots]))
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


def _is_moved(fit: Fit, axis: int) -> bool:
    low, high = fit.shift_range[axis]
    return abs(fit.shift[axis]) >= SHIFTED and not low <= 0 <= high
