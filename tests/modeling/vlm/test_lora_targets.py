"""What learns: every parameter that should moves, and no other."""

from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from peft import get_peft_model

from tests.support.architecture_batches import PROMPTS, every_architecture, one_and_two
from tests.support.tiny_architectures import build_twin
from toolkit.config.recipe import LoraSettings, ModelPart
from toolkit.errors import UserError
from toolkit.modeling.vlm.lora_targets import (
    PARTS,
    decoder_layer,
    finish_weights,
    lora_config,
    merge_adapters,
    set_trainable,
)
from toolkit.modeling.vlm.vlm import Vlm, cast_weights, encode

pytestmark = pytest.mark.slow


def train_once(vlm: Vlm) -> set[str]:
    """The names of the parameters that one step of training moves."""
    batch = encode(vlm, PROMPTS, one_and_two(vlm))
    before = {name: weight.detach().clone() for name, weight in vlm.model.named_parameters()}
    optimizer = torch.optim.SGD([w for w in vlm.model.parameters() if w.requires_grad], lr=1.0)
    model: Any = vlm.model
    for _ in range(2):  # adapters' second halves are zero, and hold back the first ones for a step
        optimizer.zero_grad()
        model(**batch, labels=batch["input_ids"]).loss.backward()
        optimizer.step()
    return {name for name, weight in vlm.model.named_parameters() if not torch.equal(weight, before[name])}


@every_architecture
@pytest.mark.parametrize("part", get_args(ModelPart))
def test_only_the_chosen_part_moves(name: str, part: ModelPart) -> None:
    vlm = build_twin(name)
    count = set_trainable(vlm, [part])
    assert count == sum(weight.numel() for weight in vlm.model.parameters() if weight.requires_grad)
    moved = train_once(vlm)
    assert moved
    assert {vlm.architecture.part(parameter) for parameter in moved} == {part}


@every_architecture
def test_adapters_sit_in_the_language_model_alone(name: str) -> None:
    vlm = build_twin(name)
    layers = vlm.model.config.get_text_config().num_hidden_layers
    adapted = Vlm(
        get_peft_model(vlm.model, lora_config(vlm, LoraSettings(rank=2, alpha=4))), vlm.processor, vlm.architecture
    )
    moved = train_once(adapted)
    assert len(moved) == 2 * 7 * layers  # two halves; query, key, value, out, gate, up, down
    assert all("lora_" in parameter and vlm.architecture.part(parameter) == "language" for parameter in moved)


@every_architecture
def test_adapters_in_every_part(name: str) -> None:
    vlm = build_twin(name)
    adapted = Vlm(
        get_peft_model(vlm.model, lora_config(vlm, LoraSettings(rank=2, parts=PARTS))), vlm.processor, vlm.architecture
    )
    moved = train_once(adapted)
    assert {vlm.architecture.part(parameter) for parameter in moved} == set(PARTS)
    whole = {parameter for parameter in moved if "lora_" not in parameter}
    assert all("modules_to_save" in parameter for parameter in whole)
    assert bool(whole) == (name == "Gemma3")


@every_architecture
def test_merging_changes_no_answer(name: str) -> None:
    vlm = build_twin(name)
    vlm.model.double()  # what one step of this size leaves of float32 is too little to compare by
    adapted = Vlm(
        get_peft_model(vlm.model, lora_config(vlm, LoraSettings(rank=2, parts=PARTS))), vlm.processor, vlm.architecture
    )
    train_once(adapted)
    batch = encode(adapted, PROMPTS, one_and_two(vlm))
    with torch.no_grad():
        before = adapted.model.eval()(**batch).logits
        plain = merge_adapters(adapted)
        after = plain.model(**batch).logits
    assert not any("lora" in parameter for parameter, _ in plain.model.named_parameters())
    torch.testing.assert_close(after, before, atol=1e-6, rtol=1e-6)
    assert merge_adapters(plain) is plain


@every_architecture
def test_decoder_layer_is_one_of_the_models_classes(name: str) -> None:
    vlm = build_twin(name)
    layer = decoder_layer(vlm)
    assert layer.endswith("DecoderLayer")
    found = [n for n, module in vlm.model.named_modules() if type(module).__name__ == layer]
    assert len(found) == vlm.model.config.get_text_config().num_hidden_layers


def test_faults_are_named() -> None:
    vlm = build_twin("Gemma3")
    with pytest.raises(UserError, match="visoin"):
        set_trainable(vlm, ["visoin"])
    with pytest.raises(UserError, match="nothing is to be trained"):
        set_trainable(vlm, [])
    with pytest.raises(UserError, match="no linear layer"):
        lora_config(vlm, LoraSettings(parts=("projector",)))


def test_an_architecture_whose_names_do_not_fit_is_an_error() -> None:
    vlm = build_twin("Idefics3")
    wrong = Vlm(vlm.model, vlm.processor, build_twin("InternVL").architecture)
    with pytest.raises(UserError, match="nothing to train in the language part"):
        lora_config(wrong, LoraSettings())


@pytest.mark.parametrize(("held", "saved"), [(torch.float32, torch.bfloat16), (torch.bfloat16, torch.float32)])
def test_adapters_are_merged_in_the_wider_type(held: torch.dtype, saved: torch.dtype) -> None:
    vlm = build_twin("LLaVA-SigLIP")
    cast_weights(vlm, held)
    model: Any = get_peft_model(vlm.model, lora_config(vlm, LoraSettings(rank=2)))
    layer = next(module for module in model.modules() if hasattr(module, "lora_B"))
    torch.nn.init.normal_(layer.lora_B["default"].weight)
    step = layer.get_delta_weight("default").detach()
    weight = layer.base_layer.weight.detach().clone()
    finish_weights(replace(vlm, model=model), saved)
    assert layer.base_layer.weight.dtype == saved
    assert torch.equal(layer.base_layer.weight, (weight.float() + step).to(saved))
