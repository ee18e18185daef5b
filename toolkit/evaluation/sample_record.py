"""What is kept of every question that was asked: a line of ``samples.jsonl``, enough to score it again without a model.

``docs/evaluation.md`` describes the fields for readers of other languages.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.frames.fingerprint import picture_id
from toolkit.errors import UserError, UserErrors
from toolkit.qa.canonical_view import View
from toolkit.qa.query import Point, Query
from toolkit.qa.sample import Sample
from toolkit.qa.task import Task
from toolkit.utils.json import to_json

SCHEMA = 2
"""Version of ``samples.jsonl`` and ``report.json``."""


EDGE_RADIUS = 3.0
"""How far around a point [px of the View] labels are looked at to tell whether it lies at a depth edge."""


_DENSE = 8  # labels within that radius, or nothing is said of edges


_DIGITS = 6  # of depths and pixels that are written


@dataclass(frozen=True)
class Record:
    """One question with its answer.

    Attributes:
        task: Whose question it is.
        index: Its number among the task's questions.
        source: The source of its picture.
        images: Name, fingerprint (``toolkit.data.frames.fingerprint``) and sequence of each picture.
        sample_sha256: Of everything that was shown and asked, and of the truth.
        cameras: [fx, fy, cx, cy, width, height] of each View [px].
        points: For each point its name, View, pixel (u, v) in it, depth_z [m], distance [m], and the range of
            depth_z [m] among the labels around it (``EDGE_RADIUS``), None where labels are too sparse.
        given: What the question states: numbers in SI units, and names of objects.
        prompt: The question.
        answer: The raw answer.
        probability: What the model gave this answer, None where that is not known.
        value: What was read from it, None if nothing could be.
        truth: The true answer.
        interval: The values that the model's own digit probabilities allow (``toolkit.modeling.uncertainty``); None
            where that is not known.
        implied: The answer that the model's own depths imply (``toolkit.modeling.consistency``); None where that was
            not asked or is not known.
        agrees: Whether the answer agrees with that.
        scores: The metric's scores of the answer.
        redraws: How many drawn questions could not be asked before this one.
    """

    task: str
    index: int
    source: str
    images: tuple[Mapping[str, str], ...]
    sample_sha256: str
    cameras: tuple[tuple[float, ...], ...]
    points: tuple[Mapping[str, Any], ...]
    given: Mapping[str, Any]
    prompt: str
    answer: str
    probability: float | None
    value: Any
    truth: Any
    interval: tuple[float, float] | None
    implied: Any = None
    agrees: bool | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    redraws: int = 0

    @property
    def group(self) -> str:
        """The picture that its error is shared with other questions about."""
        return self.images[0]["id"]

    def line(self) -> str:
        """Its line in ``samples.jsonl``."""
        return json.dumps({"schema": SCHEMA, **to_json(self)}, ensure_ascii=False)


def images_of(sample: Sample) -> tuple[Mapping[str, str], ...]:
    """Name, fingerprint and sequence of a Sample's pictures."""
    frames = [view.frame for view in sample.query.views]
    return tuple({"name": frame.name, "id": picture_id(frame), "sequence": frame.sequence} for frame in frames)


def points_of(sample: Sample) -> tuple[Mapping[str, Any], ...]:
    """A Sample's points with their true depths and what lies around them."""
    return tuple(
        {
            "name": point.name,
            "view": point.view,
            "pixel": [_short(x) for x in point.pixel],
            "depth_z": _short(point.depth_z),
            "distance": _short(point.distance),
            "around": _around(sample.query.views[point.view], point),
        }
        for point in sample.query.points
    )


def _around(view: View, point: Point) -> list[float] | None:
    near = np.all(np.abs(view.points - point.pixel) <= EDGE_RADIUS, axis=-1)
    near[near] &= np.linalg.norm(view.points[near] - point.pixel, axis=-1) <= EDGE_RADIUS
    depths = view.depth_z[near]
    return [_short(depths.min()), _short(depths.max())] if len(depths) >= _DENSE else None


def _short(number: float) -> float:
    return round(float(number), _DIGITS)


def query_of(record: Record) -> Query:
    """The question of a Record, without its pictures: enough to read its answer."""
    points = tuple(
        Point(
            point["name"],
            np.array(point["pixel"]),
            point["depth_z"] if point["depth_z"] is not None else np.nan,
            point["distance"] if point["distance"] is not None else np.nan,
            np.full(3, np.nan),
            point["view"],
        )
        for point in record.points
    )
    return Query((), points, dict(record.given))


def rescored(records: Iterable[Record], tasks: Mapping[str, Task]) -> list[Record]:
    """Records whose answers are read and scored again, by the tasks as they are now.

    Raises:
        UserError: If the task of one is not known.
    """
    again = []
    for record in records:
        if record.task not in tasks:
            raise UserError(
                f"a sample is of the task {record.task!r}, which is not known", remedy="pass --include FILE.py"
            )
        task = tasks[record.task]
        value = task.read(record.answer, query_of(record))
        again.append(replace(record, value=value, scores=task.metric.score(record.truth, value)))
    return again


def read_records(path: Path, tasks: Mapping[str, Task]) -> list[Record]:
    """The Records of a ``samples.jsonl``.

    Raises:
        UserErrors: If it cannot be read; all faulty lines are named.
    """
    try:
        # Not splitlines: JSON strings may hold U+2028 and its like, which end no line.
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: the samples cannot be read", cause=str(error), remedy="name a samples.jsonl"
        ) from None
    faults: list[UserError] = []
    records = list(_parsed(lines, path, tasks, faults))
    if faults:
        raise UserErrors(f"{path}: these lines are no samples of schema {SCHEMA}", faults)
    return records


def _parsed(lines: Iterable[str], path: Path, tasks: Mapping[str, Task], faults: list[UserError]) -> Iterator[Record]:
    for number, line in enumerate(lines, start=1):
        try:
            yield parse_record(line, tasks)
        except (ValueError, KeyError, TypeError) as error:
            faults.append(UserError(f"{path}, line {number}: {type(error).__name__}: {error}"))


def parse_record(line: str, tasks: Mapping[str, Task]) -> Record:
    """The Record of a line.

    Raises:
        ValueError, KeyError, TypeError: If it is none.
    """
    row = json.loads(line)
    if row.pop("schema") != SCHEMA:
        raise ValueError(f"not of schema {SCHEMA}")
    for name in ("images", "points"):
        row[name] = tuple(row[name])
    row["cameras"] = tuple(tuple(camera) for camera in row["cameras"])
    row["interval"] = None if row["interval"] is None else tuple(row["interval"])
    row["scores"] = {key: float("nan") if score is None else score for key, score in row["scores"].items()}
    if row["task"] in tasks:
        metric = tasks[row["task"]].metric
        for name in ("value", "truth", "implied"):
            row[name] = None if row[name] is None else metric.restore(row[name])
    return Record(**row)
