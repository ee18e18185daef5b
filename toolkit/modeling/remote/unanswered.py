"""Questions without an answer: why, and what became of the others."""

from collections.abc import Mapping, Sequence

from toolkit.errors import UserError
from toolkit.modeling.predictor import Reply


class ServerFault(UserError):
    """A fault that any other question would meet as well."""


class QuestionFault(UserError):
    """A fault of one question; others may be answered."""


class Stopped(Exception):
    """The question was not sent (again), because another met a fault that it would meet as well."""


class Unanswered(UserError):
    """Some questions were not answered; the answers to the others are not lost.

    Attributes:
        replies: One a question, in order; None where there is no answer.
        faults: Why, by the index of the question. Those that were not sent any more are in neither.
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
        """Pickled whole: worker processes send errors home."""
        return Unanswered, (self.replies, self.faults)
