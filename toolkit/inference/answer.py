"""Answers: a value with its unit, how sure the model is of it, and everything that it depends on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolkit.inference.camera_source import KnownCamera
from toolkit.inference.known_length import Scale
from toolkit.inference.points import LocatedPoint
from toolkit.modeling.confidence.uncertainty import COVERAGE
from toolkit.modeling.predictor import Ending
from toolkit.utils.arrays import Pixels
from toolkit.utils.json import to_json

if TYPE_CHECKING:
    from toolkit.modeling.confidence.consistency import ConsistencyCheck

SCHEMA = 2
"""The version of the JSON form of an answer, which ``docs/answer.md`` describes."""


@dataclass(frozen=True)
class Answer:
    """The answer of a model to one question.

    Attributes:
        value: The value: a number in ``unit``, a name, or a motion; None if the model's text holds no value.
        said: The value with its unit, as text for people; "" if there is no value.
        unit: The unit: "m", "s", "m/s", the unit of a user's own task, or "".
        interval: The lowest and the highest value of the interval that holds the value with probability ``COVERAGE``,
            according to the model's own probabilities of digits. For a motion, it is that of the distance moved. None
            if it is not known.
        probability: The probability that the model gave to exactly this text; None if it is not known.
        text: The text that the model wrote.
        task: The name of the task; "" if the user's words were asked as they are and no task reads the answer.
        prompt: The question in the words that the model was given.
        points: The points by name.
        cameras: The camera of each picture, and where it comes from.
        model: The name of the model.
        check: The comparison with the model's own depths, if the user asked for it.
        warnings: What the user should know about the answer.
        ending: How the text ended. Nothing is read from a text that is not complete.
        images: The pictures as the model saw them, each (H, W, 3) uint8 RGB.
        scale: The factor by which known lengths have changed ``value`` and ``interval``, if there are any.
    """

    value: Any
    said: str
    unit: str
    interval: tuple[float, float] | None
    probability: float | None
    text: str
    task: str
    prompt: str
    points: Mapping[str, LocatedPoint]
    cameras: Sequence[KnownCamera]
    model: str
    check: "ConsistencyCheck | None" = None
    warnings: Sequence[str] = ()
    ending: Ending = Ending.COMPLETE
    images: Sequence[Pixels] = field(repr=False, default=())
    scale: Scale | None = None

    @property
    def shown(self) -> Pixels:
        """The pictures as the model saw them, next to each other in one picture (H, W, 3) uint8 RGB."""
        from toolkit.utils.contact_sheet import side_by_side

        return side_by_side(self.images)

    def as_json(self) -> dict[str, Any]:
        """The same as ``to_json``, for programs that use this older name."""
        return self.to_json()

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON can hold it. It is what ``--json`` prints, and ``docs/answer.md`` describes it."""
        cameras = [
            {
                "intrinsics": known.camera.intrinsics,
                "distortion": list(known.camera.distortion),
                "source": known.origin,
                "scale": list(known.scale),
            }
            for known in self.cameras
        ]
        return {
            "schema": SCHEMA,
            "value": to_json(self.value),
            "said": self.said,
            "unit": self.unit,
            "probability": to_json(self.probability),
            "text": self.text,
            "ending": self.ending,
            "task": self.task,
            "prompt": self.prompt,
            "points": to_json(self.points),
            "model": self.model,
            "check": to_json(self.check),
            "interval": None if self.interval is None else {"low": self.interval[0], "high": self.interval[1]},
            "coverage": COVERAGE,
            "scale": to_json(self.scale),
            "camera": cameras,
            "warnings": list(self.warnings),
        }
