"""The record of one question and its answer: a line of ``samples.jsonl``, enough to score it again without a model.

``docs/evaluation.md`` describes the fields for programs in other languages.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.data.frames.fingerprint import picture_id
from toolkit.errors import UserError, UserErrors
from toolkit.modeling.predictor import Ending, Reply
from toolkit.qa.canonical_view import View
from toolkit.qa.query import Point, Query
from toolkit.qa.sample import Sample
from toolkit.qa.tasks.task import Task
from toolkit.qa.view_labels import NO_LABELS
from toolkit.utils.arrays import Array
from toolkit.utils.json import dump_json, parse_object, to_json

SCHEMA = 2
"""The version of the format of ``samples.jsonl`` and ``report.json``."""

SAMPLES_FILE = "samples.jsonl"
"""The file in the folder of an evaluation that holds every question with its answer."""

_EDGE_RADIUS = 3.0
"""The radius around a point, in pixels of the View, in which labels tell whether the point lies at a depth edge."""

_FEWEST_LABELS = 8  # fewer labels within that radius do not tell whether there is a depth edge

_SHOWN = 40  # characters of a wrong value that an error shows

_FAULTS = 5  # faults of one line that an error shows

_DIGITS = 6  # decimal places of the depths and pixels that are written


@dataclass(frozen=True)
class SampleRecord:
    """One question with its answer.

    Attributes:
        task: The name of the task that asks the question.
        index: The number of the question among those of the task.
        source: The name of the source that the picture comes from.
        images: The name, the fingerprint (``toolkit.data.frames.fingerprint``) and the sequence of each picture.
        sample_sha256: The hash of everything that was shown and asked, and of the truth.
        cameras: The camera of each View: [fx, fy, cx, cy, width, height] in pixels.
        points: For each point its name, the index of its View, its pixel (u, v) in that View, its depth_z [m], its
            distance [m], and the range of depth_z [m] among the labels around it (``_EDGE_RADIUS``). The range is
            None where there are too few labels.
        given: What the question states: numbers in SI units, and names of objects.
        prompt: The question.
        answer: The answer as the predictor wrote it.
        probability: The probability that the model gave to this answer; None where it is not known.
        value: The value that was read from the answer; None if no value could be read.
        truth: The true value.
        interval: The lowest and the highest value that the model's own digit probabilities allow
            (``toolkit.modeling.confidence.uncertainty``); None where they are not known.
        implied: The answer that follows from the model's own depths (``toolkit.modeling.confidence.consistency``); None
            where these were not asked for, or imply no answer.
        agrees: Whether the answer agrees with ``implied``; None where this cannot be told.
        scores: The scores that the task's metric gives the answer.
        redraws: How many drawn questions could not be asked before this one.
        ending: How the answer ended. No value is read from an answer that is not complete.
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
    ending: Ending = Ending.COMPLETE

    @property
    def group(self) -> str:
        """The fingerprint of the first picture: errors of questions about the same picture are alike."""
        return self.images[0]["id"]

    def to_json_line(self) -> str:
        """The line of the record in ``samples.jsonl``, without the line break."""
        return dump_json({"schema": SCHEMA, **to_json(self)})


def unanswered_record(sample: Sample, index: int) -> SampleRecord:
    """The record of a question that is not answered yet.

    Args:
        sample: The Sample that asks the question.
        index: The number of the question among those of the task.
    """
    return SampleRecord(
        task=sample.task,
        index=index,
        source=sample.source,
        images=_images_of(sample),
        sample_sha256=sample.fingerprint(),
        cameras=tuple(tuple(view.camera.intrinsics) for view in sample.query.views),
        points=_points_of(sample),
        given=dict(sample.query.given),
        prompt=sample.prompt,
        answer="",
        probability=None,
        value=None,
        truth=sample.truth,
        interval=None,
        redraws=sample.redraws,
    )


def _images_of(sample: Sample) -> tuple[Mapping[str, str], ...]:
    """The name, the fingerprint and the sequence of each picture of a Sample."""
    frames = [view.frame for view in sample.query.views]
    return tuple({"name": frame.name, "id": picture_id(frame), "sequence": frame.sequence} for frame in frames)


def _points_of(sample: Sample) -> tuple[Mapping[str, Any], ...]:
    """The points of a Sample with their true depths and the range of the labels around them."""
    labels = [_all_labels(view) for view in sample.query.views]
    return tuple(
        {
            "name": point.name,
            "view": point.view,
            "pixel": [_rounded(x) for x in point.pixel],
            "depth_z": _rounded(point.depth_z),
            "distance": _rounded(point.distance),
            "around": _depths_around(*labels[point.view], point),
        }
        for point in sample.query.points
    )


def _all_labels(view: View) -> tuple[Array, Array]:
    """All labelled pixels (N, 2) of a View and their depth_z (N,) [m]. Unlike the View's own, they are not kept."""
    return NO_LABELS.take([]) if view.labels is None else view.labels.take(np.arange(len(view.labels)))


def _depths_around(pixels: Array, depth_z: Array, point: Point) -> list[float] | None:
    """The smallest and the largest depth_z [m] among labels around a point; None where there are too few.

    Args:
        pixels: The labelled pixels (N, 2).
        depth_z: Their depth_z (N,) [m].
        point: The point.
    """
    near = np.all(np.abs(pixels - point.pixel) <= _EDGE_RADIUS, axis=-1)
    near[near] &= np.linalg.norm(pixels[near] - point.pixel, axis=-1) <= _EDGE_RADIUS
    depths = depth_z[near]
    return [_rounded(depths.min()), _rounded(depths.max())] if len(depths) >= _FEWEST_LABELS else None


def _rounded(number: float) -> float:
    return round(float(number), _DIGITS)


def query_of(record: SampleRecord) -> Query:
    """The question of a record, without its pictures: enough to read an answer to it."""
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


def rescored(records: Iterable[SampleRecord], tasks: Mapping[str, Task]) -> list[SampleRecord]:
    """Read and score the answers of records again, by the tasks as they are now.

    Args:
        records: The records.
        tasks: The tasks, by name.

    Raises:
        UserError: If the task of a record is not known.
    """
    again = []
    for record in records:
        if record.task not in tasks:
            raise UserError(
                f"a sample is of the task {record.task!r}, which is not known", remedy="pass --include FILE.py"
            )
        task = tasks[record.task]
        value = _read_again(task, record)
        again.append(replace(record, value=value, scores=task.metric.score(record.truth, value)))
    return again


def _read_again(task: Task, record: SampleRecord) -> Any:
    """Read the answer of a record by the task as it is now.

    Raises:
        UserError: If the record does not give what the task needs to read it.
    """
    try:
        return task.read(Reply(record.answer, ending=record.ending).readable, query_of(record))
    except (KeyError, TypeError, AttributeError) as error:
        if not record.given and not isinstance(error, KeyError):
            raise  # a mistake of the task, which can read nothing wrong here
        raise UserError(
            f"sample {record.index} of {record.task}: `given` is not what the question states",
            f"{type(error).__name__}: {error}",
            "evaluate again, or give the samples as they were written",
        ) from None


def read_records(path: Path, tasks: Mapping[str, Task]) -> list[SampleRecord]:
    """Read the records of a ``samples.jsonl``.

    Args:
        path: The file.
        tasks: The tasks whose values are restored from JSON, by name.

    Raises:
        UserError: If the file cannot be read.
        UserErrors: If lines are faulty; all of them are named.
    """
    try:
        # str.splitlines would also split at U+2028 and similar characters, which JSON strings may hold.
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: the samples cannot be read", cause=str(error), remedy="name a samples.jsonl"
        ) from None
    faults: list[UserError] = []
    records = list(_parsed(lines, path, tasks, faults))
    if faults:
        where = f"{path}: these lines are no samples of schema {SCHEMA}; evaluate again, or take them out"
        raise UserErrors(where, faults)
    return records


def _parsed(
    lines: Iterable[str], path: Path, tasks: Mapping[str, Task], faults: list[UserError]
) -> Iterator[SampleRecord]:
    for number, line in enumerate(lines, start=1):
        try:
            yield parse_record(line, tasks)
        except ValueError as error:
            faults.append(UserError(f"{path}, line {number}: {error}"))


def parse_record(line: str, tasks: Mapping[str, Task]) -> SampleRecord:
    """Read a record from a line of ``samples.jsonl``.

    Args:
        line: The line.
        tasks: The tasks whose values are restored from JSON, by name.

    Raises:
        ValueError: If the line holds no record.
    """
    row = parse_object(line)
    if row.pop("schema", None) != SCHEMA:
        raise ValueError(f"it is not of schema {SCHEMA}")
    try:
        _SavedRecord.model_validate(row)
    except ValidationError as error:
        raise ValueError(_faults_to_text(error)) from None
    for name in ("images", "points"):
        row[name] = tuple(row[name])
    row["ending"] = Ending(row.get("ending", Ending.COMPLETE))
    row["cameras"] = tuple(tuple(camera) for camera in row["cameras"])
    row["interval"] = None if row["interval"] is None else tuple(row["interval"])
    row["scores"] = {key: math.nan if score is None else score for key, score in row["scores"].items()}
    if row["task"] in tasks:
        row |= _restored_values(row, tasks[row["task"]])
    return SampleRecord(**row)


def _restored_values(row: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """The values of a record as the task's metric takes them.

    Raises:
        ValueError: If one is no value of the task, or no answer can be scored against the truth.
    """
    named = {key: row[key] for key in ("value", "truth", "implied") if row.get(key) is not None}
    try:
        values = {key: task.metric.restore(value) for key, value in named.items()}
    except (KeyError, TypeError) as error:  # of a metric of the user's own
        raise ValueError(f"a value is none of {task.name}: {type(error).__name__}: {error}") from None
    if "truth" not in values or not task.metric.scorable(values["truth"]):
        raise ValueError(f"truth: no answer to {task.name} can be scored against {str(row['truth'])[:_SHOWN]!r}")
    return values


def _faults_to_text(error: ValidationError) -> str:
    """The faults of a record: the path of each key, and what is wrong with its value."""
    faults = [(".".join(map(str, fault["loc"])), fault["msg"].lower()) for fault in error.errors(include_url=False)]
    return "; ".join(f"{key}: {message}" for key, message in faults[:_FAULTS])


class _Saved(BaseModel):
    """A part of a line of ``samples.jsonl``, with exactly the types that are written."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


_Name = Annotated[str, Field(strict=True)]
_Number = Annotated[float, Field(strict=True)]
_Count = Annotated[int, Field(strict=True, ge=0, lt=1 << 31)]
_Pair = tuple[_Number, _Number]


class _SavedPicture(_Saved):
    """A picture of a record."""

    name: _Name
    id: _Name
    sequence: _Name


class _SavedPoint(_Saved):
    """A point of a record."""

    name: _Name
    view: _Count
    pixel: _Pair
    depth_z: _Number | None
    distance: _Number | None
    around: _Pair | None


class _SavedRecord(_Saved):
    """A line of ``samples.jsonl`` without its schema; see ``SampleRecord``. It is only checked, and kept as it is."""

    task: _Name
    index: _Count
    source: _Name
    images: Annotated[tuple[_SavedPicture, ...], Field(min_length=1)]
    sample_sha256: _Name
    cameras: tuple[tuple[_Number, _Number, _Number, _Number, _Number, _Number], ...]
    points: tuple[_SavedPoint, ...]
    given: dict[str, Any]
    prompt: _Name
    answer: _Name
    probability: _Number | None
    value: Any
    truth: Any
    interval: _Pair | None
    implied: Any = None
    agrees: Annotated[bool, Field(strict=True)] | None = None
    scores: dict[str, _Number | None]
    redraws: _Count = 0
    ending: Ending = Ending.COMPLETE
