"""JSON that describes a camera: ``photo.json`` beside ``photo.jpg``, and ``camera.json`` of a folder.

Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Mapping
from typing import Any

from toolkit.errors import UserError, did_you_mean
from toolkit.geometry.camera import Camera
from toolkit.geometry.plausibility import check_distortion
from toolkit.utils.json import shown

CAMERA_KEYS = ("intrinsics", "distortion", "model", "depth_type", "depth_scale")
"""The keys that such a file may have; those about depth say what the depth maps of a folder hold."""

MODELS = ("pinhole", "simple_pinhole", "opencv", "brown_conrady", "plumb_bob")
"""The names, in different programs, of camera models that ``Camera`` describes."""

_MOST_UNKNOWN = 5  # unknown keys that are told
_UNDISTORT = "undistort the pictures first, and give the intrinsics of the undistorted ones, without distortion"


def parse_camera(content: Any) -> Camera:
    """The camera that the content of a JSON file describes.

    Raises:
        UserError: If there is no camera in it, it has unknown keys, or the camera is impossible or of another model.
    """
    if not isinstance(content, Mapping) or content.get("intrinsics") is None:
        raise UserError("there is no camera in it", "it has no `intrinsics`")
    _check_keys(content)
    _check_model(content.get("model"))
    intrinsics = content["intrinsics"]
    distortion = [] if content.get("distortion") is None else content["distortion"]
    for name, numbers, count in (("intrinsics", intrinsics, "six"), ("distortion", distortion, "five")):
        if not isinstance(numbers, list) or not all(map(_is_number, numbers)):
            raise UserError("there is no camera in it", f"`{name}` are not {count} numbers")
    try:
        camera = Camera.from_intrinsics(intrinsics, distortion)
    except OverflowError:
        raise UserError("there is no camera in it", "a number in it is too large") from None
    check_distortion(camera)
    return camera


def _check_keys(content: Mapping[str, Any]) -> None:
    unknown = [str(key) for key in content if key not in CAMERA_KEYS][:_MOST_UNKNOWN]
    if unknown:
        raise UserError(
            f"the key{'s' if len(unknown) > 1 else ''} {', '.join(map(shown, unknown))} cannot be used",
            cause="nothing that says something about the camera is passed over",
            remedy="; ".join(f"{shown(key, str)}: {did_you_mean(key, CAMERA_KEYS)}" for key in unknown),
        )


def _check_model(model: Any) -> None:
    """Check the name of the camera model; None stands for a model that can be used."""
    name = "pinhole" if model is None else str(model).lower().replace("-", "_").replace(" ", "_")
    if name not in MODELS:
        raise UserError(
            f"the camera model {shown(model)} is not supported",
            cause=f"only pinhole cameras with k1, k2, p1, p2, k3 are: {', '.join(MODELS)}",
            remedy=_UNDISTORT,
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
