"""Opening the weights of a run: the base model that it starts from, or what it has saved."""

from pathlib import Path

from toolkit.config.recipe import Recipe
from toolkit.modeling.checkpoint_contract import CONTRACT, check_same_contract, contract_faults
from toolkit.modeling.hub import check_weights, clear_errors
from toolkit.modeling.vlm.load_vlm import open_model, open_saved
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.utils.progress import err, is_first_process
from toolkit.utils.resources import model_folder


def open_base(recipe: Recipe) -> Vlm:
    """Open the model that a recipe starts from.

    Raises:
        UserError: If the model cannot be loaded, or if it is a checkpoint of this toolkit with another contract.
    """
    base = Path(model_folder(recipe.model.name))
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
        err.note(f"{base.name} was trained otherwise: " + "; ".join(fault.problem for fault in changed))


def open_trained(recipe: Recipe, folder: Path) -> Vlm:
    """Open the weights of a run from a folder, which holds an adapter if the recipe trains one."""
    return open_adapted(recipe, folder) if recipe.model.lora else open_saved(recipe.model, folder)


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
    with clear_errors(adapter), safe_open(adapter / "adapter_model.safetensors", "pt") as file:
        stored = set(file.keys())
        model = PeftModel.from_pretrained(base.model, str(adapter))
    missing = set(get_peft_model_state_dict(model)) - stored
    check_weights(adapter, {"missing_keys": missing})
    return Vlm(model, base.processor, base.architecture)
