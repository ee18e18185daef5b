"""Where the camera of a picture that is asked about comes from: what the user says, or an assumption said aloud."""

from dataclasses import dataclass

import numpy as np

from toolkit.camera import Camera
from toolkit.errors import UserError

DEFAULT_FOV = 60.0
"""Horizontal field of view [deg] that is assumed where nothing is known of the camera."""

_PLAUSIBLE_FOV = (15.0, 125.0)  # degrees; outside, a focal length is more likely wrong than right


@dataclass(frozen=True)
class CameraFlags:
    """What the user says of the camera; at most one of them.

    Attributes:
        intrinsics: fx, fy, cx, cy [px].
        focal: Focal length [px]; the principal point is taken to be the centre.
        fov: Horizontal field of view [deg]; likewise.
    """

    intrinsics: tuple[float, float, float, float] | None = None
    focal: float | None = None
    fov: float | None = None


def camera_of(width: int, height: int, flags: CameraFlags) -> tuple[Camera, str, list[str]]:
    """The camera of a picture [px], where it comes from, and warnings.

    Raises:
        UserError: If the flags contradict each other or the picture.
    """
    given = [name for name in ("intrinsics", "focal", "fov") if getattr(flags, name) is not None]
    if len(given) > 1:
        raise UserError(f"--{' and --'.join(given)} are given together", remedy="give one of them")
    if flags.intrinsics is not None:
        camera = Camera.from_intrinsics([*flags.intrinsics, width, height])
    elif flags.focal is not None:
        _check_positive("--focal", flags.focal)
        camera = Camera.from_focal(width, height, flags.focal)
    else:
        fov = DEFAULT_FOV if flags.fov is None else flags.fov
        if not 0 < fov < 180:
            raise UserError(f"--fov {fov:g} is no angle between 0 and 180 degrees")
        camera = Camera.from_fov(width, height, fov)
    if not given:
        guess = (
            f"nothing is known of the camera: a horizontal field of view of {DEFAULT_FOV:g} degrees is assumed, "
            "and every distance scales with it; pass --intrinsics, --focal or --fov"
        )
        return camera, "assumed", [guess]
    low, high = _PLAUSIBLE_FOV
    wide = camera.fov[0]
    unusual = (
        []
        if low <= wide <= high
        else [
            f"the horizontal field of view is {wide:.1f} degrees, which is unusual: focal lengths are in pixels "
            "of this picture, not in millimetres"
        ]
    )
    return camera, f"--{given[0]}", unusual


def _check_positive(name: str, value: float) -> None:
    if not (np.isfinite(value) and value > 0):
        raise UserError(f"{name} {value:g} is not a positive number", remedy="give pixels of this picture")
