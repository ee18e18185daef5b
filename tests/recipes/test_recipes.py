"""Every recipe that trains builds its whole trainer and takes a step, large models as twins of their architecture."""

from pathlib import Path

import pytest

from tests.support.paths import REAL
from tests.support.tiny_architectures import build_twin
from tests.support.training import QUICK
from tests.support.walls import line, write_manifest
from toolkit.config.build import make_plan
from toolkit.config.load import load_recipe, recipe_names
from toolkit.errors import UserError
from toolkit.evaluation.evaluate import EvaluationSetup, evaluate_recipe
from toolkit.modeling.checkpoint_contract import adopt_base_contract
from toolkit.modeling.vlm.load_vlm import prepare_training
from toolkit.modeling.vlm.vlm import save_vlm
from toolkit.qa.tasks.registry import expand_groups
from toolkit.training.open_run_model import open_base
from toolkit.training.train import train
from toolkit.training.trainer import learning_rate, make_trainer

pytestmark = pytest.mark.slow

TWIN_OF = {
    "depthlm_qwen2_5_vl_3b": "Qwen2.5-VL",
    "depthlm_qwen2_5_vl_7b": "Qwen2.5-VL",
    "depthlm_pixtral_12b": "Pixtral",
    "depthlm_qwen3_vl_4b": "Qwen3-VL",
}
SMALL = ["canonical.focal=50", "canonical.crop={width: [48, 64], height: [32, 48]}", "marker.size=3"]


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
    save_vlm(open_base(adopt_base_contract(recipe)), tmp_path / "base")
    before = evaluate_recipe(tmp_path / "base", recipe, EvaluationSetup())
    assert {task.task: task.count for task in before.tasks} == dict.fromkeys(expand_groups(["general"]), 2)
    assert train(recipe, tmp_path / "run").report is not None


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


def test_a_sample_that_does_not_fit_is_an_error_before_the_first_step(tmp_path: Path, quick: Path) -> None:
    with pytest.raises(UserError, match=r"a sample can have \d+ tokens; 30 are allowed") as caught:
        train(load_recipe(quick, ["trainer.max_tokens=30"]), tmp_path / "run")
    assert "canonical.crop" in caught.value.remedy
