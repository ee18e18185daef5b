"""The model that comes with the toolkit: it sees, it is asked if there is no other model, and it says what it is."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.support.command import Run
from tests.support.paths import ROOT
from toolkit.config.load import load_recipe
from toolkit.errors import UserErrors
from toolkit.evaluation.evaluate import EvaluationSetup, evaluate_recipe
from toolkit.inference.asker import load
from toolkit.inference.camera_source import CameraFlags
from toolkit.inference.caveats import caveats, is_shipped
from toolkit.modeling.checkpoint import load_checkpoint
from toolkit.modeling.checkpoint_contract import adopt_base_contract, read_contract
from toolkit.training.open_run_model import open_base
from toolkit.utils.resources import model_folder

pytestmark = pytest.mark.slow

FOLDER = Path(model_folder("tiny"))
MEGABYTES = 12
RED, CAMERA = {"red": (165, 190)}, CameraFlags((210.43, 210.43, 160.27, 112.92))
ROOM = ROOT / "docs" / "room.png"
SPREAD = {"batch_size", "accumulate", "workers"}
"""The settings that say how a training step is divided among processes."""


def content(weight: torch.Tensor) -> bytes:
    """The numbers of a weight, for comparing weights without their names, which differ between files and models."""
    return weight.numpy().tobytes()


@pytest.fixture(scope="module")
def scored() -> Sequence[Mapping[str, Any]]:
    return json.loads((FOLDER / "evaluation" / "report.json").read_text(encoding="utf-8"))["tasks"]


def test_a_name_and_a_path_are_not_the_same() -> None:
    assert is_shipped(FOLDER)
    assert model_folder("./tiny") == "./tiny"
    assert model_folder(Path("tiny")) == Path("tiny")


def test_it_is_small_and_whole() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= MEGABYTES * 10**6
    weights = load_file(FOLDER / "model.safetensors")
    assert all(bool(weight.isfinite().all()) for weight in weights.values())
    assert set(load_checkpoint(FOLDER).tasks) == set(load_recipe("tiny_pretrain").tasks)


def test_it_was_made_by_its_recipe() -> None:
    made, recipe = load_recipe(FOLDER / "recipe.yaml"), load_recipe("tiny_pretrain")
    assert recipe.model_copy(update={"trainer": made.trainer, "output": made.output}) == made
    assert recipe.trainer.model_dump(exclude=SPREAD) == made.trainer.model_dump(exclude=SPREAD)
    assert recipe.trainer.batch_size % made.trainer.batch_size == 0


def test_the_card_says_what_was_measured_and_how_it_was_made(scored: Sequence[Mapping[str, Any]]) -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for task in scored:
        own = task["metrics"][task["headline"]]
        assert task["count"] == 1000
        assert f"| {task['task']} | {task['count']} | {task['headline']} | {own:.3f} |" in card
    assert "minutes" in card
    assert f"seed {load_recipe(FOLDER / 'recipe.yaml').seed}" in card


def test_it_sees_rooms_that_it_was_not_trained_on() -> None:
    two = "tasks={metric_depth: {options: {decimals: 1}}, relative_depth: 1}"
    report = evaluate_recipe(
        FOLDER, load_recipe("tiny_pretrain", ["evaluation.samples=100", "curriculum=[]", two]), EvaluationSetup()
    )
    depth, order = report.tasks
    assert depth.metrics["delta1"] > depth.constant.metrics["delta1"] + 0.3
    assert order.metrics["accuracy"] > 0.8
    assert "overlap with training: none" in report.to_json()["notes"]


def test_recipes_start_from_it() -> None:
    for name in ("depth_plus_distance", "all_tasks", "photos"):
        recipe = load_recipe(name, ["sources.photos.path=x.jsonl"] if name == "photos" else [])
        assert recipe.model.name == "tiny"
        base = {content(weight) for weight in open_base(recipe).model.state_dict().values()}
        assert {content(weight) for weight in load_file(FOLDER / "model.safetensors").values()} <= base
    with pytest.raises(UserErrors, match="start from another model"):
        open_base(load_recipe("all_tasks", ["marker.size=5"]))


def test_a_recipe_that_does_not_say_how_it_shows_questions_does_it_as_its_base(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sources = ["sources={rooms: {kind: rooms}}", "tasks={metric_depth: 1}"]
    recipe = load_recipe("general", [*sources, "canonical.focal=80"])
    assert (recipe.model.name, recipe.marker.shape) == ("tiny", "arrow")
    adopted = adopt_base_contract(recipe)
    assert adopted.marker == load_recipe(FOLDER / "recipe.yaml").marker
    open_base(adopted)
    printed = " ".join(capsys.readouterr().err.split())
    assert "as tiny was trained" in printed and "marker.shape: 'arrow' -> 'dot'" in printed
    random = load_recipe("general", [*sources, "model.name=tiny-random"])
    assert adopt_base_contract(random) == random
    assert adopt_base_contract(adopted) == adopted
    assert not capsys.readouterr().err


def test_a_recipe_may_show_questions_otherwise_than_its_base(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserErrors, match=r"model\.new_contract: true"):
        open_base(adopt_base_contract(load_recipe("general", ["reference=text", "canonical.focal=80"])))
    capsys.readouterr()
    recipe = adopt_base_contract(load_recipe("general", ["reference=text", "model.new_contract=true"]))
    assert (recipe.reference, recipe.canonical.focal, recipe.marker.shape) == ("text", 80, "dot")
    open_base(recipe)
    printed = " ".join(capsys.readouterr().err.split())
    assert "tiny was trained otherwise: reference: the checkpoint has 'marker', the recipe 'text'" in printed


def test_it_is_asked_where_there_is_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scored: Sequence[Mapping[str, Any]]
) -> None:
    monkeypatch.chdir(tmp_path)
    asker = load()
    answer = asker.ask(Image.open(ROOM), "how far is the red point", points=RED, camera=CAMERA)
    assert (answer.model, answer.task) == ("tiny", "metric_depth")
    assert answer.value is not None
    (warning,) = answer.warnings
    (own,) = (task["metrics"]["delta1"] for task in scored if task["task"] == "metric_depth")
    assert "comes with the toolkit" in warning
    assert f"got {own:.0%} right (within a factor of 1.25)" in warning
    raw = asker.ask(Image.open(ROOM), "what is this", raw=True, camera=CAMERA)
    assert any("seen synthetic rooms alone" in line for line in raw.warnings)
    (one,) = asker.ask_many(Image.open(ROOM), "how far is it", [[165, 190]], camera=CAMERA)
    assert warning in one.warnings


def test_a_cloud_says_whose_answers_it_is_made_of(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOM, "room.png")
    code, _, err = run("cloud", "room.png", "-o", "room.ply", "--fov", "74.5", "--columns", "4", "--levels", "0")
    assert code == 0, err
    assert "the answer is from tiny, the model that comes with the toolkit" in err


def test_it_is_measured_by_name_and_nothing_is_written_beside_it(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(FOLDER.rglob("*"))
    code, _, err = run("eval", "tiny", "depth_plus_distance", "--limit", "2", "evaluation.max_new_tokens=6")
    assert code == 0, err
    assert sorted(FOLDER.rglob("*")) == before
    assert (tmp_path / "runs" / "evaluation" / "first-2-tiny-depth_plus_distance-vlm" / "report.json").is_file()
    code, _, err = run("eval", "./tiny", "depth_plus_distance")
    assert code == 2
    assert "this is no checkpoint" in err


def test_a_mixture_is_that_of_the_base(run: Run, tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(
        "model: {name: tiny}\ntasks: {metric_depth: 1}\nsources: {rooms: {kind: rooms, settings: {rooms: 20}}}\n"
    )
    words = ("data", "mix", tmp_path / "short.yaml", "--count", 20, "--json")
    code, out, err = run(*words)
    assert code == 0, err
    assert "questions are shown as tiny was trained" in err
    assert out == run(*words, "canonical.focal=80")[1]


def test_each_task_has_its_own_caveat() -> None:
    known = caveats(FOLDER)
    assert set(known) == {"", *read_contract(FOLDER)["templates"]}
    assert len(set(known.values())) == len(known)


def test_it_can_be_taken_elsewhere(run: Run, tmp_path: Path) -> None:
    code, out, err = run("export", "tiny", tmp_path / "mine")
    assert code == 0, err
    assert "logits differ by 0.00%" in out
    for name in ("README.md", "evaluation/report.json"):
        assert (tmp_path / "mine" / name).read_text() == (FOLDER / name).read_text()
    assert "how good" in caveats(tmp_path / "mine", {"rooms": "rooms"})["metric_depth"]
