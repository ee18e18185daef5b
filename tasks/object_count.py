"""How many objects of one kind there are."""

from collections.abc import Mapping

import numpy as np

from toolkit.data.frames.objects import NAMES, counts
from toolkit.qa.parsing.object_answer import read_count
from toolkit.qa.query import Query
from toolkit.qa.tasks.object_task import ObjectTask, read_names
from toolkit.qa.tasks.registry import task


@task("object_count")
class ObjectCount(ObjectTask):
    """How many objects of the picture's most frequent kind there are."""

    asks = (rf"\bhow many\b.*\b({'|'.join(NAMES)})s\b",)

    def label(self, query: Query) -> str:
        """The number, in digits."""
        return str(counts(query.objects)[query.given["thing"]])

    def given(self, query: Query, rng: np.random.Generator) -> Mapping[str, str]:
        """The most frequent kind of object, or one of several such kinds; other kinds mostly have a single object."""
        count = counts(query.objects)
        most = [name for name, number in count.items() if number == max(count.values())]
        return {"thing": str(rng.choice(most))} if most else {}

    def given_in(self, question: str) -> Mapping[str, str]:
        """The kind that the question names."""
        (name,) = read_names(question, 1, "one kind of thing", example="how many stars are there")
        return {"thing": name}

    def read(self, text: str, query: Query) -> str | None:
        """The number of such objects that the answer gives, in digits; None if it gives none."""
        count = read_count(text, query.given["thing"], NAMES)
        return None if count is None else str(count)
