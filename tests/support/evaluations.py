"""Held-out questions, and predictors whose answers are written beforehand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.evaluation.question_loop import EvaluationRun, ask_all
from toolkit.evaluation.reports.report import Report, make_report
from toolkit.geometry.canonical import Canonicalisation, Canvas
from toolkit.modeling.predictor import Predictor, Reply
from toolkit.qa.marker import Marker
from toolkit.qa.mixture import Feed, Mixture
from toolkit.qa.sample import Presenter, Sample
from toolkit.qa.tasks.registry import get_task

ROOMS = Rooms(RoomSettings(rooms=20, views=2, width=(32, 40), height=(32, 40), objects=(1, 3)))


PRESENTER = Presenter(Canonicalisation(focal=26, canvas=Canvas(square=32)), Marker("dot", 2))


class Scripted:
    """Answers by a function of the Sample."""

    name = "scripted"
    notes = ()

    def __init__(self, say: Callable[[Sample], str]) -> None:
        self._say = say

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        return [Reply(self._say(sample)) for sample in samples]


def held_out(*names: str, count: int = 40) -> dict[str, Mixture]:
    return {name: Mixture(((get_task(name), 1.0),), (Feed("rooms", ROOMS),), PRESENTER, 5, count) for name in names}


def results(predictor: Predictor, mixtures: Mapping[str, Mixture], **more: Any) -> Report:
    """What a predictor reaches."""
    asked = EvaluationRun(mixtures)
    return make_report(predictor.name, ask_all(predictor, asked, **more), asked.tasks)


def report(say: Callable[[Sample], str], *names: str, **more: Any) -> Report:
    asked = EvaluationRun(held_out(*names), **more)
    return make_report("scripted", ask_all(Scripted(say), asked), asked.tasks)
