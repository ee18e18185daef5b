"""What averages hide: bias by distance, last digits, depth order, depth edges, and points between two surfaces.

Everything is computed from the records of an evaluation. A share is NaN (null in JSON) where nothing was measured.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from toolkit.evaluation.sample_record import SampleRecord
from toolkit.qa.metrics import GapAccuracy, accuracy_by_gap, relative_gap

_BANDS = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0, math.inf)
"""The limits between bands of true values, in the unit of the task."""

_EDGE_RATIO = 1.25
"""A point lies at a depth edge if the largest label around it is at least this many times the smallest."""

_ON_SURFACE = 1.05  # a prediction within this factor of a surface's depth lies on that surface

_FEWEST_PAIRS = 3  # fewer pairs of truth and answer give no slope

_DEPTH_OF_TASK: Mapping[str, str] = {"metric_depth": "distance", "principal_axis_distance": "depth_z"}
"""The tasks whose answers say where their point lies, and the key of a point's true value that they answer."""


@dataclass(frozen=True)
class TruthBand:
    """The answers to questions whose true value lies in a range.

    Attributes:
        low: The lowest value of the range.
        high: The upper limit of the range, which is not part of it.
        count: The number of questions.
        delta1: The share of right answers. An answer that could not be read counts as wrong.
        ratio: The median of answer / truth over the answers that could be read. Below 1, answers are too near.
    """

    low: float
    high: float
    count: int
    delta1: float
    ratio: float


@dataclass(frozen=True)
class DepthEdges:
    """How answers at depth edges compare with answers at other places.

    A point lies at a depth edge if the labels within 3 px of it differ by at least the factor ``_EDGE_RATIO``.

    Attributes:
        count: The number of questions about points at a depth edge.
        elsewhere: The number of questions about other points that have labels around them.
        delta1: The share of right answers at depth edges.
        delta1_elsewhere: The share of right answers at the other points.
        flying: The share of flying points among the answers at depth edges. A flying point lies between the nearest
            and the farthest surface around it, and differs from both by more than 5 %.
    """

    count: int
    elsewhere: int
    delta1: float
    delta1_elsewhere: float
    flying: float


@dataclass(frozen=True)
class AnswerDigits:
    """How the numbers in answers are written.

    Attributes:
        distinct: How many different numbers were answered.
        answers: How many answers hold a number.
        last: How often each digit, from 0 to 9, is the last digit of the number.
    """

    distinct: int
    answers: int
    last: tuple[int, ...]


@dataclass(frozen=True)
class Analysis:
    """What the averages of a task hide. A part is None where it does not apply to the task.

    Attributes:
        bands: The results by true value.
        slope: The slope of log(answer) over log(truth), by least squares. A slope of 1 means no bias. Below 1, far
            things are answered too near and near things too far.
        digits: How the numbers are written.
        edges: The results at depth edges and at other places.
        order: The share of right choices by the relative gap between the two distances.
    """

    bands: tuple[TruthBand, ...] | None = None
    slope: float | None = None
    digits: AnswerDigits | None = None
    edges: DepthEdges | None = None
    order: tuple[GapAccuracy, ...] | None = None


def analyse(records: Sequence[SampleRecord]) -> Analysis:
    """Analyse what the averages over the records of one task hide.

    Args:
        records: The records of all questions of one task.
    """
    if all(isinstance(record.truth, int | float) for record in records):
        return Analysis(_bands(records), _slope(records), _digits(records), _edges(records))
    if all(len(record.points) == 2 and "accuracy" in record.scores for record in records):
        return Analysis(order=_order_by_gap(records))
    return Analysis()


def _positive_answer(record: SampleRecord) -> float:
    """The answer as a number; NaN if it could not be read, or is not positive."""
    value = record.value
    return float(value) if isinstance(value, int | float) and value > 0 else math.nan


def _share_right(records: Sequence[SampleRecord]) -> float:
    scores = [record.scores.get("delta1", math.nan) for record in records]
    return float(np.mean(scores)) if scores else math.nan


def _bands(records: Sequence[SampleRecord]) -> tuple[TruthBand, ...]:
    found = []
    for low, high in pairwise(_BANDS):
        inside = [record for record in records if low <= record.truth < high]
        ratios = [ratio for record in inside if math.isfinite(ratio := _positive_answer(record) / record.truth)]
        if inside:
            middle = float(np.median(ratios)) if ratios else math.nan
            found.append(TruthBand(low, high, len(inside), _share_right(inside), middle))
    return tuple(found)


def _slope(records: Sequence[SampleRecord]) -> float:
    pairs = np.array([(record.truth, _positive_answer(record)) for record in records])
    logs = np.log(pairs[np.isfinite(pairs).all(axis=1)])
    if len(logs) < _FEWEST_PAIRS or np.ptp(logs[:, 0]) == 0:
        return math.nan
    truth = logs[:, 0] - logs[:, 0].mean()
    return float(truth @ logs[:, 1] / (truth @ truth))


def _digits(records: Sequence[SampleRecord]) -> AnswerDigits:
    numbers = [found[-1] for record in records if (found := re.findall(r"\d+(?:\.\d+)?", record.answer))]
    last = Counter(number[-1] for number in numbers)
    return AnswerDigits(len(set(numbers)), len(numbers), tuple(last[str(digit)] for digit in range(10)))


def _edges(records: Sequence[SampleRecord]) -> DepthEdges | None:
    labelled = [record for record in records if len(record.points) == 1 and record.points[0]["around"] is not None]
    if not labelled:
        return None
    at_edges = [record for record in labelled if _depth_ratio(record) >= _EDGE_RATIO]
    others = [record for record in labelled if _depth_ratio(record) < _EDGE_RATIO]
    placed = [record for record in at_edges if record.task in _DEPTH_OF_TASK]
    flying = [_is_flying(record) for record in placed if math.isfinite(_positive_answer(record))]
    return DepthEdges(
        count=len(at_edges),
        elsewhere=len(others),
        delta1=_share_right(at_edges),
        delta1_elsewhere=_share_right(others),
        flying=float(np.mean(flying)) if flying else math.nan,
    )


def _depth_ratio(record: SampleRecord) -> float:
    """The largest depth_z around the point, divided by the smallest."""
    near, far = record.points[0]["around"]
    return far / near


def _is_flying(record: SampleRecord) -> bool:
    """Whether an answer puts its point between the surfaces around it, and on neither of them."""
    point: Mapping[str, Any] = record.points[0]
    near, far = point["around"]
    depth_z = _positive_answer(record) * point["depth_z"] / point[_DEPTH_OF_TASK[record.task]]
    return near * _ON_SURFACE < depth_z < far / _ON_SURFACE


def _order_by_gap(records: Sequence[SampleRecord]) -> tuple[GapAccuracy, ...]:
    distances = np.array([[point["distance"] for point in record.points] for record in records])
    return accuracy_by_gap([record.scores["accuracy"] for record in records], relative_gap(*distances.T))
