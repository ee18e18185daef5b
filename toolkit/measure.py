"""Measuring a checkpoint, a model that was not trained here, or a constant, on a recipe's held-out pictures."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from toolkit.abstract_task import GENERAL, Task
from toolkit.checkpoint import CONTRACT, RECIPE, check_same_contract, load_checkpoint, read_contract, versions
from toolkit.errors import UserError, did_you_mean
from toolkit.evaluate import Evaluation, evaluate
from toolkit.hub import CONFIG
from toolkit.overlap import overlap, read_trained_on
from toolkit.plan import Plan, make_plan, make_tasks
from toolkit.predictors import ConstantPredictor, Predictor, VlmPredictor
from toolkit.progress import bar
from toolkit.recipe import Recipe
from toolkit.recipe_file import dump_recipe, load_recipe
from toolkit.report import Report, make_report
from toolkit.vlm import Vlm, load_vlm

PREDICTORS = ("vlm", "constant")


PART = "samples.part.jsonl"
"""Where answers are kept as they come."""

_SHOWN_BY = ("canonical", "reference", "marker", "think")
"""Sections of a recipe that say how questions are shown and worded."""

_LABELS = 128  # training labels whose middle is a floor


@dataclass(frozen=True)
class How:
    """How a checkpoint is measured.

    Attributes:
        predictor: ``vlm`` asks the checkpoint; ``constant`` gives the best constant answer.
        check: Whether answers are checked against the model's own depths.
        allow_overlap: Whether it may be measured on pictures that it was trained on.
    """

    predictor: str = "vlm"
    check: bool = False
    allow_overlap: bool = False


_STOCK = "the model was not trained by this toolkit: it was asked as the recipe says"

_LENGTH = 12  # hexadecimal digits of a recipe's hash that a report names


def measure_checkpoint(folder: Path, recipe: Recipe, how: How = How(), output: Path | None = None) -> Report:
    """Results on a recipe's held-out pictures.

    Args:
        folder: The checkpoint; or the folder of a model that was not trained here, which is asked as the recipe says.
        recipe: Whose tasks and sources are asked. It must show questions as the checkpoint was trained, and does so
            wherever it does not say how itself.
        how: Who answers, and what is checked.
        output: Where the report goes; an interrupted evaluation goes on there.

    Raises:
        UserError: If the checkpoint and the recipe do not fit together, the recipe holds out pictures that the
            checkpoint was trained on, or the predictor is unknown.
    """
    if how.predictor not in PREDICTORS:
        raise UserError(f"unknown predictor {how.predictor!r}", remedy=did_you_mean(how.predictor, PREDICTORS))
    stock = is_stock(folder)
    recipe = recipe if stock else as_trained(folder, recipe)
    vlm = load_vlm(folder, device="cuda" if torch.cuda.is_available() else None) if stock else _trained(folder, recipe)
    plan = make_plan(recipe, vlm.geometry.canvas)
    notes = [_STOCK] if stock else check_overlap(folder, plan, how.allow_overlap)
    settings = recipe.evaluation
    who: Predictor = (
        VlmPredictor(vlm, folder.name, settings.batch_size, settings.max_new_tokens)
        if how.predictor == "vlm"
        else ConstantPredictor(plan.held_out)
    )
    return measured(who, recipe, replace(plan, notes=(*plan.notes, *notes)), how.check, output)


def is_stock(folder: Path) -> bool:
    """Whether a folder holds a model that this toolkit has neither trained nor begun to train."""
    run = folder.resolve().parent.parent  # of a training/checkpoint-N
    own = (folder / CONTRACT, folder / RECIPE, run / RECIPE)
    return (folder / CONFIG).is_file() and not any(path.exists() for path in own)


def as_trained(folder: Path, recipe: Recipe) -> Recipe:
    """A recipe that shows and words questions as a checkpoint was trained, wherever it does not say how itself.

    Raises:
        UserError: If there is no checkpoint.
    """
    read_contract(folder)
    trained = load_recipe(folder / RECIPE)
    unsaid = [section for section in _SHOWN_BY if section not in recipe.model_fields_set]
    return recipe.model_copy(update={section: getattr(trained, section) for section in unsaid})


def _trained(folder: Path, recipe: Recipe) -> Vlm:
    """The model of a checkpoint that can be asked what a recipe asks.

    Raises:
        UserError: If the recipe shows questions otherwise, or asks what the model was not trained on; ordinary
            questions can be asked all the same.
    """
    check_same_contract(folder, recipe)
    checkpoint = load_checkpoint(folder)
    asked = [task for task, _ in make_tasks(recipe)]
    strangers = [task.name for task in asked if task.name not in checkpoint.tasks and task.group != GENERAL]
    if strangers:
        raise UserError(
            f"{folder}: the model was not trained on {', '.join(strangers)}",
            remedy=f"leave them out: tasks={{{', '.join(f'{name}: 1' for name in checkpoint.tasks)}}}",
        )
    return checkpoint.vlm


def measured(who: Predictor, recipe: Recipe, plan: Plan, check: bool = False, output: Path | None = None) -> Report:
    """Results of a predictor on a recipe's held-out pictures, with a progress bar.

    Args:
        who: Who answers.
        recipe: Its evaluation settings are followed.
        plan: Its held-out questions are asked; the labels of its training mixture give a floor.
        check: Whether answers are checked against the predictor's own depths.
        output: Folder where answers are kept as they come, so that an interrupted evaluation goes on.
    """
    key = hashlib.sha256(f"{who.name}\n{dump_recipe(recipe)}".encode()).hexdigest()
    part = None if output is None else output / PART
    asked = Evaluation(plan.held_out, check, part, key)
    with bar("evaluating", asked.count) as progress:
        records = evaluate(who, asked, progress.advance)
    central = {name: task.metric.central(training_labels(plan, task)) for name, task in asked.tasks.items()}
    about = {"recipe": key[:_LENGTH], "versions": versions(), "notes": list(plan.notes)}
    report = make_report(who.name, records, asked.tasks, central, about)
    if output is not None:
        report.save(output)
        (output / PART).unlink(missing_ok=True)
    return report


def training_labels(plan: Plan, task: Task) -> list[Any]:
    """Some true answers of the training mixture."""
    return [plan.train.only(task)[index].truth for index in range(_LABELS)]


def check_overlap(folder: Path, plan: Plan, allowed: bool) -> list[str]:
    """Check that a checkpoint was not trained on what a plan holds out.

    Returns:
        What a reader of the results should know.

    Raises:
        UserError: If it was, and that is not ``allowed``.
    """
    seen = read_trained_on(folder)
    if seen is None:
        return [f"{folder} does not say what it was trained on: overlap with these pictures is not known"]
    sources = {feed.name: feed.source for mixture in plan.held_out.values() for feed in mixture.feeds}
    said = overlap(seen, sources.values()).said()
    if said and not allowed:
        raise UserError(
            f"{folder} was trained on what it would be measured on",
            cause=said,
            remedy="split the sources as the checkpoint's recipe.yaml does, or pass --allow-overlap to measure anyway",
        )
    return [f"overlap with training: {said or 'none'}"]
