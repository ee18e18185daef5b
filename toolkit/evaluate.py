"""Evaluation: a predictor's answers to held-out questions, scored beside the best constant answer."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from toolkit.abstract_task import Task
from toolkit.errors import UserError
from toolkit.mixture import Mixture
from toolkit.predictors import Predictor
from toolkit.sample import Sample
from toolkit.storage import write_text

SCHEMA = 1
"""Version of ``report.json`` and ``samples.jsonl``."""


_ALSO = ("abs_rel", "rotation_error", "direction_error", "auc30")
"""Numbers beside the headline that the table shows; ``report.json`` has all."""


@dataclass(frozen=True)
class Answered:
    """One Sample with what was answered.

    Attributes:
        sample: The question and its truth.
        text: The raw answer.
        value: What was read from it, None if nothing could be.
        scores: The metric's scores of this answer.
    """

    sample: Sample
    text: str
    value: Any
    scores: Mapping[str, float]

    def row(self) -> dict[str, Any]:
        """The line of ``samples.jsonl``."""
        query = self.sample.query
        return {
            "schema": SCHEMA,
            "task": self.sample.task,
            "source": self.sample.source,
            "frames": list(self.sample.frames),
            "sample_sha256": self.sample.fingerprint(),
            "cameras": [view.camera.intrinsics for view in query.views],
            "points": {point.name: [round(float(x), 3) for x in point.pixel] for point in query.points},
            "given": dict(query.given),
            "prompt": self.sample.prompt,
            "answer": self.text,
            "value": plain(self.value),
            "truth": plain(self.sample.truth),
            "scores": plain(self.scores),
            "redraws": self.sample.redraws,
        }


@dataclass(frozen=True)
class TaskReport:
    """Results of one task.

    Attributes:
        task: Its name.
        headline: Key of the number that stands for it.
        count: Questions asked.
        metrics: All numbers.
        floor: The headline of the best constant answer to the same questions.
        constant: That answer, as text.
    """

    task: str
    headline: str
    count: int
    metrics: Mapping[str, float]
    floor: float
    constant: str


@dataclass(frozen=True)
class Report:
    """Results of one predictor."""

    predictor: str
    tasks: tuple[TaskReport, ...]
    answers: tuple[Answered, ...]

    def as_json(self) -> dict[str, Any]:
        """The content of ``report.json``."""
        return {"schema": SCHEMA, "predictor": self.predictor, "tasks": [plain(task) for task in self.tasks]}

    def save(self, folder: Path) -> None:
        """Write ``report.json`` and ``samples.jsonl``."""
        lines = [json.dumps(answered.row(), ensure_ascii=False) for answered in self.answers]
        write_text(folder / "samples.jsonl", "\n".join(lines) + "\n")
        write_text(folder / "report.json", json.dumps(self.as_json(), indent=2) + "\n")

    def table(self) -> Table:
        """What a person sees."""
        table = Table(title=f"Held-out results: {self.predictor}", caption="unread and impossible answers are wrong")
        table.add_column("task", no_wrap=True)
        table.add_column("questions", justify="right")
        table.add_column("measure", no_wrap=True)
        table.add_column("model", justify="right", style="bold")
        table.add_column("best constant", justify="right")
        table.add_column("unread", justify="right")
        table.add_column("also")
        for task in self.tasks:
            table.add_row(*_cells(task))
        return table


def evaluate(
    predictor: Predictor,
    held_out: Mapping[str, Mixture],
    progress: Callable[[int], None] = lambda done: None,
    batch_size: int = 64,
) -> Report:
    """Ask a predictor all held-out questions and score it.

    Args:
        predictor: Who answers.
        held_out: One Mixture a task.
        progress: Told after each batch how many questions it held.
        batch_size: How many questions are held in memory at once.

    Raises:
        UserError: If there is no question to ask.
    """
    reports, answers = [], []
    for name, mixture in held_out.items():
        task = next(task for task, _ in mixture.tasks if task.name == name)
        answered = list(_ask(predictor, task, mixture, progress, batch_size))
        if answered:
            reports.append(_report(task, answered))
            answers += answered
    if not reports:
        raise UserError("there is nothing to measure", remedy="raise evaluation.samples, or hold out more pictures")
    return Report(predictor.name, tuple(reports), tuple(answers))


def _ask(
    predictor: Predictor, task: Task, mixture: Mixture, progress: Callable[[int], None], batch_size: int
) -> Iterator[Answered]:
    for start in range(0, len(mixture), batch_size):
        samples = [mixture[index] for index in range(start, min(start + batch_size, len(mixture)))]
        for sample, reply in zip(samples, predictor.answer(samples), strict=True):
            value = task.read(reply.text, sample.query)
            yield Answered(sample, reply.text, value, task.metric.score(sample.truth, value))
        progress(len(samples))


def _report(task: Task, answered: Sequence[Answered]) -> TaskReport:
    metrics = task.metric.summarise([item.scores for item in answered])
    constant, floor = task.metric.best_constant([item.sample.truth for item in answered])
    text = task.write(constant, answered[0].sample.query)
    return TaskReport(task.name, task.metric.headline, len(answered), metrics, floor, text)


def _cells(task: TaskReport) -> list[str]:
    also = {key: task.metrics[key] for key in _ALSO if math.isfinite(task.metrics.get(key, math.nan))}
    others = (f"{key} {value:.2f}" for key, value in also.items())
    return [
        task.task,
        str(task.count),
        task.headline,
        f"{task.metrics[task.headline]:.3f}",
        f"{task.floor:.3f}",
        f"{task.metrics['unparsed']:.1%}",
        ", ".join(others),
    ]


def plain(value: Any) -> Any:
    """A value as JSON can hold it: dataclasses as objects, NaN as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
