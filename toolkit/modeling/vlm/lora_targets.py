"""Which parts of a model learn: in full, or through low-rank adapters."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import get_args

from peft import LoraConfig, PeftModel
from torch import nn

from toolkit.errors import UserError, did_you_mean
from toolkit.modeling.vlm.architectures import Part
from toolkit.modeling.vlm.vlm import Vlm

PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters (Hu et al. 2021).

    Attributes:
        r: Rank.
        alpha: Scale; updates are multiplied by alpha / r.
        dropout: Of the adapters' input.
        parts: What gets adapters. A part without linear layers (Gemma3's projector) is trained in full
            beside them.
    """

    r: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    parts: tuple[Part, ...] = ("language",)


def trainable(vlm: Vlm, parts: Collection[str] = PARTS) -> int:
    """Let these parts of a model learn and freeze all others; the number of parameters that learn.

    Raises:
        UserError: If a part is unknown or has no parameters.
    """
    _check_parts(parts)
    counts: dict[str, int] = dict.fromkeys(parts, 0)
    for name, parameter in vlm.model.named_parameters():
        part = vlm.family.part(name)
        parameter.requires_grad_(part in counts)
        if part in counts:
            counts[part] += parameter.numel()
    for chosen, count in counts.items():
        _check_found(vlm, chosen, count)
    return sum(counts.values())


def lora_config(vlm: Vlm, lora: Lora) -> LoraConfig:
    """Where peft puts adapters: on the linear layers of the parts asked for, and on no others.

    Raises:
        UserError: If a part is unknown, or there is nothing in it to adapt.
    """
    _check_parts(lora.parts)
    targets = {part: _targets(vlm, part) for part in lora.parts}
    if not any(targets.values()):
        raise UserError(
            f"there is no linear layer in the {', '.join(lora.parts)} part of this {vlm.family.name} model",
            "adapters are made for linear layers only",
            "add the language part, or train in full, without LoRA",
        )
    whole = [root for part, target in targets.items() if not target for root in _roots(vlm, part)]
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.r,
        lora_alpha=lora.alpha,  # type: ignore[arg-type] # peft divides it
        lora_dropout=lora.dropout,
        target_modules="|".join(filter(None, targets.values())),
        modules_to_save=whole or None,
    )


def merged(vlm: Vlm) -> Vlm:
    """The same model with its adapters, if it has any, added into its weights."""
    if not isinstance(vlm.model, PeftModel):
        return vlm
    return replace(vlm, model=vlm.model.merge_and_unload())


def decoder_layer(vlm: Vlm) -> str:
    """Name of the class of the language model's layers, around which FSDP wraps.

    Raises:
        UserError: If the model has no such layers.
    """
    first = re.compile(rf"(^|.*\.){vlm.family.language}(.*\.)?layers\.0")
    found = [type(module).__name__ for name, module in vlm.model.named_modules() if first.fullmatch(name)]
    _check_found(vlm, "language", len(found))
    return found[0]


def _targets(vlm: Vlm, part: Part) -> str:
    """A regular expression for the linear layers of a part; empty if it has none."""
    names = [name for name, module in vlm.model.named_modules() if isinstance(module, nn.Linear)]
    if part == "language":
        _check_found(vlm, part, sum(bool(re.fullmatch(vlm.family.lora_target, name)) for name in names))
        return vlm.family.lora_target
    return _pattern(name for name in names if vlm.family.part(name) == part)


def _roots(vlm: Vlm, part: Part) -> list[str]:
    """The topmost modules that hold a part's parameters."""
    names = [name for name, _ in vlm.model.named_parameters() if vlm.family.part(name) == part]
    parents = {name.rpartition(".")[0] for name in names}
    _check_found(vlm, part, len(parents))
    return sorted(name for name in parents if not any(name.startswith(f"{other}.") for other in parents))


def _pattern(names: Iterable[str]) -> str:
    """A regular expression for these module names, and their like in other layers."""
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
            f"nothing to train in the {part} part of this {vlm.family.name} model",
            "none of its layers has the names that this family's layers have",
            "update the toolkit, or name other parts",
        )
