"""Measuring a checkpoint, or a constant, on a recipe's held-out pictures."""

import hashlib
from pathlib import Path
from typing import Any

from toolkit.abstract_task import Task
from toolkit.checkpoint import Checkpoint, check_same_contract, load_checkpoint, versions
from toolkit.errors import UserError, UserErrors, did_you_mean
from toolkit.evaluate import Evaluation, evaluate
from toolkit.plan import Plan, make_plan
from toolkit.predictors import ConstantPredictor, Predictor, VlmPredictor
from toolkit.progress import bar
from toolkit.recipe import ManifestSource, Recipe, RoomsSource
from toolkit.recipe_file import dump_recipe
from toolkit.report import Report, make_report

PREDICTORS = ("vlm", "constant")


PART = "samples.part.jsonl"
"""Where answers are kept as they come."""

_LABELS = 128  # training labels whose middle is a floor
_LENGTH = 12  # hexadecimal digits of a recipe's hash that a report names


def measure_checkpoint(
    folder: Path, recipe: Recipe, predictor: str = "vlm", check: bool = False, output: Path | None = None
) -> Report:
    """Results on a recipe's held-out pictures.

    Args:
        folder: The checkpoint.
        recipe: Whose tasks and sources are asked; it must show questions as the checkpoint was trained.
        predictor: ``vlm`` asks the checkpoint; ``constant`` gives the best constant answer.
        check: Whether answers are checked against the model's own depths.
        output: Where the report goes; an interrupted evaluation goes on there.

    Raises:
        UserError: If the checkpoint and the recipe do not fit together, the recipe holds out pictures that the
            checkpoint was trained on, or the predictor is unknown.
    """
    if predictor not in PREDICTORS:
        raise UserError(f"unknown predictor {predictor!r}", remedy=did_you_mean(predictor, PREDICTORS))
    check_same_contract(folder, recipe)
    checkpoint = load_checkpoint(folder)
    check_held_out(checkpoint, recipe)
    strangers = [name for name, task in recipe.tasks.items() if task.weight > 0 and name not in checkpoint.tasks]
    if strangers:
        raise UserError(
            f"{folder}: the model was not trained on {', '.join(strangers)}",
            remedy=f"leave them out: tasks={{{', '.join(f'{name}: 1' for name in checkpoint.tasks)}}}",
        )
    plan = make_plan(recipe, checkpoint.vlm.geometry.canvas)
    settings = recipe.evaluation
    who: Predictor = (
        VlmPredictor(checkpoint.vlm, folder.name, settings.batch_size, settings.max_new_tokens)
        if predictor == "vlm"
        else ConstantPredictor(plan.held_out)
    )
    return measured(who, recipe, plan, check=check, output=output)


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
    labels = {name: training_labels(plan, task) for name, task in asked.tasks.items()}
    about = {"recipe": key[:_LENGTH], "versions": versions(), "notes": list(plan.notes)}
    report = make_report(who.name, records, asked.tasks, labels, about)
    if output is not None:
        report.save(output)
        (output / PART).unlink(missing_ok=True)
    return report


def training_labels(plan: Plan, task: Task) -> list[Any]:
    """Some true answers of the training mixture."""
    return [plan.train.only(task)[index].truth for index in range(_LABELS)]


def check_held_out(checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Check that a recipe holds out the pictures that training held out, of every source that both have.

    Raises:
        UserErrors: If a source of training is split otherwise here.
    """
    trained = {_identity(source): _split_of(source) for source in checkpoint.recipe.sources.values()}
    faults = [
        UserError(f"sources.{name}: trained with {trained[_identity(source)]}, here {_split_of(source)}")
        for name, source in recipe.sources.items()
        if _identity(source) in trained and trained[_identity(source)] != _split_of(source)
    ]
    if faults:
        raise UserErrors(
            f"{checkpoint.folder}: the recipe may hold out pictures that the checkpoint was trained on; "
            "split its sources as the checkpoint's recipe.yaml does",
            faults,
        )


def _identity(source: RoomsSource | ManifestSource) -> str:
    """What makes two sources the same data."""
    return f"rooms of seed {source.settings.seed}" if isinstance(source, RoomsSource) else str(source.path)


def _split_of(source: RoomsSource | ManifestSource) -> str:
    """Which of its pictures a source holds out."""
    if isinstance(source, RoomsSource):
        return f"first {source.settings.first}, rooms {source.settings.rooms}"
    return f"held_out {source.held_out:g}"
