"""Qwen2.5-VL made from its configuration alone, with random weights: the 3B model at its true size, or a small twin."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
)

from toolkit.modeling.vlm.architectures import architecture_of, keep_sizes
from toolkit.modeling.vlm.load_vlm import vocabulary
from toolkit.modeling.vlm.processors import Qwen2_5_VLProcessor
from toolkit.modeling.vlm.tiny import BOS, PAD, build_tokenizer
from toolkit.modeling.vlm.vlm import Vlm, save_vlm

PATCH = 14
"""The side of a patch [px]."""

_END = "<|im_end|>"
_CHAT_WORDS = "user assistant think"  # one token each, as in the published tokenizer
_TOKEN_IDS = {
    "image_token_id": "<|image_pad|>",
    "video_token_id": "<|video_pad|>",
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}
_CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class ModelSize:
    """The size of a Qwen2.5-VL.

    Attributes:
        vision: The settings of the vision tower, as in its configuration.
        text: The settings of the language model, as in its configuration.
    """

    vision: Mapping[str, Any]
    text: Mapping[str, Any]


REAL = ModelSize(
    vision={
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 2048,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
    },
    text={
        "vocab_size": 151936,
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128000,
        "rope_parameters": {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6},
    },
)
"""Qwen2.5-VL-3B (Bai et al. 2025, arXiv 2502.13923, table 1, and the configuration of the published checkpoint)."""

TWIN = ModelSize(
    vision={
        "depth": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_heads": 2,
        "out_hidden_size": 64,
        "window_size": 112,
        "fullatt_block_indexes": [1],
    },
    text={
        "vocab_size": 4096,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 4096,
        "rope_parameters": {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 1e6},
    },
)
"""The same architecture with two narrow layers in each part, for machines without a GPU."""


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Make a tokenizer with the special tokens of Qwen2.5-VL and the words of the toolkit's templates."""
    special = (PAD, BOS, "<|im_start|>", _END, *_TOKEN_IDS.values())
    plain = build_tokenizer([*vocabulary(), _CHAT_WORDS], special_tokens=special)
    return PreTrainedTokenizerFast(
        tokenizer_object=plain.backend_tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=_END,
        clean_up_tokenization_spaces=False,
    )


def make_config(size: ModelSize, tokenizer: PreTrainedTokenizerFast) -> Qwen2_5_VLConfig:
    """Make the configuration of a model of a size. The vocabulary of the model may be larger than the tokenizer's."""
    text = {
        **size.text,
        "tie_word_embeddings": True,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    ids = {key: tokenizer.convert_tokens_to_ids(token) for key, token in _TOKEN_IDS.items()}
    vision = {**size.vision, "patch_size": PATCH}
    return Qwen2_5_VLConfig(vision_config=vision, text_config=text, tie_word_embeddings=True, **ids)


def write_model(size: ModelSize, device: str, folder: Path) -> int:
    """Write a model with random bfloat16 weights and its processor, as a folder that recipes can name.

    Args:
        size: The size of the model.
        device: The device on which the weights are drawn.
        folder: The folder, which must not exist.

    Returns:
        The number of parameters.
    """
    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    with torch.device(device):
        model = Qwen2_5_VLForConditionalGeneration._from_config(make_config(size, tokenizer), dtype=torch.bfloat16)
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    processor = Qwen2_5_VLProcessor(Qwen2VLImageProcessorPil(patch_size=PATCH), tokenizer, chat_template=_CHAT_TEMPLATE)
    architecture = architecture_of(model.config)
    keep_sizes(processor, architecture, architecture.geometry(model.config))
    save_vlm(Vlm(model, processor, architecture), folder)
    return model.num_parameters()
