"""Vision-language models: loading, encoding and saving them."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    BatchFeature,
    PreTrainedModel,
)
from transformers.processing_utils import ProcessorMixin
from transformers.utils import logging as transformers_logging

from toolkit.modeling.hub import CONFIG, check_weights, clear_errors, only_local
from toolkit.modeling.vlm.architectures import (
    Family,
    Geometry,
    Picture,
    check_geometry,
    check_pictures,
    family_of,
    keep_sizes,
)

if TYPE_CHECKING:
    from peft import PeftModel  # slow to import

transformers_logging.disable_progress_bar()  # one bar a shard hides what matters


_ROLES = ("user", "assistant")


_WEIGHTS = "model*.safetensors*"


@dataclass(frozen=True)
class Vlm:
    """A model with what it takes to use it.

    Attributes:
        model: The model; a peft model wrapped around it serves as well.
        processor: Turns pictures and text into tensors, and never resizes a picture.
        family: What its family needs.
    """

    model: "PreTrainedModel | PeftModel"
    processor: ProcessorMixin
    family: Family

    @cached_property
    def geometry(self) -> Geometry:
        """How pictures become image tokens in this model."""
        return self.family.geometry(self.model.config)


def load_vlm(
    name: str | Path,
    *,
    dtype: torch.dtype | str = "auto",
    attn_implementation: str = "sdpa",
    device: str | torch.device | None = None,
) -> Vlm:
    """Load a model and its processor.

    Args:
        name: A folder, or the id of a repository on the Hugging Face hub.
        dtype: Of the weights; ``auto`` keeps that of the files.
        attn_implementation: As transformers names them.
        device: Where the model goes; by default it stays on the CPU.

    Raises:
        UserError: If there is no such model, if its files are not whole, or if its family is not supported.
    """
    local = only_local(name)
    with clear_errors(name):
        config = AutoConfig.from_pretrained(str(name), local_files_only=local)
    family = family_of(config)
    with clear_errors(name):
        processor = family.processor.from_pretrained(str(name), backend="pil", local_files_only=local)
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            str(name),
            config=config,
            dtype=dtype,
            attn_implementation=attn_implementation,
            local_files_only=local,
            output_loading_info=True,
        )
    model, report = loaded
    check_weights(name, report)
    keep_sizes(processor, family, family.geometry(config))
    return Vlm(model.to(device) if device else model, processor, family)


def conversation(
    prompt: str,
    images: Sequence[Picture],
    completion: str | None = None,
    more: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """A row as TRL's trainer takes it; ``toolkit.training.collator`` puts the loss on the answers alone.

    Args:
        prompt: What the user says.
        images: The pictures it is about: PIL, or arrays (height, width, 3) of bytes.
        completion: What the assistant answers; without it the row is a question only.
        more: Further questions about the same pictures, with their answers.
    """
    row: dict[str, Any] = {
        # Plain strings: in lists of parts Arrow fills absent keys, and templates take text for pictures.
        "prompt": [{"role": "user", "content": prompt}],
        "images": [_as_pil(image) for image in images],
    }
    if completion is not None:
        said = [("assistant", completion), *(pair for question in more for pair in zip(_ROLES, question, strict=True))]
        row["completion"] = [{"role": role, "content": text} for role, text in said]
    return row


def _as_pil(image: Picture) -> Image.Image:
    return Image.fromarray(image) if isinstance(image, np.ndarray) else image


def encode(vlm: Vlm, prompts: Sequence[str], images: Sequence[Sequence[Picture]]) -> BatchFeature:
    """A batch for generation: padded on the left, checked, and on the model's device.

    Args:
        vlm: The model.
        prompts: One question a row.
        images: The pictures of each row.

    Raises:
        GeometryError: If a picture is not of a size that the model takes.
    """
    check_pictures(vlm.geometry, images)
    pictures = [[_as_pil(image) for image in row] for row in images]
    batch = vlm.processor(
        text=[chat_text(vlm, [prompt], len(row)) for prompt, row in zip(prompts, images, strict=True)],
        images=pictures if any(pictures) else None,
        padding=True,
        padding_side="left",  # on the right, padding would stand between question and answer
        add_special_tokens=False,  # the chat template has written them
        return_tensors="pt",
    )
    check_geometry(vlm.geometry, batch, images)
    return batch.to(vlm.model.device, dtype=vlm.model.dtype)


def chat_text(vlm: Vlm, said: Sequence[str], pictures: int) -> str:
    """A conversation as the model's chat template writes it.

    Args:
        vlm: The model.
        said: What user and assistant say in turn. If the user spoke last, the assistant's turn is opened.
        pictures: How many pictures come before the first question.
    """
    messages: list[dict[str, Any]] = []
    for index, text in enumerate(said):
        shown = pictures if index == 0 else 0
        content = [*({"type": "image"} for _ in range(shown)), {"type": "text", "text": text}]
        messages.append({"role": _ROLES[index % 2], "content": content})
    return vlm.processor.apply_chat_template(messages, add_generation_prompt=len(said) % 2 == 1, tokenize=False)


def save_vlm(vlm: Vlm, folder: str | Path) -> None:
    """Save a model and its processor as a stock folder that is whole, or has no configuration.

    A new folder appears at once. In one that is there, the model's files are replaced, the configuration
    last, and other files stay.

    Args:
        vlm: The model, not a peft one: ``toolkit.modeling.vlm.lora_targets.merged`` makes that plain.
        folder: Where.
    """
    if not isinstance(vlm.model, PreTrainedModel):
        raise TypeError(
            "a peft model saves its adapters alone: merge it first, by toolkit.modeling.vlm.lora_targets.merged"
        )
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        fresh = Path(scratch, "model")
        vlm.model.save_pretrained(fresh)
        vlm.processor.save_pretrained(fresh)
        if target.exists():
            _replace_model(fresh, target)
        else:
            fresh.rename(target)


def _replace_model(fresh: Path, target: Path) -> None:
    (target / CONFIG).unlink(missing_ok=True)
    for stale in target.glob(_WEIGHTS):
        stale.unlink()
    config = (fresh / CONFIG).rename(fresh.with_name(CONFIG))
    shutil.copytree(fresh, target, dirs_exist_ok=True, copy_function=os.replace)
    config.rename(target / CONFIG)
