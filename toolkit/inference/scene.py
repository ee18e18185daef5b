"""Scenes: what one question is about, opened once. A Scene has pictures with their cameras, and the user's points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.data.frames.frame import Frame
from toolkit.geometry.camera import Camera
from toolkit.inference.camera_source import CameraFlags, KnownCamera, camera_of
from toolkit.inference.open_picture import OpenedPicture, PictureInput, open_picture
from toolkit.inference.points import LocatedPoint, PointInput, locate_points


@dataclass(frozen=True)
class Scene:
    """The opened pictures of a question.

    Attributes:
        frames: One Frame for each picture, upright and in memory.
        cameras: The camera of each picture, and where it comes from.
        points: The points that the user gives in the first picture, by name.
        warnings: What the user should know about the pictures and cameras.
        orientation: The EXIF orientation by which the first picture was turned upright, 1 to 8.
    """

    frames: tuple[Frame, ...]
    cameras: tuple[KnownCamera, ...]
    points: Mapping[str, LocatedPoint]
    warnings: tuple[str, ...]
    orientation: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """The width and height of the first picture [px]."""
        camera = self.frames[0].camera
        return camera.width, camera.height


def open_scene(
    given: PictureInput | Sequence[PictureInput] | Scene,
    camera: CameraFlags | Camera | None = None,
    points: Mapping[str, PointInput] | None = None,
) -> Scene:
    """Open pictures, and find their cameras and the pixels of points. A Scene is returned as it is.

    Args:
        given: One picture or two: paths, PIL pictures, arrays (height, width, 3) uint8 RGB. Or a Scene.
        camera: What the user says about the camera. By default, it is read from a file beside the picture or from EXIF
            tags, or assumed.
        points: The points by name, in pixels or per cent of the upright first picture.

    Raises:
        UserError: If a picture cannot be read, or the camera or a point does not fit it.
    """
    if isinstance(given, Scene):
        return given
    images: Sequence[PictureInput] = given if isinstance(given, list | tuple) else [given]  # type: ignore[list-item]
    opened = [open_picture(image) for image in images]
    cameras = tuple(camera_of(each, camera) for each in opened)
    frames = tuple(Frame(each.picture, known.camera) for each, known in zip(opened, cameras, strict=True))
    located = locate_points(points, cameras[0].camera) if points else {}
    warnings = [line for each, known in zip(opened, cameras, strict=True) for line in (*each.warnings, *known.warnings)]
    told = tuple(dict.fromkeys([*warnings, *_repetition_warning(opened)]))
    return Scene(frames, cameras, located, told, opened[0].orientation)


def _repetition_warning(opened: Sequence[OpenedPicture]) -> list[str]:
    """A warning if the same picture is given twice; else an empty list."""
    first, *others = (each.picture.pixels for each in opened)
    if not any(np.array_equal(first, other) for other in others):
        return []
    return ["the two pictures are the same, pixel by pixel: nothing can have moved between them"]
