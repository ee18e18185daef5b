"""Which of two points is closer to the camera."""

from toolkit import answer
from toolkit.abstract_task import Task
from toolkit.metrics import Accuracy
from toolkit.query import Query
from toolkit.registry import task


@task("relative_depth")
class RelativeDepth(Task):
    """The name of the point that is closer to the camera, by Euclidean distance."""

    points = 2
    metric = Accuracy()
    margin = 0.1
    """A pair whose distances differ by a smaller share than this is not asked about."""
    asks = (
        r"\b(which|what|who)\b.*\b(closer|nearer|closest|nearest)\b",
        r"\b(closer|nearer|closest|nearest)\b.*\b(or|than)\b",
    )

    def label(self, query: Query) -> str:
        """Name of the closer point."""
        return min(query.points, key=lambda point: point.distance).name

    def accepts(self, query: Query) -> bool:
        """Whether the distances differ by more than the margin."""
        near, far = sorted(point.distance for point in query.points)
        return far >= near * (1 + self.margin)

    def write(self, value: str, query: Query) -> str:
        """The name."""
        return value

    def read(self, text: str, query: Query) -> str | None:
        """The name that the answer gives, if it gives one."""
        return answer.read_choice(text, [point.name for point in query.points])
