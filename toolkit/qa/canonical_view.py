"""A View: a Frame made canonical, with its labels. It is what the model will see, before marks are drawn.

Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from toolkit.data.frames.frame import Frame, ImageFile, LabelMap
from toolkit.data.frames.objects import SceneObject
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.resample import coverage, resample, to_canonical
from toolkit.qa.view_labels import GridLabels, PointLabels, ViewLabels
from toolkit.utils.arrays import Array, Pixels


@dataclass(frozen=True)
class View:
    """A Frame made canonical: what the model will see, before marks are drawn.

    Attributes:
        frame: The Frame that the View was made from.
        pixels: The picture (height, width, 3) uint8 RGB.
        camera: The camera of ``pixels``: fx = fy = the canonical focal length, without distortion.
        labels: The labelled pixels of this View, or None.
        objects: The objects of the Frame that this View shows, as far as they are known, in pixels of the View.
    """

    frame: Frame
    pixels: Pixels
    camera: Camera
    labels: ViewLabels | None = None
    objects: tuple[SceneObject, ...] = ()

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask (height, width), True where ``pixels`` shows the picture and not padding."""
        return coverage(self.frame.camera, self.camera)

    @property
    def points(self) -> Array:
        """All labelled pixels (N, 2) of this View."""
        return np.empty((0, 2)) if self.labels is None else self.labels.points

    @property
    def depth_z(self) -> Array:
        """The depth_z (N,) [m] of all labelled pixels, in the frame of ``camera``."""
        return np.empty(0) if self.labels is None else self.labels.depth_z


def canonicalise(frame: Frame, camera: Camera, labelled: bool = True) -> View:
    """Make the View of a Frame through a canonical camera.

    Args:
        frame: The Frame, whose picture is read.
        camera: The canonical camera, without distortion (see ``Canonicalisation.window``).
        labelled: Whether labels and objects are read, too, and moved to the pixels of the View.

    Raises:
        UserError: If the picture cannot be read, or has another size than its camera says.
    """
    picture, source = _read_picture(frame, camera)
    labels: ViewLabels | None = None
    points: tuple[Array, Array] | None = None
    if labelled and isinstance(frame.labels, LabelMap) and not frame.camera.distortion:
        labels = GridLabels(frame.labels.grid(frame.camera), frame.camera, camera)
    elif labelled and frame.labels is not None:
        points = frame.labels.read(frame.camera)
    pixels = resample(picture, source, camera)
    if points is not None:
        moved = to_canonical(frame.camera, camera, points[0])
        inside = camera.contains(moved)
        labels = PointLabels(moved[inside], points[1][inside], camera)
    view = View(frame, pixels, camera, labels)
    if labelled and frame.objects is not None:
        view = replace(view, objects=_shown_objects(frame.objects.read(), frame.camera, camera))
    return view


def _read_picture(frame: Frame, camera: Camera) -> tuple[Pixels, Camera]:
    """The picture of a Frame and the camera that is true of it; decoded at half its size or less where that suffices.

    Raises:
        UserError: If the picture cannot be read, or has another size than its camera says.
    """
    if isinstance(frame.picture, ImageFile):
        picture, factor = frame.picture.read_reduced(min(frame.camera.fx / camera.fx, frame.camera.fy / camera.fy))
    else:
        picture, factor = frame.picture.read(), 1
    height, width = picture.shape[:2]
    if (width, height) != (-(-frame.camera.width // factor), -(-frame.camera.height // factor)):
        height, width = frame.picture.read().shape[:2]
        raise UserError(
            f"{frame.name}: the picture is {width} x {height} px, its intrinsics are for "
            f"{frame.camera.width} x {frame.camera.height}",
            remedy="give the intrinsics of this size: fx and cx scale with the width, fy and cy with the height",
        )
    if factor == 1:
        return picture, frame.camera
    fx, fy, cx, cy = frame.camera.intrinsics[:4]
    centre = (cx + 0.5) / factor - 0.5, (cy + 0.5) / factor - 0.5
    return picture, Camera(fx / factor, fy / factor, *centre, width, height, frame.camera.distortion)


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
