"""The loop that asks a predictor all held-out questions, keeps every answer, and goes on after an interruption."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.errors import UserError
from toolkit.evaluation.sample_record import SampleRecord, images_of, parse_record, points_of
from toolkit.modeling.confidence.consistency import ConsistencyCheck, check_consistency
from toolkit.modeling.confidence.uncertainty import answer_interval
from toolkit.modeling.predictor import Predictor, Reply
from toolkit.modeling.remote.unanswered_questions import ServerFault, Unanswered
from toolkit.qa.mixture import Mixture
from toolkit.qa.sample import Sample
from toolkit.qa.tasks.task import Task
from toolkit.utils.files import write_text

_AT_ONCE = 64  # questions that are held in memory together

_DIGITS = 4  # decimal places of probabilities; the seventh changes with the size of a batch


@dataclass(frozen=True)
class EvaluationRun:
    """The questions of one evaluation, and how they are asked.

    Attributes:
        held_out: One Mixture for each task, by the task's name.
        check: Whether answers are checked against the predictor's own depths, at the price of further questions.
        part: The file in which answers are kept as they come, so that an interrupted evaluation goes on. None keeps
            nothing.
        key: A text that is the same for the same evaluation. Answers kept under another key are neither used nor
            overwritten.
    """

    held_out: Mapping[str, Mixture]
    check: bool = False
    part: Path | None = None
    key: str = ""

    @property
    def count(self) -> int:
        """The number of questions."""
        return sum(len(mixture) for mixture in self.held_out.values())

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks that are asked, by name."""
        return {name: task for name, mixture in self.held_out.items() for task, _ in mixture.tasks if task.name == name}


def ask_all(
    predictor: Predictor,
    asked: EvaluationRun,
    progress: Callable[[int], None] = lambda done: None,
    batch_size: int = _AT_ONCE,
) -> list[SampleRecord]:
    """Ask a predictor all questions.

    Args:
        predictor: The predictor that answers.
        asked: The questions.
        progress: A function that is called after each batch with the number of its questions.
        batch_size: How many questions are held in memory at once. It changes no answer.

    Returns:
        One record for each question, task by task.

    Raises:
        UserError: If there is no question to ask, or the file holds answers of another evaluation.
    """
    if not asked.count:
        raise UserError("there is nothing to measure", remedy="raise evaluation.samples, or hold out more pictures")
    records = _read_kept(asked)
    progress(len(records))
    for name, mixture in asked.held_out.items():
        done = sum(record.task == name for record in records)
        for start in range(done, len(mixture), batch_size):
            fresh = _ask_batch(predictor, asked, name, range(start, min(start + batch_size, len(mixture))))
            _keep_records(asked, fresh)
            records += fresh
            progress(len(fresh))
    return records


def _ask_batch(predictor: Predictor, asked: EvaluationRun, name: str, indices: Sequence[int]) -> list[SampleRecord]:
    task, mixture = asked.tasks[name], asked.held_out[name]
    samples = [mixture[index] for index in indices]
    replies = _replies(predictor, samples)
    values = [task.read(reply.text, sample.query) for sample, reply in zip(samples, replies, strict=True)]
    checks: Sequence[ConsistencyCheck | None] = [None] * len(samples)
    if asked.check:
        checks = check_consistency(samples, values, asked.tasks, mixture.presenter, partial(_replies, predictor))
    rows = zip(indices, samples, replies, values, checks, strict=True)
    return [_make_record(task, index, sample, reply, value, check) for index, sample, reply, value, check in rows]


def _replies(predictor: Predictor, samples: Sequence[Sample]) -> Sequence[Reply]:
    """The replies to some questions. A question that a server refuses gets an empty answer, which is wrong."""
    try:
        return predictor.answer(samples)
    except Unanswered as unanswered:
        if any(isinstance(fault, ServerFault) for fault in unanswered.faults.values()):
            raise
        return [reply or Reply("") for reply in unanswered.replies]


def _make_record(
    task: Task, index: int, sample: Sample, reply: Reply, value: Any, check: ConsistencyCheck | None
) -> SampleRecord:
    return SampleRecord(
        task=sample.task,
        index=index,
        source=sample.source,
        images=images_of(sample),
        sample_sha256=sample.fingerprint(),
        cameras=tuple(tuple(view.camera.intrinsics) for view in sample.query.views),
        points=points_of(sample),
        given=dict(sample.query.given),
        prompt=sample.prompt,
        answer=reply.text,
        probability=None if reply.probability is None else round(reply.probability, _DIGITS),
        value=value,
        truth=sample.truth,
        interval=_rounded_interval(task, sample, reply),
        implied=check.implied if check else None,
        agrees=check.agrees if check else None,
        scores=task.metric.score(sample.truth, value),
        redraws=sample.redraws,
    )


def _rounded_interval(task: Task, sample: Sample, reply: Reply) -> tuple[float, float] | None:
    found = answer_interval(reply, lambda text: task.number_in(text, sample.query))
    return None if found is None else (round(found[0], _DIGITS), round(found[1], _DIGITS))


def _read_kept(asked: EvaluationRun) -> list[SampleRecord]:
    """The answers of an interrupted evaluation. If its last line is cut short, that question is asked again."""
    part = asked.part
    if part is None:
        return []
    # The last character may be cut short, as well as the last line.
    first, *lines = part.read_text(encoding="utf-8", errors="replace").split("\n") if part.is_file() else [""]
    if first != _header(asked) and any(lines):
        raise UserError(
            f"{part}: another evaluation was interrupted here, and its answers are kept",
            cause="its questions, the way of asking or the model were others, or a file that it depends on has changed "
            "(model, manifest, task, template)",
            remedy="to begin anew, delete the file or choose another --output; to go on with it, give its command "
            "again, with all files as they were",
        )
    kept = list(_parse_whole_lines(lines, asked.tasks))
    write_text(part, "".join(f"{line}\n" for line in (_header(asked), *(record.to_json_line() for record in kept))))
    return kept


def _keep_records(asked: EvaluationRun, fresh: Sequence[SampleRecord]) -> None:
    if asked.part is not None:
        with asked.part.open("a", encoding="utf-8") as file:
            file.writelines(record.to_json_line() + "\n" for record in fresh)


def _parse_whole_lines(lines: Sequence[str], tasks: Mapping[str, Task]) -> Iterator[SampleRecord]:
    """The records of the lines before the first one that is cut short."""
    for line in lines:
        try:
            yield parse_record(line, tasks)
        except (ValueError, KeyError, TypeError):
            return


def _header(asked: EvaluationRun) -> str:
    """The first line of the file of kept answers, which tells evaluations apart."""
    lengths = {name: len(mixture) for name, mixture in asked.held_out.items()}
    return json.dumps({"evaluation": asked.key, "questions": lengths, "check": asked.check})
