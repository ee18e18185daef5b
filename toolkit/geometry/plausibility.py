"""Whether a camera is a likely one for its picture; and where not, what its numbers most likely mean.

Conventions: see ``toolkit.geometry.camera``.
"""

import math
from dataclasses import replace

import numpy as np

from toolkit.geometry.camera import Camera

FILM_DIAGONAL = math.hypot(36.0, 24.0)
"""Diagonal of 35 mm film [mm], to which equivalent focal lengths refer."""


_LIKELY_FOV = (15.0, 125.0)  # degrees; outside, a focal length is more likely wrong than right


_POSSIBLE_FOV = (0.5, 170.0)  # degrees; outside, it is wrong


_LONGEST_FILM = 300.0  # mm; longer focal lengths are not taken for millimetres


_SHORTEST_LENS, _LONGEST_LENS = 1.0, 30.0  # mm; of small cameras, such as those of phones


_CENTRAL = 0.2  # of the picture's side: as far from its middle principal points may lie without a word


_SAME_SCALE = 1.05  # the scales of both axes differ by less than this where a picture was resized


_GRID = 17  # pixels in each direction at which distortion is looked at


_MOST_MOVED = 2.0  # times nearer to the middle, or farther from it, than without distortion


_MOST_USUAL = 0.8  # of the picture: at its corners, distortion of wide lenses cannot be undone


def is_possible(camera: Camera) -> bool:
    """Whether there are cameras with such a field of view."""
    low, high = _POSSIBLE_FOV
    return low <= camera.fov[0] <= high


def doubts(camera: Camera, source: str) -> tuple[str, ...]:
    """What is unusual about a camera, with what that most likely means; nothing for most cameras.

    Args:
        camera: The camera.
        source: Where it comes from, as ``KnownCamera`` has it.
    """
    return (*_fov_doubt(camera, source), *_centre_doubt(camera), *_distortion_doubt(camera))


def likely_meaning(camera: Camera, source: str) -> str:
    """What the numbers most likely mean that give an unusual field of view; "" where it is a usual one."""
    low, high = _LIKELY_FOV
    wide = camera.fov[0]
    if low <= wide <= high:
        return ""
    if source.startswith("EXIF"):
        return "the tags may be wrong; if you know better, pass --focal or --fov"
    if source == "--fov":
        if low <= math.degrees(wide) <= high:
            return f"{wide:.3g} may be radians, which is {math.degrees(wide):.0f} degrees; then pass that"
        return "it must be the whole angle between the left and the right border, in degrees"
    in_pixels = camera.fx * math.hypot(camera.width, camera.height) / FILM_DIAGONAL
    if camera.fx < _LONGEST_FILM and low <= Camera.from_focal(camera.width, camera.height, in_pixels).fov[0] <= high:
        return (
            f"{camera.fx:g} may be the 35 mm-equivalent focal length in millimetres, which is {in_pixels:.0f} px in "
            f"this picture; then pass --focal {in_pixels:.0f}"
        )
    if _SHORTEST_LENS <= camera.fx <= _LONGEST_LENS:
        return (
            f"{camera.fx:g} may be the lens's own focal length in millimetres, from which nothing follows without the "
            "sensor's size; pass the field of view instead (--fov 65 for most phones)"
        )
    return "the focal length must be in pixels of this very picture, and not of another size of it"


def likely_intrinsics(camera: Camera) -> str:
    """What intrinsics are likely to be that put the principal point far from the middle; "" where nothing is."""
    size = 2 * camera.cx + 1, 2 * camera.cy + 1
    across, down = camera.width / size[0], camera.height / size[1]
    if not 1 / _SAME_SCALE < across / down < _SAME_SCALE:
        return ""
    scale = math.sqrt(across * down)
    values = (camera.fx * scale, camera.fy * scale, (camera.cx + 0.5) * scale - 0.5, (camera.cy + 0.5) * scale - 0.5)
    return (
        f"they may be those of a picture of about {size[0]:.0f} x {size[1]:.0f} px; "
        f"then pass --intrinsics {','.join(f'{value:.6g}' for value in values)}"
    )


def _fov_doubt(camera: Camera, source: str) -> tuple[str, ...]:
    likely = likely_meaning(camera, source)
    if not likely:
        return ()
    return (f"the horizontal field of view would be {camera.fov[0]:.1f} degrees, which is unusual: {likely}",)


def _centre_doubt(camera: Camera) -> tuple[str, ...]:
    middle = (camera.width - 1) / 2, (camera.height - 1) / 2
    off = abs(camera.cx - middle[0]) / camera.width, abs(camera.cy - middle[1]) / camera.height
    if max(off) <= _CENTRAL:
        return ()
    likely = likely_intrinsics(camera) or "that is so if it was cut from a larger one; else they are not this picture's"
    return (
        f"the intrinsics put the principal point at ({camera.cx:g}, {camera.cy:g}), far from the middle of the "
        f"{camera.width} x {camera.height} picture: {likely}",
    )


def _distortion_doubt(camera: Camera) -> tuple[str, ...]:
    across, down = np.meshgrid(np.linspace(0, camera.width - 1, _GRID), np.linspace(0, camera.height - 1, _GRID))
    pixels = np.stack([across, down], axis=-1)
    radius, plain = (
        np.linalg.norm(each.rays(pixels)[..., :2], axis=-1) for each in (camera, replace(camera, distortion=()))
    )
    usual = (radius >= plain / _MOST_MOVED) & (radius <= plain * _MOST_MOVED)  # NaN is not
    if usual.mean() >= _MOST_USUAL:
        return ()
    return (
        f"the distortion {list(camera.distortion)} moves, or cannot be undone in, {1 - usual.mean():.0%} of the "
        "picture: its numbers may be in another order than k1, k2, p1, p2, k3, or of another model",
    )
