"""What a picture shows: objects with a name, a colour and a place, for ordinary questions about pictures.

Conventions: see ``toolkit.geometry.camera``.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

NAMES = ("circle", "square", "triangle", "star", "heart", "diamond")
"""What the shapes of ``toolkit.data.synthetic.shapes`` are called; an "s" makes the plural."""


@dataclass(frozen=True)
class SceneObject:
    """One thing that a picture shows; no other hides any of it.

    Attributes:
        name: What it is called.
        color: Name of its one colour.
        box: (left, top, right, bottom) of its outline [px]; its centre has the object's colour.
        whole: Whether the picture shows all of it.
    """

    name: str
    color: str
    box: tuple[float, float, float, float]
    whole: bool = True

    @property
    def center(self) -> tuple[float, float]:
        """(u, v) of the middle of its box [px]."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    def beside(self, other: "SceneObject") -> bool:
        """Whether there is a column of pixels between the two."""
        return self.box[2] + 1 < other.box[0] or other.box[2] + 1 < self.box[0]


class Objects(Protocol):
    """Where the objects of a Frame come from."""

    def read(self) -> tuple[SceneObject, ...]:
        """Everything that the Frame's picture shows, in its pixels."""


def counts(objects: Sequence[SceneObject]) -> dict[str, int]:
    """How many objects there are of each name, in order; names of which one is cut off are left out."""
    cut = {thing.name for thing in objects if not thing.whole}
    return {name: count for name, count in Counter(thing.name for thing in objects).items() if name not in cut}


def unique(objects: Sequence[SceneObject]) -> list[SceneObject]:
    """The objects that their name alone tells from all others, whole."""
    count = counts(objects)
    return [thing for thing in objects if count.get(thing.name) == 1]


def named(objects: Sequence[SceneObject], name: str) -> SceneObject:
    """The object of a name that only one has."""
    (thing,) = (thing for thing in objects if thing.name == name)
    return thing


def names_in(question: str) -> list[str]:
    """The names of shapes in a question, in order, each once; plurals count."""
    return list(dict.fromkeys(re.findall(rf"\b({'|'.join(NAMES)})s?\b", question.lower())))
