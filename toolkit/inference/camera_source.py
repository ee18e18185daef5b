"""Where the camera of a picture that is asked about comes from; it is never guessed in silence.

In this order: what the user says; a JSON file beside the picture; the picture's EXIF tags; and last an assumed
field of view, with a warning. Conventions: see ``toolkit.geometry.camera``.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL.ExifTags import Base as Tag

from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.plausibility import FILM_DIAGONAL, doubts, is_possible, likely_intrinsics
from toolkit.inference.picture import Opened

DEFAULT_FOV = 60.0
"""Horizontal field of view [deg] that is assumed where nothing is known of the camera."""


USUAL_FOV = (45.0, 90.0)
"""Most cameras have a horizontal field of view [deg] between these; intervals reach as far where it is assumed."""


_SAME_SHAPE = 0.02  # relative difference of aspect ratios below which a picture was not cropped


# Of FocalPlaneResolutionUnit (EXIF 2.32, table 15).
_MILLIMETRES: Mapping[float | None, float] = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}


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
    known = _said(opened, flags)
    found: list[str] = []
    if known is None and opened.path is not None:
        known = _beside(width, height, opened.path)
    if known is None:
        known = _from_exif(opened, found)
    if known is None:
        return _assumed(width, height, found)
    return replace(known, warnings=doubts(known.camera, known.source))


def _assumed(width: int, height: int, found: Sequence[str]) -> KnownCamera:
    guess = (
        f"nothing is known of the camera: a horizontal field of view of {DEFAULT_FOV:g} degrees is assumed, "
        "and every distance scales with it; pass --intrinsics, --focal or --fov"
    )
    assumed = Camera.from_fov(width, height, DEFAULT_FOV)
    narrow, wide = (Camera.from_fov(width, height, fov).fx / assumed.fx for fov in USUAL_FOV)
    return KnownCamera(assumed, "assumed", (guess, *found), (wide, narrow))


def _said(opened: Opened, flags: CameraFlags) -> KnownCamera | None:
    """The camera that the flags give."""
    width, height = opened.size
    given = [name for name in ("intrinsics", "focal", "fov") if getattr(flags, name) is not None]
    if len(given) > 1:
        raise UserError(
            f"--{' and --'.join(given)} are given together", "they all say what the camera is", "give one of them"
        )
    if flags.intrinsics is not None:
        return KnownCamera(_from_numbers(opened, flags.intrinsics), "--intrinsics")
    if flags.focal is not None:
        if not (math.isfinite(flags.focal) and flags.focal > 0):
            raise UserError(
                f"--focal {flags.focal:g} is not a positive number",
                remedy="give the focal length in pixels of this picture, or --fov in degrees",
            )
        return KnownCamera(Camera.from_focal(width, height, flags.focal), "--focal")
    if flags.fov is not None:
        if not 0 < flags.fov < 180:
            raise UserError(
                f"--fov {flags.fov:g} is no angle between 0 and 180 degrees",
                remedy="give the angle between the left and the right border in degrees, or --focal in pixels",
            )
        return KnownCamera(Camera.from_fov(width, height, flags.fov), "--fov")
    return None


def _from_numbers(opened: Opened, values: tuple[float, float, float, float]) -> Camera:
    """The camera of fx, fy, cx, cy [px] that the user gives."""
    width, height = opened.size
    problem = f"--intrinsics {','.join(f'{value:g}' for value in values)} cannot be those of {opened.picture.name}"
    remedy = "give FX,FY,CX,CY in pixels of this picture, in this order"
    if not all(map(math.isfinite, values)) or min(values[:2]) <= 0:
        raise UserError(problem, "the focal lengths FX and FY must be positive, and all be finite numbers", remedy)
    try:
        return Camera.from_intrinsics([*values, width, height])
    except UserError as fault:
        likely = likely_intrinsics(Camera(*values, width, height))
        raise UserError(problem, f"the {fault.problem}", likely or remedy) from None


def _beside(width: int, height: int, picture: Path) -> KnownCamera | None:
    """The camera in ``photo.json`` beside ``photo.jpg``: {"intrinsics": [fx, fy, cx, cy, width, height]}."""
    path = picture.with_suffix(".json")
    if not path.is_file():
        return None
    remedy = (
        'write {"intrinsics": [fx, fy, cx, cy, width, height]} into it, or move it away; '
        "--intrinsics, --focal and --fov go before it"
    )
    try:
        camera = _camera_in(json.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise UserError(f"{path}: it cannot be read", str(error.strerror), remedy) from None
    except OverflowError:
        raise UserError(f"{path}: there is no camera in it", "a number in it is too large", remedy) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: there is no camera in it", f"it is not JSON: {error}", remedy) from None
    except UserError as error:
        raise UserError(f"{path}: {error.problem}", error.cause, error.remedy or remedy) from None
    if (camera.width, camera.height) != (width, height):
        raise _other_size(path, camera, width, height)
    return KnownCamera(camera, str(path))


def _camera_in(content: Any) -> Camera:
    if not isinstance(content, dict) or "intrinsics" not in content:
        raise UserError("there is no camera in it", "it has no `intrinsics`")
    values, distortion = content["intrinsics"], content.get("distortion") or []
    for name, numbers in (("intrinsics", values), ("distortion", distortion)):
        if not isinstance(numbers, list) or not all(isinstance(number, int | float) for number in numbers):
            raise UserError("there is no camera in it", f"`{name}` is not a list of numbers")
    return Camera.from_intrinsics(values, distortion)


def _other_size(path: Path, camera: Camera, width: int, height: int) -> UserError:
    """What to do about intrinsics of another size than the picture's."""
    values = camera.resized(width, height).intrinsics
    cause, remedy = "", "give the intrinsics of this size"
    if (camera.width, camera.height) == (height, width):
        cause = "the picture was turned upright, by its EXIF orientation or before"
        remedy = "give the intrinsics of the upright picture"
    elif abs(camera.width * height / (camera.height * width) - 1) < _SAME_SHAPE:
        cause = "the picture was resized"
        remedy = f"give those of this size; if nothing was cut off, they are [{', '.join(f'{v:.6g}' for v in values)}]"
    return UserError(
        f"{path}: the intrinsics are for {camera.width} x {camera.height} px, "
        f"the upright picture is {width} x {height}",
        cause,
        remedy,
    )


def _from_exif(opened: Opened, found: list[str]) -> KnownCamera | None:
    """The camera that EXIF tags give; why they cannot be used goes to ``found``."""
    width, height = opened.size
    tags, stored = opened.tags, opened.stored
    taken = _number(tags.get(Tag.ExifImageWidth)), _number(tags.get(Tag.ExifImageHeight))
    if taken[0] and taken[1] and _cropped(stored, taken[0] / taken[1]):
        found.append(
            f"the picture was cropped since it was taken ({taken[0]:g} x {taken[1]:g} px), so EXIF does not help"
        )
        return None
    focal, source = _focal_35mm(width, height, tags), "EXIF FocalLengthIn35mmFilm"
    if focal is None:
        focal, source = _focal_of_sensor(stored, tags), "EXIF FocalLength and FocalPlaneXResolution"
    if focal is None:
        return None
    camera = Camera.from_focal(width, height, focal)
    if not is_possible(camera):
        found.append(f"{source} is not believed: the field of view would be {camera.fov[0]:.3g} degrees")
        return None
    return KnownCamera(camera, source)


def _cropped(stored: tuple[int, int], taken: float) -> bool:
    """Whether the shape (width / height) has changed; some programs exchange the sides when they turn a picture."""
    now = stored[0] / stored[1]
    return min(abs(now / taken - 1), abs(now * taken - 1)) > _SAME_SHAPE


def _focal_35mm(width: int, height: int, tags: Mapping[int, Any]) -> float | None:
    """Focal length [px] = f35 * diagonal [px] / 43.27 mm: the diagonal field of view is kept (CIPA DCG-001-2005)."""
    equivalent = _number(tags.get(Tag.FocalLengthIn35mmFilm))
    return None if equivalent is None else equivalent * math.hypot(width, height) / FILM_DIAGONAL


def _focal_of_sensor(stored: tuple[int, int], tags: Mapping[int, Any]) -> float | None:
    """Focal length [px] = focal length [mm] * sensor pixels a mm, scaled by the resize since (EXIF 2.32, 4.6.5)."""
    focal = _number(tags.get(Tag.FocalLength))
    resolution = _number(tags.get(Tag.FocalPlaneXResolution))
    unit = _MILLIMETRES.get(_number(tags.get(Tag.FocalPlaneResolutionUnit, 2)))
    wide, high = _number(tags.get(Tag.ExifImageWidth)), _number(tags.get(Tag.ExifImageHeight))
    if focal is None or resolution is None or unit is None or wide is None:
        return None
    resized = max(stored) / max(wide, high) if high else stored[0] / wide  # the sides may have been exchanged since
    return focal * resolution / unit * resized


def _number(value: Any) -> float | None:
    """A positive number; EXIF writes 0 for unknown."""
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if math.isfinite(number) and number > 0 else None
