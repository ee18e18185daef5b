"""Training: one run, one checkpoint; what must move moves; resuming is exact; nothing is lost."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support.training import interrupt_at, save_bfloat16_base
from toolkit.config.build import make_plan
from toolkit.config.load import load_recipe
from toolkit.config.recipe import LoraSettings, ModelSettings, Recipe
from toolkit.config.validate import validate
from toolkit.errors import UserError
from toolkit.modeling.checkpoint import load_checkpoint
from toolkit.modeling.vlm.load_vlm import open_saved, prepare_training
from toolkit.modeling.vlm.vlm import Vlm, stored_dtype
from toolkit.training.dry_run.estimate import estimate_run
from toolkit.training.dry_run.preview import preview, preview_samples
from toolkit.training.open_run_model import open_base
from toolkit.training.train import train

pytestmark = pytest.mark.slow


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_a_run_leaves_a_whole_checkpoint(quick: Path, tmp_path: Path) -> None:
    recipe = load_recipe(quick)
    trained = train(recipe, tmp_path / "run")
    assert trained.samples == 24
    assert trained.moved > 0.9
    assert trained.report is not None
    assert {task.task for task in trained.report.tasks} == {"metric_depth", "two_point_distance"}
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names >= {"config.json", "model.safetensors", "toolkit.json", "recipe.yaml", "README.md", "evaluation"}
    saved = json.loads((tmp_path / "run" / "toolkit.json").read_text())
    assert saved["canonical_focal"] == 26
    assert saved["marker"]["shape"] == "dot"
    assert set(saved["templates"]) == {"metric_depth", "two_point_distance"}
    assert saved["data_licenses"] == ["CC0-1.0 (synthetic)"]
    card = (tmp_path / "run" / "README.md").read_text()
    assert re.search(r"Trained on 1 x CPU \(\S+, \d+ threads per process\), \d+\.\d minutes\.", card)
    assert "| metric_depth | 8 | delta1 |" in card
    lines = (tmp_path / "run" / "evaluation" / "samples.jsonl").read_text().splitlines()
    assert len(lines) == 16
    assert {"prompt", "answer", "value", "truth", "scores", "sample_sha256"} <= set(json.loads(lines[0]))
    assert load_checkpoint(tmp_path / "run").recipe == recipe


def test_the_checkpoint_loads_without_the_toolkit(quick: Path, tmp_path: Path) -> None:
    train(load_recipe(quick, ["evaluation.samples=0", "trainer.steps=2"]), tmp_path / "run")
    code = (
        "import sys; from transformers import AutoModelForImageTextToText as M, AutoProcessor as P\n"
        f"M.from_pretrained({str(tmp_path / 'run')!r}); P.from_pretrained({str(tmp_path / 'run')!r})\n"
        "assert not any(name.split('.')[0] == 'toolkit' for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_a_curriculum_is_shown_and_trained(quick: Path, tmp_path: Path) -> None:
    phases = [
        "{share: 1, tasks: {metric_depth: 1}, patch_words: 0.5, point_words: true}",
        "{share: 1, tasks: {metric_depth: 0, two_point_distance: 1}}",
        "{share: 0.5, tasks: {metric_depth: 1}, questions_per_image: 2}",
    ]
    recipe = load_recipe(quick, [f"curriculum=[{', '.join(phases)}]", "trainer.steps=15", "evaluation.samples=2"])
    *shown, asked, again = preview(recipe, 50).samples
    assert [len(each.sample.turns) for each in (shown[0], shown[30], asked, again)] == [1, 1, 2, 2]
    answers = [f"{each.sample.completion}<end>" for each in shown]
    assert all(each.learnt.endswith(answer) for each, answer in zip(shown, answers, strict=True))
    for each, answer in zip(shown, answers, strict=True):
        words = each.learnt.removesuffix(answer)
        assert bool(words) == (each.sample.task == "metric_depth")
        assert not words or f" {each.sample.query.points[0].name}" in words
    assert train(recipe, tmp_path / "run").moved > 0.9


def test_what_models_are_measured_by_is_shown(quick: Path) -> None:
    recipe = load_recipe(quick)
    shown = preview(recipe, 5, held_out=True).samples
    tasks = list(recipe.tasks)
    assert [each.sample.task for each in shown] == [tasks[index % len(tasks)] for index in range(5)]
    trained = {name for each in preview(recipe, 30).samples for name in each.sample.frames}
    assert not trained & {name for each in shown for name in each.sample.frames}
    two = load_recipe(quick, ["evaluation.samples=2"])
    assert len(preview(two, 50, held_out=True).samples) == 2 * len(tasks)  # all there is, and no more
    with pytest.raises(UserError, match="no question to show"):
        preview(load_recipe(quick, ["evaluation.samples=0"]), 5, held_out=True)


def test_a_phase_that_asks_nothing(quick: Path) -> None:
    recipe = load_recipe(quick, ["curriculum=[{share: 1, tasks: {metric_depth: 1}}]", "tasks.metric_depth=0"])
    with pytest.raises(UserError, match="nothing is asked in phase 1"):
        preview(recipe, 1)


def test_every_trainable_tensor_moves(quick: Path, tmp_path: Path) -> None:
    recipe = load_recipe(quick, ["evaluation.samples=0"])
    before = {name: weight.clone() for name, weight in open_base(recipe).model.state_dict().items()}
    train(recipe, tmp_path / "run")
    after = load_checkpoint(tmp_path / "run").vlm.model.state_dict()
    # LLaVA reads the tower's last hidden state, before this norm; keys' biases have no gradient but rounding.
    unused = ("post_layernorm", "k_proj.bias")
    still = [name for name in before if torch.equal(before[name], after[name])]
    assert [name for name in still if not any(part in name for part in unused)] == []


def test_frozen_parts_do_not_move(quick: Path, tmp_path: Path) -> None:
    recipe = load_recipe(quick, ["evaluation.samples=0", "model.freeze=[vision,projector]"])
    before = {name: weight.clone() for name, weight in open_base(recipe).model.state_dict().items()}
    train(recipe, tmp_path / "run")
    vlm = load_checkpoint(tmp_path / "run").vlm
    after = vlm.model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {vlm.architecture.part(name) for name in moved} == {"language"}


def test_a_lora_run_saves_adapter_and_merged_model(quick: Path, tmp_path: Path) -> None:
    recipe = load_recipe(quick, ["evaluation.samples=0", "model.lora.rank=4", "trainer.learning_rate=0.01"])
    before = {name: weight.clone() for name, weight in open_base(recipe).model.state_dict().items()}
    train(recipe, tmp_path / "run")
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").is_file()
    after = load_checkpoint(tmp_path / "run").vlm.model.state_dict()
    moved = {name for name in before if not torch.allclose(before[name], after[name], atol=1e-7)}
    assert moved
    assert all("language_model" in name and "_proj" in name for name in moved)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([], torch.bfloat16),
        (["model.save_dtype=float32"], torch.float32),
        (["model.lora.rank=4"], torch.bfloat16),
        (["model.lora.rank=4", "model.save_dtype=float32"], torch.float32),
    ],
)
def test_a_finished_model_has_its_bases_type(
    more: list[str], expected: torch.dtype, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Vlm] = []
    monkeypatch.setattr("toolkit.training.train.evaluate_held_out", lambda vlm, *_: measured.append(vlm))
    base = save_bfloat16_base(tmp_path / "base")
    recipe = load_recipe(quick, [f"model.name={base}", "trainer.steps=2", *more])
    learner = prepare_training(open_base(recipe), recipe.model)
    needed = estimate_run(learner, make_plan(recipe, learner.geometry.canvas), recipe)
    train(recipe, tmp_path / "run")
    saved = weights(tmp_path / "run")
    assert {weight.dtype for weight in saved.values()} == {expected}
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    named = str(expected).removeprefix("torch.")
    assert {config["dtype"], config["text_config"]["dtype"], config["vision_config"]["dtype"]} == {named}
    adapter = tmp_path / "run" / "adapter" / "adapter_model.safetensors"
    files = [saved, load_file(adapter) if adapter.is_file() else {}]
    assert needed.finished == sum(weight.nbytes for file in files for weight in file.values())
    assert f"of weights in {named}" in needed.to_text()
    asked = measured[0].model.state_dict()
    assert all(torch.equal(asked[name].float(), saved[name].float()) for name in asked if name in saved)


def test_steps_to_resume_from_are_not_rounded(quick: Path, tmp_path: Path) -> None:
    base = save_bfloat16_base(tmp_path / "base")
    train(load_recipe(quick, [f"model.name={base}", "trainer.steps=2", "evaluation.samples=0"]), tmp_path / "run")
    last, finished = weights(tmp_path / "run" / "training" / "checkpoint-2"), weights(tmp_path / "run")
    assert {weight.dtype for weight in last.values()} == {torch.float32}
    assert last.keys() == finished.keys()
    assert all(torch.equal(last[name].to(torch.bfloat16), finished[name]) for name in last)
    assert any(not torch.equal(last[name], finished[name].float()) for name in last)


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_resuming_is_exact(quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lora: bool) -> None:
    recipe = load_recipe(quick, ["evaluation.samples=0", *(["model.lora.rank=4"] if lora else [])])
    train(recipe, tmp_path / "whole")
    restore = interrupt_at(5, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "broken")
    restore()
    assert train(recipe, tmp_path / "broken").samples == 8  # steps 5 and 6
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_finished_run_is_not_run_again(quick: Path, tmp_path: Path) -> None:
    recipe = load_recipe(quick, ["evaluation.samples=0", "trainer.steps=1"])
    train(recipe, tmp_path / "run")
    with pytest.raises(UserError, match="finished, no steps remain"):
        train(recipe, tmp_path / "run")


def test_another_runs_folder_is_refused_with_the_differences(quick: Path, tmp_path: Path) -> None:
    train(load_recipe(quick, ["evaluation.samples=0", "trainer.steps=1"]), tmp_path / "run")
    kept = weights(tmp_path / "run")
    with pytest.raises(UserError, match="another run is here") as caught:
        train(load_recipe(quick, ["evaluation.samples=0", "trainer.steps=2"]), tmp_path / "run")
    assert "trainer.steps: 1 -> 2" in str(caught.value)
    assert all(torch.equal(kept[name], weight) for name, weight in weights(tmp_path / "run").items())


def test_a_folder_with_something_else_is_refused(quick: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    with pytest.raises(UserError, match="not a run"):
        train(load_recipe(quick), tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "precious"


def test_resume_never_and_resume_from_nothing(quick: Path, tmp_path: Path) -> None:
    recipe = load_recipe(quick, ["evaluation.samples=0", "trainer.steps=1"])
    train(recipe, tmp_path / "run")
    with pytest.raises(UserError, match="there is a run here already"):
        train(recipe, tmp_path / "run", resume="never")
    with pytest.raises(UserError, match="nothing to resume from"):
        train(recipe, tmp_path / "other", resume=str(tmp_path / "nowhere"))


def test_going_on_from_a_checkpoint_needs_its_contract(quick: Path, tmp_path: Path) -> None:
    train(load_recipe(quick, ["evaluation.samples=0", "trainer.steps=1"]), tmp_path / "base")
    named = ["evaluation.samples=0", "trainer.steps=1", f"model.name={tmp_path / 'base'}"]
    with pytest.raises(UserError) as caught:
        train(load_recipe(quick, [*named, "canonical.focal=30"]), tmp_path / "next")
    assert "canonical_focal: the checkpoint has 26.0, the recipe 30.0" in str(caught.value)
    train(load_recipe(quick, named), tmp_path / "next")
    assert (tmp_path / "next" / "toolkit.json").is_file()


@pytest.mark.parametrize("task", ["metric_depth", "camera_pose", "travel_speed", "relative_depth"])
def test_loss_is_on_the_answer_alone(quick: Path, task: str) -> None:
    shown = preview(load_recipe(quick, [f"tasks={{{task}: 1}}"]), 3)
    for each in shown.samples:
        assert each.learnt == each.sample.completion + "<end>"
        assert each.lengths.image == 16 * len(each.sample.images)


def test_a_preview_uses_the_trainers_own_collator(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe(quick)
    vlm = open_base(recipe)
    monkeypatch.setattr(
        "toolkit.training.collator.check_geometry", lambda *_: (_ for _ in ()).throw(UserError("checked"))
    )
    with pytest.raises(UserError, match="checked"):
        preview_samples(vlm, [preview(recipe, 1).samples[0].sample])


def test_reporting_to_what_is_not_installed(quick: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="asks for trackio, which is not installed"):
        train(load_recipe(quick, ["trainer.report_to=[trackio]"]), tmp_path / "run")


@pytest.mark.parametrize(
    "setting",
    [
        "trainer.gradient_checkpointing=true",
        "trainer.precision=bfloat16",
        "trainer.accumulate=2",
        "model.dtype=float32",
    ],
)
def test_settings_of_the_run_train_all_the_same(setting: str, quick: Path, tmp_path: Path) -> None:
    assert train(load_recipe(quick, [setting, "evaluation.samples=0"]), tmp_path / "run").moved > 0.9


def test_gradient_checkpointing_changes_nothing(quick: Path, tmp_path: Path) -> None:
    for name in ("true", "false"):
        words = [f"trainer.gradient_checkpointing={name}", "evaluation.samples=0"]
        train(load_recipe(quick, words), tmp_path / name)
    one, two = weights(tmp_path / "true"), weights(tmp_path / "false")
    assert all(torch.allclose(one[key], two[key], atol=1e-5) for key in one)


@pytest.mark.parametrize("name", ["Qwen2.5-VL", "Qwen3-VL", "LLaVA-SigLIP"])
def test_accumulated_batches_weigh_tokens_alike(name: str, tmp_path: Path) -> None:
    from tests.support.training import twin_recipe

    # Short answers beside long ones: the mean of two batches' means is not the mean over their tokens.
    mixed = ["tasks={relative_depth: 1, travel_speed: 1}", "trainer.learning_rate=0.01"]
    halves = {"whole": ["trainer.batch_size=2"], "parts": ["trainer.batch_size=1", "trainer.accumulate=2"]}
    for half, words in halves.items():
        train(twin_recipe(name, tmp_path, *mixed, *words), tmp_path / half)
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.allclose(one[key], two[key], atol=1e-3) for key in one)


def test_an_optional_speed_up_says_what_is_missing(quick: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"flash.*not installed") as caught:
        train(load_recipe(quick, ["model.attention=flash_attention_2"]), tmp_path / "run")
    assert "pip install" in caught.value.remedy
    assert not (tmp_path / "run" / "toolkit.json").exists()


def _unbounded(recipe: Recipe, **settings: float) -> Recipe:
    """The recipe with settings of its trainer that no recipe may have."""
    return recipe.model_copy(update={"trainer": recipe.trainer.model_copy(update=settings)})


def test_a_run_that_diverges_is_stopped(quick: Path, tmp_path: Path) -> None:
    recipe = _unbounded(load_recipe(quick, ["evaluation.samples=0"]), learning_rate=1e30)
    with pytest.raises(UserError, match="not a finite number any more") as caught:
        train(recipe, tmp_path / "run")
    assert "lower trainer.learning_rate" in caught.value.remedy
    assert not (tmp_path / "run" / "toolkit.json").exists()


def test_a_run_whose_loss_explodes_is_stopped(quick: Path, tmp_path: Path) -> None:
    """Also where no step but the first is logged."""
    settings = ["warmup=0", "steps=4", "log_every=100"]
    recipe = load_recipe(quick, ["evaluation.samples=0", *(f"trainer.{each}" for each in settings)])
    recipe = _unbounded(recipe, learning_rate=3, max_grad_norm=1e9)
    with pytest.raises(UserError, match=r"the loss has exploded: \d+.* at step 4, where a blind guess has 6") as caught:
        train(recipe, tmp_path / "run")
    assert "lower trainer.learning_rate" in caught.value.remedy
    assert not (tmp_path / "run" / "toolkit.json").exists()


@pytest.mark.parametrize(("more", "remedy"), [([], "trainer.precision"), (["model.lora.rank=4"], "bfloat16")])
def test_float16_is_refused_before_training(quick: Path, tmp_path: Path, more: list[str], remedy: str) -> None:
    words = ["model.dtype=float16", *more]
    for use in (
        lambda: validate(quick, words),
        lambda: preview(load_recipe(quick, words), 1),
        lambda: train(load_recipe(quick, words), tmp_path / "run"),
    ):
        with pytest.raises(UserError, match=r"model\.dtype: float16 cannot be trained in") as caught:
            use()
        assert remedy in caught.value.remedy
    assert not (tmp_path / "run").exists()


def test_lora_on_float16_files_computes_in_bfloat16(tmp_path: Path) -> None:
    base = save_bfloat16_base(tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    for section in (config, *(each for each in config.values() if isinstance(each, dict) and "dtype" in each)):
        section["dtype"] = "float16"
    (base / "config.json").write_text(json.dumps(config))
    settings = ModelSettings(name=str(base), lora=LoraSettings())
    assert stored_dtype(base) == torch.float16
    assert open_saved(settings, base).model.dtype == torch.bfloat16


def test_two_runs_do_not_share_a_folder(quick: Path, tmp_path: Path) -> None:
    from toolkit.utils.files import locked

    with locked(tmp_path / "run"), pytest.raises(UserError, match="another run is writing here"):
        train(load_recipe(quick), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("damage", ["optimizer.pt", "model.safetensors", "trainer_state.json", "rng_state.pth"])
def test_a_damaged_checkpoint_is_passed_over(quick: Path, tmp_path: Path, damage: str) -> None:
    recipe = load_recipe(quick, ["evaluation.samples=0"])
    train(recipe, tmp_path / "whole")
    train(recipe, tmp_path / "run")
    (tmp_path / "run" / "toolkit.json").unlink()  # as if it had been killed before it ended
    file = tmp_path / "run" / "training" / "checkpoint-6" / damage
    if damage == "rng_state.pth":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:100] if damage == "model.safetensors" else b"")
    assert train(recipe, tmp_path / "run").samples == 8  # steps 5 and 6 once more
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "run")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_run_killed_while_it_was_measured_is_finished(quick: Path, tmp_path: Path) -> None:
    recipe = load_recipe(quick, ["evaluation.samples=4"])
    train(recipe, tmp_path / "run")
    kept = weights(tmp_path / "run")
    for name in ("toolkit.json", "README.md"):
        (tmp_path / "run" / name).unlink()
    trained = train(recipe, tmp_path / "run")
    assert trained.report is not None
    assert (tmp_path / "run" / "toolkit.json").is_file()
    assert all(torch.equal(kept[name], weight) for name, weight in weights(tmp_path / "run").items())


def test_a_named_checkpoint_must_be_of_the_same_recipe(quick: Path, tmp_path: Path) -> None:
    train(load_recipe(quick, ["evaluation.samples=0"]), tmp_path / "run")
    step = str(tmp_path / "run" / "training" / "checkpoint-4")
    with pytest.raises(UserError) as caught:
        train(load_recipe(quick, ["evaluation.samples=0", "seed=5"]), tmp_path / "other", resume=step)
    assert "seed: 0 -> 5" in str(caught.value)
    trained = train(load_recipe(quick, ["evaluation.samples=0"]), tmp_path / "other", resume=step)
    assert trained.samples == 8


def test_an_answer_that_cannot_be_read_back_is_an_error(quick: Path, tmp_path: Path) -> None:
    from tests.support.own_task import write_task

    path = write_task(tmp_path, "own_mute")
    words = "{% block question %}Own {{ points[0] }}?{% endblock %}{% block answer %}yes{% endblock %}"
    (tmp_path / "own_mute.jinja").write_text(words)
    recipe = load_recipe(quick, ["tasks={own_mute: 1}", f"include=[{path}]"])
    with pytest.raises(UserError, match="the answer 'yes' cannot be read back"):
        train(recipe, tmp_path / "run")


def test_questions_that_find_no_room_are_told(quick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crowded = ["questions_per_image=12", "reference=text", "canonical.focal=120", "trainer.steps=1"]
    train(load_recipe(quick, [*crowded, "evaluation.samples=0"]), tmp_path / "run")
    assert "questions per picture, not 12" in capsys.readouterr().err
