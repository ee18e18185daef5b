"""Samples: the pictures and words that a Query becomes. Only ``Presenter`` in this module makes them.

Training, evaluation and asking all use ``Presenter``. Conventions: see ``toolkit.geometry.camera``.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from string import ascii_uppercase
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from toolkit.data.frames.frame import Frame
from toolkit.geometry.canonical import Canonicalisation
from toolkit.qa.canonical_view import View, canonicalise
from toolkit.qa.marker import Marker
from toolkit.qa.query import Point, Query
from toolkit.qa.tasks.task import Task
from toolkit.utils.arrays import Pixels


@dataclass(frozen=True)
class Hints:
    """The hints of a Sample: what training teaches besides the answers.

    Attributes:
        patches: The share of the image tokens that are taught the word of their patch.
        points: Whether the names of marks are taught where their mark lies.
        marked: Whether points are marked in the pictures. Image tokens are then taught the names of the marks that they
            show.
        seed: The seed that draws which image tokens are taught. Those that show marks always are.
    """

    patches: float = 0.0
    points: bool = False
    marked: bool = True
    seed: int = 0


NO_HINTS = Hints()
"""The hints of a Sample with which training teaches the answers alone."""

Reference = Literal["marker", "text", "none"]
"""How a question says which point it means. ``none`` leaves it open, to measure how much the model uses the point."""

TEXT_GRID = 2000
"""Coordinates in a question go from 0 to this number across the View (Cai et al. 2026, arXiv 2605.30561), unless a
model was trained with another grid."""

_TURN_SEPARATION_FOCALS = 0.04
"""How far apart points of different questions are, in focal lengths; about 2 degrees.

At this distance, the answer to one question does not give away the answer to the other.
"""


@dataclass(frozen=True)
class Turn:
    """One question with its answer.

    Attributes:
        prompt: The question.
        completion: The true answer as text; "" when a user asks.
        task: The name of the task.
        truth: The true value in the task's unit; None when a user asks.
        query: What the question is about.
        phrasing: The name of the template block that words the question.
    """

    prompt: str
    completion: str
    task: str
    truth: Any
    query: Query = field(repr=False)
    phrasing: str = "question"


@dataclass(frozen=True)
class Sample:
    """What the trainer sees, and where it came from. The properties describe the first question.

    Attributes:
        images: The marked pictures, each (H, W, 3) uint8 RGB.
        turns: The questions about the pictures: one, unless a recipe asks for more.
        source: The name of the source; "" when a user asks.
        redraws: How many times Frames and points were drawn before that could not be asked about.
        hints: What training teaches besides the answers.
    """

    images: tuple[Pixels, ...]
    turns: tuple[Turn, ...]
    source: str = ""
    redraws: int = 0
    hints: Hints = NO_HINTS

    @property
    def prompt(self) -> str:
        """The question."""
        return self.turns[0].prompt

    @property
    def completion(self) -> str:
        """The true answer as text."""
        return self.turns[0].completion

    @property
    def task(self) -> str:
        """The name of the task."""
        return self.turns[0].task

    @property
    def truth(self) -> Any:
        """The true value in the task's unit."""
        return self.turns[0].truth

    @property
    def query(self) -> Query:
        """What the question is about."""
        return self.turns[0].query

    @property
    def frames(self) -> tuple[str, ...]:
        """The names of the pictures."""
        return tuple(view.frame.name for view in self.query.views)

    def fingerprint(self) -> str:
        """The SHA-256 hash of everything the model sees, and of the true value."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(repr(image.shape).encode() + image.tobytes())
        for turn in self.turns:
            digest.update(repr((turn.prompt, turn.completion, turn.task, turn.truth, self.frames)).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Presenter:
    """How Queries are shown and worded. A checkpoint keeps this in its contract.

    Attributes:
        canonicalisation: How pictures are made canonical: focal length, canvas and crop.
        marker: How points are marked.
        reference: Whether points are marked in the picture, or given as coordinates in the text, or neither.
        think: Whether answers begin with the ``think`` sentence of the template.
        text_grid: The number that coordinates in a question have at the right and lower border of the View.
    """

    canonicalisation: Canonicalisation
    marker: Marker = Marker()
    reference: Reference = "marker"
    think: bool = False
    text_grid: int = TEXT_GRID

    @property
    def uncropped(self) -> "Presenter":
        """The same presenter, but it shows whole pictures: for evaluation and asking."""
        return replace(self, canonicalisation=replace(self.canonicalisation, crop=None))

    @property
    def clearance(self) -> float:
        """The least distance [px] of a point from the border of the View. Nearer points are not asked about."""
        return float(self.marker.reach) if self.reference == "marker" else 0.5

    @property
    def separation(self) -> float:
        """The least distance [px], along u or along v, between the points of one question."""
        return 2.0 * self.marker.reach if self.reference == "marker" else 2.0

    @property
    def turn_separation(self) -> float:
        """The least distance [px], along u or along v, between points of different questions about one picture."""
        return max(self.separation, _TURN_SEPARATION_FOCALS * self.canonicalisation.focal)

    def names(self, rng: np.random.Generator | None, count: int, taken: Collection[str] = ()) -> list[str]:
        """Choose names for points: colours of the marker, or letters if points are not marked.

        Args:
            rng: The generator that shuffles the colours; None keeps their order.
            count: How many names are wanted. There are fewer if the colours or letters run out.
            taken: The names that must not be used again.
        """
        if self.reference != "marker":
            return [letter for letter in ascii_uppercase if letter not in taken][:count]
        colors = [color for color in self.marker.colors if color not in taken]
        return [str(color) for color in (rng.permutation(colors) if rng is not None else colors)[:count]]

    def shown_names(self, called: Sequence[str]) -> list[str]:
        """The names of a user's points in the question: the colours that the user gives, or letters.

        If the model knows one colour alone, a single point gets it, whatever the user calls the point.

        Args:
            called: What the user calls the points.
        """
        one_color = len(self.marker.colors) == 1 and len(called) == 1
        return list(called) if self.reference == "marker" and not one_color else self.names(None, len(called))

    def view(
        self,
        frame: Frame,
        rng: np.random.Generator | None = None,
        keep: ArrayLike = (),
        labelled: bool = True,
    ) -> View:
        """Make the canonical View of a Frame; see ``Canonicalisation.window`` and ``canonicalise`` for arguments."""
        return canonicalise(frame, self.canonicalisation.window(frame.camera, rng, keep), labelled)

    def present(self, task: Task, query: Query, truth: Any = None, rng: np.random.Generator | None = None) -> Sample:
        """Make the Sample of one Query. See ``turn`` for the arguments."""
        return self.gather([self.turn(task, query, truth, rng)])

    def turn(self, task: Task, query: Query, truth: Any = None, rng: np.random.Generator | None = None) -> Turn:
        """Word one question and its answer.

        Args:
            task: The task whose question is asked.
            query: What the question is about.
            truth: The task's label of the query; None when a user asks, and then no answer is written.
            rng: The generator that draws the phrasing; None takes the first one.
        """
        variables = self._variables(task, query)
        words = task.words
        block = words.questions[int(rng.integers(len(words.questions))) if rng is not None else 0]
        completion = ""
        if truth is not None:
            answer = task.write(truth, query)
            completion = words.answer({**variables, **task.variables(query), "answer": answer}, self.think)
        return Turn(words.question(block, variables), completion, task.name, truth, query, block)

    def gather(self, turns: Sequence[Turn]) -> Sample:
        """Make the Sample of questions about the same Views, with the points of all questions marked."""
        points = [point for turn in turns for point in turn.query.points]
        return Sample(self._images(turns[0].query.views, points), tuple(turns))

    def _variables(self, task: Task, query: Query) -> Mapping[str, Any]:
        phrases = [self._phrase(point, query) for point in query.points]
        return {
            "points": phrases,
            "names": [point.name for point in query.points],
            "coordinates": [self._coordinates(point, query) for point in query.points],
            "unit": task.unit,
            **({"point": phrases[0]} if phrases else {}),
            **query.given,
        }

    def _phrase(self, point: Point, query: Query) -> str:
        """The words with which the question names a point."""
        if self.reference == "marker":
            return f"the point marked by the {point.name} {self.marker.noun}"
        name = f"point {point.name}" if len(query.points) > 1 else "the point"
        if self.reference == "none":
            return name
        return f"{name} at {self._coordinates(point, query)}"

    def _coordinates(self, point: Point, query: Query) -> str:
        """The place of a point in its View, on the grid of text coordinates."""
        camera = query.views[point.view].camera
        u, v = (point.pixel + 0.5) / (camera.width, camera.height) * self.text_grid
        return f"({u:.0f}, {v:.0f})"

    def _images(self, views: Sequence[View], points: Sequence[Point]) -> tuple[Pixels, ...]:
        if self.reference != "marker":
            return tuple(view.pixels for view in views)
        return tuple(self.marker.draw(view.pixels, _points_of_view(points, index)) for index, view in enumerate(views))


def _points_of_view(points: Sequence[Point], view: int) -> list[Point]:
    return [point for point in points if point.view == view]
