"""Measuring a checkpoint, or a constant, on a recipe's held-out pictures."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.abstract_task import Task
from toolkit.checkpoint import check_same_contract, load_checkpoint, versions
from toolkit.errors import UserError, did_you_mean
from toolkit.evaluate import Evaluation, evaluate
from toolkit.overlap import overlap, read_trained_on
from toolkit.plan import Plan, make_plan
from toolkit.predictors import ConstantPredictor, Predictor, VlmPredictor
from toolkit.progress import bar
from toolkit.recipe import Recipe
from toolkit.recipe_file import dump_recipe
from toolkit.report import Report, make_report

PREDICTORS = ("vlm", "constant")


PART = "samples.part.jsonl"
"""Where answers are kept as they come."""

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


_LENGTH = 12  # hexadecimal digits of a recipe's hash that a report names


def measure_checkpoint(folder: Path, recipe: Recipe, how: How = How(), output: Path | None = None) -> Report:
    """Results on a recipe's held-out pictures.

    Args:
        folder: The checkpoint.
        recipe: Whose tasks and sources are asked; it must show questions as the checkpoint was trained.
        how: Who answers, and what is checked.
        output: Where the report goes; an interrupted evaluation goes on there.

    Raises:
        UserError: If the checkpoint and the recipe do not fit together, the recipe holds out pictures that the
            checkpoint was trained on, or the predictor is unknown.
    """
    if how.predictor not in PREDICTORS:
        raise UserError(f"unknown predictor {how.predictor!r}", remedy=did_you_mean(how.predictor, PREDICTORS))
    check_same_contract(folder, recipe)
    checkpoint = load_checkpoint(folder)
    strangers = [name for name, task in recipe.tasks.items() if task.weight > 0 and name not in checkpoint.tasks]
    if strangers:
        raise UserError(
            f"{folder}: the model was not trained on {', '.join(strangers)}",
            remedy=f"leave them out: tasks={{{', '.join(f'{name}: 1' for name in checkpoint.tasks)}}}",
        )
    plan = make_plan(recipe, checkpoint.vlm.geometry.canvas)
    notes = check_overlap(folder, plan, how.allow_overlap)
    settings = recipe.evaluation
    who: Predictor = (
        VlmPredictor(checkpoint.vlm, folder.name, settings.batch_size, settings.max_new_tokens)
        if how.predictor == "vlm"
        else ConstantPredictor(plan.held_out)
    )
    return measured(who, recipe, replace(plan, notes=(*plan.notes, *notes)), how.check, output)


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
