"""What the tasks about the objects in a picture share."""

from toolkit.data.frames.objects import names_in
from toolkit.errors import UserError
from toolkit.qa.metrics import Accuracy
from toolkit.qa.query import Query
from toolkit.qa.tasks.task import GENERAL, Task


class ObjectTask(Task):
    """A question about the objects in a picture, which is answered by one word.

    A subclass overrides ``label``, ``read``, and ``given`` and ``given_in`` for the objects that the question names.
    """

    points = 0
    needs = "objects"
    group = GENERAL
    metric = Accuracy()
    scales = False

    def accepts(self, query: Query) -> bool:
        """Whether the picture has objects to ask about."""
        return bool(query.given)

    def write(self, value: str, query: Query) -> str:
        """The word itself."""
        return value


def read_names(question: str, count: int, kind: str, example: str) -> list[str]:
    """Read the names of objects in a user's question.

    Args:
        question: The user's words.
        count: The number of names that the question must have.
        kind: What they name, in words: "one thing".
        example: A question with so many names.

    Raises:
        UserError: If the question has another number of names.
    """
    names = names_in(question)
    if len(names) != count:
        raise UserError(
            f"the question does not name {kind}: {question!r}",
            remedy=f'say {"it" if count == 1 else "them"}, as in "{example}"',
        )
    return names
