"""Results: what the answers to all questions amount to, each number with its interval and its floors.

Everything is computed from Records alone, so that a report can be made again from ``samples.jsonl`` without a model.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from toolkit.evaluation.analysis import Analysis, analyse
from toolkit.evaluation.bootstrap import Interval, intervals
from toolkit.evaluation.plots import save_figure
from toolkit.evaluation.sample_record import SCHEMA, Record, query_of
from toolkit.modeling.uncertainty import COVERAGE
from toolkit.qa.metrics import GapAccuracy, Metric, accuracy_beyond, as_columns
from toolkit.qa.task import Task
from toolkit.utils.files import write_text
from toolkit.utils.json import to_json
from toolkit.utils.plotting import INSTALL, can_draw

REPORT = "report.json"
"""File of an evaluation's folder with all its numbers."""


_RESAMPLES = 1000


_SEED = 0


_DIGITS = 6  # of the numbers that are written


@dataclass(frozen=True)
class Floor:
    """What an answer that ignores the picture reaches on the same questions.

    Attributes:
        answer: The answer, as text.
        metrics: Its numbers.
    """

    answer: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class TaskReport:
    """Results of one task.

    Attributes:
        task: Its name.
        unit: Of its answers.
        headline: Key of the number that stands for it.
        count: Questions asked.
        images: Pictures that they are about.
        metrics: All numbers.
        intervals: For each, where it lies with 95 %, by a bootstrap over pictures.
        constant: The answer that scores best on these very questions.
        median: The middle of the training labels, where there is training data.
        unread: Share of the questions whose answer could not be read.
        covered: Share of the questions whose truth lies in the answer's own interval, with how many have one.
        agreeing: Share of the answers that agree with the predictor's own depths, with how many could be told.
        sources: The headline number of each source, with its questions, where there are several.
        analysis: What these averages hide.
    """

    task: str
    unit: str
    headline: str
    count: int
    images: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    constant: Floor
    median: Floor | None
    unread: float
    covered: tuple[float, int]
    agreeing: tuple[float, int]
    sources: Mapping[str, tuple[float, int]]
    analysis: Analysis


@dataclass(frozen=True)
class Report:
    """Results of one predictor.

    Attributes:
        predictor: Who answered.
        tasks: Results, a task each.
        records: What they were made of.
        about: What else a reader needs: recipe, contract, versions, notes.
    """

    predictor: str
    tasks: tuple[TaskReport, ...]
    records: tuple[Record, ...] = field(repr=False)
    about: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The content of ``report.json``."""
        tasks = [_rounded(to_json(task)) for task in self.tasks]
        return {"schema": SCHEMA, "predictor": self.predictor, **to_json(self.about), "tasks": tasks}

    def save(self, folder: Path) -> None:
        """Write ``samples.jsonl``, pictures, ``report.md`` and, last, ``report.json``."""
        write_text(folder / "samples.jsonl", "".join(record.line() + "\n" for record in self.records))
        drawn = self._draw(folder)
        write_text(folder / "report.md", self.as_markdown(drawn))
        write_text(folder / REPORT, json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n")

    def table(self) -> Table:
        """What a person sees on a terminal."""
        table = Table(title=f"Held-out results: {self.predictor}", caption=_CAPTION)
        table.add_column("task", no_wrap=True)
        table.add_column("questions", justify="right")
        table.add_column("measure", no_wrap=True)
        table.add_column("model", justify="right", style="bold", no_wrap=True)
        table.add_column("best constant", justify="right")
        table.add_column("median label", justify="right")
        table.add_column("unread", justify="right")
        table.add_column("also")
        for task in self.tasks:
            table.add_row(*_cells(task))
        return table

    def _draw(self, folder: Path) -> dict[str, str]:
        """Draw the tasks' pictures into a folder; their file names by task."""
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

    def as_markdown(self, drawn: Mapping[str, str]) -> str:
        """The content of ``report.md``; ``drawn`` are the pictures' file names by task."""
        head = "| task | questions | measure | model | best constant | median label | unread | also |"
        rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(task)) + " |" for task in self.tasks]
        details = "\n\n".join(_details(task, drawn.get(task.task)) for task in self.tasks)
        notes = "".join(f"\n- {note}" for note in self.about.get("notes", ()))
        if not can_draw():
            notes += f"\n- no pictures: matplotlib is not installed ({INSTALL})"
        parts = [f"# {self.predictor}", "\n".join([head, "|---" * 8 + "|", *rows]), f"{_CAPTION}.{notes}", details]
        return "\n\n".join(parts) + "\n"


_CAPTION = (
    "brackets: 95 % by a bootstrap over pictures; unread and impossible answers are wrong; "
    "the constant is the best for these very questions, the median label is that of the training data"
)


def make_report(
    predictor: str,
    records: Sequence[Record],
    tasks: Mapping[str, Task],
    central: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Report:
    """What Records amount to.

    Args:
        predictor: Who answered.
        records: The answers.
        tasks: Their tasks, by name.
        central: The middle of the training labels of each task, as an answer to all questions.
        about: What else a reader needs.
    """
    named: dict[str, list[Record]] = {}
    for record in records:
        named.setdefault(record.task, []).append(record)
    reports = [_task_report(tasks[name], found, (central or {}).get(name)) for name, found in named.items()]
    return Report(predictor, tuple(reports), tuple(records), {**(about or {}), "central": central or {}})


def _task_report(task: Task, records: Sequence[Record], central: Any) -> TaskReport:
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
        intervals=intervals(metric, as_columns(scores), groups, np.random.default_rng(_SEED), resamples=_RESAMPLES),
        constant=_floor(task, records, best),
        median=median,
        unread=sum(record.value is None for record in records) / len(records),
        covered=_share(_covered(task, record) for record in records),
        agreeing=_share(record.agrees for record in records),
        sources=_by_source(metric, records),
        analysis=analyse(records),
    )


def _by_source(metric: Metric[Any], records: Sequence[Record]) -> dict[str, tuple[float, int]]:
    """The headline number and the questions of each source; {} where there is one."""
    scores: dict[str, list[Mapping[str, float]]] = {}
    for record in records:
        scores.setdefault(record.source, []).append(record.scores)
    if len(scores) < 2:
        return {}
    return {name: (metric.summarise(scores[name])[metric.headline], len(scores[name])) for name in sorted(scores)}


def _floor(task: Task, records: Sequence[Record], answer: Any) -> Floor:
    metric: Metric[Any] = task.metric
    return Floor(task.write(answer, query_of(records[0])), metric.floor([record.truth for record in records], answer))


def _covered(task: Task, record: Record) -> bool | None:
    """Whether the truth lies in the answer's own interval; None where it has none."""
    truth = task.number(record.truth)
    if record.interval is None or truth is None:
        return None
    return record.interval[0] <= truth <= record.interval[1]


def _share(judged: Any) -> tuple[float, int]:
    """The share of what is true among what could be told, and how many those are."""
    told = [bool(verdict) for verdict in judged if verdict is not None]
    return (sum(told) / len(told) if told else math.nan), len(told)


_ALSO = ("abs_rel", "rmse", "rotation_error", "direction_error", "auc30")
"""Numbers beside the headline that the table shows; ``report.json`` has all."""


_CLEAR = 0.25
"""Relative gap of two distances from which their order is plain."""


def _cells(task: TaskReport) -> list[str]:
    key = task.headline
    low, high = task.intervals[key]
    band = f" [{low:.2f}, {high:.2f}]" if math.isfinite(low) else ""
    also = [f"{name} {task.metrics[name]:.2f}" for name in _ALSO if math.isfinite(task.metrics.get(name, math.nan))]
    if math.isfinite(clear := accuracy_beyond(task.analysis.order or (), _CLEAR)):
        also.append(f"{clear:.3f} at gaps of {_CLEAR:.0%} and more")
    if task.covered[1]:
        also.append(f"covered {task.covered[0]:.0%} of {COVERAGE:.0%}")
    if task.agreeing[1]:
        also.append(f"agrees with own depths {task.agreeing[0]:.0%}")
    return [
        task.task,
        str(task.count),
        key,
        f"{task.metrics[key]:.3f}{band}",
        f"{task.constant.metrics[key]:.3f}",
        f"{task.median.metrics[key]:.3f}" if task.median else "-",
        f"{task.unread:.1%}",
        ", ".join(also),
    ]


def _details(task: TaskReport, picture: str | None) -> str:
    """All numbers of a task, a line each, and what they hide."""
    median = task.median.answer if task.median else "not known"
    lines = [
        f"## {task.task}",
        f"{task.count} questions about {task.images} pictures. Best constant: {task.constant.answer}; "
        f"median training label: {median}.",
        "| number | value | 95 % | best constant | median label |\n|---|---|---|---|---|\n"
        + "\n".join(_line(task, key) for key in task.metrics if key != "count"),
        *_hidden(task),
        *([f"![{task.task}]({picture})"] if picture else []),
    ]
    return "\n\n".join(lines)


def _hidden(task: TaskReport) -> list[str]:
    """Sentences about what the averages hide."""
    found, said = task.analysis, []
    if task.covered[1]:
        said.append(f"The answers' own intervals ({COVERAGE:.0%}) hold the truth in {task.covered[0]:.1%}.")
    if task.agreeing[1]:
        said.append(f"{task.agreeing[0]:.1%} of {task.agreeing[1]} answers agree with the predictor's own depths.")
    if task.sources:
        each = ", ".join(f"{name} {value:.3f} ({count})" for name, (value, count) in task.sources.items())
        mean = float(np.mean([value for value, _ in task.sources.values()]))
        said.append(f"{task.headline} by source, with its questions: {each}; mean of the sources {mean:.3f}.")
    if found.digits and found.digits.answers:
        said.append(f"{found.digits.distinct} different answers among {found.digits.answers}.")
    if found.order:
        each = ", ".join(f"{_gaps(part)} {part.accuracy:.3f} ({part.count})" for part in found.order if part.count)
        said.append(f"Right by relative gap of the distances, with its questions: {each}.")
    if found.slope is not None and math.isfinite(found.slope):
        said.append(f"Slope of log answer over log truth: {found.slope:.2f} (1 is without compression).")
    if found.edges and found.edges.count:
        flying = f"; flying points {found.edges.flying:.1%}" if math.isfinite(found.edges.flying) else ""
        said.append(
            f"At depth edges ({found.edges.count} questions) δ1 {found.edges.delta1:.3f}, elsewhere "
            f"({found.edges.elsewhere}) {found.edges.delta1_elsewhere:.3f}{flying}."
        )
    return [" ".join(said)] if said else []


def _gaps(part: GapAccuracy) -> str:
    """A class of gaps in words."""
    return f"{part.low:.0%} to {part.high:.0%}" if math.isfinite(part.high) else f"{part.low:.0%} and more"


def _line(task: TaskReport, key: str) -> str:
    low, high = task.intervals.get(key, Interval(math.nan, math.nan))
    floors = (floor.metrics[key] if floor else math.nan for floor in (task.constant, task.median))
    values = (f"{value:.4f}" if math.isfinite(value) else "-" for value in (task.metrics[key], *floors))
    value, constant, median = values
    band = f"{low:.4f} to {high:.4f}" if math.isfinite(low) else "-"
    return f"| {key} | {value} | {band} | {constant} | {median} |"


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return round(value, _DIGITS) if isinstance(value, float) else value
