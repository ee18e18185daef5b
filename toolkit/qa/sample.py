"""The one place where a Query becomes pictures and words: a Sample.

Training, evaluation and asking all pass through ``Presenter``. Conventions: see ``toolkit.geometry.camera``.
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
from toolkit.qa.task import Task
from toolkit.utils.arrays import Pixels


@dataclass(frozen=True)
class Hints:
    """Which hints a Sample carries.

    Attributes:
        patches: Share of the image tokens that are taught the word of their patch.
        points: Whether names of marks are taught where their mark lies.
        marked: Whether points are marked in the pictures; image tokens are taught the names of marks that they show.
        seed: Draws which image tokens; marks are always among them.
    """

    patches: float = 0.0
    points: bool = False
    marked: bool = True
    seed: int = 0


NO_HINTS = Hints()


Reference = Literal["marker", "text", "none"]
"""How a question says which point it means; ``none`` does not, which shows what the answer rests on without."""


TEXT_GRID = 2000
"""Coordinates in the text run from 0 to this across the View (Cai et al. 2026, arXiv 2605.30561)."""


_TURN_SEPARATION_FOCALS = 0.04
"""In focal lengths (about 2 degrees): so far apart, the answer to one question is not that to the other."""


@dataclass(frozen=True)
class Turn:
    """One question with its answer.

    Attributes:
        prompt: The question.
        completion: The true answer as text, "" when asking.
        task: The task's name.
        truth: The true value in the task's unit, None when asking.
        query: What the question is about.
        phrasing: The template block of the question.
    """

    prompt: str
    completion: str
    task: str
    truth: Any
    query: Query = field(repr=False)
    phrasing: str = "question"


@dataclass(frozen=True)
class Sample:
    """What the trainer sees, and where it came from. The properties speak of the first question.

    Attributes:
        images: The marked pictures, each (H, W, 3) uint8 RGB.
        turns: The questions about them; one, unless a recipe asks for more.
        source: Name of the source, "" when asking.
        redraws: How many drawn Frames or points could not be asked about before this one.
        hints: What is taught besides the answers.
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
        """The task's name."""
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
        """Names of the pictures."""
        return tuple(view.frame.name for view in self.query.views)

    def fingerprint(self) -> str:
        """SHA-256 of everything the model sees, and of the truth."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(repr(image.shape).encode() + image.tobytes())
        for turn in self.turns:
            digest.update(repr((turn.prompt, turn.completion, turn.task, turn.truth, self.frames)).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Presenter:
    """How Queries are shown and worded; a checkpoint's contract.

    Attributes:
        canonicalisation: Focal length, canvas and crop.
        marker: How points are marked.
        reference: Whether points are marked in the picture, or given as coordinates in the text, or neither.
        think: Whether answers say the template's ``think`` sentence first.
    """

    canonicalisation: Canonicalisation
    marker: Marker = Marker()
    reference: Reference = "marker"
    think: bool = False

    @property
    def uncropped(self) -> "Presenter":
        """The same, showing whole pictures: for evaluation and asking."""
        return replace(self, canonicalisation=replace(self.canonicalisation, crop=None))

    @property
    def clearance(self) -> float:
        """Points nearer than this [px] to the View's border are not asked about."""
        return float(self.marker.reach) if self.reference == "marker" else 0.5

    @property
    def separation(self) -> float:
        """Points nearer than this [px] to each other are not asked about together."""
        return 2.0 * self.marker.reach if self.reference == "marker" else 2.0

    @property
    def turn_separation(self) -> float:
        """Points of different questions about one picture are at least this far apart [px]."""
        return max(self.separation, _TURN_SEPARATION_FOCALS * self.canonicalisation.focal)

    def names(self, rng: np.random.Generator | None, count: int, taken: Collection[str] = ()) -> list[str]:
        """Names for up to ``count`` points that are not ``taken``: marker colours (shuffled by ``rng``), or letters."""
        if self.reference != "marker":
            return [letter for letter in ascii_uppercase if letter not in taken][:count]
        colors = [color for color in self.marker.colors if color not in taken]
        return [str(color) for color in (rng.permutation(colors) if rng is not None else colors)[:count]]

    def view(
        self,
        frame: Frame,
        rng: np.random.Generator | None = None,
        keep: ArrayLike = (),
        labelled: bool = True,
    ) -> View:
        """The canonical View of a Frame; arguments as in ``Canonicalisation.window`` and ``canonicalise``."""
        return canonicalise(frame, self.canonicalisation.window(frame.camera, rng, keep), labelled)

    def present(
        self, task: Task, query: Query, rng: np.random.Generator | None = None, labelled: bool = True
    ) -> Sample:
        """The Sample of one Query; arguments as in ``turn``."""
        return self.gather([self.turn(task, query, rng, labelled)])

    def turn(self, task: Task, query: Query, rng: np.random.Generator | None = None, labelled: bool = True) -> Turn:
        """One question with its answer.

        Args:
            task: Whose question is asked.
            query: What it is about.
            rng: Draws the phrasing; None takes the first.
            labelled: Whether the truth is known and the answer is written.
        """
        words = task.words
        block = words.questions[int(rng.integers(len(words.questions))) if rng is not None else 0]
        variables = self._variables(task, query)
        truth, completion = None, ""
        if labelled:
            truth = task.label(query)
            answer = task.write(truth, query)
            completion = words.answer({**variables, **task.variables(query), "answer": answer}, self.think)
        return Turn(words.question(block, variables), completion, task.name, truth, query, block)

    def gather(self, turns: Sequence[Turn]) -> Sample:
        """The Sample of questions about the same Views, with all their points marked."""
        points = [point for turn in turns for point in turn.query.points]
        return Sample(self._images(turns[0].query.views, points), tuple(turns))

    def _variables(self, task: Task, query: Query) -> Mapping[str, Any]:
        phrases = [self._phrase(point, query) for point in query.points]
        return {
            "points": phrases,
            "names": [point.name for point in query.points],
            "unit": task.unit,
            **({"point": phrases[0]} if phrases else {}),
            **query.given,
        }

    def _phrase(self, point: Point, query: Query) -> str:
        """How the question calls a point."""
        if self.reference == "marker":
            return f"the point marked by the {point.name} {self.marker.shape}"
        name = f"point {point.name}" if len(query.points) > 1 else "the point"
        if self.reference == "none":
            return name
        camera = query.views[point.view].camera
        u, v = (point.pixel + 0.5) / (camera.width, camera.height) * TEXT_GRID
        return f"{name} at ({u:.0f}, {v:.0f})"

    def _images(self, views: Sequence[View], points: Sequence[Point]) -> tuple[Pixels, ...]:
        if self.reference != "marker":
            return tuple(view.pixels for view in views)
        return tuple(self.marker.draw(view.pixels, _points_in(points, index)) for index, view in enumerate(views))


def _points_in(points: Sequence[Point], view: int) -> list[Point]:
    return [point for point in points if point.view == view]
