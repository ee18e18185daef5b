"""Training: a recipe becomes one run, one checkpoint and its held-out results."""

import json
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from toolkit.card import model_card
from toolkit.checkpoint import CONTRACT, RECIPE, check_same_contract, contract
from toolkit.errors import UserError, UserErrors
from toolkit.estimate import estimate
from toolkit.evaluate import Report, evaluate
from toolkit.lora import merged
from toolkit.model import open_model, prepare_training
from toolkit.plan import Plan, make_plan
from toolkit.predictors import VlmPredictor
from toolkit.progress import bar, err, is_first_process, processes
from toolkit.recipe import Recipe
from toolkit.recipe_file import differences, dump_recipe, load_recipe
from toolkit.sft import make_trainer
from toolkit.storage import write_text
from toolkit.vlm import Vlm, load_vlm, save_vlm

TRAINING = "training"
"""Subfolder with what a run resumes from."""

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
    start = find_start(recipe, output, resume)
    vlm = load_vlm(start) if start and recipe.model.lora is None else open_base(recipe)
    plan = make_plan(recipe, vlm.geometry.canvas)
    for note in plan.notes:
        err.print(f"[yellow]note:[/] {note}")
    return _run(prepare_training(vlm, recipe.model), recipe, plan, output, start)


def open_base(recipe: Recipe) -> Vlm:
    """The model that a recipe starts from.

    Raises:
        UserError: If it cannot be loaded, or is a checkpoint of this toolkit with another contract.
    """
    base = Path(recipe.model.name)
    if (base / CONTRACT).is_file():
        check_same_contract(base, recipe)
    return open_model(recipe.model, recipe.seed)


def find_start(recipe: Recipe, output: Path, resume: str) -> Path | None:
    """The ``checkpoint-N`` to go on from, None to start anew.

    Raises:
        UserError: If ``output`` holds another run, a finished one, or something that is no run.
    """
    if resume not in ("auto", "never"):
        return _given_start(Path(resume))
    if not output.exists() or not any(output.iterdir()):
        return None
    if not (output / RECIPE).is_file():
        raise UserError(f"{output}: this folder holds something that is not a run", remedy="choose another --output")
    if resume == "never" and is_first_process():  # the first process may have made the folder just now
        raise UserError(f"{output}: there is a run here already", remedy="choose another --output, or --resume auto")
    saved = [path for path in (output / TRAINING).glob("checkpoint-*") if _is_whole(path)]
    if not saved and not (output / CONTRACT).is_file():
        return None  # it was stopped before anything was learnt
    changed = [
        line for line in differences(load_recipe(output / RECIPE), recipe) if not line.startswith(_FREE_TO_CHANGE)
    ]
    if changed:
        raise UserErrors(
            f"{output}: another run is here; choose another --output. What differs in the recipe (there -> now)",
            [UserError(line) for line in changed],
        )
    if (output / CONTRACT).is_file():
        raise UserError(
            f"{output}: this run is finished, no steps remain",
            remedy="choose another --output to train again, or ask it: toolkit ask IMAGE QUESTION --model "
            + str(output),
        )
    return max(saved, key=_step_of)


def measure(vlm: Vlm, recipe: Recipe, plan: Plan, name: str) -> Report | None:
    """Held-out results of a model; None where the recipe asks for none."""
    total = sum(len(mixture) for mixture in plan.held_out.values())
    if not total:
        return None
    settings = recipe.evaluation
    with bar("evaluating", total) as progress:
        predictor = VlmPredictor(vlm, name, settings.batch_size, settings.max_new_tokens)
        return evaluate(predictor, plan.held_out, progress.advance)


def save_checkpoint(vlm: Vlm, recipe: Recipe, plan: Plan, output: Path) -> Vlm:
    """Save a trained model with its contract; ``toolkit.json`` comes last and says that all is there.

    Returns:
        The model as saved, LoRA adapters merged.
    """
    if recipe.model.lora is not None:
        vlm.model.save_pretrained(str(output / ADAPTER))
        vlm = merged(vlm)
    scratch = output / ".saving"
    shutil.rmtree(scratch, ignore_errors=True)
    save_vlm(vlm, scratch)
    for file in scratch.iterdir():
        file.replace(output / file.name)
    scratch.rmdir()
    tasks = [task for task, _ in plan.train.tasks]
    write_text(output / CONTRACT, json.dumps(contract(recipe, tasks, plan.licenses), indent=2) + "\n")
    return vlm


def _run(learner: Vlm, recipe: Recipe, plan: Plan, output: Path, start: Path | None) -> Trained:
    needed = estimate(learner, plan, recipe, processes())
    if is_first_process():
        for line in needed.lines():
            err.print(line)
        write_text(output / RECIPE, dump_recipe(recipe))
    before = _probe(learner)
    first = _step_of(start) if start else 0
    clock = time.monotonic()
    with bar("training", recipe.trainer.steps) as progress:
        progress.advance(first)
        trainer = make_trainer(learner, plan.train, recipe, output / TRAINING, progress)
        trainer.train(resume_from_checkpoint=str(start) if start else None)
    seconds = time.monotonic() - clock
    moved = _moved(before, _probe(learner))
    per_step = recipe.trainer.batch_size * recipe.trainer.accumulate * trainer.args.world_size
    report = None
    if trainer.is_world_process_zero():
        trained = save_checkpoint(
            replace(learner, model=trainer.accelerator.unwrap_model(trainer.model)), recipe, plan, output
        )
        report = measure(trained, recipe, plan, output.name)
        if report:
            report.save(output / "evaluation")
        write_text(output / "README.md", model_card(output.name, recipe, plan, report))
    return Trained(output, report, seconds, (recipe.trainer.steps - first) * per_step, moved)


def _is_whole(path: Path) -> bool:
    """Whether a ``checkpoint-N`` was saved to its end: the trainer writes its state last."""
    try:
        return isinstance(json.loads((path / "trainer_state.json").read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False


def _given_start(path: Path) -> Path:
    if not _is_whole(path):
        raise UserError(
            f"{path}: this is nothing to resume from",
            remedy="give a folder like runs/NAME/training/checkpoint-200, or --resume auto",
        )
    return path


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
