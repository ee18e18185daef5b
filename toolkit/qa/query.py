"""A Query: what one question is about, the Views and the points in them.

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
        name: What question and answer call it: a colour where a marker shows it, else a letter.
        pixel: (2,), (u, v) in the View's picture.
        depth_z: Depth along the principal axis [m]; NaN when asking.
        distance: Euclidean distance from the camera centre [m]; NaN when asking.
        xyz: (3,) in the View's camera frame [m]; NaN when asking.
        view: Index of its View in the Query.
    """

    name: str
    pixel: Array
    depth_z: float
    distance: float
    xyz: Array
    view: int = 0


def point_in(view: View, name: str, pixel: ArrayLike, depth_z: float = np.nan, index: int = 0) -> Point:
    """The Point at ``pixel`` (2,) of a View with ``depth_z`` [m]; ``index`` is the View's in the Query."""
    where = np.asarray(pixel, dtype=np.float64)
    xyz = view.camera.unproject(where, depth_z)
    return Point(name, where, float(depth_z), float(np.linalg.norm(xyz)), xyz, index)


@dataclass(frozen=True)
class Query:
    """What one question is about.

    Attributes:
        views: One or two Views.
        points: The points asked about, in the order of the question.
        given: What the question states, by name: numbers in SI units (``{"time": 4.0}``), and what it calls the
            objects that it asks about (``{"thing": "star"}``).
    """

    views: tuple[View, ...]
    points: tuple[Point, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """What the first View shows, as far as it is known."""
        return self.views[0].objects if self.views else ()

    @property
    def first_from_second(self) -> Array:
        """Pose (4, 4) of the second View's camera in the first's frame [m].

        Raises:
            UserError: If there are not two Views with poses.
        """
        poses = [view.frame.world_from_camera for view in self.views]
        if len(poses) != 2 or poses[0] is None or poses[1] is None:
            raise UserError("this question needs two pictures with poses")
        return inverse(poses[0]) @ poses[1]

    def placed(self, depth_z: Sequence[float]) -> "Query":
        """The same question with its points at other depths ``depth_z`` [m], one a point: where a model puts them."""
        points = tuple(
            point_in(self.views[point.view], point.name, point.pixel, depth, point.view)
            for point, depth in zip(self.points, depth_z, strict=True)
        )
        return replace(self, points=points)
