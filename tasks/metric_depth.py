"""How far a point is from the camera."""

from toolkit.qa.metrics import RelativeAccuracy
from toolkit.qa.parsing.question_phrases import (
    COLOR,
    DOT,
    ELSEWHERE,
    LENGTH,
    OTHER_MEASURE,
    PICTURES,
    POINT,
    VIEWER,
    one_of,
)
from toolkit.qa.query import Query
from toolkit.qa.tasks.registry import task
from toolkit.qa.tasks.task import Task

_ABOUT = one_of(
    "to of from at for in is on between away value measurement estimate reading please there here would will does do "
    "am are it off the this that i you we and with as pls mm cm m ft km meters metres feet inches yards per was come"
)
"""Words that may follow "distance" if it is not part of a name ("distance learning")."""


@task("metric_depth")
class MetricDepth(Task):
    """Euclidean distance of the point from the camera centre [m]."""

    points = 1
    unit = "m"
    metric = RelativeAccuracy()
    gives = "distance"
    asks = (
        r"\bhow (?:far|distant|remote)\b|\b(?:line of sight|rangefinder|lidar)\b",
        rf"\bhow (?:close|near) (?:is|are|am|to|do|does|lies)\b.*(?:{COLOR}|{POINT}|{VIEWER})",
        rf"\bhow deep is (?:the )?(?:\w+ )?{DOT}",
        rf"\b(?:distance|dist|depth|range)\b(?! (?!{_ABOUT}|{COLOR}|{DOT})[a-z])",
        rf"\bhow many {LENGTH} (?:away|off|ahead|to|from|is|are|am|in front|separate .*{VIEWER})\b",
        rf"^{LENGTH} (?:to|from|away)\b",
    )
    asks_not = (
        OTHER_MEASURE,
        ELSEWHERE,
        rf"{COLOR}.*\bfrom\b.*{COLOR}|{COLOR}(?: \w+)?\W+(?:(?:and|or|to|the) )*{COLOR}",
        rf"\bbetween\b(?!.*{VIEWER})|\b(?:both|two|second|these|first) {PICTURES}|\beach other\b|\bone another\b",
        r"\bhow (?:much(?! (?:distance|space))|long(?! is the (?:distance|way))|far (?:did|has|have|had|can|could))\b",
        one_of("apart separating move moved motion turned traveled travelled drove driven flown"),
        one_of("time fast quickly soon speed velocity pace which order compare greater smaller direction"),
        one_of("closer closest nearer nearest farther farthest further furthest"),
        one_of("along axis plane planar orthogonal perpendicular z zdepth depth_z"),
    )

    def label(self, query: Query) -> float:
        """The distance of the point [m]."""
        return query.points[0].distance
