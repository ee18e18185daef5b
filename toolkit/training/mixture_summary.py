"""What a training run would see: per source and task the samples, how often each picture comes, how far things are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.table import Table
from rich.text import Text

from toolkit.qa.mixture import Feed, Mixture
from toolkit.qa.sample import Sample
from toolkit.qa.task import Task
from toolkit.utils.plotting import sparkline
from toolkit.utils.progress import bar

_BINS = 16


_NARROWEST = 0.01  # width of a histogram: of logarithms, or of the values


@dataclass(frozen=True)
class Spread:
    """How some values are spread.

    Attributes:
        of: What they are, with their unit.
        low: The smallest.
        median: The middle one.
        high: The largest.
        counts: In bins of equal width between the smallest and the largest, on a logarithmic axis where all values
            are positive.
    """

    of: str
    low: float
    median: float
    high: float
    counts: tuple[int, ...]

    def said(self) -> str:
        """It on one line."""
        return f"{self.low:.3g} {sparkline(self.counts)} {self.high:.3g}, median {self.median:.3g} ({self.of})"


@dataclass(frozen=True)
class Stream:
    """What one source and one task give to a run.

    Attributes:
        source: Name of the source.
        task: Name of the task.
        pictures: Pictures of the source to train on.
        share: Share of the run's samples.
        samples: Samples that are expected in the whole run.
        epochs: How often each picture comes, on average.
        asked: Questions that were drawn to see the spread.
        spread: Of their answers, or of the distances of their points; None where there are neither.
    """

    source: str
    task: str
    pictures: int
    share: float
    samples: float
    epochs: float
    asked: int
    spread: Spread | None


def mix(mixture: Mixture, asked: int, processes: int = 1) -> list[Stream]:
    """What a run would see of its mixture.

    Args:
        mixture: The mixture that is trained on.
        asked: Samples that are drawn of each source and task, by the mixture's own seed.
        processes: How many train together; each sees as many samples as one would.

    Raises:
        UserError: If a source gives no picture to ask a task about.
    """
    feeds, tasks = {feed.name: feed for feed in mixture.feeds}, {task.name: task for task, _ in mixture.tasks}
    shares = mixture.shares()
    streams = []
    with bar("drawing", len(shares) * asked) as shown:
        for (task, source), share in shares.items():
            drawn = list(_drawn(mixture, tasks[task], feeds[source], asked))
            shown.advance(asked)
            pictures = len(feeds[source].source)
            samples = share * len(mixture) * processes
            spread = spread_of(tasks[task], drawn)
            streams.append(Stream(source, task, pictures, share, samples, samples / pictures, asked, spread))
    return streams


def table(streams: Sequence[Stream]) -> Table:
    """It as a table, a source and task a line."""
    shown = Table("source", "task", box=None, pad_edge=False)
    for heading in ("share", "samples", "epochs"):
        shown.add_column(heading, justify="right")
    shown.add_column("spread", no_wrap=True)
    for each in streams:
        spread = each.spread.said() if each.spread else "no numbers"
        numbers = (f"{each.share:.1%}", f"{each.samples:.0f}", f"{each.epochs:.3g}")
        shown.add_row(*map(Text, (each.source, each.task, *numbers, spread)))  # "[m]" is no markup
    return shown


def totals(streams: Sequence[Stream]) -> list[str]:
    """A line a source: its samples of all tasks."""
    lines = []
    for source in dict.fromkeys(each.source for each in streams):
        own = [each for each in streams if each.source == source]
        samples = sum(each.samples for each in own)
        lines.append(
            f"{source}: {samples:.0f} samples of {own[0].pictures} pictures, each about "
            f"{samples / own[0].pictures:.3g} times"
        )
    return lines


def _drawn(mixture: Mixture, task: Task, feed: Feed, count: int) -> Iterator[Sample]:
    only = replace(mixture.only(task), feeds=(feed,))
    return (only[index] for index in range(count))


def spread_of(task: Task, samples: Sequence[Sample]) -> Spread | None:
    """How the answers of Samples are spread; where they are no numbers, how far the points are."""
    turns = [turn for sample in samples for turn in sample.turns]
    numbers = [number for number in (task.number(turn.truth) for turn in turns) if number is not None]
    if numbers:
        return _spread(f"answers [{task.unit}]" if task.unit else "answers", numbers)
    distances = [point.distance for turn in turns for point in turn.query.points]
    return _spread("distances of points [m]", distances) if distances else None


def _spread(of: str, values: Sequence[float]) -> Spread:
    found = np.array(values, dtype=float)
    axis = np.log(found) if (found > 0).all() else found
    width = max(float(np.ptp(axis)), _NARROWEST)  # values that differ by rounding alone are one bar
    counts = np.histogram(axis, _BINS, (axis.min(), axis.min() + width))[0]
    low, median, high = (float(np.percentile(found, share)) for share in (0, 50, 100))
    return Spread(of, low, median, high, tuple(counts.tolist()))
