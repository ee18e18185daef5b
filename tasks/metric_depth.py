"""How far a point is from the camera."""

from toolkit.abstract_task import Task
from toolkit.metrics import RelativeAccuracy
from toolkit.query import Query
from toolkit.registry import task


@task("metric_depth")
class MetricDepth(Task):
    """Euclidean distance of the point from the camera centre [m]."""

    points = 1
    unit = "m"
    metric = RelativeAccuracy()
    gives = "distance"
    asks = (
        r"\bhow (far|close|near|distant)\b(?!.*\b(between|apart|from each other|principal|axis)\b)",
        r"(?<!z-)(?<!z )\b(distance|depth|range)\b(?!.*\b(between|apart|principal|axis)\b)",
    )

    def label(self, query: Query) -> float:
        """Distance of the point [m]."""
        return query.points[0].distance
