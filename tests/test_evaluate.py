"""Evaluation: known predictors get the numbers that arithmetic gives them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from toolkit.canonical import Canonicalisation, Canvas
from toolkit.errors import UserError
from toolkit.evaluate import Report, evaluate
from toolkit.marker import Marker
from toolkit.mixture import Feed, Mixture
from toolkit.predictors import ConstantPredictor
from toolkit.registry import get_task
from toolkit.reply import Reply
from toolkit.sample import Presenter, Sample
from toolkit.sources.rooms import Rooms, RoomSettings

ROOMS = Rooms(RoomSettings(rooms=20, views=2, width=(32, 40), height=(32, 40), objects=(1, 3)))
PRESENTER = Presenter(Canonicalisation(26, Canvas(square=32)), Marker("dot", 2))


class Scripted:
    """Answers by a function of the Sample."""

    name = "scripted"

    def __init__(self, say: Callable[[Sample], str]) -> None:
        self._say = say

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        return [Reply(self._say(sample)) for sample in samples]


def held_out(*names: str, count: int = 40) -> dict[str, Mixture]:
    return {name: Mixture(((get_task(name), 1.0),), (Feed("rooms", ROOMS),), PRESENTER, 5, count) for name in names}


def report(say: Callable[[Sample], str], *names: str) -> Report:
    return evaluate(Scripted(say), held_out(*names))


def test_a_perfect_predictor_scores_one_everywhere() -> None:
    names = ("metric_depth", "two_point_distance", "relative_depth", "camera_pose", "travel_speed", "travel_time")
    for task in report(lambda sample: sample.completion, *names).tasks:
        assert task.metrics[task.headline] == 1.0, task.task
        assert task.metrics["unparsed"] == 0.0


@pytest.mark.parametrize(("scale", "delta1", "error"), [(1.2, 1.0, 0.2), (1.3, 0.0, 0.3), (0.75, 0.0, 0.25)])
def test_a_scale_error(scale: float, delta1: float, error: float) -> None:
    (task,) = report(lambda sample: f"{sample.truth * scale:.6f} m", "metric_depth").tasks
    assert task.metrics["delta1"] == delta1
    assert task.metrics["abs_rel"] == pytest.approx(error, abs=1e-4)


@pytest.mark.parametrize("text", ["I cannot tell", "-2.0 m", "", "0 m"])
def test_no_answer_is_a_wrong_answer(text: str) -> None:
    (task,) = report(lambda _: text, "metric_depth").tasks
    assert task.metrics["delta1"] == 0.0


def test_the_floor_is_what_the_constant_predictor_reaches() -> None:
    mixtures = held_out("metric_depth", "relative_depth", count=150)  # more than one batch
    for task in evaluate(ConstantPredictor(mixtures), mixtures).tasks:
        # The answer is rounded to centimetres, which may lose those at the window's edges.
        assert task.floor - 4 / 150 <= task.metrics[task.headline] <= task.floor + 1e-9


def test_batches_do_not_change_the_report(tmp_path: Path) -> None:
    texts = []
    for batch_size in (1, 7, 64):
        made = evaluate(Scripted(lambda sample: sample.completion), held_out("metric_depth"), batch_size=batch_size)
        made.save(tmp_path / str(batch_size))
        texts.append([(tmp_path / str(batch_size) / name).read_bytes() for name in ("report.json", "samples.jsonl")])
    assert texts[0] == texts[1] == texts[2]


def test_rows_hold_what_is_needed_to_score_again(tmp_path: Path) -> None:
    made = report(lambda sample: sample.completion, "camera_pose")
    made.save(tmp_path)
    row = json.loads((tmp_path / "samples.jsonl").read_text().splitlines()[0])
    task = get_task("camera_pose")
    value = task.read(row["answer"], made.answers[0].sample.query)
    assert task.metric.score(made.answers[0].sample.truth, value) == row["scores"]
    assert set(row["truth"]) == {"distance", "rotation", "direction"}


def test_progress_counts_every_question() -> None:
    told: list[int] = []
    evaluate(Scripted(lambda _: "1 m"), held_out("metric_depth", count=10), told.append, batch_size=4)
    assert told == [4, 4, 2]


def test_nothing_to_ask() -> None:
    with pytest.raises(UserError, match="nothing to measure"):
        evaluate(Scripted(lambda _: ""), held_out("metric_depth", count=0))
