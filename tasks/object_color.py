"""What colour something is."""

from collections.abc import Mapping

import numpy as np

from toolkit.data.frames.objects import NAMES, named, unique
from toolkit.qa.parsing.object_answer import read_property
from toolkit.qa.query import Query
from toolkit.qa.tasks.object_task import ObjectTask, read_names
from toolkit.qa.tasks.registry import task
from toolkit.utils.colors import PALETTE

SYNONYMS = {"violet": "purple"}


@task("object_color")
class ObjectColor(ObjectTask):
    """The colour of the one object of its kind in the picture."""

    asks = (rf"\b(what|which) colou?r\b.*\b({'|'.join(NAMES)})\b",)

    def label(self, query: Query) -> str:
        """The name of the colour."""
        return named(query.objects, query.given["thing"]).color

    def given(self, query: Query, rng: np.random.Generator) -> Mapping[str, str]:
        """One of the objects whose name no other object has."""
        things = unique(query.objects)
        return {"thing": str(rng.choice([thing.name for thing in things]))} if things else {}

    def given_in(self, question: str) -> Mapping[str, str]:
        """The object that the question names."""
        (name,) = read_names(question, 1, "one thing", example="what color is the star")
        return {"thing": name}

    def read(self, text: str, query: Query) -> str | None:
        """The colour that the answer says this object has; None if it says none."""
        color = read_property(text, query.given["thing"], [*PALETTE, *SYNONYMS], NAMES)
        return SYNONYMS.get(color or "", color)
