"""A View: a Frame made canonical, with its labels. It is what the model will see, before marks are drawn.

Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from toolkit.data.frames.frame import Frame
from toolkit.data.frames.objects import SceneObject
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.canonical import resample, to_canonical
from toolkit.utils.arrays import Array, Pixels


@dataclass(frozen=True)
class View:
    """A Frame made canonical: what the model will see, before marks are drawn.

    Attributes:
        frame: The Frame that the View was made from.
        pixels: The picture (height, width, 3) uint8 RGB.
        camera: The camera of ``pixels``: fx = fy = the canonical focal length, without distortion.
        points: The labelled pixels (N, 2) of this View.
        depth_z: The depth_z (N,) [m] of these pixels, in the frame of ``camera``.
        mask: The mask (height, width), True where ``pixels`` shows the picture and not padding.
        objects: The objects of the Frame that this View shows, as far as they are known, in pixels of the View.
    """

    frame: Frame
    pixels: Pixels
    camera: Camera
    points: Array = field(default_factory=lambda: np.empty((0, 2)))
    depth_z: Array = field(default_factory=lambda: np.empty(0))
    mask: NDArray[np.bool_] = field(default_factory=lambda: np.ones((0, 0), dtype=bool))
    objects: tuple[SceneObject, ...] = ()


def canonicalise(frame: Frame, camera: Camera, labelled: bool = True) -> View:
    """Make the View of a Frame through a canonical camera.

    Args:
        frame: The Frame, whose picture is read.
        camera: The canonical camera, without distortion (see ``Canonicalisation.window``).
        labelled: Whether labels and objects are read, too, and moved to the pixels of the View.

    Raises:
        UserError: If the picture cannot be read, or has another size than its camera says.
    """
    picture = frame.picture.read()
    height, width = picture.shape[:2]
    if (width, height) != (frame.camera.width, frame.camera.height):
        raise UserError(
            f"{frame.name}: the picture is {width} x {height} px, its intrinsics are for "
            f"{frame.camera.width} x {frame.camera.height}",
            remedy="give the intrinsics of this size: fx and cx scale with the width, fy and cy with the height",
        )
    labels = frame.labels.read(frame.camera) if labelled and frame.labels is not None else None
    pixels, mask = resample(picture, frame.camera, camera)
    view = View(frame, pixels, camera, mask=mask)
    if labels is not None:
        moved = to_canonical(frame.camera, camera, labels[0])
        inside = camera.contains(moved)
        view = replace(view, points=moved[inside], depth_z=labels[1][inside])
    if labelled and frame.objects is not None:
        view = replace(view, objects=_shown_objects(frame.objects.read(), frame.camera, camera))
    return view


def _shown_objects(objects: Sequence[SceneObject], camera: Camera, canonical: Camera) -> tuple[SceneObject, ...]:
    """The objects of a picture that a canonical picture shows at least in part, in pixels of the canonical one."""
    shown = []
    for thing in objects:
        left, top, right, bottom = thing.box
        corners = np.array([[left, top], [right, top], [left, bottom], [right, bottom]])
        moved = to_canonical(camera, canonical, corners)
        low, high = moved.min(axis=0), moved.max(axis=0)
        if np.all(high >= -0.5) and np.all(low <= np.array([canonical.width, canonical.height]) - 0.5):
            whole = thing.whole and bool(canonical.contains(moved).all())
            shown.append(replace(thing, box=(*low.tolist(), *high.tolist()), whole=whole))
    return tuple(shown)
