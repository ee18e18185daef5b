"""Vision-language models: loading, encoding and saving them."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from transformers import (
    AutoModelForImageTextToText,
    BatchFeature,
    PreTrainedModel,
)
from transformers.processing_utils import ProcessorMixin
from transformers.utils import logging as transformers_logging

from toolkit.errors import UserError
from toolkit.foreign_text import valid_unicode
from toolkit.modeling.bfloat16 import cpu_has_bfloat16
from toolkit.modeling.fetch_model import fetch_weights
from toolkit.modeling.safe_loading import CONFIG, LOADING_OPTIONS, check_weights, clear_errors, load_config
from toolkit.modeling.vet_model import DOWNLOAD_AGAIN, vet_fit, vet_folder
from toolkit.modeling.vlm.architectures import (
    Architecture,
    ImageLike,
    PictureGeometry,
    architecture_of,
    check_geometry,
    check_pictures,
    keep_sizes,
)

if TYPE_CHECKING:
    from peft import PeftModel  # slow to import
    from transformers import BitsAndBytesConfig

transformers_logging.disable_progress_bar()  # a bar for each shard would hide what matters

_ROLES = ("user", "assistant")

_WEIGHTS = "model*.safetensors*"

_PROCESSOR_FILES = "tokenizer.json, tokenizer_config.json, processor_config.json or the chat template"

_WEIGHT_FILES = "the weights, as config.json and generation_config.json describe them"

_MOST_TOKENS = 1 << 24  # tokens up to this number may have no weights, as added tokens of some models have none


@dataclass(frozen=True)
class Vlm:
    """A vision-language model with everything that is needed to use it.

    Attributes:
        model: The model, or a peft model that wraps it.
        processor: The processor, which turns pictures and text into tensors and never resizes a picture.
        architecture: What models of this architecture need.
    """

    model: "PreTrainedModel | PeftModel"
    processor: ProcessorMixin
    architecture: Architecture

    @property
    def name(self) -> str:
        """The folder or the id that the model was loaded from; "" if it was built here."""
        return str(self.model.config.name_or_path)

    @property
    def tokens(self) -> int:
        """How many different tokens the model's weights know."""
        embeddings: Any = self.model.get_input_embeddings()
        return int(embeddings.weight.shape[0])

    def placement_to_json(self) -> dict[str, str | None]:
        """Where the weights are, and with how many bits, for reports."""
        method = getattr(self.model.config, "quantization_config", None)
        named = torch.cuda.get_device_name(self.model.device) if self.model.device.type == "cuda" else None
        return {
            "device": named or self.model.device.type,
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "quantize": _quantization_to_text(method),
        }

    @cached_property
    def geometry(self) -> PictureGeometry:
        """How pictures become image tokens in this model."""
        return self.architecture.geometry(self.model.config)


def load_vlm(
    name: str | Path,
    *,
    dtype: torch.dtype | str = "auto",
    attn_implementation: str = "sdpa",
    device: str | torch.device | None = None,
    quantization: "BitsAndBytesConfig | None" = None,
) -> Vlm:
    """Load a model and its processor.

    Args:
        name: The folder of the model.
        dtype: The type of the weights; ``auto`` keeps the type of the files.
        attn_implementation: The attention kernel, by its name in transformers.
        device: The device that the model is loaded to; by default the CPU.
        quantization: How weights are shortened while they are loaded.

    Raises:
        UserError: If there is no such model, if its files are not complete, or if its architecture is not supported.
    """
    place = torch.device(device or "cpu")
    config = load_config(name)
    architecture = architecture_of(config)
    with clear_errors(name, CONFIG):
        geometry = architecture.geometry(config)
        vet_folder(Path(name))
    fetch_weights(Path(name))
    with clear_errors(name, CONFIG):
        vet_fit(Path(name), config)
    with clear_errors(name, _PROCESSOR_FILES):
        processor = architecture.processor.from_pretrained(str(name), backend="pil", **LOADING_OPTIONS)
        keep_sizes(processor, architecture, geometry)
    with clear_errors(name, _WEIGHT_FILES):
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            str(name),
            config=config,
            dtype=dtype,
            attn_implementation=attn_implementation,
            use_safetensors=True,
            output_loading_info=True,
            device_map=None if place.type == "cpu" else {"": place},  # without it, all weights pass the CPU's memory
            quantization_config=quantization,
            **LOADING_OPTIONS,
        )
    model, report = loaded
    check_weights(name, report)
    vlm = Vlm(model, processor, architecture)
    _try_processor(vlm, name)
    return vlm


def _quantization_to_text(method: Any) -> str | None:
    """How weights were shortened, as in ``--quantize``, or by the name of another method; None if they were not."""
    settings = method if isinstance(method, dict) else {} if method is None else method.to_dict()
    bits = next((bits for bits in ("4bit", "8bit") if settings.get(f"load_in_{bits}")), None)
    return bits or settings.get("quant_method")


def _try_processor(vlm: Vlm, name: str | Path) -> None:
    """Let a processor turn a picture and a text into tensors: only then does it use many of its settings.

    Raises:
        UserError: If it cannot, or if its tokens are not those of the model.
    """
    canvas = vlm.geometry.canvas
    side = canvas.square or canvas.multiple
    with clear_errors(name, _PROCESSOR_FILES):
        batch = encode(vlm, ["0"], [[Image.new("RGB", (side, side))]])
        highest = max(int(batch["input_ids"].max()), *vlm.processor.tokenizer.get_vocab().values())
    known = vlm.tokens
    if highest >= max(known, _MOST_TOKENS) or int(batch["input_ids"].max()) >= known:
        raise UserError(
            f"{name}: the tokenizer and the weights do not belong together",
            f"the tokenizer has the token {highest}, and the weights know {known} tokens",
            DOWNLOAD_AGAIN,
        )


def load_to_ask(name: str | Path, device: str | torch.device | None = None, attn_implementation: str = "sdpa") -> Vlm:
    """Load a model to ask it. On a CPU that is slow in bfloat16, it computes in float32, with the same weights.

    Args:
        name: The folder of the model.
        device: The device that the model is moved to; by default a GPU if there is one.
        attn_implementation: The attention kernel, by its name in transformers.

    Raises:
        UserError: If the model cannot be loaded (see ``load_vlm``).
    """
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    vlm = load_vlm(name, attn_implementation=attn_implementation, device=place)
    if place.type == "cpu" and vlm.model.dtype == torch.bfloat16 and not cpu_has_bfloat16():
        cast_weights(vlm, torch.float32)
    return vlm


def stored_dtype(name: str | Path) -> torch.dtype:
    """The type of the weights that a model's configuration names; float32 if it names none.

    Args:
        name: The folder of the model.

    Raises:
        UserError: If there is no such model.
    """
    config = load_config(name)
    with clear_errors(name, CONFIG):
        named = config.dtype or config.get_text_config().dtype or torch.float32
        return getattr(torch, named) if isinstance(named, str) else named


def cast_weights(vlm: Vlm, dtype: torch.dtype) -> None:
    """Cast the weights of a model to another type, in place. Buffers, such as rotary frequencies, keep their type.

    Args:
        vlm: The model.
        dtype: The type that the weights, and the configuration that is saved with them, shall have.
    """
    for weight in vlm.model.parameters():
        weight.data = weight.data.to(dtype)
    config: Any = vlm.model.config
    for part in (config, *(getattr(config, name) for name in config.sub_configs)):
        if part is not None:
            part.dtype = dtype


def conversation(
    prompt: str,
    images: Sequence[ImageLike],
    completion: str | None = None,
    more: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """A row of a data set as TRL's trainer takes it.

    ``toolkit.training.collator`` computes the loss on the answers only.

    Args:
        prompt: The question of the user.
        images: The pictures that the question is about.
        completion: The answer of the assistant; without it, the row is only a question.
        more: Further questions about the same pictures, with their answers.
    """
    row: dict[str, Any] = {
        # Plain strings: in lists of parts, Arrow adds missing keys, and templates then take text for pictures.
        "prompt": [{"role": "user", "content": prompt}],
        "images": [_as_pil(image) for image in images],
    }
    if completion is not None:
        turns = [("assistant", completion), *(pair for question in more for pair in zip(_ROLES, question, strict=True))]
        row["completion"] = [{"role": role, "content": text} for role, text in turns]
    return row


def _as_pil(image: ImageLike) -> Image.Image:
    return Image.fromarray(image) if isinstance(image, np.ndarray) else image


def encode(vlm: Vlm, prompts: Sequence[str], images: Sequence[Sequence[ImageLike]]) -> BatchFeature:
    """Encode questions as a batch for generation, padded on the left and on the model's device.

    Args:
        vlm: The model.
        prompts: The questions.
        images: The pictures of each question.

    Raises:
        PictureSizeError: If a picture is not of a size that the model takes.
    """
    pictures = [[_as_pil(image) for image in row] for row in images]
    texts = [chat_text(vlm, [prompt], len(row)) for prompt, row in zip(prompts, images, strict=True)]
    geometry = vlm.geometry
    check_pictures(geometry, images)
    batch = vlm.processor(
        text=texts,
        images=pictures if any(pictures) else None,
        padding=True,
        padding_side="left",  # on the right, padding would stand between question and answer
        add_special_tokens=False,  # the chat template has written them
        return_tensors="pt",
    )
    check_geometry(geometry, batch, images)
    return batch.to(vlm.model.device, dtype=vlm.model.dtype)


def chat_text(vlm: Vlm, said: Sequence[str], pictures: int) -> str:
    """A conversation as the model's chat template writes it.

    Args:
        vlm: The model.
        said: The texts of the user and the assistant in turn. If the last one is the user's, the assistant's turn is
            opened.
        pictures: The number of pictures before the first question.
    """
    messages: list[dict[str, Any]] = []
    for index, text in enumerate(said):
        shown = pictures if index == 0 else 0
        content = [*({"type": "image"} for _ in range(shown)), {"type": "text", "text": valid_unicode(text)}]
        messages.append({"role": _ROLES[index % 2], "content": content})
    return vlm.processor.apply_chat_template(messages, add_generation_prompt=len(said) % 2 == 1, tokenize=False)


def save_vlm(vlm: Vlm, folder: str | Path) -> None:
    """Save a model and its processor as a stock folder, which is either complete or has no configuration.

    A new folder appears in one step. In an existing folder, the files of the model are replaced, the configuration
    last, and other files stay.

    Args:
        vlm: The model. It must not be a peft model; ``toolkit.modeling.vlm.lora_targets.merge_adapters`` merges one.
        folder: The folder that the model is saved in.

    Raises:
        TypeError: If the model is a peft model.
    """
    if not isinstance(vlm.model, PreTrainedModel):
        raise TypeError(
            "a peft model saves its adapters alone: merge it first, by toolkit.modeling.vlm.lora_targets.merge_adapters"
        )
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _scratch_folder(target) as scratch:
        fresh = scratch / "model"
        vlm.model.save_pretrained(fresh)
        vlm.processor.save_pretrained(fresh)
        if target.exists():
            _replace_model(fresh, target)
        else:
            fresh.rename(target)


@contextmanager
def _scratch_folder(target: Path) -> Iterator[Path]:
    """A folder in ``target``, or beside it if it does not exist. What a killed process has left there is removed."""
    scratch = target / ".saving" if target.exists() else target.with_name(f".{target.name}.saving")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir()
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace_model(fresh: Path, target: Path) -> None:
    """Move the files of a saved model into an existing folder, the configuration last."""
    (target / CONFIG).unlink(missing_ok=True)
    for stale in target.glob(_WEIGHTS):
        stale.unlink()
    config = (fresh / CONFIG).rename(fresh.with_name(CONFIG))
    shutil.copytree(fresh, target, dirs_exist_ok=True, copy_function=os.replace)
    config.rename(target / CONFIG)
