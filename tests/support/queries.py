"""Questions about one point and two points of a flat picture."""

import numpy as np

from toolkit.data.frames.frame import Frame
from toolkit.geometry.camera import Camera
from toolkit.qa.canonical_view import View
from toolkit.qa.query import Query, point_in

CAMERA = Camera(100, 100, 50, 40, 201, 81)


class NoPicture:
    name = "scene"

    def read(self) -> np.ndarray:
        return np.zeros((81, 201, 3), np.uint8)


def view(pose: np.ndarray | None = None) -> View:
    frame = Frame(NoPicture(), CAMERA, world_from_camera=pose)
    return View(frame, frame.picture.read(), CAMERA)


def one_point(**given: float) -> Query:
    """One point at x = 3, y = 0, z = 4 m: 5 m away."""
    return Query((view(),), (point_in(view(), "red", (125, 40), 4.0),), given)


def two_points() -> Query:
    """Red at (0, 0, 2) and blue at (3, 0, 6): 5 m apart."""
    return Query((view(),), (point_in(view(), "red", (50, 40), 2.0), point_in(view(), "blue", (100, 40), 6.0)))
