"""Which of two points is closer to the camera."""

import re

from toolkit.qa.metrics import Accuracy
from toolkit.qa.parsing import answer
from toolkit.qa.parsing.question_phrases import BOTH, COLOR, NEAR_ELSEWHERE, POINT, POINTS, TWO_COLORS, VIEWER, one_of
from toolkit.qa.parsing.spelling import corrected, words_in
from toolkit.qa.parsing.typography import lower_ascii
from toolkit.qa.query import Query
from toolkit.qa.tasks.registry import task
from toolkit.qa.tasks.task import Task

_DEPTH = r"(?: \w+){0,2} (?:depth|distance|range)\b"
_LESS = one_of("shorter shortest smaller smallest lower lowest less lesser least") + _DEPTH
_MORE = one_of("longer longest larger largest bigger biggest greater greatest higher highest more most") + _DEPTH
_NEAR = (
    rf"(?:{one_of('closer closest nearer nearest')}|\bfront-?most\b|{_LESS}"
    r"|\b(?:less|least|not as|not so) (?:far|distant|remote|deep)\b)"
)
_FAR = (
    rf"(?:{one_of('farther farthest further furthest deeper deepest')}|{_MORE}"
    r"|\b(?:more|most) (?:far|distant|remote|deep)\b|\b(?:less|least|not as|not so) (?:close|near)\b)"
)
_COMPARED = rf"(?:{_NEAR}|{_FAR})"
_FRONT = r"\b(?:in front|in the (?:front|foreground)|at the front|(?:is|lies|positioned|placed) before|more forward)\b"
_BACK = r"\b(?:behind|in the (?:back|rear|background)|at the (?:back|rear))\b"
_ARRIVE = r"\b(?:reach|hit|touch|bump into|get to) (?:me |us |it )?"
_LINKS = one_of("one to from of or than away in and by is are off among lies rather not but")
_NEXT = rf"(?:{POINT}|{POINTS}|{BOTH}|{COLOR}|{_LINKS})"
"""Words that may follow "nearest" if no colours tell that the marked points are compared."""

_NOT = r"(?P<not>(?:\bnot|n't)(?: (?:the|any|one|which|that|is|lies))* )?"
_DIRECTIONS = (
    rf"{_NOT}(?:{_NEAR}|(?P<far>{_FAR}))",
    rf"{_NOT}(?:{_FRONT}|{_ARRIVE}(?:first|sooner)\b|(?P<far>{_BACK}|{_ARRIVE}(?:last|later)\b))",
)
"""How a question says which of the points it asks for: by comparing distances or, if it does not, by words of place."""


@task("relative_depth")
class RelativeDepth(Task):
    """The name of the point that is closer to the camera, by Euclidean distance."""

    points = 2
    metric = Accuracy()
    margin = 0.1
    """A pair is not asked about if its distances differ by a smaller share than this."""
    asks = (
        rf"\b(?:which|what|who|is|are|or|than|of the two|vs|identify)\b.*{_COMPARED}|{_COMPARED}.*\b(?:or|than|of)\b",
        rf"{TWO_COLORS}.*{_COMPARED}|{_COMPARED}(?: (?:one|{POINT}))?(?:\W*$| (?:to|from) (?:the )?{VIEWER})",
        rf"\bwhich\b.*(?:{_FRONT}|{_BACK})(?:\W*$|.*\bother\b|.*{COLOR})",
        rf"{TWO_COLORS}(?!what|who is (?:behind|in front)|how|where).*(?:{_FRONT}|{_BACK})",
        rf"\b(?:which|what)\b.*{_ARRIVE}(?:first|last|sooner|later)\b",
        r"\bdepth (?:order|ordering)\b|\b(?:compare|order|rank|sort)\b.*\b(?:depth|depths|distance|distances)\b",
    )
    asks_not = (
        NEAR_ELSEWHERE,
        rf"^(?!.*{COLOR}.*{COLOR}).*{_COMPARED} (?!{_NEXT})\w",
        rf"^(?!.*(?:\b(?:which|who)\b|{_COMPARED})).*(?:{_FRONT}.*{_BACK}|{_BACK}.*{_FRONT})",
        r"\b(?:how|by what|times|difference|anything|anyone|speed|axis|distance.* between)\b",
    )

    def label(self, query: Query) -> str:
        """The name of the closer point."""
        return min(query.points, key=lambda point: point.distance).name

    def accepts(self, query: Query) -> bool:
        """Whether the distances differ by more than the margin."""
        near, far = sorted(point.distance for point in query.points)
        return far >= near * (1 + self.margin)

    def write(self, value: str, query: Query) -> str:
        """The name itself."""
        return value

    def read(self, text: str, query: Query) -> str | None:
        """The name that the answer gives; None if it gives none."""
        return answer.read_choice(text, [point.name for point in query.points])

    def meant(self, value: str, question: str, query: Query) -> str:
        """The other point if the user asks which is farther, because the model is always asked which is closer."""
        if not _asks_for_farther(question):
            return value
        return next((point.name for point in query.points if point.name != value), value)


def _asks_for_farther(question: str) -> bool:
    """Whether a question asks for the farther point. A question that names both ("closer or farther") does not."""
    words = corrected(lower_ascii(question), words_in(RelativeDepth.asks))
    if re.search(rf"{_NEAR}.* or {_FAR}|{_FAR}.* or {_NEAR}", words):
        return False
    asked = re.search(r"(?:\bnot )?\b(?:which|what|who)\b.*", words)
    matches = [re.search(pattern, part) for part in (asked[0] if asked else words, words) for pattern in _DIRECTIONS]
    first = next(filter(None, matches), None)
    return first is not None and bool(first["far"]) != bool(first["not"])
