"""Evaluations side by side: the same questions, paired differences; and scoring again from the samples."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.evaluations import Scripted, held_out
from toolkit.errors import UserError
from toolkit.evaluation.question_loop import EvaluationRun, ask_all
from toolkit.evaluation.reports.compare import EvaluationComparison, compare, read_evaluation
from toolkit.evaluation.reports.report import make_report
from toolkit.evaluation.rescore import rescore
from toolkit.qa.sample import Sample
from toolkit.qa.tasks.registry import get_task

TASKS = {name: get_task(name) for name in ("metric_depth", "camera_pose")}


def scaled(factor: float) -> Callable[[Sample], str]:
    return lambda sample: f"{sample.truth * factor:.6f} m"


def saved(folder: Path, say: Callable[[Sample], str], *names: str, count: int = 40) -> Path:
    asked = EvaluationRun(held_out(*names, count=count))
    make_report(folder.name, ask_all(Scripted(say), asked), asked.tasks, {"metric_depth": 2.0}).save(folder)
    return folder


def compared(*folders: Path, keys: tuple[str, ...] = ()) -> EvaluationComparison:
    return compare([read_evaluation(folder, TASKS) for folder in folders], TASKS, keys)


def test_differences_are_those_of_the_numbers(tmp_path: Path) -> None:
    good, bad = (saved(tmp_path / str(scale), scaled(scale), "metric_depth") for scale in (1.1, 1.3))
    found = compared(bad, good)
    assert found.names == ("1.3", "1.1")
    by_key = {row.key: row for row in found.rows}
    assert by_key["delta1"].values == (0.0, 1.0)
    assert tuple(by_key["delta1"].differences[0]) == (1.0, 1.0, 1.0)
    assert by_key["abs_rel"].differences[0].value == pytest.approx(-0.2, abs=1e-5)
    assert "1.000 (+1.000 [+1.000, +1.000])*" in "".join(
        str(cell) for column in found.to_table().columns for cell in column.cells
    )


def test_only_shared_questions_are_compared(tmp_path: Path) -> None:
    both = saved(tmp_path / "both", scaled(1.1), "metric_depth", count=30)
    few = saved(tmp_path / "few", scaled(1.1), "metric_depth", count=10)
    found = compared(both, few)
    assert (found.rows[0].count, found.left_out) == (10, (20, 0))
    poses = saved(tmp_path / "poses", lambda sample: sample.completion, "camera_pose", count=5)
    with pytest.raises(UserError, match="no question in common"):
        compared(both, poses)


def test_predictors_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folder = saved(tmp_path / "a", scaled(1), "metric_depth", count=5)
    assert compared(folder, folder / "report.json").names == ("a (1)", "a (2)")


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    folder = saved(tmp_path / "a", scaled(1), "metric_depth", count=5)
    with pytest.raises(UserError, match="no comparison"):
        compared(folder)
    with pytest.raises(UserError, match="this is no evaluation"):
        read_evaluation(tmp_path, TASKS)
    with pytest.raises(UserError, match="the task metric_depth is not known") as caught:
        compare([read_evaluation(folder, TASKS)] * 2, {})
    assert "--include" in caught.value.remedy
    with pytest.raises(UserError, match="no task measures rsme"):
        compared(folder, folder, keys=("rsme",))


def test_answers_may_hold_what_other_programs_take_for_an_end_of_line(tmp_path: Path) -> None:
    folder = saved(tmp_path / "a", lambda sample: "2 m\u2028or\x85so", "metric_depth", count=5)
    assert len(read_evaluation(folder, TASKS).records) == 5


def test_scoring_again_changes_nothing(tmp_path: Path) -> None:
    folder = saved(tmp_path / "a", scaled(1.1), "metric_depth")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    rescore(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    text = (folder / "samples.jsonl").read_text().replace('"delta1": 1.0', '"delta1": 0.0')
    (folder / "samples.jsonl").write_text(text)
    assert rescore(folder).tasks[0].metrics["delta1"] == 1.0
