"""Where the camera of a user's picture comes from. It is never assumed without a warning.

These are tried in this order: what the user says; a JSON file beside the picture; the EXIF tags of the picture; and
last an assumed field of view, with a warning. Conventions: see ``toolkit.geometry.camera``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL.ExifTags import Base as Tag

from toolkit.data.frames.camera_file import parse_camera
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.plausibility import (
    FILM_DIAGONAL,
    CameraSource,
    cut_of_sensor,
    doubts,
    is_possible,
    likely_intrinsics,
    likely_meaning,
)
from toolkit.inference.open_picture import OpenedPicture
from toolkit.utils.json import read_json_file

DEFAULT_FOV = 60.0
"""The horizontal field of view [deg] that is assumed if nothing is known about the camera."""

USUAL_FOV = (45.0, 90.0)
"""The range of the horizontal field of view [deg] of most cameras. If it is assumed, intervals cover this range."""

_SMALLEST_TAG, _LARGEST_TAG = 1e-6, 1e9  # lengths [mm], sizes [px] and resolutions all lie within
_ACCEPTED_FOV = (0.05, 179.98)  # degrees; a focal length in millimetres, which is doubted, lies within
_MOST_CAMERA = 1 << 20  # bytes of a file that holds a camera
_MOST_ZOOM = 100.0  # a greater digital zoom is not believed
_SAME_SHAPE = 0.02  # if aspect ratios differ relatively by less than this, the picture was not cropped

# The millimetres in each FocalPlaneResolutionUnit (EXIF 2.32, table 15).
_MILLIMETRES: Mapping[float | None, float] = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}


@dataclass(frozen=True)
class CameraFlags:
    """What the user says about the camera. At most one of these may be given.

    Attributes:
        intrinsics: The intrinsics fx, fy, cx, cy [px].
        focal: The focal length [px]. The principal point is assumed to be the centre of the picture.
        fov: The horizontal field of view [deg]. The principal point is assumed to be the centre of the picture.
    """

    intrinsics: tuple[float, float, float, float] | None = None
    focal: float | None = None
    fov: float | None = None


@dataclass(frozen=True)
class KnownCamera:
    """A camera, where it comes from, and how exactly it is known.

    Attributes:
        camera: The camera of the upright picture.
        source: The origin of the camera.
        file: The file that the camera was read from, if ``source`` is ``FILE``.
        warnings: What the user should know about the camera.
        scale: The lowest and the highest likely ratio of the true focal length to this one. Distances that are read
            off a picture are proportional to the focal length.
    """

    camera: Camera
    source: CameraSource
    file: Path | None = None
    warnings: tuple[str, ...] = ()
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def origin(self) -> str:
        """Where the camera comes from, for people: the name of the file, of the option, or of the EXIF tags."""
        return str(self.file or self.source.value)


def camera_of(opened: OpenedPicture, given: CameraFlags | Camera | None = None) -> KnownCamera:
    """Find the camera of an upright picture.

    Args:
        opened: The picture, with its path and its EXIF tags.
        given: What the user says about the camera, or the camera itself.

    Raises:
        UserError: If the user gives more than one thing, or if what the user or the file beside the picture says does
            not fit the picture.
    """
    if isinstance(given, Camera):
        return KnownCamera(given, CameraSource.GIVEN)
    height, width = opened.picture.pixels.shape[:2]
    size = (width, height)
    known = None if given is None else _from_flags(opened, size, given)
    unusable: list[str] = []
    if known is None and opened.path is not None:
        known = _from_file_beside(size, opened.path)
    if known is None:
        known = _from_exif(opened, size, unusable)
    if known is None:
        return _assume(size, unusable)
    _check_possible(known)
    return replace(known, warnings=(*known.warnings, *doubts(known.camera, known.source)))


def _check_possible(known: KnownCamera) -> None:
    """Raise a UserError if no camera nearly has such a field of view; unusual ones are only doubted."""
    low, high = _ACCEPTED_FOV
    if not low <= known.camera.fov[0] <= high:
        raise UserError(
            f"{known.origin}: the horizontal field of view would be {known.camera.fov[0]:.6g} degrees",
            cause=likely_meaning(known.camera, known.source),
            remedy="give intrinsics in pixels of this very picture, or --fov in degrees",
        )


def _assume(size: tuple[int, int], unusable: Sequence[str]) -> KnownCamera:
    """A camera with a usual field of view, with a warning and with the reasons why EXIF tags cannot be used."""
    warning = (
        f"nothing is known of the camera: a horizontal field of view of {DEFAULT_FOV:g} degrees is assumed, "
        "and every distance scales with it; pass --intrinsics, --focal or --fov"
    )
    assumed = Camera.from_fov(*size, DEFAULT_FOV)
    narrow, wide = (Camera.from_fov(*size, fov).fx / assumed.fx for fov in USUAL_FOV)
    return KnownCamera(assumed, CameraSource.ASSUMED, None, (warning, *unusable), (wide, narrow))


def _from_flags(opened: OpenedPicture, size: tuple[int, int], flags: CameraFlags) -> KnownCamera | None:
    """The camera that the user's flags give; None if no flag is given."""
    values = {"--intrinsics": flags.intrinsics, "--focal": flags.focal, "--fov": flags.fov}
    given = [option for option, value in values.items() if value is not None]
    if len(given) > 1:
        raise UserError(
            f"{' and '.join(given)} are given together", "they all say what the camera is", "give one of them"
        )
    if flags.intrinsics is not None:
        return KnownCamera(_from_numbers(opened, flags.intrinsics), CameraSource.INTRINSICS)
    if flags.focal is not None:
        if not (math.isfinite(flags.focal) and flags.focal > 0):
            raise UserError(
                f"--focal {flags.focal:g} is not a positive number",
                remedy="give the focal length in pixels of this picture, or --fov in degrees",
            )
        return KnownCamera(Camera.from_focal(*size, flags.focal), CameraSource.FOCAL)
    if flags.fov is not None:
        if not 0 < flags.fov < 180:
            raise UserError(
                f"--fov {flags.fov:g} is no angle between 0 and 180 degrees",
                remedy="give the angle between the left and the right border in degrees, or --focal in pixels",
            )
        return KnownCamera(Camera.from_fov(*size, flags.fov), CameraSource.FOV)
    return None


def _from_numbers(opened: OpenedPicture, values: tuple[float, float, float, float]) -> Camera:
    """The camera with the intrinsics fx, fy, cx, cy [px] that the user gives."""
    width, height = opened.size
    problem = f"--intrinsics {','.join(f'{value:g}' for value in values)} cannot be those of {opened.picture.name}"
    remedy = "give FX,FY,CX,CY in pixels of this picture, in this order"
    if not all(map(math.isfinite, values)) or min(values[:2]) <= 0:
        raise UserError(problem, "FX and FY must be positive, and all four must be finite numbers", remedy)
    try:
        return Camera.from_intrinsics([*values, width, height])
    except UserError as fault:
        likely = likely_intrinsics(Camera(*values, width, height))
        raise UserError(problem, f"the {fault.problem}", likely or remedy) from None


def _from_file_beside(size: tuple[int, int], picture: Path) -> KnownCamera | None:
    """The camera in ``photo.json`` beside ``photo.jpg``: {"intrinsics": [fx, fy, cx, cy, width, height]}; or None."""
    path = picture.with_suffix(".json")
    if not path.is_file():
        return None
    remedy = (
        'write {"intrinsics": [fx, fy, cx, cy, width, height]} into it, or move it away; '
        "--intrinsics, --focal and --fov take precedence over it"
    )
    try:
        content = read_json_file(path, _MOST_CAMERA)
    except OSError as error:
        raise UserError(f"{path}: it cannot be read", str(error.strerror), remedy) from None
    except UserError as error:
        raise UserError(f"{path}: there is no camera in it", f"it is not JSON: {error.cause}", remedy) from None
    try:
        camera = parse_camera(content)
    except UserError as error:
        raise UserError(f"{path}: {error.problem}", error.cause, error.remedy or remedy) from None
    if (camera.width, camera.height) != size:
        raise _size_error(path, camera, *size)
    return KnownCamera(camera, CameraSource.FILE, path)


def _size_error(path: Path, camera: Camera, width: int, height: int) -> UserError:
    """The error for intrinsics of another size than the picture's, with the likely cause and what to do."""
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


def _from_exif(opened: OpenedPicture, size: tuple[int, int], unusable: list[str]) -> KnownCamera | None:
    """The camera that EXIF tags give, or None. The reason why they cannot be used is added to ``unusable``."""
    tags, stored = opened.tags, opened.stored
    taken = _positive_number(tags.get(Tag.ExifImageWidth)), _positive_number(tags.get(Tag.ExifImageHeight))
    if taken[0] and taken[1] and _cropped(stored, taken[0] / taken[1]):
        unusable.append(
            f"the picture was cropped since it was taken ({taken[0]:g} x {taken[1]:g} px), so EXIF does not help"
        )
        return None
    focal, source = _focal_35mm(*size, tags), CameraSource.EXIF_35MM
    if focal is None:
        focal, source = _focal_of_sensor(stored, tags), CameraSource.EXIF_SENSOR
    if focal is None:
        return None
    camera = Camera(focal, focal, (size[0] - 1) / 2, (size[1] - 1) / 2, *size)  # not checked: tags may say anything
    if not is_possible(camera):
        unusable.append(f"{source} is not believed: the field of view would be {camera.fov[0]:.3g} degrees")
        return None
    return _widened(KnownCamera(camera, source), tags)


def _widened(known: KnownCamera, tags: Mapping[int, Any]) -> KnownCamera:
    """A camera from EXIF tags, with warnings and a wider scale where the true focal length may be longer."""
    longest, warnings = 1.0, []
    zoom = _positive_number(tags.get(Tag.DigitalZoomRatio)) or 1.0
    if 1 < zoom <= _MOST_ZOOM:
        longest *= zoom
        warnings.append(
            f"the picture was zoomed digitally {zoom:g} times, which some cameras leave out of {known.source}"
        )
    cut = cut_of_sensor(known.camera.width, known.camera.height)
    if known.source is CameraSource.EXIF_35MM and cut > 1:
        longest *= cut
        warnings.append(
            f"the picture is neither 4:3 nor 3:2, and many cameras state {known.source} for their whole 4:3 sensor"
        )
    longer = f"the true focal length may be up to {longest:.3g} times as long; pass --intrinsics, --focal or --fov"
    return replace(known, warnings=tuple(f"{each}: {longer}" for each in warnings), scale=(1.0, longest))


def _cropped(stored: tuple[int, int], taken: float) -> bool:
    """Whether the aspect ratio has changed since the picture was taken. Turning the picture does not count."""
    now = stored[0] / stored[1]
    return min(abs(now / taken - 1), abs(now * taken - 1)) > _SAME_SHAPE


def _focal_35mm(width: int, height: int, tags: Mapping[int, Any]) -> float | None:
    """The focal length [px] from the 35 mm-equivalent one, f35 [mm]; None if there is no such tag.

    f = f35 * diagonal [px] / 43.27 mm keeps the diagonal field of view (CIPA DCG-001-2005).
    """
    equivalent = _positive_number(tags.get(Tag.FocalLengthIn35mmFilm))
    return None if equivalent is None else equivalent * math.hypot(width, height) / FILM_DIAGONAL


def _focal_of_sensor(stored: tuple[int, int], tags: Mapping[int, Any]) -> float | None:
    """The focal length [px] from that of the lens [mm] and the resolution of the sensor; None without these tags.

    f = lens focal length [mm] * sensor pixels per mm * factor of the resize since then (EXIF 2.32, section 4.6.5).
    """
    focal = _positive_number(tags.get(Tag.FocalLength))
    resolution = _positive_number(tags.get(Tag.FocalPlaneXResolution))
    unit = _MILLIMETRES.get(_positive_number(tags.get(Tag.FocalPlaneResolutionUnit, 2)))
    wide, high = _positive_number(tags.get(Tag.ExifImageWidth)), _positive_number(tags.get(Tag.ExifImageHeight))
    if focal is None or resolution is None or unit is None or wide is None:
        return None
    resized = max(stored) / max(wide, high) if high else stored[0] / wide  # the picture may have been turned since
    return focal * resolution / unit * resized


def _positive_number(value: Any) -> float | None:
    """The positive number in a tag; None if there is none, or no such thing. In EXIF, 0 means "not known"."""
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if _SMALLEST_TAG <= number <= _LARGEST_TAG else None
