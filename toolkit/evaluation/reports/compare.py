"""Comparison of several evaluations: their numbers side by side, on the questions that all of them were asked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from toolkit.errors import UserError
from toolkit.evaluation.reports.bootstrap import Difference, paired_difference
from toolkit.evaluation.reports.report import number_to_text, read_report
from toolkit.evaluation.sample_record import SAMPLES_FILE, SampleRecord, read_records
from toolkit.foreign_text import one_line
from toolkit.qa.metrics import as_columns
from toolkit.qa.tasks.task import Task
from toolkit.utils.json import to_json

_SEED = 0

_BESIDE_HEADLINE = ("abs_rel", "unparsed", "auc30")
"""The numbers that are compared beside the headline."""


@dataclass(frozen=True)
class SavedEvaluation:
    """The answers of one evaluation.

    Attributes:
        name: The name of the predictor that answered.
        records: The records of its answers, by the task's name and the hash of the question.
    """

    name: str
    records: Mapping[tuple[str, str], SampleRecord]


@dataclass(frozen=True)
class ComparedNumber:
    """One number of one task, for all evaluations.

    Attributes:
        task: The name of the task.
        key: The key of the number.
        count: How many questions of the task all evaluations share.
        images: How many pictures these questions are about.
        values: The value of the number for each evaluation.
        differences: For each evaluation but the first, how much larger its number is than that of the first.
    """

    task: str
    key: str
    count: int
    images: int
    values: tuple[float, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class EvaluationComparison:
    """Several evaluations side by side.

    Attributes:
        names: The name of each predictor; the others are compared with the first.
        rows: The numbers.
        left_out: For each evaluation, how many of its questions were not asked in all others.
    """

    names: tuple[str, ...]
    rows: tuple[ComparedNumber, ...]
    left_out: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON can hold it."""
        return {"schema": 1, **to_json(self)}

    def to_table(self) -> Table:
        """The comparison as a table for the terminal."""
        caption = (
            f"differences from {one_line(self.names[0])} with 95 % intervals by a paired bootstrap over pictures; "
            "* where the interval does not hold 0; only questions that all of them were asked"
        )
        table = Table(title="Comparison", caption=caption)
        for column in ("task", "number"):
            table.add_column(column, no_wrap=True)
        table.add_column("questions", justify="right")
        for name in self.names:
            table.add_column(one_line(name), justify="right")
        for row in self.rows:
            others = [_compared_to_text(*each) for each in zip(row.values[1:], row.differences, strict=True)]
            table.add_row(row.task, row.key, str(row.count), number_to_text(row.values[0], 3), *others)
        return table


def read_evaluation(path: Path, tasks: Mapping[str, Task]) -> SavedEvaluation:
    """Read the answers of an evaluation.

    Args:
        path: The folder of the evaluation, or the ``report.json`` in it.
        tasks: The tasks, by name.

    Raises:
        UserError: If there is no evaluation, or its samples cannot be read.
    """
    folder = path if path.is_dir() else path.parent
    name = read_report(folder, ("predictor",), path)["predictor"]
    records = read_records(folder / SAMPLES_FILE, tasks)
    return SavedEvaluation(name, {(record.task, record.sample_sha256): record for record in records})


def compare(
    evaluations: Sequence[SavedEvaluation], tasks: Mapping[str, Task], keys: Sequence[str] = ()
) -> EvaluationComparison:
    """Compare evaluations on the questions that all of them were asked.

    Args:
        evaluations: The evaluations; the others are compared with the first.
        tasks: The tasks, by name.
        keys: The keys of the numbers; by default the headline of each task and a few others.

    Raises:
        UserError: If there are fewer than two evaluations, if they share no question, or if a task or a number is not
            known.
    """
    if len(evaluations) < 2:
        raise UserError("one evaluation is no comparison", remedy="name two folders that toolkit eval wrote, or more")
    shared = [key for key in evaluations[0].records if all(key in evaluation.records for evaluation in evaluations)]
    if not shared:
        raise UserError(
            "the evaluations have no question in common",
            cause="recipe, seed, pictures or the way of asking (focal length, marker) differ",
            remedy="evaluate all by the same recipe with the same checkpoint as contract",
        )
    names = list(dict.fromkeys(task for task, _ in shared))
    if strangers := [name for name in names if name not in tasks]:
        raise UserError(f"the task {', '.join(strangers)} is not known", remedy="pass --include FILE.py")
    rows = [
        row
        for name in names
        for row in _compare_task(evaluations, tasks[name], [k for k in shared if k[0] == name], keys)
    ]
    if not rows:
        raise UserError(f"no task measures {', '.join(keys)}", remedy="see the names of numbers in report.json")
    return EvaluationComparison(
        _titles(evaluations), tuple(rows), tuple(len(evaluation.records) - len(shared) for evaluation in evaluations)
    )


def _compare_task(
    evaluations: Sequence[SavedEvaluation], task: Task, shared: Sequence[tuple[str, str]], keys: Sequence[str]
) -> Sequence[ComparedNumber]:
    """Compare the numbers of one task on the shared questions."""
    for evaluation in evaluations:
        _check_scores(evaluation, task, shared)
    columns = [as_columns([evaluation.records[key].scores for key in shared]) for evaluation in evaluations]
    groups = [evaluations[0].records[key].group for key in shared]
    ones = np.ones((1, len(shared)))
    summaries = [task.metric.summary(each, ones) for each in columns]
    differences = [
        paired_difference(task.metric, (each, columns[0]), groups, np.random.default_rng(_SEED)) for each in columns[1:]
    ]
    wanted = keys or (task.metric.headline, *(key for key in _BESIDE_HEADLINE if key in summaries[0]))
    return [
        ComparedNumber(
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


def _check_scores(evaluation: SavedEvaluation, task: Task, shared: Sequence[tuple[str, str]]) -> None:
    """Check that the answers of an evaluation have the scores of the task as it is now.

    Raises:
        UserError: If some have others.
    """
    records = [evaluation.records[key] for key in shared]
    wanted = task.metric.score(records[0].truth, None).keys()
    other = next((record for record in records if record.scores.keys() != wanted), None)
    if other is not None:
        raise UserError(
            f"{evaluation.name}: sample {other.index} of {task.name} has other scores than the task gives now",
            "another version of the toolkit or of the task has written it, or it is damaged",
            "score it again: toolkit rescore FOLDER",
        )


def _titles(evaluations: Sequence[SavedEvaluation]) -> tuple[str, ...]:
    """The names of the predictors, numbered where two are the same."""
    names = [evaluation.name for evaluation in evaluations]
    return tuple(name if names.count(name) == 1 else f"{name} ({index})" for index, name in enumerate(names, start=1))


def _compared_to_text(value: float, difference: Difference) -> str:
    if not math.isfinite(difference.low):
        return number_to_text(value, 3)
    clear = "*" if difference.low > 0 or difference.high < 0 else ""
    return (
        f"{number_to_text(value, 3)} ({difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]){clear}"
    )
