"""Training: a recipe becomes one run, which leaves a checkpoint with its held-out results."""

import platform
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback
from trl import SFTTrainer

from toolkit.config.build import HeldOutQuestions, RunPlan, check_trainable, make_plan
from toolkit.config.load import dump_recipe
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError
from toolkit.evaluation.contamination import TRAINED_ON_FILE, hash_sources
from toolkit.evaluation.evaluate import central_labels, evaluate_predictor
from toolkit.evaluation.reports.report import Report
from toolkit.modeling.checkpoint_contract import (
    RECIPE,
    adopt_base_contract,
    save_contract,
)
from toolkit.modeling.vlm.load_vlm import finished_dtype, open_saved, prepare_training
from toolkit.modeling.vlm.lora_targets import finish_weights
from toolkit.modeling.vlm.vlm import Vlm, load_to_ask, save_vlm
from toolkit.modeling.vlm.vlm_predictor import VlmPredictor
from toolkit.qa.tasks.registry import remember_loaded
from toolkit.qa.tasks.trust import remember_run
from toolkit.training.callbacks import (
    BEST,
    EvaluationCallback,
    ExplosionCallback,
    StopCallback,
    forget_best,
    read_best,
)
from toolkit.training.dry_run.estimate import estimate_run
from toolkit.training.model_card import CARD, model_card
from toolkit.training.open_run_model import open_base, open_trained
from toolkit.training.run_errors import clear_run_errors
from toolkit.training.run_folder import ADAPTER, TRAINING, find_start
from toolkit.training.saved_steps import set_damaged_aside, step_of
from toolkit.training.trainer import ProgressBarCallback, make_trainer
from toolkit.utils.files import locked, write_text
from toolkit.utils.interruption import deferred
from toolkit.utils.progress import bar, err, is_first_process, processes

_MINUTE = 60  # s
_STOPPING = "stopping: this step is finished and saved first; to stop at once, interrupt again"
_PROBED = 4096  # about how many weights of each tensor are compared to see whether it moved


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of a run.

    Attributes:
        folder: The folder of the checkpoint.
        report: The held-out results; None if the recipe asks for none.
        seconds: How long this call trained [s].
        samples: How many samples this call trained on.
        moved: The share of the trainable weights that this call changed; NaN for a sharded run.
    """

    folder: Path
    report: Report | None
    seconds: float
    samples: int
    moved: float


def train(recipe: Recipe, output: Path, resume: str = "auto", force: bool = False) -> TrainingResult:
    """Train a model by a recipe, save the checkpoint, and evaluate it on held-out pictures.

    Args:
        recipe: The recipe of the run.
        output: The folder of the checkpoint. It is made if it is missing.
        resume: ``auto`` goes on where an interrupted run of the same recipe stopped; ``never`` refuses to do so; a
            path is the folder ``training/checkpoint-N`` to go on from.
        force: Whether ``output`` may hold files that are no run. Those with a name of the run's files are replaced.

    Raises:
        UserError: If the recipe cannot be run, if ``output`` holds something else, or if the run is ended from outside,
            such as by a full disk.
    """
    check_trainable(recipe)
    with clear_run_errors(output), locked(output) if is_first_process() else nullcontext():
        return _train(adopt_base_contract(recipe), output, resume, force)


def _train(recipe: Recipe, output: Path, resume: str, force: bool) -> TrainingResult:
    start = find_start(recipe, output, resume, force)
    resumed = start is not None and recipe.model.lora is None
    vlm = open_saved(recipe.model, start) if start and resumed else open_base(recipe)
    plan = make_plan(recipe, vlm.geometry.canvas)
    for note in plan.notes:
        err.note(note)
    return _run(prepare_training(vlm, recipe.model), recipe, plan, output, start)


def evaluate_held_out(vlm: Vlm, recipe: Recipe, plan: RunPlan, central: Mapping[str, Any], name: str) -> Report:
    """Evaluate a model on the held-out questions of its run.

    Args:
        vlm: The model.
        recipe: The recipe of the run.
        plan: The data of the run.
        central: The central value (such as the median) of each task's training labels.
        name: What the report calls the model.
    """
    settings = recipe.evaluation
    predictor = VlmPredictor(vlm, name, settings.batch_size, settings.max_new_tokens)
    return evaluate_predictor(predictor, recipe, HeldOutQuestions(plan.held_out, notes=plan.notes), central)


def save_checkpoint(vlm: Vlm, recipe: Recipe, output: Path) -> None:
    """Save a trained model in the type of a finished checkpoint, without its contract.

    Args:
        vlm: The model, whose weights are cast in place. If it has a LoRA adapter, it is also saved by itself.
        recipe: The recipe of the run.
        output: The folder of the checkpoint.
    """
    if recipe.model.lora is not None:
        vlm.model.save_pretrained(str(output / ADAPTER))
    save_vlm(finish_weights(vlm, finished_dtype(recipe.model)), output)


def finish_checkpoint(
    recipe: Recipe, plan: RunPlan, central: Mapping[str, Any], output: Path, report: Report | None, effort: str
) -> None:
    """Write the results, the model card and the user's own tasks into a checkpoint.

    ``toolkit.json`` is written last: if it is there, the checkpoint is complete.

    Args:
        recipe: The recipe of the run.
        plan: The data that the model was trained on.
        central: The central value (such as the median) of each task's training labels.
        output: The folder of the checkpoint.
        report: The held-out results; None if there are none.
        effort: A sentence that says on what hardware the model was trained and for how long.
    """
    if report:
        report.save(output / "evaluation")
    hash_sources([feed.source for feed in plan.train.feeds]).save(output / TRAINED_ON_FILE)
    results = report.to_json() if report else None
    write_text(output / CARD, model_card(output.name, recipe, plan, results, effort))
    save_contract(recipe, plan, central, output)


def _run(learner: Vlm, recipe: Recipe, plan: RunPlan, output: Path, start: Path | None) -> TrainingResult:
    _begin_run(learner, recipe, plan, output, start)
    before = _sample_weights(learner)
    central = central_labels(plan.train)
    clock = time.monotonic()
    trainer = _fit(learner, recipe, plan, central, output, start)
    seconds = time.monotonic() - clock
    sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    moved = float("nan") if sharded else _share_moved(before, _sample_weights(learner))
    steps = recipe.trainer.steps - (step_of(start) if start else 0)
    per_step = recipe.trainer.batch_size * recipe.trainer.accumulate * trainer.args.world_size
    trained = _gather(trainer, recipe, output) if sharded else learner
    report = None
    if trained and trainer.is_world_process_zero():
        save_checkpoint(_best_or_last(trained, recipe, output / TRAINING), recipe, output)
        if any(map(len, plan.held_out.values())):
            device = trained.model.device
            trained.model.cpu()  # leaves its place to the model as it was saved
            report = _evaluate_saved(device, recipe, plan, central, output)
        finish_checkpoint(recipe, plan, central, output, report, _effort_to_text(seconds, steps, recipe))
    return TrainingResult(output, report, seconds, steps * per_step, moved)


def _evaluate_saved(
    device: torch.device, recipe: Recipe, plan: RunPlan, central: Mapping[str, Any], output: Path
) -> Report:
    """Evaluate the model that was saved, which may be rounded, and not the one that was trained."""
    saved = load_to_ask(output, device, recipe.model.attention)
    return evaluate_held_out(saved, recipe, plan, central, output.name)


def _begin_run(learner: Vlm, recipe: Recipe, plan: RunPlan, output: Path, start: Path | None) -> None:
    """Check and print what the run will need, and write its recipe into its folder."""
    needed = estimate_run(learner, plan, recipe, processes())
    if is_first_process():
        err.print(needed.to_text())
        remember_loaded(recipe.include)  # the recipe that is written here names them
        write_text(output / RECIPE, dump_recipe(recipe))
        if start is None:
            forget_best(output / TRAINING)
        for kept in set_damaged_aside(output / TRAINING, step_of(start) if start else 0):
            err.note(f"what is damaged is kept as {kept}")


def _fit(
    learner: Vlm, recipe: Recipe, plan: RunPlan, central: Mapping[str, Any], output: Path, start: Path | None
) -> SFTTrainer:
    """Train the model with a progress bar; the trainer that did it is returned."""
    with bar("training", recipe.trainer.steps) as progress:
        progress.advance(step_of(start) if start else 0)
        callbacks: list[TrainerCallback] = [ProgressBarCallback(progress), ExplosionCallback(_count_tokens(learner))]
        if recipe.evaluation.every:
            evaluate = partial(evaluate_held_out, recipe=recipe, plan=plan, central=central, name=output.name)
            callbacks.append(EvaluationCallback(recipe, learner, output / TRAINING, evaluate))
        callbacks.append(StopCallback())
        trainer = make_trainer(learner, plan.train, recipe, output / TRAINING, callbacks)
        if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
            remember_run(output)
        with deferred(_STOPPING if is_first_process() else ""):
            trainer.train(resume_from_checkpoint=str(start) if start else None)
    return trainer


def _count_tokens(vlm: Vlm) -> int:
    """The number of different tokens that a model can write."""
    return int(vlm.model.config.get_text_config().vocab_size)


def _effort_to_text(seconds: float, steps: int, recipe: Recipe) -> str:
    """A sentence that says on what hardware this call trained and for how long. A resumed run names its last steps."""
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        device = f"CPU ({platform.machine()}, {torch.get_num_threads()} threads per process)"
    part = "" if steps == recipe.trainer.steps else f"the last {steps} steps: "
    return f"Trained on {processes()} x {device}, {part}{seconds / _MINUTE:.1f} minutes."


def _best_or_last(last: Vlm, recipe: Recipe, training: Path) -> Vlm:
    """The model that becomes the checkpoint: the last one, or the best one, which is then loaded."""
    best = read_best(training)
    if recipe.evaluation.keep == "last" or best is None:
        return last
    err.print(f"kept the weights of step {best.step}: {best.by} {best.score:.3f}")
    return open_trained(recipe, training / BEST)


def _gather(trainer: SFTTrainer, recipe: Recipe, output: Path) -> Vlm | None:
    """Save the whole model of a sharded run, for which all processes are needed; the first one loads and returns it."""
    whole = output / TRAINING / "gathered"
    trainer.save_model(str(whole))
    if not trainer.is_world_process_zero():
        return None
    return open_trained(recipe, whole)


def _sample_weights(vlm: Vlm) -> Mapping[str, torch.Tensor]:
    """Copies of some weights of each tensor that is trained, by the tensor's name."""
    return {
        name: weight.detach().flatten()[:: max(1, weight.numel() // _PROBED)].clone()
        for name, weight in vlm.model.named_parameters()
        if weight.requires_grad
    }


def _share_moved(before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]) -> float:
    """The share of weights that differ; an error if some are infinite or not numbers after training."""
    if not all(bool(weight.isfinite().all()) for weight in after.values()):
        raise UserError(
            "the trained weights are not finite numbers any more",
            remedy="lower trainer.learning_rate, and choose another --output",
        )
    changed = sum(int((before[name] != after[name].to(before[name].device)).sum()) for name in before)
    return changed / max(1, sum(weight.numel() for weight in before.values()))
