"""What a recipe takes over from the model that it starts from, or that it measures: how questions are shown."""

from pathlib import Path

from toolkit.canonical import Canvas
from toolkit.checkpoint import CONTRACT, RECIPE, canvas_of, read_contract
from toolkit.progress import err, is_first_process
from toolkit.recipe import TINY_RANDOM, Recipe
from toolkit.recipe_file import differences, load_recipe
from toolkit.resources import model_folder

_SHOWN_BY = ("canonical", "reference", "marker", "think")
"""Sections of a recipe that say how questions are shown and worded."""


def as_trained(folder: Path, recipe: Recipe) -> Recipe:
    """A recipe that shows and words questions as a checkpoint was trained, wherever it does not say how itself.

    Raises:
        UserError: If there is no checkpoint.
    """
    read_contract(folder)
    trained = load_recipe(folder / RECIPE)
    unsaid = [section for section in _SHOWN_BY if section not in recipe.model_fields_set]
    return recipe.model_copy(update={section: getattr(trained, section) for section in unsaid})


def based(recipe: Recipe) -> Recipe:
    """A recipe that shows and words questions as its base was trained, wherever it does not say how itself.

    What it so takes over is told on stderr.

    Raises:
        UserError: If the base is a checkpoint of this toolkit that cannot be read.
    """
    base = Path(model_folder(recipe.model.name))
    if not (base / CONTRACT).is_file():
        return recipe
    adopted = as_trained(base, recipe)
    taken = differences(recipe, adopted)
    if taken and is_first_process():
        err.print(f"[yellow]note:[/] questions are shown as {recipe.model.name} was trained: ", end="")
        err.print("; ".join(taken), markup=False)
    return adopted


def recipe_canvas(recipe: Recipe) -> Canvas:
    """The picture sizes that a recipe asks with: its own, or else its base model's, as the configuration says."""
    if recipe.evaluation.multiple:
        return Canvas(multiple=recipe.evaluation.multiple)
    if recipe.model.name == TINY_RANDOM:
        return Canvas(square=recipe.model.tiny.picture)
    return canvas_of(model_folder(recipe.model.name))
