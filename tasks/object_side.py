"""On which side of another object something is."""

import re
from collections.abc import Mapping

import numpy as np

from toolkit.data.frames.objects import NAMES, named, unique
from toolkit.qa.parsing.object_answer import read_side
from toolkit.qa.query import Query
from toolkit.qa.tasks.object_task import ObjectTask, read_names
from toolkit.qa.tasks.registry import task

_NAME = "|".join(NAMES)


@task("object_side")
class ObjectSide(ObjectTask):
    """Whether one object is left or right of another in the picture."""

    asks = (rf"^(?=.*\bleft\b.*\bright\b|.*\bright\b.*\bleft\b)(?=.*\b({_NAME})\b.*\b({_NAME})\b)",)

    def label(self, query: Query) -> str:
        """The side on which the first object is: "left" or "right"."""
        first, second = (named(query.objects, query.given[each]) for each in ("first", "second"))
        return "left" if first.center[0] < second.center[0] else "right"

    def given(self, query: Query, rng: np.random.Generator) -> Mapping[str, str]:
        """Two objects whose names no other object has, with at least one column of pixels between them."""
        things = unique(query.objects)
        pairs = [(one.name, other.name) for one in things for other in things if one.beside(other)]
        if not pairs:
            return {}
        first, second = pairs[int(rng.integers(len(pairs)))]
        return {"first": first, "second": second}

    def given_in(self, question: str) -> Mapping[str, str]:
        """The two objects that the question names; the second one is the one after "of"."""
        names = read_names(question, 2, "two things", example="is the star to the left or to the right of the circle")
        of = re.search(rf"\bof (?:the |an? )?({_NAME})\b", question.lower())
        second = of.group(1) if of else names[1]
        return {"first": names[0] if second == names[1] else names[1], "second": second}

    def read(self, text: str, query: Query) -> str | None:
        """The side on which the answer puts the first object; None if it gives none."""
        return read_side(text, query.given["first"], query.given["second"])
