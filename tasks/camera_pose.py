"""How the camera has moved between two pictures."""

import numpy as np

from toolkit.geometry.pose import inverse, rotation_angle, transform
from toolkit.qa.metrics import MotionError
from toolkit.qa.parsing import answer
from toolkit.qa.parsing.answer import Motion
from toolkit.qa.parsing.question_phrases import COLOR, VIEWER
from toolkit.qa.query import Query
from toolkit.qa.tasks.registry import task
from toolkit.qa.tasks.task import Task

_MOVED = (
    r"\b(?:move|moved|moving|movement|motion|travel|travelled|traveled|rotate|rotated|rotation|turn|turned|shift"
    r"|shifted|translated|displaced|change|changed|advance|advanced|drive|drove|driven|walk|walked|fly|flew|flown|go|went|gone|pan|panned|tilt|tilted|displacement)\b"
)
"""Words for the motion of a camera."""


@task("camera_pose")
class CameraPose(Task):
    """Metres moved, rotation angle [deg] and direction of motion in the first camera's frame."""

    images = 2
    points = 0
    metric = MotionError()
    overlap = 0.3
    """The share of the first picture's labelled points that the second picture must show."""
    shortest = 0.05
    """Motions shorter than this [m] are not asked about, because their direction means nothing."""
    asks = (
        rf"(?:{VIEWER}|\b(?:i|we|you|phone)\b).*{_MOVED}|{_MOVED}.*{VIEWER}",
        r"\b(?:egomotion|ego[- ]motion|odometry|extrinsics|baseline|camera (?:trajectory|pose|motion))\b",
        r"\b(?:relative|delta) (?:pose|motion|translation)\b|\bcamera (?:positions|centres|centers|poses)\b",
        r"\b(?:pose|motion|translation|rotation|transformation|transform|displacement)\b.*"
        r"\b(?:camera|views?|frames?|images?|pictures?|photos?)\b",
        r"\br and t\b|\btranslation\b.*\brotation\b|\brotation\b.*\btranslation\b",
        r"\bwhere did (?:the camera|i|we) go\b|\bdid (?:i|we) get from the first\b",
    )
    asks_not = (
        COLOR,
        r"^(?:please |can you |could you )*(?:move|turn|rotate|shift|pan|tilt|change)\b",
        r"\b(?:did|has|have|does) (?:the|a|this|that|he|she|they)\b"
        r"(?! (?:\w+ )?(?:camera|phone|robot|drone|rover|viewpoint))",
        r"\b(?:fast|quickly|speed|velocity|how long|time|seconds|reach|get to|arrive|hit|closer|nearer)\b",
        rf"\bfar (?:is|away)\b|^(?!.*{VIEWER}).*\b(?:did|has|have|does) it\b",
    )

    def label(self, query: Query) -> Motion:
        """The motion from the first camera to the second."""
        first_from_second = query.first_from_second
        moved = first_from_second[:3, 3]
        distance = float(np.linalg.norm(moved))
        right, down, forward = (moved / max(distance, np.finfo(float).tiny)).tolist()
        return Motion(distance, rotation_angle(first_from_second[:3, :3]), (right, down, forward))

    def accepts(self, query: Query) -> bool:
        """Whether the camera moved, and the second picture shows enough of the first."""
        return self.label(query).distance >= self.shortest and _share_in_second(query) >= self.overlap

    def write(self, value: Motion, query: Query) -> str:
        """The distance, the rotation and the direction."""
        return answer.write_motion(value)

    def read(self, text: str, query: Query) -> Motion | None:
        """The motion that the answer gives; None if a part of it is missing."""
        return answer.read_motion(text)

    def number(self, value: Motion) -> float:
        """The distance moved [m]."""
        return value.distance


def _share_in_second(query: Query) -> float:
    """The share of the first View's labelled points whose pixels the second View contains; 1 without labels."""
    first, second = query.views
    if not len(first.points):
        return 1.0 if first.frame.labels is None else 0.0
    xyz = first.camera.unproject(first.points, first.depth_z)
    pixels = second.camera.project(transform(inverse(query.first_from_second), xyz))
    return float(second.camera.contains(pixels).mean())
