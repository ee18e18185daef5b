"""A summary of what a training run would see: for each source and task the samples, the epochs and the answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.table import Table

from toolkit.foreign_text import one_line
from toolkit.qa.mixture import Feed, Mixture
from toolkit.qa.sample import Sample
from toolkit.qa.tasks.task import Task
from toolkit.utils.plotting import sparkline
from toolkit.utils.progress import bar

_BINS = 16
_NARROWEST = 0.01  # the smallest width of a histogram: of the values' logarithms, or of the values themselves


@dataclass(frozen=True)
class ValueSpread:
    """How some values are spread.

    Attributes:
        of: What the values are, with their unit.
        low: The smallest value.
        median: The median of the values.
        high: The largest value.
        counts: How many values are in each bin of a histogram. The bins have equal widths from the smallest to the
            largest value; the axis is logarithmic if all values are positive.
    """

    of: str
    low: float
    median: float
    high: float
    counts: tuple[int, ...]

    def to_text(self) -> str:
        """The spread on one line."""
        return f"{self.low:.3g} {sparkline(self.counts)} {self.high:.3g}, median {self.median:.3g} ({self.of})"


@dataclass(frozen=True)
class StreamSummary:
    """What one source and one task contribute to a run.

    Attributes:
        source: The name of the source.
        task: The name of the task.
        pictures: How many pictures of the source are trained on.
        share: The share of the run's samples.
        samples: How many samples are expected in the whole run.
        epochs: How often each picture is shown, on average.
        asked: How many samples were drawn to find the spread.
        spread: The spread of their answers, or of the distances of their points; None if there are neither.
    """

    source: str
    task: str
    pictures: int
    share: float
    samples: float
    epochs: float
    asked: int
    spread: ValueSpread | None


def summarise_mixture(mixture: Mixture, asked: int, processes: int = 1) -> list[StreamSummary]:
    """What a run would see of its mixture, for each source and task.

    Args:
        mixture: The mixture that is trained on.
        asked: How many samples are drawn of each source and task, with the mixture's own seed.
        processes: How many processes train together. Each of them sees as many samples as a single one would.

    Raises:
        UserError: If a source has no picture that a task can ask about.
    """
    feeds, tasks = {feed.name: feed for feed in mixture.feeds}, {task.name: task for task, _ in mixture.tasks}
    shares = mixture.shares()
    streams = []
    with bar("drawing", len(shares) * asked) as shown:
        for (task, source), share in shares.items():
            drawn = list(_draw_samples(mixture, tasks[task], feeds[source], asked))
            shown.advance(asked)
            pictures = len(feeds[source].source)
            samples = share * len(mixture) * processes
            spread = _spread_of_samples(tasks[task], drawn)
            streams.append(StreamSummary(source, task, pictures, share, samples, samples / pictures, asked, spread))
    return streams


def to_table(streams: Sequence[StreamSummary]) -> Table:
    """The summary as a table with one row for each source and task."""
    table = Table("source", "task", box=None, pad_edge=False)
    for heading in ("share", "samples", "epochs"):
        table.add_column(heading, justify="right")
    table.add_column("spread", no_wrap=True)
    for each in streams:
        spread = each.spread.to_text() if each.spread else "no numbers"
        numbers = (f"{each.share:.1%}", f"{each.samples:.0f}", f"{each.epochs:.3g}")
        table.add_row(one_line(each.source), each.task, *numbers, spread)
    return table


def totals_to_text(streams: Sequence[StreamSummary]) -> str:
    """One line for each source, with its samples of all tasks."""
    lines = []
    for source in dict.fromkeys(each.source for each in streams):
        own = [each for each in streams if each.source == source]
        samples = sum(each.samples for each in own)
        lines.append(
            f"{one_line(source)}: {samples:.0f} samples of {own[0].pictures} pictures, each about "
            f"{samples / own[0].pictures:.3g} times"
        )
    return "\n".join(lines)


def _draw_samples(mixture: Mixture, task: Task, feed: Feed, count: int) -> Iterator[Sample]:
    only = replace(mixture.only(task), feeds=(feed,))
    return (only[index] for index in range(count))


def _spread_of_samples(task: Task, samples: Sequence[Sample]) -> ValueSpread | None:
    """The spread of the answers of Samples. If these are not numbers, the spread of the distances of their points."""
    turns = [turn for sample in samples for turn in sample.turns]
    numbers = [number for number in (task.number(turn.truth) for turn in turns) if number is not None]
    if numbers:
        return _spread_of_values(f"answers [{task.unit}]" if task.unit else "answers", numbers)
    distances = [point.distance for turn in turns for point in turn.query.points]
    return _spread_of_values("distances of points [m]", distances) if distances else None


def _spread_of_values(of: str, values: Sequence[float]) -> ValueSpread:
    found = np.array(values, dtype=float)
    axis = np.log(found) if (found > 0).all() else found
    width = max(float(np.ptp(axis)), _NARROWEST)  # values that differ only by rounding fall into one bin
    counts = np.histogram(axis, _BINS, (axis.min(), axis.min() + width))[0]
    low, median, high = (float(np.percentile(found, share)) for share in (0, 50, 100))
    return ValueSpread(of, low, median, high, tuple(counts.tolist()))
