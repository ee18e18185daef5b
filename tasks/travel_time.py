"""How long it takes to reach a point at a given speed."""

from collections.abc import Mapping

import numpy as np

from toolkit.qa.parsing.question_phrases import AT_SPEED, COLOR, OTHER_MEASURE, TIME
from toolkit.qa.query import Query
from toolkit.qa.tasks.registry import task
from toolkit.qa.tasks.travel_task import TravelTask, read_stated

_TIME_ASKED = rf"(?:\bhow (?:long|soon|much time|many {TIME})\b|\b(?:time|when|duration)\b|^{TIME})"
_QUICKLY = r"\bhow quickly\b"
_ARRIVE = r"\b(?:reach|reaching|get to|get there|arrive|hit|crash|collide|collision|contact|impact|touch|bump into)\b"


@task("travel_time")
class TravelTime(TravelTask):
    """Time needed to reach the point at the given speed, from the camera, in a straight line [s]."""

    unit = "s"
    speeds = (0.5, 5.0)
    """The lowest and the highest speed that generated questions state [m/s]."""
    asks = (
        r"\b(?:ttc|eta|(?:travel|arrival|walking) time|time[- ]to[- ](?:contact|collision|impact|reach|arrive))\b",
        rf"{_TIME_ASKED}.*{_ARRIVE}",
        rf"{AT_SPEED}.*(?:{_TIME_ASKED}|{_QUICKLY})|(?:{_TIME_ASKED}|{_QUICKLY}).*{AT_SPEED}",
        rf"\b(?:time|how long .*\btakes?) (?:to|until|till) (?:the )?{COLOR}",
    )
    asks_not = (
        OTHER_MEASURE,
        r"\bhow (?:fast|far|close)\b|\b(?:what|which) (?:speed|velocity)\b|\btime (?:zone|was|is)\b",
        r"\b(?:passed|elapsed|built|taken|ago|opened)\b",
    )

    def answer_for(self, distance: float, query: Query) -> float:
        """The time [s]."""
        return distance / query.given["speed"]

    def given(self, query: Query, rng: np.random.Generator) -> Mapping[str, float]:
        """A speed [m/s], rounded to tenths."""
        return {"speed": round(10 * float(rng.uniform(*self.speeds))) / 10}

    def given_in(self, question: str) -> Mapping[str, float]:
        """The speed that the question states [m/s]."""
        return read_stated(question, "speed", "m/s", example="how long does it take at 1.5 m/s")
