"""How far two points are from each other."""

import numpy as np

from toolkit.qa.metrics import RelativeAccuracy
from toolkit.qa.parsing.question_phrases import (
    BOTH,
    COLOR,
    LENGTH,
    OTHER_MEASURE,
    PICTURES,
    POINTS,
    TWO_COLORS,
    VIEWER,
    one_of,
)
from toolkit.qa.query import Query
from toolkit.qa.tasks.registry import task
from toolkit.qa.tasks.task import Task

_DISTANCE = (
    r"\b(?:distance|dist|gap|span|spacing|separation|clearance|space|room|length|measure|how far|how close|how distant"
    rf"|how long an? \w+|how long would|how many {LENGTH})\b"
)
"""Words for the distance between two things."""


@task("two_point_distance")
class TwoPointDistance(Task):
    """Euclidean distance between two points in space [m]."""

    points = 2
    unit = "m"
    metric = RelativeAccuracy()
    closest = 0.05
    """Points closer to each other than this [m] are not asked about, because labels are not exact enough for them."""
    asks = (
        rf"{_DISTANCE}.*\b(?:apart|each other|one another)\b|\b(?:apart|each other|one another)\b.*{_DISTANCE}",
        rf"{_DISTANCE}.*\b(?:between|separates?|separating)\b.*(?:{POINTS}|{BOTH})|\bseparation of .*{BOTH}",
        rf"{TWO_COLORS}.*{_DISTANCE}.*\b(?:between|from|to|separates?|separating|connect)\b",
        rf"{TWO_COLORS}.*\b(?:distance|dist)\b(?! (?:to|of) (?:the )?{COLOR}(?: \w+)? and\b)",
        rf"{TWO_COLORS}.*\b(?:gap|span|spacing|separation|clearance|measure|length)\b",
    )
    asks_not = (
        OTHER_MEASURE,
        rf"\bbetween\b.*{VIEWER}|{PICTURES}|\bcamera (?:positions|centres|centers|poses)\b|\bapart (?:were|was|did)\b",
        one_of("time fast quickly speed velocity axis plane people"),
        one_of("depth depths rank order sort compare closer nearer farther further"),
    )

    def label(self, query: Query) -> float:
        """The distance between the points [m]."""
        first, second = query.points
        return float(np.linalg.norm(first.xyz - second.xyz))

    def accepts(self, query: Query) -> bool:
        """Whether the points are far enough apart."""
        return self.label(query) >= self.closest
