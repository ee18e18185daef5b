"""Training: a recipe becomes one run, one checkpoint and its held-out results."""

import json
import platform
import re
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

from toolkit.config.build import Plan, Questions, make_plan
from toolkit.config.load import differences, dump_recipe, load_recipe
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError, UserErrors
from toolkit.evaluation.contamination import FILE as TRAINED_ON
from toolkit.evaluation.contamination import trained_on
from toolkit.evaluation.evaluate import central_labels, measured
from toolkit.evaluation.report import Report
from toolkit.modeling.checkpoint_contract import (
    CONTRACT,
    RECIPE,
    based,
    check_same_contract,
    contract_faults,
    save_contract,
)
from toolkit.modeling.hub import check_weights
from toolkit.modeling.vlm.load_vlm import open_model, open_saved, prepare_training
from toolkit.modeling.vlm.lora_targets import merged
from toolkit.modeling.vlm.vlm import Vlm, save_vlm
from toolkit.modeling.vlm.vlm_predictor import VlmPredictor
from toolkit.training.callbacks import BEST, Monitor, forget_best, read_best
from toolkit.training.estimate import estimate
from toolkit.training.model_card import model_card
from toolkit.training.trainer import ShowProgress, make_trainer
from toolkit.utils.files import locked, write_text
from toolkit.utils.progress import bar, err, is_first_process, processes
from toolkit.utils.resources import model_folder

TRAINING = "training"
"""Subfolder with what a run resumes from."""


PREVIEW = "preview"
"""Subfolder with what a dry run shows."""


ADAPTER = "adapter"
"""Subfolder with a LoRA run's adapter; the checkpoint itself holds the merged model."""


_FREE_TO_CHANGE = (
    "evaluation.",
    "output",
    "trainer.workers",
    "trainer.log_every",
    "trainer.save_every",
    "trainer.report_to",
)
"""Settings that may change when a run is resumed: they do not change what is learnt."""


_MINUTE = 60  # s


_PROBED = 4096
"""Weights of each tensor that are looked at to see whether it moved."""


@dataclass(frozen=True)
class Trained:
    """What a run gives.

    Attributes:
        folder: The checkpoint.
        report: Held-out results, None where the recipe asks for none.
        seconds: Time spent training in this call.
        samples: Samples trained on in this call.
        moved: Share of the trainable weights that this call changed.
    """

    folder: Path
    report: Report | None
    seconds: float
    samples: int
    moved: float


def train(recipe: Recipe, output: Path, resume: str = "auto") -> Trained:
    """Train by a recipe, save the checkpoint, and measure it on held-out pictures.

    Args:
        recipe: Every choice.
        output: Folder of the checkpoint; made if it is missing.
        resume: ``auto`` goes on where an interrupted run of the same recipe stopped, ``never`` refuses
            to, or a folder ``training/checkpoint-N`` to go on from.

    Raises:
        UserError: If the recipe cannot be run, or ``output`` holds something else.
    """
    with locked(output) if is_first_process() else nullcontext():
        return _train(based(recipe), output, resume)


def _train(recipe: Recipe, output: Path, resume: str) -> Trained:
    start = find_start(recipe, output, resume)
    resumed = start is not None and recipe.model.lora is None
    vlm = open_saved(recipe.model, start) if start and resumed else open_base(recipe)
    plan = make_plan(recipe, vlm.geometry.canvas)
    for note in plan.notes:
        err.print(f"[yellow]note:[/] {note}")
    return _run(prepare_training(vlm, recipe.model), recipe, plan, output, start)


def open_base(recipe: Recipe) -> Vlm:
    """The model that a recipe starts from.

    Raises:
        UserError: If it cannot be loaded, or is a checkpoint of this toolkit with another contract.
    """
    base = Path(model_folder(recipe.model.name))
    if (base / CONTRACT).is_file():
        _check_base(base, recipe)
    return open_model(recipe.model, recipe.seed)


def _check_base(base: Path, recipe: Recipe) -> None:
    """Check that a recipe shows and words questions as its base was trained, or may do it otherwise, which is told."""
    if not recipe.model.new_contract:
        anew = "start from another model, or let this one learn it anew with model.new_contract: true"
        check_same_contract(base, recipe, anew)
    elif (changed := contract_faults(base, recipe)) and is_first_process():
        err.print(f"[yellow]note:[/] {base.name} was trained otherwise: ", end="")
        err.print("; ".join(fault.problem for fault in changed), markup=False)


def find_start(recipe: Recipe, output: Path, resume: str) -> Path | None:
    """The ``checkpoint-N`` to go on from, None to start anew.

    Raises:
        UserError: If ``output`` holds another run, a finished one, or something that is no run.
    """
    given = None if resume in ("auto", "never") else Path(resume)
    if given is not None:
        _check_given(given, recipe)
    saved = [path for path in (output / TRAINING).glob("checkpoint-*") if _is_whole(path)]
    if is_first_process():  # which makes the folder: the others may find it half made
        _check_output(recipe, output, resume, bool(saved))
    return given or max(saved, key=_step_of, default=None)


def _check_output(recipe: Recipe, output: Path, resume: str, begun: bool) -> None:
    """Check that ``output`` is empty, or holds an unfinished run of the same recipe."""
    inside = [path.name for path in output.iterdir()] if output.is_dir() else []
    if output.exists() and not output.is_dir():
        raise UserError(f"{output}: this is a file, not a folder", remedy="choose another --output")
    if not [name for name in inside if name != PREVIEW and not name.startswith(".")]:
        return
    if RECIPE not in inside:
        raise UserError(f"{output}: this folder holds something that is not a run", remedy="choose another --output")
    if resume == "never":
        raise UserError(f"{output}: there is a run here already", remedy="choose another --output, or --resume auto")
    finished = CONTRACT in inside
    if begun or finished:
        _check_same_recipe(output, recipe)
    if finished:
        raise UserError(
            f"{output}: this run is finished, no steps remain",
            remedy=f"choose another --output to train again, or ask it: toolkit ask IMAGE QUESTION --model {output}",
        )


def _check_given(path: Path, recipe: Recipe) -> None:
    """Check a ``checkpoint-N`` that the user names."""
    run = path.parent.parent
    if not _is_whole(path) or not (run / RECIPE).is_file():
        raise UserError(
            f"{path}: this is nothing to resume from",
            remedy="give a folder like runs/NAME/training/checkpoint-200, or --resume auto",
        )
    _check_same_recipe(run, recipe)


def _check_same_recipe(run: Path, recipe: Recipe) -> None:
    changed = [line for line in differences(load_recipe(run / RECIPE), recipe) if not line.startswith(_FREE_TO_CHANGE)]
    if changed:
        raise UserErrors(
            f"{run}: another run is here; choose another --output. What differs in the recipe (there -> now)",
            [UserError(line) for line in changed],
        )


def measure(vlm: Vlm, recipe: Recipe, plan: Plan, central: Mapping[str, Any], name: str) -> Report:
    """Held-out results of a model."""
    settings = recipe.evaluation
    predictor = VlmPredictor(vlm, name, settings.batch_size, settings.max_new_tokens)
    return measured(predictor, recipe, Questions(plan.held_out, notes=plan.notes), central)


def save_checkpoint(vlm: Vlm, recipe: Recipe, output: Path) -> Vlm:
    """Save a trained model, still without its contract.

    Returns:
        The model as saved, LoRA adapters merged.
    """
    if recipe.model.lora is not None:
        vlm.model.save_pretrained(str(output / ADAPTER))
        vlm = merged(vlm)
    save_vlm(vlm, output)
    return vlm


def finish(
    recipe: Recipe, plan: Plan, central: Mapping[str, Any], output: Path, report: Report | None, effort: str
) -> None:
    """Write results, model card and the user's own tasks; ``toolkit.json`` comes last and says that all is there.

    Args:
        recipe: Every choice.
        plan: What was trained on.
        central: The middle of each task's training labels.
        output: The checkpoint's folder.
        report: Held-out results, None if there are none.
        effort: On what hardware it was trained and how long, in a sentence.
    """
    if report:
        report.save(output / "evaluation")
    trained_on([feed.source for feed in plan.train.feeds]).save(output / TRAINED_ON)
    write_text(output / "README.md", model_card(output.name, recipe, plan, report, effort))
    save_contract(recipe, [task for task, _ in plan.train.tasks], plan.licenses, central, output)


def _run(learner: Vlm, recipe: Recipe, plan: Plan, output: Path, start: Path | None) -> Trained:
    needed = estimate(learner, plan, recipe, processes())
    if is_first_process():
        for line in needed.lines():
            err.print(line)
        write_text(output / RECIPE, dump_recipe(recipe))
        if start is None:
            forget_best(output / TRAINING)
    before = _probe(learner)
    central = central_labels(plan.train)
    first = _step_of(start) if start else 0
    clock = time.monotonic()
    with bar("training", recipe.trainer.steps) as progress:
        progress.advance(first)
        watchers: list[TrainerCallback] = [ShowProgress(progress)]
        if recipe.evaluation.every:
            evaluation = partial(measure, recipe=recipe, plan=plan, central=central, name=output.name)
            watchers.append(Monitor(recipe, learner, output / TRAINING, evaluation))
        trainer = make_trainer(learner, plan.train, recipe, output / TRAINING, watchers)
        trainer.train(resume_from_checkpoint=str(start) if start else None)
    seconds = time.monotonic() - clock
    sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    after = _probe(learner)
    if not sharded and not all(bool(weight.isfinite().all()) for weight in after.values()):
        raise UserError(
            "the trained weights are no numbers any more",
            remedy="lower trainer.learning_rate, and choose another --output",
        )
    moved = float("nan") if sharded else _moved(before, after)
    per_step = recipe.trainer.batch_size * recipe.trainer.accumulate * trainer.args.world_size
    trained = _gathered(trainer, recipe, output) if sharded else learner
    report = None
    if trained and trainer.is_world_process_zero():
        trained = _kept(trained, recipe, output / TRAINING)
        trained = save_checkpoint(trained, recipe, output)
        asked = any(map(len, plan.held_out.values()))
        report = measure(trained, recipe, plan, central, output.name) if asked else None
        finish(recipe, plan, central, output, report, _effort(seconds, recipe.trainer.steps - first, recipe))
    return Trained(output, report, seconds, (recipe.trainer.steps - first) * per_step, moved)


def _effort(seconds: float, steps: int, recipe: Recipe) -> str:
    """On what hardware a run was trained and how long, in a sentence; of a resumed run, what this call did."""
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        device = f"CPU ({platform.machine()}, {torch.get_num_threads()} threads a process)"
    part = "" if steps == recipe.trainer.steps else f"the last {steps} steps: "
    return f"Trained on {processes()} x {device}, {part}{seconds / _MINUTE:.1f} minutes."


def _kept(last: Vlm, recipe: Recipe, training: Path) -> Vlm:
    """The weights that become the checkpoint, loaded from where they were kept if they are not the last."""
    best = read_best(training)
    if recipe.evaluation.keep == "last" or best is None:
        return last
    err.print(f"kept the weights of step {best.step}: {best.by} {best.score:.3f}")
    folder = training / BEST
    return open_adapted(recipe, folder) if recipe.model.lora else open_saved(recipe.model, folder)


def _gathered(trainer: SFTTrainer, recipe: Recipe, output: Path) -> Vlm | None:
    """On the first process, the whole model of a sharded run; saving it is the work of all processes."""
    whole = output / TRAINING / "gathered"
    trainer.save_model(str(whole))
    if not trainer.is_world_process_zero():
        return None
    return open_adapted(recipe, whole) if recipe.model.lora else open_saved(recipe.model, whole)


def open_adapted(recipe: Recipe, adapter: Path) -> Vlm:
    """The recipe's base model with a saved adapter put on it, not merged.

    Raises:
        UserError: If weights of the adapter are missing.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    base = open_base(recipe)
    model = PeftModel.from_pretrained(base.model, str(adapter))
    with safe_open(adapter / "adapter_model.safetensors", "pt") as file:
        missing = set(get_peft_model_state_dict(model)) - set(file.keys())
    check_weights(adapter, {"missing_keys": missing})
    return Vlm(model, base.processor, base.family)


def _is_whole(path: Path) -> bool:
    """Whether a ``checkpoint-N`` was saved to its end: the first process writes its state last, each its own rng."""
    try:
        state = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    each = len(list(path.glob("rng_state*.pth"))) >= processes()
    return isinstance(state, dict) and "global_step" in state and each and _has_weights(path)


def _has_weights(path: Path) -> bool:
    """Whether weights and optimiser are there and not cut short; a sharded run keeps them in folders of its own."""
    from safetensors import SafetensorError, safe_open

    if any(path.glob("pytorch_model_fsdp*")) or any(path.glob("global_step*")):
        return True
    weights = list(path.glob("*.safetensors"))
    try:
        for file in weights:
            with safe_open(file, "pt"):
                pass
        sizes = [(path / name).stat().st_size for name in ("optimizer.pt", "scheduler.pt")]
    except (OSError, SafetensorError):
        return False
    return bool(weights) and all(sizes)


def _step_of(checkpoint: Path) -> int:
    number = re.search(r"checkpoint-(\d+)$", checkpoint.name)
    return int(number.group(1)) if number else 0


def _probe(vlm: Vlm) -> Mapping[str, torch.Tensor]:
    """Some weights of each tensor that learns."""
    return {
        name: weight.detach().flatten()[:: max(1, weight.numel() // _PROBED)].clone()
        for name, weight in vlm.model.named_parameters()
        if weight.requires_grad
    }


def _moved(before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]) -> float:
    changed = sum(int((before[name] != after[name].to(before[name].device)).sum()) for name in before)
    return changed / max(1, sum(weight.numel() for weight in before.values()))
