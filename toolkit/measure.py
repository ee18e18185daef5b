"""Measuring a checkpoint, or a constant, on a recipe's held-out pictures."""

from pathlib import Path

from toolkit.checkpoint import Checkpoint, check_same_contract, load_checkpoint
from toolkit.errors import UserError, UserErrors, did_you_mean
from toolkit.evaluate import Report, evaluate
from toolkit.plan import make_plan
from toolkit.predictors import ConstantPredictor, Predictor, VlmPredictor
from toolkit.progress import bar
from toolkit.recipe import ManifestSource, Recipe, RoomsSource

PREDICTORS = ("vlm", "constant")


def measure_checkpoint(folder: Path, recipe: Recipe, predictor: str = "vlm") -> Report:
    """Results on a recipe's held-out pictures.

    Args:
        folder: The checkpoint.
        recipe: Whose tasks and sources are asked; it must show questions as the checkpoint was trained.
        predictor: ``vlm`` asks the checkpoint; ``constant`` gives the best constant answer.

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
    with bar("evaluating", sum(len(mixture) for mixture in plan.held_out.values())) as progress:
        return evaluate(who, plan.held_out, progress.advance)


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
