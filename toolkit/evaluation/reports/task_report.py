"""The results of one task: its numbers with their intervals, its floors, and what the averages hide.

A floor is what an answer that ignores the picture reaches on the same questions.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.evaluation.reports.analysis import Analysis, analyse
from toolkit.evaluation.reports.bootstrap import ConfidenceInterval, confidence_intervals
from toolkit.evaluation.sample_record import SampleRecord, query_of
from toolkit.qa.metrics import Metric, as_columns
from toolkit.qa.tasks.task import Task

_RESAMPLES = 1000

_SEED = 0


@dataclass(frozen=True)
class Floor:
    """What an answer that ignores the picture reaches on the same questions.

    Attributes:
        answer: The answer, as text.
        metrics: The numbers that this answer reaches.
    """

    answer: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class TaskReport:
    """The results of one task.

    Attributes:
        task: The name of the task.
        unit: The unit of its answers.
        headline: The key of the number that stands for the task.
        count: The number of questions.
        images: The number of pictures that the questions are about.
        metrics: All numbers.
        intervals: The 95 % interval of each number, by a bootstrap over pictures.
        constant: The constant answer that scores best on these very questions.
        median: The middle of the training labels as a constant answer; None where there is no training data.
        unread: The share of the questions whose answer could not be read.
        covered: The share of the answers whose own interval holds the truth, and how many answers have an interval.
        agreeing: The share of the answers that agree with the predictor's own depths, and for how many answers this
            is known.
        sources: The headline number of each source and its number of questions; empty if there is only one source.
        analysis: What these averages hide.
    """

    task: str
    unit: str
    headline: str
    count: int
    images: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, ConfidenceInterval]
    constant: Floor
    median: Floor | None
    unread: float
    covered: tuple[float, int]
    agreeing: tuple[float, int]
    sources: Mapping[str, tuple[float, int]]
    analysis: Analysis


def make_task_report(task: Task, records: Sequence[SampleRecord], central: Any) -> TaskReport:
    """Compute the results of one task.

    Args:
        task: The task.
        records: The records of all its questions.
        central: The middle of its training labels; None where there is no training data.
    """
    metric = task.metric
    scores = [record.scores for record in records]
    truths = [record.truth for record in records]
    groups = [record.group for record in records]
    best, _ = metric.best_constant(truths)
    median = None if central is None else _floor(task, records, central)
    return TaskReport(
        task=task.name,
        unit=task.unit,
        headline=metric.headline,
        count=len(records),
        images=len(set(groups)),
        metrics=metric.summarise(scores),
        intervals=confidence_intervals(
            metric, as_columns(scores), groups, np.random.default_rng(_SEED), resamples=_RESAMPLES
        ),
        constant=_floor(task, records, best),
        median=median,
        unread=sum(record.value is None for record in records) / len(records),
        covered=_share_true(_covered(task, record) for record in records),
        agreeing=_share_true(record.agrees for record in records),
        sources=_by_source(metric, records),
        analysis=analyse(records),
    )


def _by_source(metric: Metric[Any], records: Sequence[SampleRecord]) -> dict[str, tuple[float, int]]:
    """The headline number and the number of questions of each source; {} if there is only one source."""
    scores: dict[str, list[Mapping[str, float]]] = {}
    for record in records:
        scores.setdefault(record.source, []).append(record.scores)
    if len(scores) < 2:
        return {}
    return {name: (metric.summarise(scores[name])[metric.headline], len(scores[name])) for name in sorted(scores)}


def _floor(task: Task, records: Sequence[SampleRecord], answer: Any) -> Floor:
    metric: Metric[Any] = task.metric
    return Floor(task.write(answer, query_of(records[0])), metric.floor([record.truth for record in records], answer))


def _covered(task: Task, record: SampleRecord) -> bool | None:
    """Whether the truth lies in the answer's own interval; None where the answer has no interval."""
    truth = task.number(record.truth)
    if record.interval is None or truth is None:
        return None
    return record.interval[0] <= truth <= record.interval[1]


def _share_true(verdicts: Iterable[bool | None]) -> tuple[float, int]:
    """The share of true verdicts among those that are not None, and how many those are."""
    known = [bool(verdict) for verdict in verdicts if verdict is not None]
    return (sum(known) / len(known) if known else math.nan), len(known)
