"""The configuration of an adapter can name modules and sizes: it must be the one that the run's recipe describes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_model

from tests.support.hub_server import HubServer
from tests.support.training import TINY
from toolkit.config.load import load_recipe
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError
from toolkit.modeling.checkpoint_contract import canvas_of, recipe_canvas
from toolkit.modeling.vlm.load_vlm import finished_dtype
from toolkit.modeling.vlm.lora_targets import lora_config
from toolkit.modeling.vlm.vlm import load_vlm, stored_dtype
from toolkit.training.open_run_model import open_adapted, open_base
from toolkit.utils.resources import MODELS
from toolkit.utils.resources import TINY as TINY_NAME


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    path = tmp_path / "lora.yaml"
    path.write_text(TINY.replace("layers: 1}}", "layers: 1}, lora: {rank: 4}}"))
    return load_recipe(path)


def test_a_base_on_the_hub_is_as_one_in_a_folder(recipe: Recipe, hub: HubServer) -> None:
    hub.add("ada/tiny", MODELS / TINY_NAME)
    settings = recipe.model.model_copy(update={"name": "ada/tiny", "lora": None})
    based = recipe.model_copy(update={"model": settings})
    assert recipe_canvas(based) == canvas_of(MODELS / TINY_NAME)
    with pytest.raises(UserError, match="do not fit together"):
        open_base(based)
    assert hub.downloads(".safetensors") == []
    assert finished_dtype(settings) == stored_dtype(MODELS / TINY_NAME)
    again = settings.model_copy(update={"new_contract": True})
    opened = open_base(based.model_copy(update={"model": again})).model.state_dict()
    kept = load_vlm(MODELS / TINY_NAME, dtype=torch.float32).model.state_dict()
    assert all(torch.equal(weight, kept[name]) for name, weight in opened.items())


@pytest.fixture
def adapter(recipe: Recipe, tmp_path: Path) -> Path:
    base = open_base(recipe)
    assert recipe.model.lora
    get_peft_model(base.model, lora_config(base, recipe.model.lora)).save_pretrained(str(tmp_path / "adapter"))
    return tmp_path / "adapter"


def test_the_adapter_of_a_recipe_opens(recipe: Recipe, adapter: Path) -> None:
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "peft_version": "0.1", "base_model_name_or_path": "x"}))
    assert "default" in open_adapted(recipe, adapter).model.peft_config


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("r", 10**9),
        ("r", "x"),
        ("peft_type", None),
        ("target_modules", "(a+)+$"),
        ("megatron_config", {"x": 1}),
        ("megatron_core", "antigravity"),
        ("layer_replication", [[0, 10**9]]),
        ("lora_alpha", 1e300),
        ("init_lora_weights", "pissa"),
    ],
)
def test_another_adapter_is_named(key: str, value: Any, recipe: Recipe, adapter: Path) -> None:
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    with pytest.raises(UserError, match=key):
        open_adapted(recipe, adapter)


@pytest.mark.parametrize("content", [b"[]", b"", b"[" * 100_000])
def test_a_configuration_that_is_no_object(content: bytes, recipe: Recipe, adapter: Path) -> None:
    (adapter / "adapter_config.json").write_bytes(content)
    with pytest.raises(UserError, match=r"adapter_config\.json"):
        open_adapted(recipe, adapter)


def test_weights_of_another_size(recipe: Recipe, adapter: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = adapter / "adapter_model.safetensors"
    save_file({name: weight[:1].clone() for name, weight in load_file(file).items()}, file)
    with pytest.raises(UserError, match="cannot be loaded"):
        open_adapted(recipe, adapter)
