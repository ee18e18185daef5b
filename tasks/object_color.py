"""What colour something is."""

from collections.abc import Mapping

import numpy as np

from toolkit.data.frames.objects import NAMES, named, names_in, unique
from toolkit.errors import UserError
from toolkit.qa.metrics import Accuracy
from toolkit.qa.parsing.object_answer import read_property
from toolkit.qa.query import Query
from toolkit.qa.registry import task
from toolkit.qa.task import GENERAL, Task
from toolkit.utils.colors import PALETTE

SYNONYMS = {"violet": "purple"}


@task("object_color")
class ObjectColor(Task):
    """The colour of the one object of its kind in the picture."""

    points = 0
    needs = "objects"
    group = GENERAL
    metric = Accuracy()
    scales = False
    asks = (rf"\b(what|which) colou?r\b.*\b({'|'.join(NAMES)})\b",)

    def label(self, query: Query) -> str:
        """Name of the colour."""
        return named(query.objects, query.given["thing"]).color

    def given(self, query: Query, rng: np.random.Generator) -> Mapping[str, str]:
        """One of the objects that have a name of their own."""
        things = unique(query.objects)
        return {"thing": str(rng.choice([thing.name for thing in things]))} if things else {}

    def given_in(self, question: str) -> Mapping[str, str]:
        """The object that the question names."""
        names = names_in(question)
        if len(names) != 1:
            raise UserError(
                f"the question does not name one thing: {question!r}",
                remedy='say it, as in "what color is the star"',
            )
        return {"thing": names[0]}

    def accepts(self, query: Query) -> bool:
        """Whether there is an object to ask about."""
        return bool(query.given)

    def write(self, value: str, query: Query) -> str:
        """The name."""
        return value

    def read(self, text: str, query: Query) -> str | None:
        """The colour that the answer gives that object, if it gives one."""
        color = read_property(text, query.given["thing"], [*PALETTE, *SYNONYMS], NAMES)
        return SYNONYMS.get(color or "", color)
