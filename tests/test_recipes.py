"""Every recipe that trains builds its whole trainer and takes a step, large models as twins of their architecture."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import line, write_manifest

from benchmarks import ablations
from benchmarks.ablations import COMPARISONS
from tests.twins import build_twin
from toolkit.canonical import Canvas
from toolkit.collate import Collator, row_of
from toolkit.errors import UserError
from toolkit.estimate import estimate
from toolkit.measure import How, measure
from toolkit.model import prepare_training
from toolkit.plan import make_plan
from toolkit.recipe_file import dump_recipe, load_recipe, recipe_names
from toolkit.registry import expand
from toolkit.sft import learning_rate, make_trainer
from toolkit.train import based, open_base, train
from toolkit.vlm import save_vlm

TWIN_OF = {
    "depthlm_qwen2_5_vl_3b": "Qwen2.5-VL",
    "depthlm_qwen2_5_vl_7b": "Qwen2.5-VL",
    "depthlm_pixtral_12b": "Pixtral",
    "depthlm_qwen3_vl_4b": "Qwen3-VL",
}
SMALL = ["canonical.focal=50", "canonical.crop={width: [48, 64], height: [32, 48]}", "marker.size=3"]
QUICK = ["trainer.steps=1", "trainer.batch_size=2", "trainer.accumulate=1", "trainer.workers=0", "evaluation.samples=2"]


def walls(folder: Path) -> str:
    return f"sources={{walls: {{path: {write_manifest(folder, [line(index) for index in range(8)])}}}}}"


def test_every_recipe_is_tested_here() -> None:
    own = {"depth_plus_distance", "all_tasks", "photos", "general", "tiny_pretrain"}
    assert {name for name in recipe_names() if "/" not in name} == set(TWIN_OF) | own


@pytest.mark.parametrize("name", TWIN_OF)
def test_the_papers_settings(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    pixtral = "pixtral" in name
    assert recipe.canonical.focal == (750 if pixtral else 1000)
    assert recipe.canonical.crop is not None
    assert recipe.canonical.crop.width == ((750, 1050) if pixtral else (1000, 1400))
    assert (recipe.marker.shape, recipe.marker.size, recipe.marker.colors[0]) == ("arrow", 5, "red")
    assert {source.weight for source in recipe.sources.values()} == {1.0, 0.1}
    assert (recipe.trainer.max_grad_norm, recipe.trainer.warmup, recipe.trainer.schedule) == (0.1, 0.1, "cosine")


@pytest.mark.parametrize("name", TWIN_OF)
def test_large_recipes_build_their_trainer_and_take_a_step_on_a_twin(name: str, tmp_path: Path) -> None:
    save_vlm(build_twin(TWIN_OF[name]), tmp_path / "twin")
    base = [f"model.name={tmp_path / 'twin'}", walls(tmp_path)]
    recipe = load_recipe(name, [*base, "trainer.workers=0"])
    learner = prepare_training(open_base(recipe), recipe.model)
    plan = make_plan(recipe, learner.geometry.canvas)
    trainer = make_trainer(learner, plan.train, recipe, tmp_path / "built")
    assert trainer.args.activation_checkpointing
    assert trainer.args.max_grad_norm == 0.1
    row = trainer.train_dataset[0]
    assert row["images"][0].width % learner.geometry.canvas.multiple == 0
    assert row["completion"][0]["content"].startswith("<think>The point is around")
    trained = train(load_recipe(name, [*base, *SMALL, *QUICK, "trainer.learning_rate=0.01"]), tmp_path / "run")
    assert trained.moved > 0.5


@pytest.mark.parametrize("name", ["depth_plus_distance", "all_tasks", "tiny_pretrain"])
def test_built_in_data_recipes_take_a_step(name: str, tmp_path: Path) -> None:
    small = ["sources.rooms.settings.rooms=20", "sources.rooms.held_out_rooms=5", "evaluation.max_new_tokens=4"]
    report = train(load_recipe(name, [*QUICK, *small]), tmp_path / "run").report
    assert report is not None
    assert {task.task for task in report.tasks} == set(load_recipe(name).tasks)


def test_photos_take_a_step(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, [line(index) for index in range(8)])
    recipe = load_recipe("photos", [f"sources.photos.path={path}", *QUICK, "evaluation.max_new_tokens=4"])
    assert train(recipe, tmp_path / "run").report is not None


def test_ordinary_questions_measure_a_model_that_was_never_trained_and_can_be_trained_on(tmp_path: Path) -> None:
    small = [f"sources.shapes.settings.{key}" for key in ("pictures=40", "width=[96, 120]", "height=[80, 96]")]
    recipe = load_recipe("general", [*QUICK, *small, "canonical.focal=80", "evaluation.max_new_tokens=4"])
    save_vlm(open_base(based(recipe)), tmp_path / "base")
    before = measure(tmp_path / "base", recipe, How())
    assert {task.task: task.count for task in before.tasks} == dict.fromkeys(expand(["general"]), 2)
    assert train(recipe, tmp_path / "run").report is not None


REAL = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real photographs are not on this machine")
@pytest.mark.parametrize(("name", "tasks"), [("ibims1", 2), ("hololens", 4)])
def test_real_photographs(name: str, tasks: int, tmp_path: Path) -> None:
    chosen = "metric_depth: 1, two_point_distance: 1" + (", relative_depth: 1, camera_pose: 1" if tasks == 4 else "")
    words = [f"sources.photos.path={REAL / name / 'manifest.jsonl'}", f"tasks={{{chosen}}}", *QUICK]
    report = train(load_recipe("photos", [*words, "evaluation.max_new_tokens=4"]), tmp_path / "run").report
    assert report is not None
    assert len(report.tasks) == tasks


def test_learning_rate_scales_with_the_square_root_of_the_batch() -> None:
    settings = load_recipe("depthlm_qwen2_5_vl_3b").trainer
    assert settings.batch_size * settings.accumulate == 16
    assert learning_rate(settings, 8) == pytest.approx(1e-5)
    assert learning_rate(settings, 2) == pytest.approx(0.5e-5)


def test_missing_data_is_named() -> None:
    recipe = load_recipe("depthlm_qwen2_5_vl_3b")
    with pytest.raises(UserError, match=r"3d-data/argoverse2/manifest\.jsonl: there is no such manifest"):
        make_plan(recipe, build_twin("Qwen2.5-VL").geometry.canvas)


def test_what_a_run_needs_is_worked_out_over_all_its_phases(quick: Path) -> None:
    first, second = "share: 15, tasks: {metric_depth: 1}", "share: 16, tasks: {camera_pose: 1}"
    last = "share: 1, tasks: {metric_depth: 1}, questions_per_image: 3"
    settings = ["tasks={metric_depth: 1, camera_pose: 1}", "trainer.steps=8", "trainer.batch_size=4"]
    recipe = load_recipe(quick, [*settings, f"curriculum=[{{{first}}}, {{{second}}}, {{{last}}}]"])
    vlm = open_base(recipe)
    plan = make_plan(recipe, vlm.geometry.canvas)
    rows = [Collator(vlm).lengths(row_of(plan.train[index])) for index in range(32)]
    assert [len(plan.train[index].turns) for index in (14, 30, 31)] == [1, 1, 3]
    needed = estimate(vlm, plan, recipe)
    assert needed.mean.image == pytest.approx(sum(row.image for row in rows) / 32, rel=0.1)
    words = [row.prompt + row.answer for row in rows]
    assert words[31] > max(words[:31])
    assert needed.longest - rows[15].image == pytest.approx(words[31], abs=6)
    assert needed.wanted == needed.questions == 1


def test_questions_that_there_are_no_colours_for_are_told(quick: Path) -> None:
    first, second = "share: 1, tasks: {metric_depth: 1}", "share: 1, tasks: {two_point_distance: 1}"
    recipe = load_recipe(quick, [f"curriculum=[{{{first}}}, {{{second}, questions_per_image: 2}}]"])
    vlm = open_base(recipe)
    needed = estimate(vlm, make_plan(recipe, vlm.geometry.canvas), recipe)
    assert (needed.wanted, needed.questions) == (1.5, 1)
    assert "1.0 questions a picture, not 1.5" in "\n".join(needed.lines())


def test_a_sample_that_does_not_fit_is_an_error_before_the_first_step(tmp_path: Path, quick: Path) -> None:
    with pytest.raises(UserError, match=r"a sample can have \d+ tokens; 30 are allowed") as caught:
        train(load_recipe(quick, ["trainer.max_tokens=30"]), tmp_path / "run")
    assert "canonical.crop" in caught.value.remedy


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_variant_of_an_ablation_is_a_recipe_of_its_own(name: str) -> None:
    recipes = [load_recipe(f"ablations/{name}", settings) for settings in COMPARISONS[name].values()]
    assert recipes[0] == load_recipe(f"ablations/{name}")
    assert len({dump_recipe(recipe) for recipe in recipes}) == len(COMPARISONS[name])
    plans = [make_plan(recipe, Canvas(square=96)) for recipe in recipes]
    asked = [plan.held_out["metric_depth"][0].query.views[0].frame.picture.name for plan in plans]
    assert len(set(asked)) == 1  # the same held-out rooms
    assert all(len(plan.held_out["metric_depth"]) == 400 for plan in plans)
    assert plans[-1].train[0].images[0].shape == (96, 96, 3)


def test_what_several_ablations_share_is_run_once(tmp_path: Path) -> None:
    runs = ablations.planned(list(COMPARISONS), 3, tmp_path, [])
    every = [run for variants in runs.values() for each in variants.values() for run in each]
    assert len(every) == 3 * 13
    assert len({run.folder for run in every}) == 3 * 10
    for name, variant in (("tasks", 0), ("labels", 0)):
        assert list(runs[name].values())[variant] == runs["reference"]["a mark in the picture"]
    assert runs["questions"]["one question a picture"] == runs["reference"]["coordinates in the text"]
    assert ablations.planned(["labels"], 3, tmp_path, []) == {"labels": runs["labels"]}
    with pytest.raises(ValueError, match="makes two variants of 'reference' the same"):
        ablations.planned(["cameras"], 2, tmp_path, ["reference=text"])


def test_a_comparison_named_twice_is_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(ablations.Run, "train", lambda run, more: seen.append(run))
    monkeypatch.setattr(ablations, "table", lambda name, runs: f"{name}: {[len(each) for each in runs.values()]}")
    monkeypatch.setattr(sys, "argv", ["ablations.py", "cameras", "cameras", "--seeds", "2", "--output", str(tmp_path)])
    ablations.main()
    assert len(seen) == 4
    assert (tmp_path / "table.md").read_text() == "cameras: [2, 2]\n"


def test_ablations_are_trained_once_and_tabulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = ["sources.rooms.settings.rooms=20", "sources.rooms.held_out_rooms=5", "evaluation.max_new_tokens=4", *QUICK]
    words = [word for each in few for word in ("--set", each)]
    monkeypatch.setattr(sys, "argv", ["ablations.py", "cameras", "--seeds", "2", "--output", str(tmp_path), *words])
    monkeypatch.chdir(Path(__file__).parents[1])
    ablations.main()
    written = (tmp_path / "table.md").read_text()
    assert [line.split(" | ")[0] for line in written.splitlines()[4:6]] == [
        f"| {variant}" for variant in COMPARISONS["cameras"]
    ]
    assert len(list(tmp_path.glob("cameras-*/toolkit.json"))) == 4
    monkeypatch.setattr(subprocess, "run", None)
    ablations.main()
    assert (tmp_path / "table.md").read_text() == written


def test_an_interval_over_seeds() -> None:
    mean, half = ablations.interval([0.4, 0.5, 0.6])
    assert mean == pytest.approx(0.5)
    assert half == pytest.approx(4.302653 * 0.1 / 3**0.5, rel=1e-6)
