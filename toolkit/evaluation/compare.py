"""Results of several predictors side by side, with the differences on the very questions that both answered."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from toolkit.errors import UserError
from toolkit.evaluation.bootstrap import Difference, paired_difference
from toolkit.evaluation.report import REPORT
from toolkit.evaluation.sample_record import Record, read_records
from toolkit.qa.metrics import as_columns
from toolkit.qa.task import Task
from toolkit.utils.json import to_json

_SEED = 0


@dataclass(frozen=True)
class Entry:
    """One evaluation.

    Attributes:
        name: Who answered.
        records: What, by task and by the hash of the question.
    """

    name: str
    records: Mapping[tuple[str, str], Record]


@dataclass(frozen=True)
class Row:
    """One number of one task, for all evaluations.

    Attributes:
        task: The task's name.
        key: The number's.
        count: Questions that all have answered.
        images: Pictures that these are about.
        values: The number, an evaluation each.
        differences: How much larger it is than that of the first evaluation, from the second on.
    """

    task: str
    key: str
    count: int
    images: int
    values: tuple[float, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """Several evaluations side by side.

    Attributes:
        names: Who answered; the first is what the others are compared with.
        rows: The numbers.
        left_out: How many questions of each were not asked of all others.
    """

    names: tuple[str, ...]
    rows: tuple[Row, ...]
    left_out: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """It as JSON can hold it."""
        return {"schema": 1, **to_json(self)}

    def table(self) -> Table:
        """What a person sees."""
        caption = (
            f"differences from {self.names[0]} with 95 % by a paired bootstrap over pictures; "
            "* an interval without 0; only questions that all were asked"
        )
        table = Table(title="Comparison", caption=caption)
        for column in ("task", "number"):
            table.add_column(column, no_wrap=True)
        table.add_column("questions", justify="right")
        for name in self.names:
            table.add_column(name, justify="right")
        for row in self.rows:
            others = [_cell(*each) for each in zip(row.values[1:], row.differences, strict=True)]
            table.add_row(row.task, row.key, str(row.count), _number(row.values[0]), *others)
        return table


def read_entry(path: Path, tasks: Mapping[str, Task]) -> Entry:
    """An evaluation from its folder, or from the ``report.json`` in it.

    Raises:
        UserError: If it is none, or its samples cannot be read.
    """
    folder = path if path.is_dir() else path.parent
    try:
        name = json.loads((folder / REPORT).read_text(encoding="utf-8"))["predictor"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: this is no evaluation", cause=str(error), remedy="name a folder that toolkit eval wrote"
        ) from None
    records = read_records(folder / "samples.jsonl", tasks)
    return Entry(name, {(record.task, record.sample_sha256): record for record in records})


def compare(entries: Sequence[Entry], tasks: Mapping[str, Task], keys: Sequence[str] = ()) -> Comparison:
    """Compare evaluations on the questions that all of them were asked.

    Args:
        entries: The evaluations; the first is what the others are compared with.
        tasks: The tasks, by name.
        keys: Which numbers; by default each task's headline and those beside it.

    Raises:
        UserError: If there are fewer than two, they share no question, or a task or number is not known.
    """
    if len(entries) < 2:
        raise UserError("one evaluation is no comparison", remedy="name two folders that toolkit eval wrote, or more")
    shared = [key for key in entries[0].records if all(key in entry.records for entry in entries)]
    if not shared:
        raise UserError(
            "the evaluations have no question in common",
            cause="recipe, seed, pictures or the way of asking (focal length, marker) differ",
            remedy="evaluate all by the same recipe with the same checkpoint as contract",
        )
    names = list(dict.fromkeys(task for task, _ in shared))
    if strangers := [name for name in names if name not in tasks]:
        raise UserError(f"the task {', '.join(strangers)} is not known", remedy="pass --include FILE.py")
    rows = [row for name in names for row in _rows(entries, tasks[name], [k for k in shared if k[0] == name], keys)]
    if not rows:
        raise UserError(f"no task measures {', '.join(keys)}", remedy="see the names of numbers in report.json")
    return Comparison(_titles(entries), tuple(rows), tuple(len(entry.records) - len(shared) for entry in entries))


def _rows(
    entries: Sequence[Entry], task: Task, shared: Sequence[tuple[str, str]], keys: Sequence[str]
) -> Sequence[Row]:
    columns = [as_columns([entry.records[key].scores for key in shared]) for entry in entries]
    groups = [entries[0].records[key].group for key in shared]
    ones = np.ones((1, len(shared)))
    summaries = [task.metric.summary(each, ones) for each in columns]
    differences = [
        paired_difference(task.metric, (each, columns[0]), groups, np.random.default_rng(_SEED)) for each in columns[1:]
    ]
    wanted = keys or (task.metric.headline, *(key for key in _ALSO if key in summaries[0]))
    return [
        Row(
            task.name,
            key,
            len(shared),
            len(set(groups)),
            tuple(float(summary[key][0]) for summary in summaries),
            tuple(difference[key] for difference in differences),
        )
        for key in wanted
        if key in summaries[0]
    ]


_ALSO = ("abs_rel", "unparsed", "auc30")


def _titles(entries: Sequence[Entry]) -> tuple[str, ...]:
    """The names, numbered where two are the same."""
    names = [entry.name for entry in entries]
    return tuple(name if names.count(name) == 1 else f"{name} ({index})" for index, name in enumerate(names, start=1))


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"


def _cell(value: float, difference: Difference) -> str:
    if not math.isfinite(difference.low):
        return _number(value)
    clear = "*" if difference.low > 0 or difference.high < 0 else ""
    return f"{_number(value)} ({difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]){clear}"
