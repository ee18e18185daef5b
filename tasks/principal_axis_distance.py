"""How far a point is along the camera's viewing direction."""

from toolkit.abstract_task import Task
from toolkit.metrics import RelativeAccuracy
from toolkit.query import Query
from toolkit.registry import task


@task("principal_axis_distance")
class PrincipalAxisDistance(Task):
    """z-depth of the point: its distance along the principal axis [m]."""

    points = 1
    unit = "m"
    metric = RelativeAccuracy()
    gives = "depth_z"
    asks = (
        r"\b(principal|optical|viewing|camera'?s?) (axis|direction)\b",
        r"\bz[- ]?(depth|distance|coordinate)\b",
        r"\bdepth_z\b",
    )

    def label(self, query: Query) -> float:
        """depth_z of the point [m]."""
        return query.points[0].depth_z
