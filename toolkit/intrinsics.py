"""Where the camera of a picture that is asked about comes from; it is never guessed in silence.

In this order: what the user says; a JSON file beside the picture; the picture's EXIF tags; and last an assumed
field of view, with a warning. Conventions: see ``toolkit.camera``.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags

from toolkit.camera import Camera
from toolkit.errors import UserError
from toolkit.pictures import Opened

DEFAULT_FOV = 60.0
"""Horizontal field of view [deg] that is assumed where nothing is known of the camera."""

USUAL_FOV = (45.0, 90.0)
"""Most cameras have a horizontal field of view [deg] between these; intervals reach as far where it is assumed."""

_PLAUSIBLE_FOV = (15.0, 125.0)  # degrees; outside, a focal length is more likely wrong than right
_LONGEST_FILM = 300.0  # mm; longer focal lengths are not taken for millimetres
_FILM_DIAGONAL = math.hypot(36.0, 24.0)  # mm
_SAME_SHAPE = 0.02  # relative difference of aspect ratios below which a picture was not cropped
_MILLIMETRES = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # of FocalPlaneResolutionUnit (EXIF 2.32, table 15)


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


@dataclass(frozen=True)
class KnownCamera:
    """A camera, and how much is known of it.

    Attributes:
        camera: True of the upright picture.
        source: Where it comes from.
        warnings: What the user should know.
        scale: Lowest and highest ratio of the true focal length to this one, as far as is known. Distances read
            off a picture grow in proportion to the focal length.
    """

    camera: Camera
    source: str
    warnings: tuple[str, ...] = ()
    scale: tuple[float, float] = (1.0, 1.0)


def camera_of(opened: Opened, flags: CameraFlags) -> KnownCamera:
    """The camera of an upright picture.

    Args:
        opened: The picture, with its EXIF tags and what lies beside it.
        flags: What the user says.

    Raises:
        UserError: If the flags contradict each other, or they or the file beside do not fit the picture.
    """
    width, height = opened.size
    known = _said(width, height, flags)
    found: list[str] = []
    if known is None and opened.path is not None:
        known = _beside(width, height, opened.path)
    if known is None:
        known = _from_exif(opened, found)
    if known is None:
        guess = (
            f"nothing is known of the camera: a horizontal field of view of {DEFAULT_FOV:g} degrees is assumed, "
            "and every distance scales with it; pass --intrinsics, --focal or --fov"
        )
        assumed = Camera.from_fov(width, height, DEFAULT_FOV)
        narrow, wide = (Camera.from_fov(width, height, fov).fx / assumed.fx for fov in USUAL_FOV)
        return KnownCamera(assumed, "assumed", (guess, *found), (wide, narrow))
    return replace(known, warnings=(*known.warnings, *_unusual(known.camera)))


def _said(width: int, height: int, flags: CameraFlags) -> KnownCamera | None:
    """The camera that the flags give."""
    given = [name for name in ("intrinsics", "focal", "fov") if getattr(flags, name) is not None]
    if len(given) > 1:
        raise UserError(f"--{' and --'.join(given)} are given together", remedy="give one of them")
    if flags.intrinsics is not None:
        return KnownCamera(Camera.from_intrinsics([*flags.intrinsics, width, height]), "--intrinsics")
    if flags.focal is not None:
        if not (np.isfinite(flags.focal) and flags.focal > 0):
            raise UserError(f"--focal {flags.focal:g} is not a positive number", remedy="give pixels of this picture")
        return KnownCamera(Camera.from_focal(width, height, flags.focal), "--focal")
    if flags.fov is not None:
        if not 0 < flags.fov < 180:
            raise UserError(f"--fov {flags.fov:g} is no angle between 0 and 180 degrees", remedy="give degrees")
        return KnownCamera(Camera.from_fov(width, height, flags.fov), "--fov")
    return None


def _beside(width: int, height: int, picture: Path) -> KnownCamera | None:
    """The camera in ``photo.json`` beside ``photo.jpg``: {"intrinsics": [fx, fy, cx, cy, width, height]}."""
    path = picture.with_suffix(".json")
    if not path.is_file():
        return None
    remedy = (
        'write {"intrinsics": [fx, fy, cx, cy, width, height], "distortion": [k1, k2, p1, p2, k3]}, or move it away'
    )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        camera = Camera.from_intrinsics(content["intrinsics"], content.get("distortion", ()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: there is no camera in it", f"{type(error).__name__}: {error}", remedy) from None
    except UserError as error:
        raise UserError(f"{path}: {error.problem}", error.cause, remedy) from None
    if (camera.width, camera.height) != (width, height):
        raise UserError(
            f"{path}: the intrinsics are for {camera.width} x {camera.height} px, "
            f"the upright picture is {width} x {height}",
            remedy="give the intrinsics of this size",
        )
    return KnownCamera(camera, str(path))


def _from_exif(opened: Opened, found: list[str]) -> KnownCamera | None:
    """The camera that EXIF tags give; why they cannot be used goes to ``found``."""
    width, height = opened.size
    tags, stored = opened.tags, opened.stored
    taken = (tags.get(ExifTags.Base.ExifImageWidth), tags.get(ExifTags.Base.ExifImageHeight))
    if all(taken) and _cropped(stored, taken):
        found.append(f"the picture was cropped since it was taken ({taken[0]} x {taken[1]} px), so EXIF does not help")
        return None
    focal, source = _focal_35mm(width, height, tags), "EXIF FocalLengthIn35mmFilm"
    if focal is None:
        focal, source = _focal_of_sensor(stored[0], tags), "EXIF FocalLength and FocalPlaneXResolution"
    return None if focal is None else KnownCamera(Camera.from_focal(width, height, focal), source)


def _cropped(stored: tuple[int, int], taken: tuple[Any, Any]) -> bool:
    """Whether the shape has changed; some programs exchange the sides when they turn a picture."""
    now, then = stored[0] / stored[1], float(taken[0]) / float(taken[1])
    return min(abs(now / then - 1), abs(now * then - 1)) > _SAME_SHAPE


def _focal_35mm(width: int, height: int, tags: Mapping[int, Any]) -> float | None:
    """Focal length [px] = f35 * diagonal [px] / 43.27 mm: the diagonal field of view is kept (CIPA DCG-001-2005)."""
    equivalent = _number(tags.get(ExifTags.Base.FocalLengthIn35mmFilm))
    return None if equivalent is None else equivalent * math.hypot(width, height) / _FILM_DIAGONAL


def _focal_of_sensor(stored_width: int, tags: Mapping[int, Any]) -> float | None:
    """Focal length [px] = focal length [mm] * sensor pixels a mm, scaled by the resize since (EXIF 2.32, 4.6.5)."""
    focal = _number(tags.get(ExifTags.Base.FocalLength))
    resolution = _number(tags.get(ExifTags.Base.FocalPlaneXResolution))
    unit = _MILLIMETRES.get(tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2))
    taken = _number(tags.get(ExifTags.Base.ExifImageWidth))
    if focal is None or resolution is None or unit is None or taken is None:
        return None
    return focal * resolution / unit * stored_width / taken


def _number(value: Any) -> float | None:
    """A positive number; EXIF writes 0 for unknown."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _unusual(camera: Camera) -> tuple[str, ...]:
    """What a field of view that few cameras have most likely means."""
    low, high = _PLAUSIBLE_FOV
    wide = camera.fov[0]
    if low <= wide <= high:
        return ()
    said = f"the horizontal field of view would be {wide:.1f} degrees, which is unusual"
    likely = camera.fx * math.hypot(camera.width, camera.height) / _FILM_DIAGONAL
    if camera.fx < _LONGEST_FILM and low <= Camera.from_focal(camera.width, camera.height, likely).fov[0] <= high:
        return (
            f"{said}: {camera.fx:g} may be the 35 mm-equivalent focal length in millimetres, which is {likely:.0f} px "
            f"in this picture; then pass --focal {likely:.0f}",
        )
    return (f"{said}: focal lengths are in pixels of this very picture, and not of another size of it",)
