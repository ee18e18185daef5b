"""Answers of other systems, from files: scored as they stand, or refused with their lines."""

import json
from pathlib import Path

import pytest

from tests.support.evaluations import held_out, report, results
from toolkit.errors import UserError
from toolkit.modeling.replay import ReplayPredictor
from toolkit.qa.mixture import Mixture

COUNT = 12


def asked(*names: str) -> dict[str, Mixture]:
    return held_out(*(names or ("metric_depth",)), count=COUNT)


def rows(**mixtures: Mixture) -> list[dict[str, object]]:
    """A true answer to every question."""
    samples = [mixture[index] for mixture in mixtures.values() for index in range(len(mixture))]
    return [{"sample_sha256": sample.fingerprint(), "answer": sample.completion} for sample in samples]


def write(path: Path, lines: list[object]) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def test_the_samples_of_an_evaluation_are_scored_as_they_were(tmp_path: Path) -> None:
    names = ("metric_depth", "relative_depth", "camera_pose")
    made = report(lambda sample: sample.completion if len(sample.completion) % 2 else "who knows", *names)
    made.save(tmp_path)
    mixtures = held_out(*names)
    again = results(ReplayPredictor(tmp_path / "samples.jsonl", mixtures), mixtures)
    assert again.to_json()["tasks"] == made.to_json()["tasks"]
    assert again.predictor == f"file:{tmp_path / 'samples.jsonl'}"


def test_any_order_and_other_keys(tmp_path: Path) -> None:
    mixtures = asked("metric_depth", "two_point_distance")
    lines = [{"model": "mine", **row} for row in reversed(rows(**mixtures))]
    result = results(ReplayPredictor(write(tmp_path / "a.jsonl", [*lines, ""]), mixtures), mixtures)
    assert [task.metrics["delta1"] for task in result.tasks] == [1.0, 1.0]


def test_numbers_are_in_the_tasks_unit(tmp_path: Path) -> None:
    mixtures = asked()
    samples = [mixtures["metric_depth"][index] for index in range(COUNT)]
    lines = [{"sample_sha256": sample.fingerprint(), "answer": sample.truth} for sample in samples]
    (task,) = results(ReplayPredictor(write(tmp_path / "a.jsonl", lines), mixtures), mixtures).tasks
    assert task.metrics["abs_rel"] == pytest.approx(0, abs=1e-9)


def test_questions_without_a_line_count_as_unread(tmp_path: Path) -> None:
    mixtures = asked()
    answers = ReplayPredictor(write(tmp_path / "a.jsonl", rows(**mixtures)[3:]), mixtures)
    (task,) = results(answers, mixtures).tasks
    assert task.metrics["unparsed"] == 3 / COUNT and task.metrics["delta1"] == 1 - 3 / COUNT
    assert answers.notes == (f"3 questions have no line in {answers.name}",)


def test_all_faults_are_told_with_their_lines(tmp_path: Path) -> None:
    mixtures = asked()
    good = rows(**mixtures)
    lines = [
        good[0],
        "{",
        [1],
        {"answer": "2 m"},
        {"sample_sha256": good[1]["sample_sha256"]},
        {**good[2], "answer": None},
        {**good[3], "answer": True},
        {**good[4], "answer": float("nan")},
        {**good[5], "sample_sha256": "0" * 64},
        {**good[0], "answer": "9 m"},
    ]
    path = write(tmp_path / "a.jsonl", lines)
    with pytest.raises(UserError) as error:
        ReplayPredictor(path, mixtures)
    text = str(error.value)
    assert "9 faults" in text and "line 1:" not in text
    for number, part in enumerate(
        (
            "not JSON",
            "not a JSON object",
            "`sample_sha256` is missing",
            "`answer` is missing",
            "cannot be null",
            "cannot be true",
            "cannot be NaN",
            "another recipe",
            "answered already",
        ),
        start=2,
    ):
        assert f"a.jsonl, line {number}: " in text and part in text


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{**rows(**asked())[0], "ending": "happy"}])
    with pytest.raises(UserError, match=r"`ending` cannot be \"happy\"(?s:.)*complete, cut"):
        ReplayPredictor(path, asked())


def test_a_question_that_is_asked_twice_may_have_two_lines(tmp_path: Path) -> None:
    mixtures = asked()
    twice = {"metric_depth": mixtures["metric_depth"], "again": mixtures["metric_depth"]}
    first, second = {**rows(**mixtures)[0], "answer": "1 m"}, {**rows(**mixtures)[0], "answer": "2 m"}
    path = write(tmp_path / "a.jsonl", [first, second])
    with pytest.raises(UserError, match="answered already"):
        ReplayPredictor(path, mixtures)
    sample = mixtures["metric_depth"][0]
    assert [reply.text for reply in ReplayPredictor(path, twice).answer([sample, sample])] == ["1 m", "2 m"]
    once = ReplayPredictor(write(path, [second]), twice)
    assert [reply.text for reply in once.answer([sample, sample])] == ["2 m", "2 m"]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        ReplayPredictor(tmp_path / "nothing.jsonl", asked())


def test_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not UTF-8"):
        ReplayPredictor(tmp_path / "a.jsonl", asked())
