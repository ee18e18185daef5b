"""What averages hide: bias by distance, digits, order, depth edges and points that fly between surfaces.

Everything is computed from Records; shares are NaN (null in JSON) where nothing was measured.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from toolkit.evaluation.sample_record import Record
from toolkit.qa.metrics import GapAccuracy, accuracy_by_gap, relative_gap

BANDS = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0, math.inf)
"""Where bands of true values begin and end, in the unit of the task."""


EDGE_RATIO = 1.25
"""A point lies at a depth edge where the labels around it differ by this factor at least."""


_ON_SURFACE = 1.05  # a prediction within this factor of a surface's depth lies on it


_DELTA = 1.25


_FEWEST = 3  # pairs that a slope is fitted to


@dataclass(frozen=True)
class Band:
    """Answers to questions whose truth lies in a range.

    Attributes:
        low: Its beginning, included.
        high: Its end, left out.
        count: Questions.
        delta1: Share of right answers; what could not be read is wrong.
        ratio: Median of answer / truth of those that were read: below 1 they are too near.
    """

    low: float
    high: float
    count: int
    delta1: float
    ratio: float


@dataclass(frozen=True)
class Edges:
    """Depth edges against other places.

    Attributes:
        count: Questions at a depth edge: labels within 3 px of the point differ by ``EDGE_RATIO`` at least.
        elsewhere: Questions about other places with labels around.
        delta1: Share of right answers at edges.
        delta1_elsewhere: Share of right answers elsewhere.
        flying: Share of the answers at edges that lie between the nearest and the farthest surface around, farther
            than 5 % from both: points that fly in the air.
    """

    count: int
    elsewhere: int
    delta1: float
    delta1_elsewhere: float
    flying: float


@dataclass(frozen=True)
class Digits:
    """How answers are written.

    Attributes:
        distinct: Different answers.
        answers: Answers that hold a number.
        last: How often each digit, 0 to 9, is the last of the number.
    """

    distinct: int
    answers: int
    last: tuple[int, ...]


@dataclass(frozen=True)
class Analysis:
    """What a task's averages hide; None where it does not apply.

    Attributes:
        bands: By true value.
        slope: Of log answer over log truth (least squares): 1 is without bias, below 1 far things are brought near
            and near things far.
        digits: How numbers are written.
        edges: At depth edges and elsewhere.
        order: Choices by the relative gap of the two distances.
    """

    bands: tuple[Band, ...] | None = None
    slope: float | None = None
    digits: Digits | None = None
    edges: Edges | None = None
    order: tuple[GapAccuracy, ...] | None = None


def analyse(records: Sequence[Record]) -> Analysis:
    """What the averages over the Records of one task hide."""
    if all(isinstance(record.truth, int | float) for record in records):
        return Analysis(_bands(records), _slope(records), _digits(records), _edges(records))
    if all(len(record.points) == 2 and "accuracy" in record.scores for record in records):
        return Analysis(order=_order(records))
    return Analysis()


def _read(record: Record) -> float:
    """The answer as a number; NaN if it could not be read or is impossible."""
    value = record.value
    return float(value) if isinstance(value, int | float) and value > 0 else math.nan


def _right(records: Sequence[Record]) -> float:
    scores = [record.scores.get("delta1", math.nan) for record in records]
    return float(np.mean(scores)) if scores else math.nan


def _bands(records: Sequence[Record]) -> tuple[Band, ...]:
    found = []
    for low, high in pairwise(BANDS):
        inside = [record for record in records if low <= record.truth < high]
        ratios = [ratio for record in inside if math.isfinite(ratio := _read(record) / record.truth)]
        if inside:
            middle = float(np.median(ratios)) if ratios else math.nan
            found.append(Band(low, high, len(inside), _right(inside), middle))
    return tuple(found)


def _slope(records: Sequence[Record]) -> float:
    pairs = np.array([(record.truth, _read(record)) for record in records])
    logs = np.log(pairs[np.isfinite(pairs).all(axis=1)])
    if len(logs) < _FEWEST or np.ptp(logs[:, 0]) == 0:
        return math.nan
    truth = logs[:, 0] - logs[:, 0].mean()
    return float(truth @ logs[:, 1] / (truth @ truth))


def _digits(records: Sequence[Record]) -> Digits:
    numbers = [found[-1] for record in records if (found := re.findall(r"\d+(?:\.\d+)?", record.answer))]
    last = Counter(number[-1] for number in numbers)
    return Digits(len(set(numbers)), len(numbers), tuple(last[str(digit)] for digit in range(10)))


def _edges(records: Sequence[Record]) -> Edges | None:
    known = [record for record in records if len(record.points) == 1 and record.points[0]["around"] is not None]
    if not known:
        return None
    at = [record for record in known if _contrast(record) >= EDGE_RATIO]
    others = [record for record in known if _contrast(record) < EDGE_RATIO]
    flying = [_flies(record) for record in at if math.isfinite(_read(record)) and record.task in _DEPTHS]
    return Edges(len(at), len(others), _right(at), _right(others), float(np.mean(flying)) if flying else math.nan)


_DEPTHS: Mapping[str, str] = {"metric_depth": "distance", "principal_axis_distance": "depth_z"}
"""Tasks whose answers say where their point lies, and by which of the point's depths."""


def _contrast(record: Record) -> float:
    near, far = record.points[0]["around"]
    return far / near


def _flies(record: Record) -> bool:
    """Whether an answer puts its point between the surfaces around it, on neither."""
    point: Mapping[str, Any] = record.points[0]
    near, far = point["around"]
    depth_z = _read(record) * point["depth_z"] / point[_DEPTHS[record.task]]
    return near * _ON_SURFACE < depth_z < far / _ON_SURFACE


def _order(records: Sequence[Record]) -> tuple[GapAccuracy, ...]:
    distances = np.array([[point["distance"] for point in record.points] for record in records])
    return accuracy_by_gap([record.scores["accuracy"] for record in records], relative_gap(*distances.T))
