"""Evaluation: known predictors get the numbers that arithmetic gives them."""

import json
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.evaluations import Scripted, held_out, report
from toolkit.errors import UserError, UserErrors
from toolkit.evaluation.question_loop import EvaluationRun, ask_all
from toolkit.evaluation.reports.report import make_report
from toolkit.evaluation.sample_record import read_records, rescored
from toolkit.modeling.constant_predictor import ConstantPredictor
from toolkit.modeling.predictor import Ending, Reply
from toolkit.modeling.remote.unanswered_questions import QuestionFault, ServerFault, Unanswered
from toolkit.modeling.replay import ReplayPredictor
from toolkit.qa.mixture import Mixture
from toolkit.qa.sample import Sample
from toolkit.qa.tasks.registry import get_task

pytestmark = pytest.mark.slow


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
    asked = EvaluationRun(held_out("metric_depth", "relative_depth", count=150))  # more than one batch
    for task in make_report("constant", ask_all(ConstantPredictor(asked.held_out), asked), asked.tasks).tasks:
        # The answer is rounded to centimetres, which may lose those at the window's edges.
        floor = task.constant.metrics[task.headline]
        assert floor - 4 / 150 <= task.metrics[task.headline] <= floor + 1e-9


def test_the_median_of_the_training_labels_is_a_floor() -> None:
    asked = EvaluationRun(held_out("metric_depth"))
    records = ask_all(Scripted(lambda _: "1 m"), asked)
    (task,) = make_report("scripted", records, asked.tasks, {"metric_depth": 2.0}).tasks
    assert task.median is not None
    assert task.median.answer == "2.00 m"
    truths = np.array([record.truth for record in records])
    assert task.median.metrics["delta1"] == np.mean(np.maximum(truths / 2, 2 / truths) < 1.25)


def saved(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("report.json", "samples.jsonl", "report.md")]


def test_batches_do_not_change_the_report(tmp_path: Path) -> None:
    for batch_size in (1, 7, 64):
        asked = EvaluationRun(held_out("metric_depth", "camera_pose"))
        records = ask_all(Scripted(lambda sample: sample.completion), asked, batch_size=batch_size)
        make_report("scripted", records, asked.tasks).save(tmp_path / str(batch_size))
    assert saved(tmp_path / "1") == saved(tmp_path / "7") == saved(tmp_path / "64")


@pytest.mark.parametrize("name", ["metric_depth", "relative_depth", "camera_pose", "travel_time"])
def test_samples_are_scored_again_without_a_model(name: str, tmp_path: Path) -> None:
    made = report(lambda sample: sample.completion if len(sample.prompt) % 2 else "who knows", name)
    made.save(tmp_path)
    tasks = {name: get_task(name)}
    records = read_records(tmp_path / "samples.jsonl", tasks)
    again = rescored([replace(record, value=None, scores={}) for record in records], tasks)
    assert [record.to_json_line() for record in again] == [record.to_json_line() for record in made.records]
    make_report("scripted", again, tasks).save(tmp_path / "again")
    assert saved(tmp_path / "again") == saved(tmp_path)


def test_damaged_samples_are_named_by_line(tmp_path: Path) -> None:
    made = report(lambda _: "1 m", "metric_depth")
    first, second, third = (record.to_json_line() for record in made.records[:3])
    older = third.replace('"schema": 2', '"schema": 1')
    (tmp_path / "samples.jsonl").write_text("\n".join([first, second[:50], older]))
    with pytest.raises(UserErrors, match=r"line 2.*(?s:.)*line 3.*not of schema 2"):
        read_records(tmp_path / "samples.jsonl", {"metric_depth": get_task("metric_depth")})


class Tired(Scripted):
    """Gives up after so many batches."""

    def __init__(self, batches: int) -> None:
        super().__init__(lambda sample: sample.completion)
        self.left = batches
        self.asked = 0

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        self.asked += len(samples)
        return super().answer(samples)


def test_an_interrupted_evaluation_goes_on(tmp_path: Path) -> None:
    asked = EvaluationRun(held_out("metric_depth", "relative_depth", count=30), part=tmp_path / "part", key="a")
    with pytest.raises(KeyboardInterrupt):
        ask_all(Tired(5), asked, batch_size=8)
    text = (tmp_path / "part").read_text()
    (tmp_path / "part").write_text(text[:-20])  # killed while it wrote
    tired = Tired(99)
    told: list[int] = []
    records = ask_all(tired, asked, told.append, batch_size=8)
    assert tired.asked == 60 - 37
    assert told[0] == 37
    whole = ask_all(Tired(99), replace(asked, part=None), batch_size=8)
    assert [record.to_json_line() for record in records] == [record.to_json_line() for record in whole]
    kept = (tmp_path / "part").read_bytes()
    with pytest.raises(UserError, match="another evaluation was interrupted here"):
        ask_all(Tired(99), replace(asked, key="b"), batch_size=8)
    assert (tmp_path / "part").read_bytes() == kept
    (tmp_path / "part").write_text("another header\n")  # nothing was answered
    other = Tired(99)
    ask_all(other, replace(asked, key="b"), batch_size=8)
    assert other.asked == 60


def test_an_answer_cut_short_within_a_character_is_asked_again(tmp_path: Path) -> None:
    asked = EvaluationRun(held_out("metric_depth", count=4), part=tmp_path / "part", key="a")
    ask_all(Scripted(lambda sample: "2 m é"), asked)
    whole = (tmp_path / "part").read_bytes()
    (tmp_path / "part").write_bytes(whole[: whole.rindex("é".encode()) + 1])
    tired = Tired(99)
    assert len(ask_all(tired, asked)) == 4
    assert tired.asked == 1


class Dying(Scripted):
    """A server that dies after so many answers."""

    def __init__(self, answers: int, fault: BaseException) -> None:
        super().__init__(lambda sample: sample.completion)
        self._left, self._fault = answers, fault
        self.asked = 0

    def answer_each(self, samples: Sequence[Sample], heard: Callable[[int, Reply], None]) -> list[Reply]:
        replies: list[Reply | None] = [None] * len(samples)
        order = [index for index in reversed(range(len(samples))) if index % 2 == 0] + list(range(1, len(samples), 2))
        for index in order:
            if not self._left:
                raise Unanswered(replies, {index: self._fault}) if isinstance(self._fault, UserError) else self._fault
            self._left -= 1
            self.asked += 1
            replies[index] = Reply(samples[index].completion)
            heard(index, replies[index])
        return [reply for reply in replies if reply is not None]


@pytest.mark.parametrize("fault", [ServerFault("the server is down"), KeyboardInterrupt()])
def test_each_answer_of_a_server_is_kept_as_it_comes(fault: BaseException, tmp_path: Path) -> None:
    asked = EvaluationRun(held_out("metric_depth", count=8), part=tmp_path / "part", key="a")
    with pytest.raises((Unanswered, KeyboardInterrupt)):
        ask_all(Dying(5, fault), asked)
    assert len((tmp_path / "part").read_text().splitlines()) == 1 + 5
    risen = Dying(99, fault)
    records = ask_all(risen, asked)
    assert risen.asked == 3
    whole = ask_all(Scripted(lambda sample: sample.completion), replace(asked, part=None))
    assert [record.to_json_line() for record in records] == [record.to_json_line() for record in whole]


def test_no_value_is_read_from_an_answer_that_was_cut(tmp_path: Path) -> None:
    class Rambling(Scripted):
        def answer(self, samples: Sequence[Sample]) -> list[Reply]:
            return [Reply(sample.completion, ending=Ending.CUT) for sample in samples]

    asked = EvaluationRun(held_out("metric_depth", "two_point_distance", count=8), check=True)
    made = make_report("rambling", ask_all(Rambling(lambda _: ""), asked), asked.tasks)
    assert {(record.value, record.ending, record.implied) for record in made.records} == {(None, "cut", None)}
    made.save(tmp_path)
    records = read_records(tmp_path / "samples.jsonl", asked.tasks)
    assert [record.ending for record in records] == [Ending.CUT] * 16
    assert {record.value for record in rescored(records, asked.tasks)} == {None}
    replayed = ask_all(ReplayPredictor(tmp_path / "samples.jsonl", asked.held_out), replace(asked, check=False))
    assert {(record.value, record.ending) for record in replayed} == {(None, "cut")}


def test_samples_from_before_endings_were_kept_are_complete(tmp_path: Path) -> None:
    made = report(lambda sample: sample.completion, "metric_depth")
    line = json.loads(made.records[0].to_json_line())
    del line["ending"]
    (tmp_path / "samples.jsonl").write_text(json.dumps(line) + "\n")
    assert read_records(tmp_path / "samples.jsonl", {"metric_depth": get_task("metric_depth")}) == [made.records[0]]


def test_thoughts_alone_are_recorded_as_such() -> None:
    made = report(lambda _: "<think>The door is 2 m tall.", "metric_depth")
    assert {(record.value, record.ending) for record in made.records} == {(None, Ending.THOUGHTS)}


def test_a_refused_check_leaves_the_answer_unchecked() -> None:
    class Refusing(Scripted):
        def answer(self, samples: Sequence[Sample]) -> list[Reply]:
            if samples[0].task == "metric_depth":
                replies = [None, *super().answer(samples[1:])]
                raise Unanswered(replies, {0: QuestionFault("this question is refused")})
            return super().answer(samples)

    asked = EvaluationRun(held_out("two_point_distance", "metric_depth", count=6), check=True)
    two = [record for record in ask_all(Refusing(lambda sample: "2 m"), asked) if record.task == "two_point_distance"]
    assert [record.implied is None for record in two] == [True, *[False] * 5]


def test_answers_are_checked_against_the_predictors_own_depths() -> None:
    right = report(lambda sample: sample.completion, "metric_depth", "principal_axis_distance", "two_point_distance")
    assert all(task.agreeing == (pytest.approx(math.nan, nan_ok=True), 0) for task in right.tasks)
    names = ("metric_depth", "principal_axis_distance", "two_point_distance", "relative_depth")

    def truthful(sample: Sample) -> str:
        task = get_task(sample.task)
        return task.write(task.label(sample.query), sample.query)

    def far(sample: Sample) -> str:
        return truthful(sample) if sample.task != "two_point_distance" else "99 m"

    for say, shares in ((truthful, [1, 1, 1, 1]), (far, [1, 1, 0, 1])):
        told = [task.agreeing for task in report(say, *names, check=True).tasks]
        assert [share for share, _ in told] == shares
        assert all(count > 30 for _, count in told)


def test_coverage_counts_the_truths_inside_the_intervals() -> None:
    asked = EvaluationRun(held_out("metric_depth"))
    records = ask_all(Scripted(lambda _: "1 m"), asked)
    halves = [
        replace(record, interval=(record.truth - 1, record.truth + (1 if index % 4 else -0.5)))
        for index, record in enumerate(records)
    ]
    (task,) = make_report("scripted", halves, asked.tasks).tasks
    assert task.covered == (0.75, 40)


def test_records_tell_depth_edges_from_plain_places() -> None:
    asked = EvaluationRun(held_out("metric_depth"))
    around = [record.points[0]["around"] for record in ask_all(Scripted(lambda _: "1 m"), asked)]
    depths = [record.points[0]["depth_z"] for record in ask_all(Scripted(lambda _: "1 m"), asked)]
    assert all(low <= depth <= high for (low, high), depth in zip(around, depths, strict=True))
    assert any(high > 1.25 * low for low, high in around) and any(high < 1.1 * low for low, high in around)


def test_progress_counts_every_question() -> None:
    told: list[int] = []
    ask_all(Scripted(lambda _: "1 m"), EvaluationRun(held_out("metric_depth", count=10)), told.append, batch_size=4)
    assert told == [0, 4, 4, 2]


def test_the_next_questions_are_rendered_while_the_predictor_answers() -> None:
    ninth = threading.Event()

    class Slow(Scripted):
        """Answers the first batch only once a question of the third one is rendered."""

        def answer(self, samples: Sequence[Sample]) -> list[Reply]:
            assert ninth.wait(timeout=60)
            return super().answer(samples)

    class Watched(Mixture):
        def __getitem__(self, index: int) -> Sample:
            if index == 8:
                ninth.set()
            return super().__getitem__(index)

    (mixture,) = held_out("metric_depth", count=20).values()
    watched = Watched(mixture.tasks, mixture.feeds, mixture.presenter, mixture.seed, mixture.length)
    records = ask_all(Slow(lambda sample: sample.completion), EvaluationRun({"metric_depth": watched}), batch_size=4)
    assert [record.index for record in records] == list(range(20))


@pytest.mark.parametrize("ahead", [0, 2])
def test_a_picture_that_cannot_be_read_fails_in_its_place(ahead: int, tmp_path: Path) -> None:
    class Damaged(Mixture):
        def __getitem__(self, index: int) -> Sample:
            if index in (10, 15):
                raise UserError(f"{index}.png: the picture cannot be read")
            return super().__getitem__(index)

    (mixture,) = held_out("metric_depth", count=20).values()
    damaged = Damaged(mixture.tasks, mixture.feeds, mixture.presenter, mixture.seed, mixture.length)
    asked = EvaluationRun({"metric_depth": damaged}, part=tmp_path / "part", ahead=ahead)
    with pytest.raises(UserError, match=r"^10\.png: the picture cannot be read$"):
        ask_all(Scripted(lambda _: "1 m"), asked, batch_size=4)
    assert len((tmp_path / "part").read_text().splitlines()) == 1 + 8  # two whole batches were answered


def test_nothing_to_ask() -> None:
    with pytest.raises(UserError, match="nothing to measure"):
        ask_all(Scripted(lambda _: ""), EvaluationRun(held_out("metric_depth", count=0)))


def test_a_report_tells_how_often_plain_orders_are_right(tmp_path: Path) -> None:
    right = report(lambda sample: sample.completion, "relative_depth", "metric_depth")
    never = report(lambda _: "none", "relative_depth")
    for each, share in ((right, "1.000"), (never, "0.000")):
        each.save(tmp_path / share)
        written = (tmp_path / share / "report.md").read_text()
        assert f"{share} at gaps of 25% and more" in written
        assert f"100% and more {share} (" in written
    assert (tmp_path / "1.000" / "report.md").read_text().count("at gaps of") == 1
