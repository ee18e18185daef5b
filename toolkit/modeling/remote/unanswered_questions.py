"""The errors of questions that a server did not answer, and the answers to the other questions."""

from collections.abc import Mapping, Sequence

from toolkit.errors import UserError
from toolkit.modeling.predictor import Reply


class ServerFault(UserError):
    """A fault that every other question would meet too."""


class QuestionFault(UserError):
    """A fault of one question; other questions may be answered."""


class Stopped(Exception):
    """The question was not sent (again), because another question met a fault that it would meet too."""


class Unanswered(UserError):
    """Some questions were not answered. The answers to the others are kept.

    Attributes:
        replies: One reply for each question, in order; None where there is no answer.
        faults: Why a question was not answered, by its index. Questions that were no longer sent have neither.
    """

    def __init__(self, replies: Sequence[Reply | None], faults: Mapping[int, UserError]) -> None:
        self.replies = tuple(replies)
        self.faults = dict(faults)
        shown = min(self.faults.values(), key=lambda fault: not isinstance(fault, ServerFault))
        problem = shown.problem
        if len(self.replies) > 1:
            answered = sum(reply is not None for reply in self.replies)
            problem += f" ({answered} of {len(self.replies)} questions were answered)"
        super().__init__(problem, shown.cause, shown.remedy)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle all parts, because worker processes send their errors to the main process."""
        return Unanswered, (self.replies, self.faults)
