"""Reports: the results of a predictor on all questions, each number with its interval and its floors.

Everything is computed from the records of the answers, so a report can be made again from ``samples.jsonl`` without a
model.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from toolkit.errors import UserError
from toolkit.evaluation.reports.analysis import Analysis
from toolkit.evaluation.reports.bootstrap import ConfidenceInterval
from toolkit.evaluation.reports.plots import save_figure
from toolkit.evaluation.reports.task_report import TaskReport, make_task_report
from toolkit.evaluation.sample_record import SAMPLES_FILE, SCHEMA, SampleRecord
from toolkit.foreign_text import one_line, to_markdown
from toolkit.modeling.confidence.uncertainty import COVERAGE
from toolkit.qa.metrics import GapAccuracy, accuracy_beyond
from toolkit.qa.tasks.task import Task
from toolkit.utils.files import write_text, written_together
from toolkit.utils.json import dump_json, read_object, to_json
from toolkit.utils.plotting import INSTALL_PLOTS, can_draw

REPORT = "report.json"
"""The file in the folder of an evaluation that holds all its numbers."""

_DIGITS = 6  # decimal places of the numbers that are written

_KINDS = {
    "predictor": str,
    "recipe": str,
    "contract": str,
    "central": Mapping,
    "notes": list,
    "versions": Mapping,
}
"""What a report holds that is read again."""

_BESIDE_HEADLINE = ("abs_rel", "rmse", "rotation_error", "direction_error", "auc30")
"""The numbers that the table shows beside the headline; ``report.json`` has all numbers."""

_CLEAR_GAP = 0.25
"""The relative gap between two distances from which it is clear which one is closer."""

_CAPTION = (
    "brackets: 95 % intervals by a bootstrap over pictures; unread and impossible answers are wrong; "
    "the constant is the best for these very questions, the median label is that of the training data"
)


@dataclass(frozen=True)
class Report:
    """The results of one predictor.

    Attributes:
        predictor: The name of the predictor that answered.
        tasks: The results of each task.
        records: The records from which the results were computed.
        about: What else a reader needs to know: recipe, contract, versions, notes, and the middle of the training
            labels.
    """

    predictor: str
    tasks: tuple[TaskReport, ...]
    records: tuple[SampleRecord, ...] = field(repr=False)
    about: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The content of ``report.json``."""
        tasks = [_rounded(to_json(task)) for task in self.tasks]
        return {"schema": SCHEMA, "predictor": self.predictor, **to_json(self.about), "tasks": tasks}

    def save(self, folder: Path) -> None:
        """Write ``samples.jsonl``, the figures, ``report.md`` and, last, ``report.json`` into a folder: all or none."""
        with written_together():
            write_text(folder / SAMPLES_FILE, "".join(record.to_json_line() + "\n" for record in self.records))
            figures = self._draw_figures(folder)
            write_text(folder / "report.md", self.to_markdown(figures))
            write_text(folder / REPORT, dump_json(self.to_json(), indent=2) + "\n")

    def to_table(self) -> Table:
        """The results as a table for the terminal."""
        table = Table(title=f"Held-out results: {one_line(self.predictor)}", caption=_CAPTION)
        table.add_column("task", no_wrap=True)
        table.add_column("questions", justify="right")
        table.add_column("measure", no_wrap=True)
        table.add_column("model", justify="right", style="bold", no_wrap=True)
        table.add_column("best constant", justify="right")
        table.add_column("median label", justify="right")
        table.add_column("unread", justify="right")
        table.add_column("also")
        for task in self.tasks:
            table.add_row(*_summary_cells(task))
        return table

    def _draw_figures(self, folder: Path) -> dict[str, str]:
        """Draw a figure for each task into a folder; returns the file name of each task that has one."""
        if not can_draw():
            return {}
        names = {task.task: f"{task.task}.png" for task in self.tasks}
        drawn = {
            task.task: save_figure(
                task.task,
                task.unit,
                [record for record in self.records if record.task == task.task],
                task.analysis,
                folder / names[task.task],
            )
            for task in self.tasks
        }
        return {name: names[name] for name, done in drawn.items() if done}

    def to_markdown(self, figures: Mapping[str, str]) -> str:
        """The content of ``report.md``.

        Args:
            figures: The file name of each task's figure, by task.
        """
        head = "| task | questions | measure | model | best constant | median label | unread | also |"
        rows = [
            "| " + " | ".join([to_markdown(name), *cells]) + " |" for name, *cells in map(_summary_cells, self.tasks)
        ]
        sections = "\n\n".join(_task_to_markdown(task, figures.get(task.task)) for task in self.tasks)
        notes = "".join(f"\n- {to_markdown(note)}" for note in self.about.get("notes", ()))
        if not can_draw():
            notes += f"\n- no pictures: matplotlib is not installed ({INSTALL_PLOTS})"
        parts = [
            f"# {to_markdown(self.predictor)}",
            "\n".join([head, "|---" * 8 + "|", *rows]),
            f"{_CAPTION}.{notes}",
            sections,
        ]
        return "\n\n".join(parts) + "\n"


def report_files(folder: Path, tasks: Sequence[str]) -> list[Path]:
    """The files that a report may write into a folder, with the figures of these tasks."""
    return [folder / name for name in (SAMPLES_FILE, "report.md", REPORT, *(f"{task}.png" for task in tasks))]


def make_report(
    predictor: str,
    records: Sequence[SampleRecord],
    tasks: Mapping[str, Task],
    central: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Report:
    """Compute the results of a predictor from the records of its answers.

    Args:
        predictor: The name of the predictor that answered.
        records: The records of all answers.
        tasks: The tasks of the records, by name.
        central: The middle of the training labels of each task, by the task's name. It is a floor of the results.
        about: What else a reader needs to know: recipe, versions, notes.
    """
    named: dict[str, list[SampleRecord]] = {}
    for record in records:
        named.setdefault(record.task, []).append(record)
    reports = [make_task_report(tasks[name], found, (central or {}).get(name)) for name, found in named.items()]
    return Report(predictor, tuple(reports), tuple(records), {**(about or {}), "central": central or {}})


def read_report(folder: Path, keys: Sequence[str], named: Path | None = None) -> dict[str, Any]:
    """Read the ``report.json`` of an evaluation.

    Args:
        folder: The folder of the evaluation.
        keys: The keys that the report must hold.
        named: The path that an error names; by default the folder.

    Raises:
        UserError: If there is no such report, or a key is missing.
    """
    problem, remedy = f"{named or folder}: this is no evaluation", "name a folder that toolkit eval wrote"
    try:
        saved = read_object(folder / REPORT, "evaluate again")
    except OSError:
        raise UserError(problem, f"there is no {REPORT} in it", remedy) from None
    missing = [key for key in keys if key not in saved]
    if missing:
        raise UserError(problem, f"{REPORT} does not hold {', '.join(missing)}", remedy)
    wrong = [key for key, kind in _KINDS.items() if key in saved and not isinstance(saved[key], kind)]
    if wrong or not all(isinstance(note, str) for note in saved.get("notes", ())):
        raise UserError(problem, f"{', '.join(wrong) or 'notes'} in {REPORT} is not what is written there", remedy)
    return saved


def restore_central(saved: Mapping[str, Any], tasks: Mapping[str, Task], where: Path) -> dict[str, Any]:
    """The middle of the training labels of each task, from their values in JSON.

    Args:
        saved: The values by the name of the task. Those of other tasks than ``tasks`` are left out.
        tasks: The tasks, by name.
        where: The file that holds the values, for errors.

    Raises:
        UserError: If a value is none of its task.
    """
    restored = {}
    for name in saved.keys() & tasks.keys():
        try:
            restored[name] = tasks[name].metric.restore(saved[name])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{where}: the central label of {name} cannot be read", str(error), "copy it again"
            ) from None
    return {name: restored[name] for name in saved if name in restored}


def _summary_cells(task: TaskReport) -> list[str]:
    """The row of a task in the summary table."""
    key = task.headline
    low, high = task.intervals[key]
    band = f" [{low:.2f}, {high:.2f}]" if math.isfinite(low) else ""
    return [
        task.task,
        str(task.count),
        key,
        f"{task.metrics[key]:.3f}{band}",
        f"{task.constant.metrics[key]:.3f}",
        f"{task.median.metrics[key]:.3f}" if task.median else "-",
        f"{task.unread:.1%}",
        ", ".join(_beside_headline(task)),
    ]


def _beside_headline(task: TaskReport) -> list[str]:
    """The numbers that the summary table shows in its last column."""
    finite = [name for name in _BESIDE_HEADLINE if math.isfinite(task.metrics.get(name, math.nan))]
    also = [f"{name} {task.metrics[name]:.2f}" for name in finite]
    if math.isfinite(clear := accuracy_beyond(task.analysis.order or (), _CLEAR_GAP)):
        also.append(f"{clear:.3f} at gaps of {_CLEAR_GAP:.0%} and more")
    if task.covered[1]:
        also.append(f"covered {task.covered[0]:.0%} of {COVERAGE:.0%}")
    if task.agreeing[1]:
        also.append(f"agrees with own depths {task.agreeing[0]:.0%}")
    return also


def _task_to_markdown(task: TaskReport, figure: str | None) -> str:
    """The section of a task in ``report.md``: all its numbers, and what the averages hide."""
    median = task.median.answer if task.median else "not known"
    hidden = " ".join([*_answers_to_text(task), *_analysis_to_text(task.analysis)])
    parts = [
        f"## {to_markdown(task.task)}",
        f"{task.count} questions about {task.images} pictures. Best constant: {to_markdown(task.constant.answer)}; "
        f"median training label: {to_markdown(median)}.",
        "| number | value | 95 % | best constant | median label |\n|---|---|---|---|---|\n"
        + "\n".join(_number_row(task, key) for key in task.metrics if key != "count"),
        *([hidden] if hidden else []),
        *([f"![{to_markdown(task.task)}]({figure})"] if figure else []),
    ]
    return "\n\n".join(parts)


def _answers_to_text(task: TaskReport) -> list[str]:
    """Sentences about the answers' own intervals, their agreement with depths, and the sources."""
    sentences = []
    if task.covered[1]:
        sentences.append(f"The answers' own intervals ({COVERAGE:.0%}) hold the truth in {task.covered[0]:.1%}.")
    if task.agreeing[1]:
        sentences.append(f"{task.agreeing[0]:.1%} of {task.agreeing[1]} answers agree with the predictor's own depths.")
    if task.sources:
        each = ", ".join(f"{to_markdown(name)} {value:.3f} ({count})" for name, (value, count) in task.sources.items())
        mean = float(np.mean([value for value, _ in task.sources.values()]))
        sentences.append(f"{task.headline} by source, with its questions: {each}; mean of the sources {mean:.3f}.")
    return sentences


def _analysis_to_text(found: Analysis) -> list[str]:
    """Sentences about what the averages hide."""
    sentences = []
    if found.digits and found.digits.answers:
        sentences.append(f"{found.digits.distinct} different answers among {found.digits.answers}.")
    if found.order:
        each = ", ".join(
            f"{_gap_to_text(part)} {part.accuracy:.3f} ({part.count})" for part in found.order if part.count
        )
        sentences.append(f"Right by relative gap of the distances, with its questions: {each}.")
    if found.slope is not None and math.isfinite(found.slope):
        sentences.append(f"Slope of log answer over log truth: {found.slope:.2f} (1 is without compression).")
    if found.edges and found.edges.count:
        flying = f"; flying points {found.edges.flying:.1%}" if math.isfinite(found.edges.flying) else ""
        sentences.append(
            f"At depth edges ({found.edges.count} questions) δ1 {found.edges.delta1:.3f}, elsewhere "
            f"({found.edges.elsewhere}) {found.edges.delta1_elsewhere:.3f}{flying}."
        )
    return sentences


def _gap_to_text(part: GapAccuracy) -> str:
    """The limits of a class of relative gaps in words."""
    return f"{part.low:.0%} to {part.high:.0%}" if math.isfinite(part.high) else f"{part.low:.0%} and more"


def _number_row(task: TaskReport, key: str) -> str:
    """The row of one number in the Markdown table of a task."""
    low, high = task.intervals.get(key, ConfidenceInterval(math.nan, math.nan))
    floors = (floor.metrics[key] if floor else math.nan for floor in (task.constant, task.median))
    value, constant, median = (number_to_text(value, 4) for value in (task.metrics[key], *floors))
    band = f"{low:.4f} to {high:.4f}" if math.isfinite(low) else "-"
    return f"| {to_markdown(key)} | {value} | {band} | {constant} | {median} |"


def number_to_text(value: float, decimals: int) -> str:
    """A number with so many decimal places; "-" if it is not finite."""
    return f"{value:.{decimals}f}" if math.isfinite(value) else "-"


def _rounded(value: Any) -> Any:
    """JSON-able values with all numbers rounded to ``_DIGITS`` decimal places."""
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return round(value, _DIGITS) if isinstance(value, float) else value
