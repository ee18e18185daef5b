"""What the tasks about travel share: the distance of a point, divided by a number that the question states."""

from collections.abc import Mapping

from toolkit.errors import UserError
from toolkit.qa.metrics import RelativeAccuracy
from toolkit.qa.parsing import answer
from toolkit.qa.query import Query
from toolkit.qa.tasks.task import Task


class TravelTask(Task):
    """A question about going from the camera to a point, in a straight line.

    A subclass overrides ``answer_for``, and ``given`` and ``given_in`` for the number that the question states.
    """

    points = 1
    metric = RelativeAccuracy()

    def answer_for(self, distance: float, query: Query) -> float:
        """The answer for a point at this Euclidean distance [m] from the camera centre, in ``unit``."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it answers: override `answer_for`")

    def label(self, query: Query) -> float:
        """The answer for the true distance of the point."""
        return self.answer_for(query.points[0].distance, query)

    def variables(self, query: Query) -> Mapping[str, float]:
        """The distance of the point [m], which the working in the answer shows."""
        return {"distance": query.points[0].distance}

    def rework(self, text: str, query: Query) -> float | None:
        """The answer for the distance in the working that a text shows; without working, the value that is read."""
        distance = answer.read_dividend(text, "m")
        return self.read(text, query) if distance is None else self.answer_for(distance.value, query)


def read_stated(question: str, name: str, unit: str, example: str) -> dict[str, float]:
    """Read the positive number that a user's question states.

    Args:
        question: The user's words.
        name: The name of the number, as the template has it: "time".
        unit: The unit of the number: "s".
        example: A question that states such a number.

    Returns:
        The number in ``unit``, under its name.

    Raises:
        UserError: If the question states no such number, or one that is not positive.
    """
    quantity = answer.read_quantity(question, unit)
    if quantity is None or quantity.value <= 0:
        raise UserError(f"the question gives no {name}: {question!r}", remedy=f'say it, as in "{example}"')
    return {name: quantity.value}
