"""Lines of ``samples.jsonl`` that somebody else wrote: each fault is named with its line and key."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.evaluations import report
from toolkit.errors import UserError
from toolkit.evaluation.rescore import rescore
from toolkit.evaluation.sample_record import SampleRecord, parse_record, rescored
from toolkit.qa.query import Query
from toolkit.qa.tasks.registry import get_task

TASKS = {"metric_depth": get_task("metric_depth"), "camera_pose": get_task("camera_pose")}


@pytest.fixture(scope="module")
def record() -> SampleRecord:
    return report(lambda sample: sample.completion, "metric_depth").records[0]


def changed(record: SampleRecord, keys: str, value: Any) -> str:
    """The line of a record with another value behind a path of keys."""
    row = inner = json.loads(record.to_json_line())
    *path, last = [int(key) if key.isdecimal() else key for key in keys.split(".")]
    for key in path:
        inner = inner[key]
    inner[last] = value
    return json.dumps(row)


@pytest.mark.parametrize("line", ["", "1.5", "null", "[]", '"x"', "[" * 100_000, "9" * 6_000, '{"schema": 2}', "{}"])
def test_a_line_without_a_record(line: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|object|brackets|digits|schema|required"):
        parse_record(line, TASKS)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("task", []),
        ("index", -1),
        ("source", True),
        ("images", []),
        ("images.0", None),
        ("images.0.id", {}),
        ("cameras.0", [1.0]),
        ("points.0", "x"),
        ("points.0.pixel", [1.0, None]),
        ("points.0.around", [1.0]),
        ("points.0.depth_z", "x"),
        ("given", None),
        ("answer", 1.5),
        ("probability", "x"),
        ("truth", "x"),
        ("truth", -1),
        ("truth", None),
        ("truth", 10**400),
        ("value", []),
        ("interval", [1.0, None]),
        ("scores", 3),
        ("scores.delta1", "x"),
        ("agrees", 0),
        ("ending", []),
        ("strange", 1),
    ],
)
def test_a_value_of_a_wrong_kind_is_named(keys: str, value: Any, record: SampleRecord) -> None:
    line = changed(record, keys, value)
    with pytest.raises(ValueError, match=rf"{keys.split('.')[0]}|number"):
        parse_record(line, TASKS)


def test_a_motion_of_a_wrong_kind() -> None:
    pose = report(lambda sample: sample.completion, "camera_pose").records[0]
    for keys, value in (("truth", 1.0), ("truth.direction", [1.0]), ("value.rotation", "x"), ("value", {})):
        with pytest.raises(ValueError, match=r"motion|number|unpack"):
            parse_record(changed(pose, keys, value), TASKS)


@pytest.mark.parametrize(
    ("key", "value"),
    [("predictor", 3), ("central", []), ("central", {"metric_depth": {}}), ("notes", "x"), ("notes", [1])],
)
def test_a_damaged_report_is_no_traceback(key: str, value: Any, tmp_path: Path) -> None:
    report(lambda sample: sample.completion, "metric_depth").save(tmp_path)
    saved = json.loads((tmp_path / "report.json").read_text())
    (tmp_path / "report.json").write_text(json.dumps({**saved, key: value}))
    with pytest.raises(UserError, match=r"report\.json|no evaluation"):
        rescore(tmp_path)


def test_what_a_task_needs_and_a_record_does_not_give_is_named(record: SampleRecord) -> None:
    tasks = {"object_color": get_task("object_color")}
    with pytest.raises(UserError, match="given"):
        rescored([replace(record, task="object_color", given={}, answer="red", truth="red")], tasks)


def test_a_mistake_of_a_task_is_no_fault_of_a_record(record: SampleRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(text: str, query: Query) -> float:
        raise TypeError

    monkeypatch.setattr(TASKS["metric_depth"], "read", mistaken)
    with pytest.raises(TypeError):
        rescored([record], TASKS)
