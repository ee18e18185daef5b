"""How fast one must move to reach a point in a given time."""

from collections.abc import Mapping

import numpy as np

from toolkit.qa.parsing.question_phrases import AT_SPEED, COLOR, IN_TIME, OTHER_MEASURE, SPEED, TIME
from toolkit.qa.query import Query
from toolkit.qa.tasks.registry import task
from toolkit.qa.tasks.travel_task import TravelTask, read_stated

_SPEED_ASKED = rf"(?:\bhow (?:fast|quick|quickly|slow|slowly)\b|\b(?:speed|velocity|pace|slowest)\b|\bhow many {SPEED})"


@task("travel_speed")
class TravelSpeed(TravelTask):
    """Speed needed to reach the point in the given time, from the camera, in a straight line [m/s]."""

    unit = "m/s"
    times = (1.0, 10.0)
    """The shortest and the longest time that generated questions state [s]."""
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

    def answer_for(self, distance: float, query: Query) -> float:
        """The speed [m/s]."""
        return distance / query.given["time"]

    def given(self, query: Query, rng: np.random.Generator) -> Mapping[str, float]:
        """A time [s], rounded to half seconds."""
        return {"time": round(2 * float(rng.uniform(*self.times))) / 2}

    def given_in(self, question: str) -> Mapping[str, float]:
        """The time that the question states [s]."""
        return read_stated(question, "time", "s", example="how fast must I go to be there in 4 s")
