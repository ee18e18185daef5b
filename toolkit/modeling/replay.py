"""Replay: a predictor that takes the answers of any other system, to the very same questions, from a file.

The file holds JSON lines, one object on each line: ``{"sample_sha256": "...", "answer": "2.4 m"}``. The answer is text,
which is read like a model's answer, or a number in the task's unit. The lines may be in any order, and other keys are
ignored. So the ``samples.jsonl`` of an evaluation, which has both keys, can be scored again as it is. A question
without a line counts as one whose answer could not be read.

To evaluate another system, first evaluate any predictor, such as ``--predictor constant``. Each line of the
``samples.jsonl`` that this writes is one question:

- ``sample_sha256`` identifies the question, and ``prompt`` is its wording.
- ``images`` names the pictures, and ``points`` gives the pixel of each point in the canonical picture.
- ``cameras`` gives [fx, fy, cx, cy, width, height] of the canonical pictures, in pixels.
- ``given`` holds the numbers that the question states.

A point lies in the original picture where that picture's camera projects the ray ((u - cx) / fx, (v - cy) / fy, 1).
Replace ``answer`` on each line, and pass the file as ``--predictor file:PATH``.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import UserError, raise_all
from toolkit.modeling.predictor import Ending, Reply
from toolkit.qa.mixture import Mixture
from toolkit.qa.sample import Sample
from toolkit.utils.json import parse_json

_KEY = "sample_sha256"


class ReplayPredictor:
    """A predictor whose answers are read from a file."""

    def __init__(self, path: Path, held_out: Mapping[str, Mixture]) -> None:
        """Read the file, and check that it answers these questions.

        Args:
            path: The file.
            held_out: All questions of the evaluation, by task, even if only some of them will be asked.

        Raises:
            UserError: If there is no such file, or it is not text.
            UserErrors: If lines are faulty, or answer questions that are not asked.
        """
        self.name = f"file:{path}"
        asked = Counter(mixture[index].fingerprint() for mixture in held_out.values() for index in range(len(mixture)))
        self._answers = _read_answers(path, asked)
        self._given: Counter[str] = Counter()
        self._missing = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the answers so far should know."""
        return (f"{self._missing} questions have no line in {self.name}",) if self._missing else ()

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """One Reply for each Sample, in order; it is empty where the file has no answer."""
        return [self._next_answer(sample.fingerprint()) for sample in samples]

    def _next_answer(self, question: str) -> Reply:
        """The answer to a question; if it is asked several times, its lines are used one after another."""
        answers = self._answers.get(question)
        if answers is None:
            self._missing += 1
            return Reply("")
        self._given[question] += 1
        return answers[min(self._given[question], len(answers)) - 1]


def _read_answers(path: Path, asked: Mapping[str, int]) -> dict[str, list[Reply]]:
    """The answers to each question, in the order of the lines; ``asked`` says how often each question is asked."""
    answers: dict[str, list[Reply]] = {}
    faults = []
    for number, text in enumerate(_read_lines(path), start=1):
        if not text.strip():
            continue
        try:
            question, answer = _parse_line(text)
            _check_asked(question, asked, len(answers.get(question, ())))
            answers.setdefault(question, []).append(answer)
        except UserError as fault:
            faults.append(UserError(f"{path}, line {number}: {fault.problem}", fault.cause, fault.remedy))
    raise_all(str(path), faults)
    return answers


def _parse_line(text: str) -> tuple[str, Reply]:
    """The question and the answer of one line."""
    try:
        row = parse_json(text)
    except ValueError as error:
        raise UserError("this is not JSON", str(error)) from None
    if not isinstance(row, dict):
        raise UserError("this is not a JSON object", remedy=f'write {{"{_KEY}": "...", "answer": "2.4 m"}}')
    question = row.get(_KEY)
    if not isinstance(question, str):
        raise UserError(f"`{_KEY}` is missing or no text", remedy="copy it from samples.jsonl")
    if "answer" not in row:
        raise UserError("`answer` is missing", remedy="leave out the line of a question without an answer")
    return question, Reply(_answer_to_text(row["answer"]), ending=_ending_in(row))


def _ending_in(row: Mapping[str, Any]) -> Ending:
    """How the answer of a line ended; lines of other systems need not say it."""
    try:
        return Ending(row.get("ending", Ending.COMPLETE))
    except ValueError:
        raise UserError(
            f"`ending` cannot be {json.dumps(row['ending'])[:40]}", remedy=f"leave it out, or give {', '.join(Ending)}"
        ) from None


def _answer_to_text(answer: Any) -> str:
    if isinstance(answer, str):
        return answer.strip()
    if isinstance(answer, int | float) and not isinstance(answer, bool) and math.isfinite(answer):
        return str(answer)
    raise UserError(f"`answer` cannot be {json.dumps(answer)[:40]}", remedy="give text, or a number in the task's unit")


def _check_asked(question: str, asked: Mapping[str, int], before: int) -> None:
    """Check that a question is asked, and more often than the ``before`` times that it has been answered already."""
    if question not in asked:
        raise UserError(
            f"no question has the {_KEY} {question!r}",
            "the questions were made by another recipe, other pictures or another version of this toolkit",
            "make samples.jsonl again with this recipe, and answer that",
        )
    if before >= asked[question]:
        raise UserError(f"the question {question!r} has been answered already", remedy="keep one of the lines")


def _read_lines(path: Path) -> list[str]:
    try:
        # str.splitlines would also split at U+2028 and similar characters, which JSON strings may hold.
        return path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UserError(f"{path}: the answers cannot be read", error.strerror or str(error), "check the path") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: this is not UTF-8 text", remedy="give a .jsonl file") from None
