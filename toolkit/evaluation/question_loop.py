"""The loop that asks a predictor all held-out questions, keeps every answer, and goes on after an interruption.

The next questions are rendered in another thread while the predictor answers.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from toolkit.errors import UserError
from toolkit.evaluation.kept_answers import KeptAnswers
from toolkit.evaluation.ranks import ALONE, Ranks
from toolkit.evaluation.sample_record import SampleRecord, parse_record, unanswered_record
from toolkit.modeling.confidence.consistency import ConsistencyCheck, check_consistency
from toolkit.modeling.confidence.uncertainty import answer_interval
from toolkit.modeling.predictor import EagerPredictor, Predictor, Reply
from toolkit.modeling.remote.unanswered_questions import ServerFault, Unanswered
from toolkit.qa.mixture import Mixture
from toolkit.qa.sample import Sample
from toolkit.qa.tasks.task import Task
from toolkit.utils.background import made_ahead

AT_ONCE = 64
"""How many questions a predictor is given together if it does not matter to it."""

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
        ahead: How many batches are rendered while the predictor answers an earlier one.
    """

    held_out: Mapping[str, Mixture]
    check: bool = False
    part: Path | None = None
    key: str = ""
    ahead: int = 2

    @property
    def count(self) -> int:
        """The number of questions."""
        return sum(len(mixture) for mixture in self.held_out.values())

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks that are asked, by name."""
        return {name: task for name, mixture in self.held_out.items() for task, _ in mixture.tasks if task.name == name}


_Question = tuple[str, int]
"""The name of the task that asks a question, and the question's number among those of the task."""


_Keep = Callable[[Sequence[SampleRecord]], None]
"""A function that keeps the records of fresh answers."""


def ask_all(
    predictor: Predictor,
    asked: EvaluationRun,
    progress: Callable[[int], None] = lambda done: None,
    batch_size: int = AT_ONCE,
    ranks: Ranks = ALONE,
) -> list[SampleRecord]:
    """Ask a predictor all questions.

    Args:
        predictor: The predictor that answers.
        asked: The questions.
        progress: A function that is called after each batch with the number of questions that were answered
            meanwhile. Other ranks are taken to be as fast as this one.
        batch_size: How many questions the predictor is given at once. It changes no answer.
        ranks: The processes that share the questions, in whole batches. All of them call this together.

    Returns:
        One record for each question, task by task; the same in all ranks.

    Raises:
        UserError: If there is no question to ask, or the file holds answers of another evaluation.
    """
    if not asked.count:
        raise UserError("there is nothing to measure", remedy="raise evaluation.samples, or hold out more pictures")
    kept = KeptAnswers(asked.part, _header(asked), asked.tasks) if asked.part else None
    records = _shared(kept.unite() if kept and ranks.is_first else [], asked, ranks)
    progress(len(records))
    left = asked.count - len(records)
    batches = ranks.share(_open_batches(asked, {(record.task, record.index) for record in records}, batch_size))
    keep: _Keep = partial(kept.add, ranks.number) if kept else lambda records: None
    fresh: list[SampleRecord] = []
    questions = [question for batch in batches for question in batch]
    with made_ahead(partial(_render, asked), questions, asked.ahead * batch_size) as rendered:
        for batch in batches:
            fresh += _ask_batch(predictor, asked, [next(rendered) for _ in batch], keep)
            step = min(len(batch) * ranks.count, left)
            left -= step
            progress(step)
    records += _shared(fresh, asked, ranks)
    order = {name: number for number, name in enumerate(asked.held_out)}
    return sorted(records, key=lambda record: (order[record.task], record.index))


def _shared(own: list[SampleRecord], asked: EvaluationRun, ranks: Ranks) -> list[SampleRecord]:
    """The records of all ranks, of which each one gives its own."""
    if ranks.count == 1:
        return own
    return [parse_record(line, asked.tasks) for line in ranks.gather([record.to_json_line() for record in own])]


def _open_batches(asked: EvaluationRun, answered: Collection[_Question], batch_size: int) -> list[list[_Question]]:
    """The batches of all questions, without those that are answered. Each one is of one task."""
    batches = [
        [(name, index) for index in range(start, min(start + batch_size, len(mixture)))]
        for name, mixture in asked.held_out.items()
        for start in range(0, len(mixture), batch_size)
    ]
    still = ([question for question in batch if question not in answered] for batch in batches)
    return [batch for batch in still if batch]


def _render(asked: EvaluationRun, question: _Question) -> tuple[Sample, SampleRecord]:
    """The Sample of a question, and its record without an answer."""
    name, index = question
    sample = asked.held_out[name][index]
    return sample, unanswered_record(sample, index)


def _ask_batch(
    predictor: Predictor, asked: EvaluationRun, rendered: Sequence[tuple[Sample, SampleRecord]], keep: _Keep
) -> list[SampleRecord]:
    """Ask the questions of one batch, which are of one task, and keep the answers: those of a server as they come.

    Answers that are checked are kept together, because the checks need further questions.
    """
    if asked.check:
        records = _ask_and_check(predictor, asked, rendered)
        keep(records)
        return records
    task = asked.tasks[rendered[0][0].task]
    done: dict[int, SampleRecord] = {}

    def hear(index: int, reply: Reply) -> None:
        done[index] = _answer(rendered[index], task, reply)
        keep([done[index]])

    replies = _replies(predictor, [sample for sample, _ in rendered], hear)
    rest = {index: _answer(rendered[index], task, reply) for index, reply in enumerate(replies) if index not in done}
    if rest:
        keep(list(rest.values()))
    return [record for _, record in sorted({**done, **rest}.items())]


def _ask_and_check(
    predictor: Predictor, asked: EvaluationRun, rendered: Sequence[tuple[Sample, SampleRecord]]
) -> list[SampleRecord]:
    """Ask the questions of one batch, and compare the answers with the predictor's own depths."""
    samples = [sample for sample, _ in rendered]
    task = asked.tasks[samples[0].task]
    replies = _replies(predictor, samples)
    values = [task.read(reply.readable, sample.query) for sample, reply in zip(samples, replies, strict=True)]
    presenter = asked.held_out[task.name].presenter
    checks = check_consistency(samples, values, asked.tasks, presenter, partial(_replies, predictor))
    return [_answer(row, task, reply, check) for row, reply, check in zip(rendered, replies, checks, strict=True)]


def _replies(
    predictor: Predictor, samples: Sequence[Sample], heard: Callable[[int, Reply], None] = lambda index, reply: None
) -> Sequence[Reply]:
    """The replies to some questions. A question that a server refuses gets an empty answer, which is wrong."""
    try:
        if isinstance(predictor, EagerPredictor):
            return predictor.answer_each(samples, heard)
        return predictor.answer(samples)
    except Unanswered as unanswered:
        if any(isinstance(fault, ServerFault) for fault in unanswered.faults.values()):
            raise
        return [reply or Reply("") for reply in unanswered.replies]


def _answer(
    rendered: tuple[Sample, SampleRecord], task: Task, reply: Reply, check: ConsistencyCheck | None = None
) -> SampleRecord:
    """The record of a question with its answer."""
    sample, record = rendered
    value = task.read(reply.readable, sample.query)
    return replace(
        record,
        answer=reply.text,
        ending=reply.ending_with(value),
        probability=None if reply.probability is None else round(reply.probability, _DIGITS),
        value=value,
        interval=_rounded_interval(task, sample, reply),
        implied=check.implied if check else None,
        agrees=check.agrees if check else None,
        scores=task.metric.score(sample.truth, value),
    )


def _rounded_interval(task: Task, sample: Sample, reply: Reply) -> tuple[float, float] | None:
    found = answer_interval(reply, lambda text: task.number_in(text, sample.query))
    return None if found is None else (round(found[0], _DIGITS), round(found[1], _DIGITS))


def _header(asked: EvaluationRun) -> str:
    """The first line of the file of kept answers, which tells evaluations apart."""
    lengths = {name: len(mixture) for name, mixture in asked.held_out.items()}
    return json.dumps({"evaluation": asked.key, "questions": lengths, "check": asked.check})
