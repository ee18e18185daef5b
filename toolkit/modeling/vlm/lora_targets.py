"""LoRA targets: which parts of a model learn, either in full or through low-rank adapters on their linear layers."""

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import get_args

import torch
from peft import LoraConfig, PeftModel
from torch import nn

from toolkit.config.recipe import LoraSettings, ModelPart
from toolkit.errors import UserError, did_you_mean
from toolkit.modeling.vlm.vlm import Vlm, cast_weights

PARTS: tuple[ModelPart, ...] = get_args(ModelPart)


def set_trainable(vlm: Vlm, parts: Collection[str] = PARTS) -> int:
    """Let some parts of a model learn, and freeze all others.

    Returns:
        The number of parameters that learn.

    Raises:
        UserError: If a part is unknown or has no parameters.
    """
    _check_parts(parts)
    counts: dict[str, int] = dict.fromkeys(parts, 0)
    for name, parameter in vlm.model.named_parameters():
        part = vlm.architecture.part(name)
        parameter.requires_grad_(part in counts)
        if part in counts:
            counts[part] += parameter.numel()
    for chosen, count in counts.items():
        _check_found(vlm, chosen, count)
    return sum(counts.values())


def lora_config(vlm: Vlm, lora: LoraSettings) -> LoraConfig:
    """Make the configuration with which peft puts adapters on the linear layers of the parts that the recipe names.

    A part without linear layers (such as the projector of Gemma3) is trained in full, together with the adapters.

    Raises:
        UserError: If a part is unknown, or if no part has layers that can be adapted.
    """
    _check_parts(lora.parts)
    targets = {part: _linear_layers(vlm, part) for part in lora.parts}
    if not any(targets.values()):
        raise UserError(
            f"there is no linear layer in the {', '.join(lora.parts)} part of this {vlm.architecture.name} model",
            "adapters are made for linear layers only",
            "add the language part, or train in full, without LoRA",
        )
    whole = [root for part, target in targets.items() if not target for root in _topmost_modules(vlm, part)]
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type] # peft only divides it, so it need not be an integer
        lora_dropout=lora.dropout,
        target_modules="|".join(filter(None, targets.values())),
        modules_to_save=whole or None,
    )


def merge_adapters(vlm: Vlm) -> Vlm:
    """Add the adapters of a model, if it has any, to its weights."""
    if not isinstance(vlm.model, PeftModel):
        return vlm
    return replace(vlm, model=vlm.model.merge_and_unload())


def finish_weights(vlm: Vlm, dtype: torch.dtype) -> Vlm:
    """Merge the adapters of a model, if it has any, and cast its weights to the type that they are saved in.

    Adapters are merged in the wider one of both types, so that their sum with the weights is rounded once.
    """
    wider = torch.promote_types(vlm.model.dtype, dtype)
    if wider != vlm.model.dtype:
        cast_weights(vlm, wider)
    merged = merge_adapters(vlm)
    if dtype != wider:
        cast_weights(merged, dtype)
    return merged


def decoder_layer(vlm: Vlm) -> str:
    """The name of the class of the language model's layers, which FSDP wraps.

    Raises:
        UserError: If the model has no such layers.
    """
    first = re.compile(rf"(^|.*\.){vlm.architecture.language}(.*\.)?layers\.0")
    found = [type(module).__name__ for name, module in vlm.model.named_modules() if first.fullmatch(name)]
    _check_found(vlm, "language", len(found))
    return found[0]


def _linear_layers(vlm: Vlm, part: ModelPart) -> str:
    """A regular expression for the linear layers of a part; "" if it has none."""
    names = [name for name, module in vlm.model.named_modules() if isinstance(module, nn.Linear)]
    if part == "language":
        _check_found(vlm, part, sum(bool(re.fullmatch(vlm.architecture.lora_target, name)) for name in names))
        return vlm.architecture.lora_target
    return _pattern(name for name in names if vlm.architecture.part(name) == part)


def _topmost_modules(vlm: Vlm, part: ModelPart) -> list[str]:
    """The topmost modules that hold a part's parameters."""
    names = [name for name, _ in vlm.model.named_parameters() if vlm.architecture.part(name) == part]
    parents = {name.rpartition(".")[0] for name in names}
    _check_found(vlm, part, len(parents))
    return sorted(name for name in parents if not any(name.startswith(f"{other}.") for other in parents))


def _pattern(names: Iterable[str]) -> str:
    """A regular expression for these module names, and for the same names in other layers."""
    return "|".join(sorted({re.sub(r"(?<=\\\.)\d+(?=\\\.)", r"\\d+", re.escape(name)) for name in names}))


def _check_parts(parts: Collection[str]) -> None:
    if not parts:
        raise UserError("nothing is to be trained", remedy=f"name one or more of {', '.join(PARTS)}")
    for part in parts:
        if part not in PARTS:
            raise UserError(f"there is no part {part!r} of a model", remedy=did_you_mean(part, PARTS))


def _check_found(vlm: Vlm, part: str, count: int) -> None:
    if not count:
        raise UserError(
            f"nothing to train in the {part} part of this {vlm.architecture.name} model",
            "none of its layers has the names that this architecture's layers have",
            "update the toolkit, or name other parts",
        )
