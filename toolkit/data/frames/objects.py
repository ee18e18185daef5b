"""Objects that a picture shows, each with a name, a colour and a place, for ordinary questions about pictures.

Conventions: see ``toolkit.geometry.camera``.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

NAMES = ("circle", "square", "triangle", "star", "heart", "diamond")
"""The names of the shapes of ``toolkit.data.synthetic.shapes``; an "s" makes the plural."""


@dataclass(frozen=True)
class SceneObject:
    """One object that a picture shows; no other object hides any part of it.

    Attributes:
        name: The name of the object.
        color: The name of its only colour.
        box: The (left, top, right, bottom) of its outline [px]; the centre of the box has the object's colour.
        whole: Whether the picture shows the whole object.
    """

    name: str
    color: str
    box: tuple[float, float, float, float]
    whole: bool = True

    @property
    def center(self) -> tuple[float, float]:
        """The pixel (u, v) in the middle of its box [px]."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    def beside(self, other: "SceneObject") -> bool:
        """Whether there is a column of pixels between the two objects."""
        return self.box[2] + 1 < other.box[0] or other.box[2] + 1 < self.box[0]


class Objects(Protocol):
    """Objects that are read on demand."""

    def read(self) -> tuple[SceneObject, ...]:
        """All objects that the Frame's picture shows, with boxes in its pixels."""


def counts(objects: Sequence[SceneObject]) -> dict[str, int]:
    """The number of objects of each name, in order; a name is left out if one of its objects is cut off."""
    cut = {thing.name for thing in objects if not thing.whole}
    return {name: count for name, count in Counter(thing.name for thing in objects).items() if name not in cut}


def unique(objects: Sequence[SceneObject]) -> list[SceneObject]:
    """The objects that are the only ones of their name; an object that is cut off is left out."""
    count = counts(objects)
    return [thing for thing in objects if count.get(thing.name) == 1]


def named(objects: Sequence[SceneObject], name: str) -> SceneObject:
    """The object of a name that only one object has."""
    (thing,) = (thing for thing in objects if thing.name == name)
    return thing


def names_in(question: str) -> list[str]:
    """The names of shapes that a question mentions, in order, each once; the plural counts too."""
    return list(dict.fromkeys(re.findall(rf"\b({'|'.join(NAMES)})s?\b", question.lower())))
