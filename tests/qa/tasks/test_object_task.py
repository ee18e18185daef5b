"""The names of objects in a question."""

import pytest

from toolkit.errors import UserError
from toolkit.qa.tasks.object_task import read_names


def test_names_are_read_in_the_order_of_the_question() -> None:
    assert read_names("is the star left of the circle", 2, "two things", example="") == ["star", "circle"]


@pytest.mark.parametrize(("count", "pronoun"), [(1, "it"), (3, "them")])
def test_another_number_of_names_is_an_error_with_an_example(count: int, pronoun: str) -> None:
    with pytest.raises(UserError, match="the question does not name what it must") as caught:
        read_names("is the star left of the circle", count, "what it must", example="like this")
    assert f'say {pronoun}, as in "like this"' in str(caught.value)
