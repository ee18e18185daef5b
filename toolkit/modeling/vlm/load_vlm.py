"""The model that a recipe names: one that comes with the toolkit, in a folder, or on the hub."""

import importlib.util
import re
from pathlib import Path

import torch

from toolkit.config.recipe import TINY_RANDOM, ModelSettings, TinySettings
from toolkit.data.frames.objects import NAMES
from toolkit.errors import UserError
from toolkit.modeling.vlm.lora_targets import PARTS, Lora, lora_config, trainable
from toolkit.modeling.vlm.tiny import TinyConfig, build_tiny
from toolkit.modeling.vlm.vlm import Vlm, load_vlm
from toolkit.qa.marker import SHAPES
from toolkit.qa.sample import TEXT_GRID
from toolkit.utils.colors import COLORS, PALETTE
from toolkit.utils.resources import folder, model_folder


def open_model(settings: ModelSettings, seed: int = 0) -> Vlm:
    """The model of a recipe, on the CPU, before anything is frozen or adapted.

    Args:
        settings: The recipe's section.
        seed: Of random weights.

    Raises:
        UserError: If it cannot be loaded.
    """
    if settings.attention == "flash_attention_2" and importlib.util.find_spec("flash_attn") is None:
        raise UserError(
            "model.attention is flash_attention_2, which is not installed",
            remedy="pip install flash-attn on a machine with a GPU, or leave it at sdpa",
        )
    if settings.name == TINY_RANDOM:
        vlm = build_tiny(_tiny_config(settings.tiny, seed), vocabulary())
        vlm.model.set_attn_implementation(settings.attention)
        return vlm
    return open_saved(settings, model_folder(settings.name))


def open_saved(settings: ModelSettings, name: str | Path) -> Vlm:
    """A model in a folder or on the hub, with the recipe's kernels and type of weights.

    Raises:
        UserError: If it cannot be loaded.
    """
    return load_vlm(name, dtype=_dtype(settings), attn_implementation=settings.attention)


def prepare_training(vlm: Vlm, settings: ModelSettings) -> Vlm:
    """Freeze what the recipe freezes, or wrap the model in the recipe's adapters.

    Raises:
        UserError: If nothing is left to train.
    """
    if settings.lora is None:
        trainable(vlm, [part for part in PARTS if part not in settings.freeze])
        return vlm
    from peft import get_peft_model

    chosen = settings.lora
    config = lora_config(vlm, Lora(chosen.rank, chosen.alpha, chosen.dropout, chosen.parts))
    return Vlm(get_peft_model(vlm.model, config), vlm.processor, vlm.family)


def vocabulary() -> list[str]:
    """Texts whose words the tiny model's tokenizer knows: the built-in templates, the names of marks and objects."""
    templates = [path.read_text(encoding="utf-8") for path in sorted(folder("templates").glob("*.jinja"))]
    words = [re.sub(r"{[%{#].*?[%}#]}", " ", template, flags=re.DOTALL) for template in templates]
    marks = [f"the point marked by the {color} {shape}" for color in COLORS for shape in SHAPES]
    return [
        *words,
        *marks,
        *COLORS,
        *PALETTE,
        *(word for name in NAMES for word in (name, f"{name}s")),
        f"point A at ({TEXT_GRID}, 0)",
        "m/s deg right left up down forward back",
    ]


def _tiny_config(settings: TinySettings, seed: int) -> TinyConfig:
    return TinyConfig(
        image_size=settings.picture,
        patch_size=settings.patch,
        width=settings.width,
        vision_layers=settings.layers,
        text_layers=settings.layers,
        seed=seed,
    )


def _dtype(settings: ModelSettings) -> torch.dtype | str:
    """Full fine-tuning needs float32: steps of 1e-5 vanish when bfloat16 weights are rounded to three digits."""
    if settings.dtype == "auto":
        return "auto" if settings.lora else torch.float32
    return getattr(torch, settings.dtype)
