"""What a run says about itself, by the results that lie beside its weights."""

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.inference.caveats import caveats

ROOMS, PHOTOS = {"rooms": "rooms"}, {"rooms": "rooms", "mine": "manifest"}


def result(task: str, own: float | None, low: float | None, constant: float, count: int = 100) -> dict[str, Any]:
    """The results of a task: the share of right answers, its lower limit, and what the best constant reaches."""
    return {
        "task": task,
        "headline": "delta1",
        "count": count,
        "metrics": {"delta1": own, "abs_rel": None},
        "intervals": {"delta1": [low, None]},
        "constant": {"answer": "2.00 m", "metrics": {"delta1": constant}},
        "sources": {},
    }


def write_report(folder: Path, *tasks: Any, **about: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps({"schema": 2, "predictor": "run", "tasks": tasks, **about}))
    return folder


@pytest.mark.parametrize(
    ("own", "low", "kinds", "said"),
    [
        (0.30, 0.25, PHOTOS, "run is no better than a constant answer: of 100 depth questions about synthetic rooms "
         "and pictures of mine it got 30% right (within a factor of 1.25), the best constant answer 40%"),
        (0.40, 0.38, PHOTOS, "is no better than a constant answer"),
        (0.45, 0.39, PHOTOS, "it is not sure that"),
        (0.45, 0.40, PHOTOS, "it is not sure that"),
        (0.45, None, PHOTOS, "it is not sure that"),
        (0.90, 0.85, ROOMS, "on photographs is not known: of 100 depth questions about synthetic rooms it got 90%"),
        (0.90, 0.85, PHOTOS, ""),
    ],
)  # fmt: skip
def test_it_says_whether_it_beats_a_constant(
    own: float, low: float | None, kinds: dict[str, str], said: str, tmp_path: Path
) -> None:
    write_report(tmp_path / "run" / "evaluation", result("depth", own, low, 0.4))
    found = caveats(tmp_path / "run", kinds, ["depth", "order"])
    assert said in found["depth"] and bool(said) == bool(found["depth"])
    assert "at order is not known: it was not measured" in found["order"]
    assert "other questions than those of its training" in found[""]


def test_the_report_says_what_it_was_about(tmp_path: Path) -> None:
    kinds = {f"set{index}": "manifest" for index in range(5)}
    write_report(tmp_path / "run" / "evaluation", result("depth", 0.3, 0.2, 0.4), sources=kinds)
    assert "questions about 5 sources it got" in caveats(tmp_path / "run", ROOMS)["depth"]
    some = {**result("depth", 0.3, 0.2, 0.4), "sources": {"set1": [0.3, 50], "set2": [0.3, 50]}}
    write_report(tmp_path / "run" / "evaluation", some, sources=kinds)
    assert "about pictures of set1 and pictures of set2 it got" in caveats(tmp_path / "run", ROOMS)["depth"]


def test_later_evaluations_fill_what_its_training_did_not_measure(tmp_path: Path) -> None:
    home = tmp_path / "run" / "evaluation"
    write_report(home, result("depth", 0.3, 0.2, 0.4))
    write_report(home / "first-5-mine-vlm", result("order", 0.9, 0.8, 0.5, count=5), sources={"mine": "manifest"})
    write_report(home / "mine-vlm", result("order", 0.1, 0.0, 0.5), result("depth", 0.9, 0.8, 0.4, count=999))
    write_report(home / "mine-constant", result("order", 0.9, 0.8, 0.5, count=999), predictor="constant")
    found = caveats(tmp_path / "run", ROOMS)
    assert "of 100 order questions it got 10% right" in found["order"]
    assert "got 30% right" in found["depth"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"tasks": 3}', '{"tasks": [3, {"task": "depth"}]}', '{"tasks": null, "sources": 7}']
)
def test_of_a_damaged_report_nothing_is_known(text: str, tmp_path: Path) -> None:
    folder = write_report(tmp_path / "run" / "evaluation")
    (folder / "report.json").write_text(text)
    assert set(caveats(tmp_path / "run", ROOMS, ["depth"])) == {""}
    for own, constant in ((None, 0.4), (float("nan"), 0.4), (0.3, float("inf")), (7.0, 0.4)):
        write_report(folder, result("depth", own, 0.1, constant))
        assert "nothing is known about how good" in caveats(tmp_path / "run", ROOMS, ["depth"])[""]
