"""How far two points are from each other."""

import numpy as np

from toolkit.abstract_task import Task
from toolkit.metrics import RelativeAccuracy
from toolkit.query import Query
from toolkit.registry import task


@task("two_point_distance")
class TwoPointDistance(Task):
    """Euclidean distance between two points in space [m]."""

    points = 2
    unit = "m"
    metric = RelativeAccuracy()
    closest = 0.05
    """Points nearer than this [m] are not asked about: labels are not exact enough for them."""
    asks = (
        r"\b(distance|far|gap|length|space|metres?|meters?)\b.*\b(between|apart|from each other)\b",
        r"\b(how far|distance)\b.*\bfrom\b.*\bto\b",
        r"\bapart\b",
    )

    def label(self, query: Query) -> float:
        """Distance between the points [m]."""
        first, second = query.points
        return float(np.linalg.norm(first.xyz - second.xyz))

    def accepts(self, query: Query) -> bool:
        """Whether the points are far enough apart."""
        return self.label(query) >= self.closest
