"""How long it takes to reach a point at a given speed."""

from collections.abc import Mapping

import numpy as np

from toolkit.errors import UserError
from toolkit.qa.metrics import RelativeAccuracy
from toolkit.qa.parsing import answer
from toolkit.qa.parsing.phrases import AT_SPEED, COLOR, OTHER_MEASURE, TIME
from toolkit.qa.query import Query
from toolkit.qa.registry import task
from toolkit.qa.task import Task

_TIME_ASKED = rf"(?:\bhow (?:long|soon|much time|many {TIME})\b|\b(?:time|when|duration)\b|^{TIME})"
_QUICKLY = r"\bhow quickly\b"
_ARRIVE = r"\b(?:reach|reaching|get to|get there|arrive|hit|crash|collide|collision|contact|impact|touch|bump into)\b"


@task("travel_time")
class TravelTime(Task):
    """Time needed to reach the point at the given speed, from the camera, in a straight line [s]."""

    points = 1
    unit = "s"
    metric = RelativeAccuracy()
    speeds = (0.5, 5.0)
    """Lowest and highest speed that generated questions give [m/s]."""
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

    def label(self, query: Query) -> float:
        """Time [s]."""
        return query.points[0].distance / query.given["speed"]

    def given(self, query: Query, rng: np.random.Generator) -> Mapping[str, float]:
        """A speed [m/s], in tenths."""
        return {"speed": round(10 * float(rng.uniform(*self.speeds))) / 10}

    def given_in(self, question: str) -> Mapping[str, float]:
        """The speed that the question gives [m/s]."""
        speed = answer.read_quantity(question, "m/s")
        if speed is None or speed.value <= 0:
            raise UserError(
                f"the question gives no speed: {question!r}",
                remedy='say it, as in "how long does it take at 1.5 m/s"',
            )
        return {"speed": speed.value}

    def variables(self, query: Query) -> Mapping[str, float]:
        """The distance [m], for the working."""
        return {"distance": query.points[0].distance}

    def rework(self, text: str, query: Query) -> float | None:
        """The distance of the working by the speed of the question; without working, the value read."""
        distance = answer.read_dividend(text, "m")
        return self.read(text, query) if distance is None else distance.value / query.given["speed"]
