"""Opening the weights of a run: the base model that it starts from, or what it has saved."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.config.recipe import Recipe
from toolkit.errors import UserError, raise_all
from toolkit.modeling.checkpoint_contract import CONTRACT, check_same_contract, contract_faults
from toolkit.modeling.fetch_model import fetch_model
from toolkit.modeling.safe_loading import check_weights, clear_errors
from toolkit.modeling.vet_model import ADAPTER_CONFIG
from toolkit.modeling.vlm.load_vlm import open_model, open_saved
from toolkit.modeling.vlm.lora_targets import lora_config
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.utils.json import read_object
from toolkit.utils.progress import err, is_first_process

if TYPE_CHECKING:
    from peft import LoraConfig  # slow to import

_FREE = ("auto_mapping", "base_model_name_or_path", "inference_mode", "peft_version", "revision")
"""The keys of an adapter's configuration that do not change its weights, or that only the trained model says."""

_SHOWN = 40  # characters of a value that an error shows


def open_base(recipe: Recipe) -> Vlm:
    """Open the model that a recipe starts from.

    Raises:
        UserError: If the model cannot be loaded, or if it is a checkpoint of this toolkit with another contract.
    """
    base = fetch_model(recipe.model.name, weights=False)
    if (base / CONTRACT).is_file():
        _check_base(base, recipe)
    return open_model(recipe.model, recipe.seed)


def _check_base(base: Path, recipe: Recipe) -> None:
    """Check that a recipe shows and words questions as in the training of its base model.

    A recipe with ``model.new_contract`` may differ; the differences are then printed.
    """
    if not recipe.model.new_contract:
        anew = "start from another model, or let this one learn it anew with model.new_contract: true"
        check_same_contract(base, recipe, anew)
    elif (changed := contract_faults(base, recipe)) and is_first_process():
        err.note(f"{recipe.model.name} was trained otherwise: " + "; ".join(fault.problem for fault in changed))


def open_trained(recipe: Recipe, folder: Path) -> Vlm:
    """Open the weights of a run from a folder, which holds an adapter if the recipe trains one."""
    return open_adapted(recipe, folder) if recipe.model.lora else open_saved(recipe.model, folder)


def _adapter_config(base: Vlm, recipe: Recipe, folder: Path) -> "LoraConfig":
    """The configuration of a recipe's adapter, which that in its folder must equal.

    What else such a file can say is never followed: it can name modules to import, and any number of weights to make.

    Raises:
        UserError: If the file is damaged or says something else.
    """
    file = folder / ADAPTER_CONFIG
    again = "restore the file, or train again"
    if recipe.model.lora is None:
        raise UserError(f"{file}: an adapter is here, but the recipe of the run trains none", remedy=again)
    wanted = lora_config(base, recipe.model.lora)
    saved = read_object(file, again)
    expected = json.loads(json.dumps(wanted.to_dict(), default=list))
    changed = [
        UserError(f"{key} is {str(saved.get(key))[:_SHOWN]!r}, where the recipe gives {str(value)[:_SHOWN]!r}")
        for key, value in expected.items()
        if key not in _FREE and (saved.get(key) or value) and saved.get(key, value) != value
    ]
    raise_all(f"{file}: this is not the adapter that the recipe of the run describes; {again}", changed)
    return wanted


def open_adapted(recipe: Recipe, adapter: Path) -> Vlm:
    """Open a recipe's base model with a saved LoRA adapter, which is not merged.

    Args:
        recipe: The recipe that the adapter was trained by.
        adapter: The folder that holds the adapter.

    Raises:
        UserError: If the adapter cannot be loaded, or if weights of it are missing.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    base = open_base(recipe)
    config = _adapter_config(base, recipe, adapter)
    with clear_errors(adapter), safe_open(adapter / "adapter_model.safetensors", "pt") as file:
        stored = set(file.keys())
        model = PeftModel.from_pretrained(base.model, str(adapter), config=config)
    missing = set(get_peft_model_state_dict(model)) - stored
    check_weights(adapter, {"missing_keys": missing})
    return Vlm(model, base.processor, base.architecture)
