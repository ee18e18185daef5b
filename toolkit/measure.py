"""Measuring a checkpoint, or a constant, on a recipe's held-out pictures."""

from pathlib import Path

from toolkit.checkpoint import check_same_contract, load_checkpoint
from toolkit.errors import UserError, did_you_mean
from toolkit.evaluate import Report, evaluate
from toolkit.plan import make_plan
from toolkit.predictors import ConstantPredictor, Predictor, VlmPredictor
from toolkit.progress import bar
from toolkit.recipe import Recipe

PREDICTORS = ("vlm", "constant")


def measure_checkpoint(folder: Path, recipe: Recipe, predictor: str = "vlm") -> Report:
    """Results on a recipe's held-out pictures.

    Args:
        folder: The checkpoint.
        recipe: Whose tasks and sources are asked; it must show questions as the checkpoint was trained.
        predictor: ``vlm`` asks the checkpoint; ``constant`` gives the best constant answer.

    Raises:
        UserError: If the checkpoint and the recipe do not fit together, or the predictor is unknown.
    """
    if predictor not in PREDICTORS:
        raise UserError(f"unknown predictor {predictor!r}", remedy=did_you_mean(predictor, PREDICTORS))
    check_same_contract(folder, recipe)
    checkpoint = load_checkpoint(folder)
    plan = make_plan(recipe, checkpoint.vlm.geometry.canvas)
    settings = recipe.evaluation
    who: Predictor = (
        VlmPredictor(checkpoint.vlm, folder.name, settings.batch_size, settings.max_new_tokens)
        if predictor == "vlm"
        else ConstantPredictor()
    )
    with bar("evaluating", sum(len(mixture) for mixture in plan.held_out.values())) as progress:
        return evaluate(who, plan.held_out, progress.advance)
