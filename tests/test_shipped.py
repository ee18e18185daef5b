"""The model that comes with the toolkit: it sees, it is asked where there is no other, and it says what it is."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from toolkit.ask import load
from toolkit.checkpoint import load_checkpoint, read_contract
from toolkit.errors import UserErrors
from toolkit.intrinsics import CameraFlags
from toolkit.measure import How, measure
from toolkit.recipe_file import load_recipe
from toolkit.resources import model_folder
from toolkit.shipped import caveats
from toolkit.train import open_base

FOLDER = Path(model_folder("tiny"))
MEGABYTES = 12
SCORED = json.loads((FOLDER / "evaluation" / "report.json").read_text(encoding="utf-8"))["tasks"]
ASKED = {"points": {"red": (165, 190)}, "camera": CameraFlags((210.43, 210.43, 160.27, 112.92))}
ROOM = Path(__file__).parents[1] / "docs" / "room.png"


def test_it_is_small_and_whole() -> None:
    assert (FOLDER / "model.safetensors").stat().st_size <= MEGABYTES * 10**6
    weights = load_file(FOLDER / "model.safetensors")
    assert all(bool(weight.isfinite().all()) for weight in weights.values())
    assert set(load_checkpoint(FOLDER).tasks) == set(load_recipe("tiny_pretrain").tasks)


def test_it_was_made_by_its_recipe() -> None:
    made, recipe = load_recipe(FOLDER / "recipe.yaml"), load_recipe("tiny_pretrain")
    free = {"trainer": made.trainer, "output": made.output}  # how it is spread over processes
    assert recipe.model_copy(update=free) == made
    assert made.trainer.steps == recipe.trainer.steps


def test_the_card_says_what_was_measured() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for task in SCORED:
        own = task["metrics"][task["headline"]]
        assert f"| {task['task']} | {task['count']} | {task['headline']} | {own:.3f} |" in card
    for word in ("seed", "hardware", "time"):
        assert word in card.lower()


def test_it_sees_rooms_that_it_was_not_trained_on() -> None:
    fewer = [
        "evaluation.samples=60",
        "curriculum=[]",
        "tasks={metric_depth: {options: {decimals: 1}}, relative_depth: 1}",
    ]
    report = measure(Path("tiny"), load_recipe("tiny_pretrain", fewer), How())
    depth, order = report.tasks
    assert depth.metrics["delta1"] > depth.constant.metrics["delta1"] + 0.1
    assert order.metrics["accuracy"] > 0.65
    assert "overlap with training: none" in report.notes


def test_recipes_start_from_it(tmp_path: Path) -> None:
    for name in ("depth_plus_distance", "all_tasks", "photos"):
        recipe = load_recipe(name, ["sources.photos.path=x.jsonl"] if name == "photos" else [])
        assert recipe.model.name == "tiny"
        base = open_base(recipe).model.state_dict()
        saved = load_file(FOLDER / "model.safetensors")
        assert all(torch.equal(base[key], weight) for key, weight in saved.items() if key in base)
    with pytest.raises(UserErrors, match="do not fit together"):
        open_base(load_recipe("all_tasks", ["marker.size=5"]))


def test_it_is_asked_where_there_is_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asker = load()
    answer = asker.ask(Image.open(ROOM), "how far is the red point", **ASKED)
    assert (answer.model, answer.task) == ("tiny", "metric_depth")
    assert answer.value is not None
    (said,) = answer.warnings
    (own,) = (task["metrics"]["delta1"] for task in SCORED if task["task"] == "metric_depth")
    assert "comes with the toolkit" in said
    assert f"got {own:.0%} right (within 25 %)" in said
    raw = asker.ask(Image.open(ROOM), "what is this", raw=True, camera=ASKED["camera"])
    assert any("seen drawn rooms alone" in warning for warning in raw.warnings)
    (one,) = asker.ask_many(Image.open(ROOM), "how far is it", [[165, 190]], camera=ASKED["camera"])
    assert said in one.warnings


def test_each_task_has_its_own_caveat() -> None:
    known = caveats(FOLDER)
    assert set(known) == {"", *read_contract(FOLDER)["templates"]}
    assert len(set(known.values())) == len(known)
