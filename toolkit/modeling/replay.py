"""A predictor from a file: the answers of any other system, to the very same questions.

JSON lines, one object a line: ``{"sample_sha256": "...", "answer": "2.4 m"}``. The answer is text, read as a model's,
or a number in the task's unit. The order is free, and other keys are ignored, so the ``samples.jsonl`` of an
evaluation, which has both keys, can be scored again as it is. A question without a line counts as one whose answer
could not be read.

To measure another system: evaluate anything, such as ``--predictor constant``. Each line of the ``samples.jsonl`` it
writes is one question: its ``sample_sha256``; ``prompt``, the words; ``images``, the pictures; ``points``, the
pixels asked about by name; ``cameras``, [fx, fy, cx, cy, width, height] of the canonical pictures in which these pixels
lie; ``given``, the numbers of the question. In a picture as it was taken, a point lies where that picture's camera
projects the ray ((u - cx) / fx, (v - cy) / fy, 1). Replace ``answer`` on each line, and hand the file in.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import UserError, raise_all
from toolkit.modeling.predictor import Reply
from toolkit.qa.mixture import Mixture
from toolkit.qa.sample import Sample

_KEY = "sample_sha256"


class AnswersFile:
    """Answers as a file has them."""

    def __init__(self, path: Path, held_out: Mapping[str, Mixture]) -> None:
        """Read the file, and check that it answers these questions.

        Args:
            path: The file.
            held_out: Every question that it may answer; of an evaluation that is cut short, the whole.

        Raises:
            UserError: If there is no such file, or it is no text.
            UserErrors: If lines are faulty, or answer questions that are not asked.
        """
        self.name = f"file:{path}"
        asked = Counter(mixture[index].fingerprint() for mixture in held_out.values() for index in range(len(mixture)))
        self._answers = _checked(path, asked)
        self._given: Counter[str] = Counter()
        self._missing = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the answers so far."""
        return (f"{self._missing} questions have no line in {self.name}",) if self._missing else ()

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """One Reply a Sample, in order; an empty one where the file has none."""
        return [Reply(self._next(sample.fingerprint())) for sample in samples]

    def _next(self, question: str) -> str:
        """The answer to a question; where it is drawn several times, its lines answer one after another."""
        answers = self._answers.get(question)
        if answers is None:
            self._missing += 1
            return ""
        self._given[question] += 1
        return answers[min(self._given[question], len(answers)) - 1]


def _checked(path: Path, asked: Mapping[str, int]) -> dict[str, list[str]]:
    """Answers by question, in the order of the lines; ``asked`` says how often each is asked."""
    answers: dict[str, list[str]] = {}
    faults = []
    for number, text in enumerate(_lines(path), start=1):
        if not text.strip():
            continue
        try:
            question, answer = _parsed(text)
            _check_asked(question, asked, len(answers.get(question, ())))
            answers.setdefault(question, []).append(answer)
        except UserError as fault:
            faults.append(UserError(f"{path}, line {number}: {fault.problem}", fault.cause, fault.remedy))
    raise_all(str(path), faults)
    return answers


def _parsed(text: str) -> tuple[str, str]:
    """The question and the answer of one line."""
    try:
        row = json.loads(text)
    except ValueError as error:
        raise UserError("this is not JSON", str(error)) from None
    if not isinstance(row, dict):
        raise UserError("this is not a JSON object", remedy=f'write {{"{_KEY}": "...", "answer": "2.4 m"}}')
    question = row.get(_KEY)
    if not isinstance(question, str):
        raise UserError(f"`{_KEY}` is missing or no text", remedy="copy it from samples.jsonl")
    if "answer" not in row:
        raise UserError("`answer` is missing", remedy="leave out the line of a question without an answer")
    return question, _words(row["answer"])


def _words(answer: Any) -> str:
    if isinstance(answer, str):
        return answer.strip()
    if isinstance(answer, int | float) and not isinstance(answer, bool) and math.isfinite(answer):
        return str(answer)
    raise UserError(f"`answer` cannot be {json.dumps(answer)[:40]}", remedy="give text, or a number in the task's unit")


def _check_asked(question: str, asked: Mapping[str, int], before: int) -> None:
    """Check that a question is asked, and more often than it was answered ``before``."""
    if question not in asked:
        raise UserError(
            f"no question is {question!r}",
            "the questions were made by another recipe, other pictures or another version of this toolkit",
            "make samples.jsonl again with this recipe, and answer that",
        )
    if before >= asked[question]:
        raise UserError(f"the question {question!r} is answered before", remedy="keep one of the lines")


def _lines(path: Path) -> list[str]:
    try:
        # Not splitlines: JSON strings may hold U+2028 and its like, which end no line.
        return path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UserError(f"{path}: the answers cannot be read", error.strerror or str(error), "check the path") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: this is not UTF-8 text", remedy="give a .jsonl file") from None
