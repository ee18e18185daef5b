"""Whether a camera is plausible for its picture, and what its numbers most likely mean if it is not.

Conventions: see ``toolkit.geometry.camera``.
"""

import math
from dataclasses import replace
from enum import StrEnum

import numpy as np

from toolkit.errors import UserError
from toolkit.geometry.camera import Camera


class CameraSource(StrEnum):
    """The origin of a camera. The values appear in messages and in the JSON of answers."""

    GIVEN = "given"
    INTRINSICS = "--intrinsics"
    FOCAL = "--focal"
    FOV = "--fov"
    FILE = "a file beside the picture"
    EXIF_35MM = "EXIF FocalLengthIn35mmFilm"
    EXIF_SENSOR = "EXIF FocalLength and FocalPlaneXResolution"
    ASSUMED = "assumed"


_FROM_TAGS = (CameraSource.EXIF_35MM, CameraSource.EXIF_SENSOR)

FILM_DIAGONAL = math.hypot(36.0, 24.0)
"""The diagonal of 35 mm film [mm], to which 35 mm-equivalent focal lengths refer."""

_LIKELY_FOV = (15.0, 125.0)  # degrees; outside this range, the focal length is more likely wrong than right
_POSSIBLE_FOV = (0.5, 170.0)  # degrees; outside this range, the focal length is wrong
_LONGEST_EQUIVALENT = 300.0  # a longer focal length [px] is not suspected to be in 35 mm-equivalent millimetres
_SHORTEST_LENS, _LONGEST_LENS = 1.0, 30.0  # mm; the focal lengths of small cameras, such as those of phones
_CENTRAL = 0.2  # share of a side; a principal point nearer to the middle of the picture is not doubted
_SAME_SCALE = 1.05  # a picture was resized if the scale factors of both axes differ by less than this factor
_WHOLE_SENSORS = (4 / 3, 3 / 2)  # long side / short side of the sensors that most cameras have
_SAME_ASPECT = 0.02  # aspect ratios that differ relatively by less are the same
_GRID = 17  # how many pixels along each axis the distortion is evaluated at
_MOST_MOVED = 2.0  # distortion that changes the distance to the principal point by more than this factor is unusual
_LEAST_POSSIBLE = 0.25  # share of pixels with usual distortion below which the distortion is wrong
_LEAST_USUAL = 0.8  # share of pixels with usual distortion; in the corners, that of wide lenses cannot be undone


def is_possible(camera: Camera) -> bool:
    """Whether cameras with such a field of view exist."""
    low, high = _POSSIBLE_FOV
    return low <= camera.fov[0] <= high


def cut_of_sensor(width: int, height: int) -> float:
    """How many times longer the diagonal of a whole 4:3 sensor is than that of a picture cut from its middle.

    Pictures of 4:3 and of 3:2 are those of whole sensors. Others, such as 16:9 and square ones, are usually cut from
    4:3, by modes of the camera: as wide as the sensor if they are longer, and as high as it if they are shorter. If the
    35 mm-equivalent focal length is that of the whole sensor, the true one is longer by this factor.

    Args:
        width: The width of the picture [px].
        height: The height of the picture [px].

    Returns:
        The factor, at least 1.
    """
    long, short = max(width, height), min(width, height)
    if any(abs(long / short / whole - 1) < _SAME_ASPECT for whole in _WHOLE_SENSORS):
        return 1.0
    side = max(long / 4, short / 3)  # px in a quarter of the sensor's long side, and in a third of its short side
    return math.hypot(4 * side, 3 * side) / math.hypot(long, short)


def doubts(camera: Camera, source: CameraSource) -> tuple[str, ...]:
    """What is unusual about a camera and what that most likely means: one message each, none for most cameras.

    Args:
        camera: The camera.
        source: The origin of the camera.
    """
    others = (*_centre_doubt(camera), *_distortion_doubt(camera))
    return (*_fov_doubt(camera, source), *others)


def likely_meaning(camera: Camera, source: CameraSource) -> str:
    """What the numbers most likely mean if the field of view is unusual; "" if it is usual.

    Args:
        camera: The camera.
        source: The origin of the camera.
    """
    low, high = _LIKELY_FOV
    fov = camera.fov[0]
    if low <= fov <= high:
        return ""
    if source in _FROM_TAGS:
        return "the tags may be wrong; if you know better, pass --focal or --fov"
    if source is CameraSource.FOV:
        if low <= math.degrees(fov) <= high:
            return f"{fov:.3g} may be radians, which is {math.degrees(fov):.0f} degrees; then pass that"
        return "it must be the whole angle between the left and the right border, in degrees"
    in_pixels = camera.fx * math.hypot(camera.width, camera.height) / FILM_DIAGONAL
    if (
        camera.fx < _LONGEST_EQUIVALENT
        and low <= Camera.from_focal(camera.width, camera.height, in_pixels).fov[0] <= high
    ):
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
    """What intrinsics with a principal point far from the middle are likely to be; "" if nothing is likely."""
    size = 2 * camera.cx + 1, 2 * camera.cy + 1
    if min(size) <= 0:
        return ""
    across, down = camera.width / size[0], camera.height / size[1]
    if not 1 / _SAME_SCALE < across / down < _SAME_SCALE:
        return ""
    scale = math.sqrt(across * down)
    values = (camera.fx * scale, camera.fy * scale, (camera.cx + 0.5) * scale - 0.5, (camera.cy + 0.5) * scale - 0.5)
    return (
        f"they may be those of a picture of about {size[0]:.0f} x {size[1]:.0f} px; "
        f"then pass --intrinsics {','.join(f'{value:.6g}' for value in values)}"
    )


def _fov_doubt(camera: Camera, source: CameraSource) -> tuple[str, ...]:
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
    usual = usual_distortion(camera)
    if usual >= _LEAST_USUAL:
        return ()
    return (
        f"the distortion {list(camera.distortion)} moves, or cannot be undone in, {1 - usual:.0%} of the "
        "picture: its numbers may be in another order than k1, k2, p1, p2, k3, or of another model",
    )


def check_distortion(camera: Camera) -> None:
    """Check that a picture with the distortion of a camera can be used.

    Raises:
        UserError: If the distortion moves most of the picture, or cannot be undone there.
    """
    usual = usual_distortion(camera)
    if usual < _LEAST_POSSIBLE:
        raise UserError(
            f"{list(camera.distortion)} moves, or cannot be undone in, {1 - usual:.0%} of the picture",
            cause="no lens does so; the numbers may be in another order, or of another model",
            remedy="give [k1, k2, p1, p2, k3], or undistort the pictures and leave it out",
        )


def usual_distortion(camera: Camera) -> float:
    """The share of a picture that its distortion moves as little as lenses do, and in which it can be undone."""
    if not camera.distortion:
        return 1.0
    across, down = np.meshgrid(np.linspace(0, camera.width - 1, _GRID), np.linspace(0, camera.height - 1, _GRID))
    pixels = np.stack([across, down], axis=-1)
    radius, undistorted_radius = (
        np.linalg.norm(each.rays(pixels)[..., :2], axis=-1) for each in (camera, replace(camera, distortion=()))
    )
    usual = (radius >= undistorted_radius / _MOST_MOVED) & (radius <= undistorted_radius * _MOST_MOVED)  # not if NaN
    return float(usual.mean())
