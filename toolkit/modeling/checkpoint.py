"""Checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from toolkit.config.recipe import Recipe
from toolkit.modeling.checkpoint_contract import open_contract
from toolkit.modeling.vlm.vlm import Vlm, load_vlm
from toolkit.qa.sample import Presenter
from toolkit.qa.task import Task


@dataclass(frozen=True)
class Checkpoint:
    """A trained model, ready to be asked as it was trained.

    Attributes:
        folder: Where it lies.
        vlm: The model.
        recipe: The recipe it was trained by.
        presenter: How its questions are shown and worded, whole pictures.
        tasks: What it was trained on, by name.
    """

    folder: Path
    vlm: Vlm
    recipe: Recipe
    presenter: Presenter
    tasks: Mapping[str, Task]


def load_checkpoint(folder: Path) -> Checkpoint:
    """Load a checkpoint; its contract is checked first.

    Raises:
        UserError: If it is no checkpoint of this toolkit, or the templates have changed since training.
    """
    opened = open_contract(folder)
    vlm = load_vlm(folder, device="cuda" if torch.cuda.is_available() else None)
    return Checkpoint(folder, vlm, opened.recipe, opened.presenter, opened.tasks)
