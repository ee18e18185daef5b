"""How many of a kind there are."""

from collections.abc import Mapping

import numpy as np

from toolkit.data.frames.objects import NAMES, counts, names_in
from toolkit.errors import UserError
from toolkit.qa.metrics import Accuracy
from toolkit.qa.parsing.object_answer import read_count
from toolkit.qa.query import Query
from toolkit.qa.registry import task
from toolkit.qa.task import GENERAL, Task


@task("object_count")
class ObjectCount(Task):
    """How many objects of the picture's most frequent kind there are."""

    points = 0
    needs = "objects"
    group = GENERAL
    metric = Accuracy()
    scales = False
    asks = (rf"\bhow many\b.*\b({'|'.join(NAMES)})s\b",)

    def label(self, query: Query) -> str:
        """The number, in digits."""
        return str(counts(query.objects)[query.given["thing"]])

    def given(self, query: Query, rng: np.random.Generator) -> Mapping[str, str]:
        """The most frequent kind, one of several: of any other there is mostly one."""
        count = counts(query.objects)
        most = [name for name, number in count.items() if number == max(count.values())]
        return {"thing": str(rng.choice(most))} if most else {}

    def given_in(self, question: str) -> Mapping[str, str]:
        """The kind that the question names."""
        names = names_in(question)
        if len(names) != 1:
            raise UserError(
                f"the question does not name one kind of thing: {question!r}",
                remedy='say it, as in "how many stars are there"',
            )
        return {"thing": names[0]}

    def accepts(self, query: Query) -> bool:
        """Whether there is something to count."""
        return bool(query.given)

    def write(self, value: str, query: Query) -> str:
        """The digits."""
        return value

    def read(self, text: str, query: Query) -> str | None:
        """The number of such objects that the answer gives, if it gives one."""
        count = read_count(text, query.given["thing"], NAMES)
        return None if count is None else str(count)
