"""A Query: the Views that one question is about, and the points in them.

Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from toolkit.data.frames.objects import SceneObject
from toolkit.errors import UserError
from toolkit.geometry.pose import inverse
from toolkit.qa.canonical_view import View
from toolkit.utils.arrays import Array


@dataclass(frozen=True)
class Point:
    """A pixel that a question is about.

    Attributes:
        name: The name in question and answer: a colour if the point is marked, otherwise a letter.
        pixel: The pixel (2,), (u, v) [px] in the View's picture.
        depth_z: The depth along the principal axis [m]; NaN when a user asks.
        distance: The Euclidean distance from the camera centre [m]; NaN when a user asks.
        xyz: The point (3,) [m] in the View's camera frame; NaN when a user asks.
        view: The index of the point's View in the Query.
    """

    name: str
    pixel: Array
    depth_z: float
    distance: float
    xyz: Array
    view: int = 0


def point_in(view: View, name: str, pixel: ArrayLike, depth_z: float = np.nan, index: int = 0) -> Point:
    """Make the Point at a pixel of a View.

    Args:
        view: The View.
        name: The name of the point.
        pixel: The pixel (2,), (u, v) [px] in the View's picture.
        depth_z: The depth along the principal axis [m]; NaN if it is not known.
        index: The index of the View in the Query.
    """
    where = np.asarray(pixel, dtype=np.float64)
    xyz = np.full(3, np.nan) if np.isnan(depth_z) else view.camera.unproject(where, depth_z)
    return Point(name, where, float(depth_z), float(np.linalg.norm(xyz)), xyz, index)


@dataclass(frozen=True)
class Query:
    """What one question is about.

    Attributes:
        views: One or two Views.
        points: The points that are asked about, in the order of the question.
        given: What the question states, by name: numbers in SI units (``{"time": 4.0}``), and the names of the objects
            that it asks about (``{"thing": "star"}``).
    """

    views: tuple[View, ...]
    points: tuple[Point, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The objects that the first View shows, as far as they are known."""
        return self.views[0].objects if self.views else ()

    @property
    def first_from_second(self) -> Array:
        """The pose (4, 4) [m] of the second View's camera in the frame of the first View's camera.

        Raises:
            UserError: If there are not two Views with poses.
        """
        poses = [view.frame.world_from_camera for view in self.views]
        if len(poses) != 2 or poses[0] is None or poses[1] is None:
            raise UserError("this question needs two pictures with poses")
        return inverse(poses[0]) @ poses[1]

    def placed(self, depth_z: Sequence[float]) -> "Query":
        """The same question with its points at other depths, such as those that a model gives.

        Args:
            depth_z: The new depth of each point along the principal axis [m].
        """
        points = tuple(
            point_in(self.views[point.view], point.name, point.pixel, depth, point.view)
            for point, depth in zip(self.points, depth_z, strict=True)
        )
        return replace(self, points=points)
