"""How far a point is along the camera's viewing direction."""

from toolkit.qa.metrics import RelativeAccuracy
from toolkit.qa.parsing.question_phrases import COLOR, ELSEWHERE, OTHER_MEASURE
from toolkit.qa.query import Query
from toolkit.qa.tasks.registry import task
from toolkit.qa.tasks.task import Task


@task("principal_axis_distance")
class PrincipalAxisDistance(Task):
    """z-depth of the point: its distance along the principal axis [m]."""

    points = 1
    unit = "m"
    metric = RelativeAccuracy()
    gives = "depth_z"
    asks = (
        r"\b(?:principal|principle|optical|viewing|view|lens|camera|camera's) (?:\w+ )?(?:axis|direction|ray)\b",
        r"\baxis (?:distance|depth)\b",
        r"\bz[- _]?(?:depth|distance|dist|coordinate|value|component|position)\b|\bdepth_z\b",
        rf"\bz\b(?=\W*$| (?:of|at|for|to|in|{COLOR})\b)|\bas z\b",
        r"\b(?:image|camera|sensor|focal) plane\b|\b(?:planar|orthogonal|perpendicular) (?:depth|distance)\b",
    )
    asks_not = (
        OTHER_MEASURE,
        ELSEWHERE,
        r"\b(?:between|apart|euclidean|straight[- ]line|moved?|time|fast|speed|velocity)\b|\bhow (?:long|much)\b",
        r"\b(?:closer|closest|nearer|nearest|farther|farthest|further|furthest)\b",
    )

    def label(self, query: Query) -> float:
        """The z-depth of the point [m]."""
        return query.points[0].depth_z
