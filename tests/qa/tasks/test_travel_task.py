"""The number that a question about travel states, and the answer that follows from a distance."""

import pytest

from toolkit.errors import UserError
from toolkit.qa.query import Query
from toolkit.qa.tasks.travel_task import TravelTask, read_stated


class Twice(TravelTask):
    """Twice the distance over the number that the question states."""

    unit = "m/s"

    def answer_for(self, distance: float, query: Query) -> float:
        return 2 * distance / query.given["time"]


def test_a_stated_number_is_read_in_its_unit() -> None:
    assert read_stated("how fast must I go to be there in 2 minutes", "time", "s", example="") == {"time": 120.0}


@pytest.mark.parametrize("question", ["how fast must I go", "how fast must I go in 0 s", "in 4 m"])
def test_a_question_without_a_positive_number_is_an_error_with_an_example(question: str) -> None:
    with pytest.raises(UserError, match="the question gives no time") as caught:
        read_stated(question, "time", "s", example="be there in 4 s")
    assert 'say it, as in "be there in 4 s"' in str(caught.value)


def test_the_answer_follows_from_the_distance_in_the_working() -> None:
    query = Query((), given={"time": 4.0})
    assert Twice().rework("6.00 m / 4.0 s = 9.99 m/s", query) == 3.0
    assert Twice().rework("9.99 m/s", query) == 9.99
