"""Opening a checkpoint: its model, and how the model was trained to be asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.config.recipe import Recipe
from toolkit.errors import UserError
from toolkit.modeling.checkpoint_contract import MAX_NEW_TOKENS, Contract, open_contract
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
        caveat: What must be said with every answer; "" for nothing.
        max_new_tokens: The highest number of tokens in an answer.
    """

    folder: Path
    vlm: Vlm
    recipe: Recipe
    presenter: Presenter
    tasks: Mapping[str, Task]
    caveat: str = ""
    max_new_tokens: int = MAX_NEW_TOKENS


def load_checkpoint(folder: Path, contract: Contract | None = None, placement: Placement = Placement()) -> Checkpoint:
    """Load a checkpoint. Its contract is checked first.

    Args:
        folder: The folder of the model.
        contract: How the model is asked, if its folder does not say it (``toolkit.modeling.find_contract``).
        placement: Where its weights are put, and in which type.

    Raises:
        UserError: If the folder is not a checkpoint of this toolkit, if the templates have changed since training, if
            it brings Python files that are not trusted, if its weights cannot be put there, or if its processor is not
            the one of the contract.
    """
    contract = contract or open_contract(folder)
    vlm = load_placed(folder, placement)
    _check_processor(vlm, contract, folder)
    asked = contract.on(vlm.geometry.canvas)
    return Checkpoint(folder, vlm, asked.recipe, asked.presenter, asked.tasks, asked.caveat, asked.max_new_tokens)


def _check_processor(vlm: Vlm, contract: Contract, folder: Path) -> None:
    """Check that a model's image processor treats pictures as in training."""
    images = vlm.processor.image_processor
    for key, wanted in contract.processor.items():
        if getattr(images, key, None) != wanted:
            raise UserError(
                f"{folder}: {key} of the image processor is {getattr(images, key, None)}",
                f"{contract.origin} was trained with {wanted}",
                "copy preprocessor_config.json or processor_config.json from there, too",
            )
