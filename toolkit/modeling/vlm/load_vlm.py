"""Opening the model that a recipe names: one that comes with the toolkit, in a folder, or on the Hugging Face hub."""

import importlib.util
import re
from pathlib import Path

import torch

from toolkit.config.recipe import TINY_RANDOM, ModelSettings
from toolkit.data.frames.objects import NAMES
from toolkit.errors import UserError
from toolkit.modeling.fetch_model import fetch_model
from toolkit.modeling.vlm.lora_targets import PARTS, lora_config, set_trainable
from toolkit.modeling.vlm.tiny import build_tiny
from toolkit.modeling.vlm.vlm import Vlm, load_vlm, stored_dtype
from toolkit.qa.marker import SHAPES, noun_of
from toolkit.qa.sample import TEXT_GRID
from toolkit.utils.colors import COLORS, PALETTE
from toolkit.utils.resources import TEMPLATES


def open_model(settings: ModelSettings, seed: int = 0) -> Vlm:
    """Open the model of a recipe on the CPU, before anything is frozen or adapted.

    Args:
        settings: The section ``model`` of the recipe.
        seed: The seed of random weights.

    Raises:
        UserError: If the model cannot be loaded.
    """
    if settings.attention == "flash_attention_2" and importlib.util.find_spec("flash_attn") is None:
        raise UserError(
            "model.attention is flash_attention_2, which is not installed",
            remedy="pip install flash-attn on a machine with a GPU, or leave it at sdpa",
        )
    if settings.name == TINY_RANDOM:
        vlm = build_tiny(settings.tiny, vocabulary(), seed)
        vlm.model.set_attn_implementation(settings.attention)
        return vlm
    return open_saved(settings, fetch_model(settings.name, weights=False))


def open_saved(settings: ModelSettings, name: str | Path) -> Vlm:
    """Open a model in a folder, with the recipe's implementation of attention and type of weights.

    Args:
        settings: The section ``model`` of the recipe.
        name: The folder.

    Raises:
        UserError: If the model cannot be loaded.
    """
    return load_vlm(name, dtype=_dtype(settings, name), attn_implementation=settings.attention)


def finished_dtype(settings: ModelSettings) -> torch.dtype:
    """The type that the weights of a recipe's finished checkpoint are saved in.

    Args:
        settings: The section ``model`` of the recipe.

    Raises:
        UserError: If there is no such base model.
    """
    if settings.save_dtype == "float32" or settings.name == TINY_RANDOM:
        return torch.float32
    return stored_dtype(fetch_model(settings.name, weights=False))


def prepare_training(vlm: Vlm, settings: ModelSettings) -> Vlm:
    """Freeze the parts that the recipe freezes, or add the adapters that the recipe describes.

    Raises:
        UserError: If nothing is left to train.
    """
    if settings.lora is None:
        set_trainable(vlm, [part for part in PARTS if part not in settings.freeze])
        return vlm
    from peft import get_peft_model

    config = lora_config(vlm, settings.lora)
    return Vlm(get_peft_model(vlm.model, config), vlm.processor, vlm.architecture)


def vocabulary() -> list[str]:
    """Texts with all words that the tiny model's tokenizer knows: built-in templates, names of marks and of objects."""
    templates = [path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.glob("*.jinja"))]
    words = [re.sub(r"{[%{#].*?[%}#]}", " ", template, flags=re.DOTALL) for template in templates]
    nouns = tuple(dict.fromkeys(map(noun_of, SHAPES)))
    marks = [f"the point marked by the {color} {noun}" for color in COLORS for noun in nouns]
    return [
        *words,
        *marks,
        *COLORS,
        *PALETTE,
        *(word for name in NAMES for word in (name, f"{name}s")),
        f"point A at ({TEXT_GRID}, 0)",
        "m/s deg right left up down forward back",
    ]


def _dtype(settings: ModelSettings, name: str | Path) -> torch.dtype | str:
    """The type of the weights of a model in a folder.

    Full fine-tuning needs float32: bfloat16 would round away steps of size 1e-5. LoRA takes the type of the files, but
    not float16, in which small gradients become 0 unless the loss is scaled.
    """
    if settings.dtype != "auto":
        return getattr(torch, settings.dtype)
    if settings.lora is None:
        return torch.float32
    return torch.bfloat16 if stored_dtype(name) == torch.float16 else "auto"
