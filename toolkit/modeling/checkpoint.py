"""Opening a checkpoint: its model, and how the model was trained to be asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.config.build_presenter import make_presenter
from toolkit.config.recipe import Recipe
from toolkit.modeling.checkpoint_contract import checked_recipe
from toolkit.modeling.placement import Placement
from toolkit.modeling.vlm.load_placed import load_placed
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.qa.sample import Presenter
from toolkit.qa.tasks.task import Task


@dataclass(frozen=True)
class Checkpoint:
    """A trained model, ready to be asked in the way it was trained.

    Attributes:
        folder: The folder that the model was loaded from.
        vlm: The vision-language model.
        recipe: The recipe that the model was trained with.
        presenter: How questions are shown and worded. Pictures are shown whole.
        tasks: The tasks that the model was trained on, by name.
    """

    folder: Path
    vlm: Vlm
    recipe: Recipe
    presenter: Presenter
    tasks: Mapping[str, Task]


def load_checkpoint(folder: Path, placement: Placement = Placement()) -> Checkpoint:
    """Load a checkpoint. Its contract is checked first.

    Args:
        folder: The folder of the checkpoint.
        placement: Where its weights are put, and in which type.

    Raises:
        UserError: If the folder is not a checkpoint of this toolkit, if the templates have changed since training, if
            it brings Python files that are not trusted, or if its weights cannot be put there.
    """
    recipe, tasks = checked_recipe(folder)
    vlm = load_placed(folder, placement)
    return Checkpoint(
        folder, vlm, recipe, make_presenter(recipe, vlm.architecture.canvas(vlm.model.config)).uncropped, tasks
    )
