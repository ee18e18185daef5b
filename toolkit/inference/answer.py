"""What a user is told: a value with its unit, how sure the model is of it, and all that it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolkit.inference.camera_source import KnownCamera
from toolkit.modeling.consistency import Check
from toolkit.modeling.uncertainty import COVERAGE
from toolkit.utils.arrays import Pixels
from toolkit.utils.contact_sheet import side_by_side
from toolkit.utils.json import to_json

SCHEMA = 2
"""Version of the JSON of an answer; ``docs/answer.md`` describes it."""


@dataclass(frozen=True)
class Located:
    """Where a named point lies, and how that is known.

    Attributes:
        pixel: (u, v) [px] of the upright picture.
        source: How it is known.
    """

    pixel: tuple[float, float]
    source: str


@dataclass(frozen=True)
class Answer:
    """What a model said.

    Attributes:
        value: The answer in ``unit``, a name, or a motion; None if the text holds none.
        said: The value as a person reads it, with its unit; "" if there is none.
        unit: "m", "s", "m/s" or "".
        interval: Lowest and highest value that the model's own digit probabilities allow with ``COVERAGE``; for a
            motion, of the distance moved. None where that is not known.
        probability: What the model gave this very text, None where that is not known.
        text: What the model wrote.
        task: Whose question was asked; "" if the words were passed through and no task reads the answer.
        prompt: The words that the model was asked.
        points: The points by name.
        cameras: The camera of each picture, and where it comes from.
        model: What was asked.
        check: The same from the model's depths, where that was asked for.
        warnings: What the user should know.
        images: The pictures as the model saw them.
    """

    value: Any
    said: str
    unit: str
    interval: tuple[float, float] | None
    probability: float | None
    text: str
    task: str
    prompt: str
    points: Mapping[str, Located]
    cameras: Sequence[KnownCamera]
    model: str
    check: Check | None = None
    warnings: Sequence[str] = ()
    images: Sequence[Pixels] = field(repr=False, default=())

    @property
    def shown(self) -> Pixels:
        """The pictures as the model saw them, next to each other, (H, W, 3)."""
        return side_by_side(self.images)

    def to_json(self) -> dict[str, Any]:
        """The content of ``--json``; ``docs/answer.md`` describes it."""
        same = ("value", "said", "unit", "probability", "text", "task", "prompt", "points", "model", "check")
        cameras = [
            {
                "intrinsics": known.camera.intrinsics,
                "distortion": list(known.camera.distortion),
                "source": known.source,
                "scale": list(known.scale),
            }
            for known in self.cameras
        ]
        return {
            "schema": SCHEMA,
            **{name: to_json(getattr(self, name)) for name in same},
            "interval": None if self.interval is None else {"low": self.interval[0], "high": self.interval[1]},
            "coverage": COVERAGE,
            "camera": cameras,
            "warnings": list(self.warnings),
        }
