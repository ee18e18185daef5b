"""On which side of another thing something is."""

import re
from collections.abc import Mapping

import numpy as np

from toolkit.data.frames.objects import NAMES, named, names_in, unique
from toolkit.errors import UserError
from toolkit.qa.metrics import Accuracy
from toolkit.qa.parsing.object_answer import read_side
from toolkit.qa.query import Query
from toolkit.qa.registry import task
from toolkit.qa.task import GENERAL, Task

_NAME = "|".join(NAMES)


@task("object_side")
class ObjectSide(Task):
    """Whether one object is left or right of another in the picture."""

    points = 0
    needs = "objects"
    group = GENERAL
    metric = Accuracy()
    scales = False
    asks = (rf"^(?=.*\bleft\b.*\bright\b|.*\bright\b.*\bleft\b)(?=.*\b({_NAME})\b.*\b({_NAME})\b)",)

    def label(self, query: Query) -> str:
        """The side of the first object: "left" or "right"."""
        first, second = (named(query.objects, query.given[each]) for each in ("first", "second"))
        return "left" if first.center[0] < second.center[0] else "right"

    def given(self, query: Query, rng: np.random.Generator) -> Mapping[str, str]:
        """Two objects that have names of their own, and that no column of pixels shows both of."""
        things = unique(query.objects)
        pairs = [(one.name, other.name) for one in things for other in things if one.beside(other)]
        if not pairs:
            return {}
        first, second = pairs[int(rng.integers(len(pairs)))]
        return {"first": first, "second": second}

    def given_in(self, question: str) -> Mapping[str, str]:
        """The two objects that the question names; the second is the one that sides are "of"."""
        names = names_in(question)
        if len(names) != 2:
            raise UserError(
                f"the question does not name two things: {question!r}",
                remedy='say them, as in "is the star to the left or to the right of the circle"',
            )
        of = re.search(rf"\bof (?:the |an? )?({_NAME})\b", question.lower())
        second = of.group(1) if of else names[1]
        return {"first": names[0] if second == names[1] else names[1], "second": second}

    def accepts(self, query: Query) -> bool:
        """Whether there are two objects to ask about."""
        return bool(query.given)

    def write(self, value: str, query: Query) -> str:
        """The side."""
        return value

    def read(self, text: str, query: Query) -> str | None:
        """The side that the answer puts the first object on, if it does."""
        return read_side(text, query.given["first"], query.given["second"])
