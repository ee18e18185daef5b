"""How fast one must go to reach a point in a given time."""

from collections.abc import Mapping

import numpy as np

from toolkit.errors import UserError
from toolkit.qa.metrics import RelativeAccuracy
from toolkit.qa.parsing import answer
from toolkit.qa.parsing.phrases import AT_SPEED, COLOR, IN_TIME, OTHER_MEASURE, SPEED, TIME
from toolkit.qa.query import Query
from toolkit.qa.registry import task
from toolkit.qa.task import Task

_SPEED_ASKED = rf"(?:\bhow (?:fast|quick|quickly|slow|slowly)\b|\b(?:speed|velocity|pace|slowest)\b|\bhow many {SPEED})"


@task("travel_speed")
class TravelSpeed(Task):
    """Speed needed to reach the point in the given time, from the camera, in a straight line [m/s]."""

    points = 1
    unit = "m/s"
    metric = RelativeAccuracy()
    times = (1.0, 10.0)
    """Shortest and longest time that generated questions give [s]."""
    asks = (
        rf"{_SPEED_ASKED}.*\b(?:must|need|needs|needed|require|required|necessary|have to|has to|should|would|can i)\b",
        rf"\b(?:minimum|needed|required|necessary|average)\b.*{_SPEED_ASKED}",
        rf"{_SPEED_ASKED}.*\b(?:to|for) (?:reach|get|hit|be|arrive|cover|reaching|covering|(?:the )?{COLOR})",
        rf"{IN_TIME}.*{_SPEED_ASKED}|{_SPEED_ASKED}.*{IN_TIME}",
    )
    asks_not = (
        OTHER_MEASURE,
        r"\bhow fast (?:is|are|was|were|did|has)\b|\b(?:speed|velocity) of (?:the|this|that|a)\b",
        rf"\bhow (?:long|far|soon|close|much time|many {TIME})\b|\bwhen\b|{AT_SPEED}",
    )

    def label(self, query: Query) -> float:
        """Speed [m/s]."""
        return query.points[0].distance / query.given["time"]

    def given(self, query: Query, rng: np.random.Generator) -> Mapping[str, float]:
        """A time [s], in half seconds."""
        return {"time": round(2 * float(rng.uniform(*self.times))) / 2}

    def given_in(self, question: str) -> Mapping[str, float]:
        """The time that the question gives [s]."""
        time = answer.read_quantity(question, "s")
        if time is None or time.value <= 0:
            raise UserError(
                f"the question gives no time: {question!r}",
                remedy='say it, as in "how fast must I go to be there in 4 s"',
            )
        return {"time": time.value}

    def variables(self, query: Query) -> Mapping[str, float]:
        """The distance [m], for the working."""
        return {"distance": query.points[0].distance}

    def rework(self, text: str, query: Query) -> float | None:
        """The distance of the working by the time of the question; without working, the value read."""
        distance = answer.read_dividend(text, "m")
        return self.read(text, query) if distance is None else distance.value / query.given["time"]
