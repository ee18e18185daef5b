"""Tokenizers with the real vocabularies of model families, from wheels that bring them (group ``vocabularies``)."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

_INSTALL = "it needs the dependency group `vocabularies`, see CONTRIBUTING.md"

QWEN3_SPECIALS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>"),
)
QWEN3_MORE = (
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
    *("<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>"),
)
"""Added tokens of Qwen3 that are text: decoding keeps them."""

_QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _wheel_file(package: str, file: str) -> Path:
    """A file of an installed package, which is not imported."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed: {_INSTALL}")
    return Path(spec.origin).parent / file


def tekken_file() -> Path:
    """The file of Pixtral's vocabulary."""
    return _wheel_file("mistral_common", "data/tekken_240911.json")


@cache
def pixtral_tokenizer() -> PreTrainedTokenizerFast:
    """Pixtral's tokenizer, with the chat template that mistral-common writes for it."""
    path = tekken_file()
    pytest.importorskip("mistral_common.tokens.tokenizers.mistral", reason=_INSTALL, exc_type=ImportError)
    from transformers.integrations.mistral import convert_tekken_tokenizer

    tokenizer: PreTrainedTokenizerFast = convert_tekken_tokenizer(str(path))
    return tokenizer


def qwen3_encoding() -> Any:
    """Qwen3's vocabulary in tiktoken, which knows nothing of transformers."""
    path = _wheel_file("dashscope", "resources/qwen.tiktoken")
    tiktoken = pytest.importorskip("tiktoken", reason=_INSTALL)
    from tiktoken.load import load_tiktoken_bpe

    ranks = load_tiktoken_bpe(str(path))
    added = {token: len(ranks) + index for index, token in enumerate((*QWEN3_SPECIALS, *QWEN3_MORE))}
    return tiktoken.Encoding("qwen3", pat_str=_QWEN_PATTERN, mergeable_ranks=ranks, special_tokens=added)


@cache
def qwen3_tokenizer() -> PreTrainedTokenizerFast:
    """Qwen3's tokenizer, without a chat template."""
    path = _wheel_file("dashscope", "resources/qwen.tiktoken")
    pytest.importorskip("tiktoken", reason=_INSTALL)
    from transformers.convert_slow_tokenizer import TikTokenConverter

    converted = TikTokenConverter(str(path), pattern=_QWEN_PATTERN, extra_special_tokens=QWEN3_SPECIALS).converted()
    converted.add_tokens(list(QWEN3_MORE))
    return PreTrainedTokenizerFast(
        tokenizer_object=converted,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        clean_up_tokenization_spaces=False,
    )
