"""Evaluation: a predictor's answers to held-out questions, kept one by one and resumed where they were interrupted."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.errors import UserError
from toolkit.evaluation.sample_record import Record, images_of, parse_record, points_of
from toolkit.modeling.consistency import Check
from toolkit.modeling.consistency import check as check_answers
from toolkit.modeling.predictor import Predictor, Reply
from toolkit.modeling.remote.unanswered import ServerFault, Unanswered
from toolkit.modeling.uncertainty import interval
from toolkit.qa.mixture import Mixture
from toolkit.qa.sample import Sample
from toolkit.qa.task import Task
from toolkit.utils.files import write_text

_AT_ONCE = 64  # questions held in memory together


_DIGITS = 4  # of probabilities, which change in the seventh with the size of a batch


@dataclass(frozen=True)
class Evaluation:
    """Which questions are asked, and how.

    Attributes:
        held_out: One Mixture a task.
        check: Whether answers are checked against the predictor's own depths, at the price of further questions.
        part: Where answers are kept as they come, so that an interrupted evaluation goes on; None keeps nothing.
        key: What makes an evaluation the same: answers kept under another key are neither used nor overwritten.
    """

    held_out: Mapping[str, Mixture]
    check: bool = False
    part: Path | None = None
    key: str = ""

    @property
    def count(self) -> int:
        """How many questions there are."""
        return sum(len(mixture) for mixture in self.held_out.values())

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks asked, by name."""
        return {name: task for name, mixture in self.held_out.items() for task, _ in mixture.tasks if task.name == name}


def evaluate(
    predictor: Predictor,
    asked: Evaluation,
    progress: Callable[[int], None] = lambda done: None,
    batch_size: int = _AT_ONCE,
) -> list[Record]:
    """Ask a predictor all questions.

    Args:
        predictor: Who answers.
        asked: The questions.
        progress: Told after each batch how many questions it held.
        batch_size: How many questions are held in memory at once; it changes no answer.

    Returns:
        One Record a question, task by task.

    Raises:
        UserError: If there is no question to ask, or answers of another evaluation are kept there.
    """
    if not asked.count:
        raise UserError("there is nothing to measure", remedy="raise evaluation.samples, or hold out more pictures")
    records = _kept(asked)
    progress(len(records))
    for name, mixture in asked.held_out.items():
        done = sum(record.task == name for record in records)
        for start in range(done, len(mixture), batch_size):
            fresh = _ask(predictor, asked, name, range(start, min(start + batch_size, len(mixture))))
            _keep(asked, fresh)
            records += fresh
            progress(len(fresh))
    return records


def _ask(predictor: Predictor, asked: Evaluation, name: str, indices: Sequence[int]) -> list[Record]:
    task, mixture = asked.tasks[name], asked.held_out[name]
    samples = [mixture[index] for index in indices]
    replies = _answers(predictor, samples)
    values = [task.read(reply.text, sample.query) for sample, reply in zip(samples, replies, strict=True)]
    checks: Sequence[Check | None] = [None] * len(samples)
    if asked.check:
        checks = check_answers(samples, values, asked.tasks, mixture.presenter, partial(_answers, predictor))
    rows = zip(indices, samples, replies, values, checks, strict=True)
    return [_record(task, index, sample, reply, value, check) for index, sample, reply, value, check in rows]


def _answers(predictor: Predictor, samples: Sequence[Sample]) -> Sequence[Reply]:
    """The replies; a question that a server refuses is answered by nothing, which is wrong."""
    try:
        return predictor.answer(samples)
    except Unanswered as some:
        if any(isinstance(fault, ServerFault) for fault in some.faults.values()):
            raise
        return [reply or Reply("") for reply in some.replies]


def _record(task: Task, index: int, sample: Sample, reply: Reply, value: Any, check: Check | None) -> Record:
    return Record(
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
        interval=_interval(task, sample, reply),
        implied=check.implied if check else None,
        agrees=check.agrees if check else None,
        scores=task.metric.score(sample.truth, value),
        redraws=sample.redraws,
    )


def _interval(task: Task, sample: Sample, reply: Reply) -> tuple[float, float] | None:
    found = interval(reply, lambda text: task.number_in(text, sample.query))
    return None if found is None else (round(found[0], _DIGITS), round(found[1], _DIGITS))


def _kept(asked: Evaluation) -> list[Record]:
    """What an interrupted evaluation has answered; a last line cut short is asked again."""
    part = asked.part
    if part is None:
        return []
    # A character may be cut short as well as a line.
    first, *lines = part.read_text(encoding="utf-8", errors="replace").split("\n") if part.is_file() else [""]
    if first != _header(asked) and any(lines):
        raise UserError(
            f"{part}: another evaluation was interrupted here, and its answers are kept",
            cause="it asked other questions, in another way, or another model, or a file has changed that it rests on "
            "(model, manifest, task, template)",
            remedy="delete the file to begin anew, or choose another --output; to go on with it, give its command "
            "again with all as it was",
        )
    kept = list(_whole(lines, asked.tasks))
    write_text(part, "".join(f"{line}\n" for line in (_header(asked), *(record.line() for record in kept))))
    return kept


def _keep(asked: Evaluation, fresh: Sequence[Record]) -> None:
    if asked.part is not None:
        with asked.part.open("a", encoding="utf-8") as file:
            file.writelines(record.line() + "\n" for record in fresh)


def _whole(lines: Sequence[str], tasks: Mapping[str, Task]) -> Iterator[Record]:
    for line in lines:
        try:
            yield parse_record(line, tasks)
        except (ValueError, KeyError, TypeError):
            return


def _header(asked: Evaluation) -> str:
    lengths = {name: len(mixture) for name, mixture in asked.held_out.items()}
    return json.dumps({"evaluation": asked.key, "questions": lengths, "check": asked.check})
