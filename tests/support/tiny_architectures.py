"""A tiny twin of each model architecture, built from its configuration alone, with the architecture's own chat form."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from transformers import GenerationConfig, PreTrainedTokenizerFast
from transformers.processing_utils import ProcessorMixin

from toolkit.modeling.vlm import processors
from toolkit.modeling.vlm.architectures import architecture_of, keep_sizes
from toolkit.modeling.vlm.tiny import BOS, EOS, PAD, build_tokenizer
from toolkit.modeling.vlm.vlm import Vlm

WORDS = ("How far is the red point and the blue one? It is 12.30 m away.", "User Assistant system user model")
WIDTH, HEADS, LAYERS, INNER, INIT = 32, 2, 2, 64, 0.1
HEAD_DIM = WIDTH // HEADS

_PARTS = (
    "{%% if message['content'] is string %%}{{ message['content'] }}{%% else %%}"
    "{%% for part in message['content'] %%}"
    "{%% if part['type'] == 'image' %%}%s{%% elif part['type'] == 'text' %%}{{ part['text'] }}{%% endif %%}"
    "{%% endfor %%}{%% endif %%}"
)


def _chatml(image: str) -> str:
    return (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
        + _PARTS % image
        + "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


_COLON = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}: "
    + _PARTS % "<image>"
    + "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
_INST = (
    "<bos>{% for message in messages %}{% if message['role'] == 'user' %}[INST]"
    + _PARTS % "[IMG]"
    + "[/INST]{% else %}"
    + _PARTS % ""
    + "<end>{% endif %}{% endfor %}"
)
_UPPER = (
    "{% for message in messages %}{% if message['role'] == 'user' %}USER: "
    + _PARTS % "<image>\n"
    + " {% else %}ASSISTANT: "
    + _PARTS % ""
    + "<end>{% endif %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
_TURNS = (
    "<bos>{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    + _PARTS % "<start_of_image>"
    + "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


@dataclass(frozen=True)
class Twin:
    """How to build one twin.

    Attributes:
        model: From the tokenizer and the square picture side [px].
        processor: From the tokenizer and the side.
        tokens: Special tokens of the architecture.
        template: Its chat template.
        end: The token that ends an answer.
        tail: What the template writes after it.
        lead: What the template writes before an answer.
        names: Attributes of the tokenizer, and their tokens.
    """

    model: Callable[[PreTrainedTokenizerFast, int], transformers.PreTrainedModel]
    processor: Callable[[PreTrainedTokenizerFast, int], ProcessorMixin]
    tokens: tuple[str, ...]
    template: str
    end: str
    tail: str = "\n"
    lead: str = ""
    names: tuple[tuple[str, str], ...] = ()


def _text(tokenizer: PreTrainedTokenizerFast, **more: Any) -> dict[str, Any]:
    return dict(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        head_dim=HEAD_DIM,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        initializer_range=INIT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **more,
    )


def _vision(**more: Any) -> dict[str, Any]:
    return {
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "initializer_range": INIT,
    } | more


def _qwen_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    names = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    return {key: tokenizer.convert_tokens_to_ids(token) for key, token in names.items()}


_MROPE = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}


def _qwen25(tokenizer: PreTrainedTokenizerFast, _: int) -> transformers.PreTrainedModel:
    vision = {
        "depth": LAYERS,
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_heads": HEADS,
        "patch_size": 14,
        "out_hidden_size": WIDTH,
        "window_size": 56,
        "fullatt_block_indexes": [1],
        "initializer_range": INIT,
    }
    text = _text(tokenizer, rope_parameters=_MROPE)
    config = transformers.Qwen2_5_VLConfig(
        vision_config=vision, text_config=text, tie_word_embeddings=True, **_qwen_ids(tokenizer)
    )
    return transformers.Qwen2_5_VLForConditionalGeneration(config)


def _qwen3(tokenizer: PreTrainedTokenizerFast, _: int) -> transformers.PreTrainedModel:
    vision = {
        "depth": LAYERS,
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_heads": HEADS,
        "patch_size": 16,
        "out_hidden_size": WIDTH,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0],
        "initializer_range": INIT,
    }
    text = _text(tokenizer, rope_parameters={**_MROPE, "mrope_interleaved": True})
    config = transformers.Qwen3VLConfig(
        vision_config=vision, text_config=text, tie_word_embeddings=True, **_qwen_ids(tokenizer)
    )
    return transformers.Qwen3VLForConditionalGeneration(config)


def _qwen_images(patch: int) -> transformers.Qwen2VLImageProcessorPil:
    return transformers.Qwen2VLImageProcessorPil(patch_size=patch)


def _idefics(
    config: type[transformers.PretrainedConfig], model: type[transformers.PreTrainedModel]
) -> Callable[[PreTrainedTokenizerFast, int], transformers.PreTrainedModel]:
    def build(tokenizer: PreTrainedTokenizerFast, side: int) -> transformers.PreTrainedModel:
        return model(
            config(
                vision_config=_vision(image_size=side, patch_size=8),
                text_config=_text(tokenizer, model_type="llama"),
                scale_factor=2,
                image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
                pad_token_id=tokenizer.pad_token_id,
                tie_word_embeddings=True,
            )
        )

    return build


def _idefics_tokens(side: int) -> int:
    return (side // 8 // 2) ** 2


def _llava(
    tower: str, token: str, strategy: str, **vision: Any
) -> Callable[[PreTrainedTokenizerFast, int], transformers.PreTrainedModel]:
    def build(tokenizer: PreTrainedTokenizerFast, side: int) -> transformers.PreTrainedModel:
        config = transformers.LlavaConfig(
            vision_config=_vision(model_type=tower, image_size=side, patch_size=16, **vision),
            text_config=_text(tokenizer, model_type="mistral"),
            image_token_index=tokenizer.convert_tokens_to_ids(token),
            vision_feature_select_strategy=strategy,
            vision_feature_layer=-1,
            tie_word_embeddings=True,
        )
        return transformers.LlavaForConditionalGeneration(config)

    return build


def _internvl(tokenizer: PreTrainedTokenizerFast, side: int) -> transformers.PreTrainedModel:
    config = transformers.InternVLConfig(
        vision_config=_vision(image_size=[side, side], patch_size=[8, 8]),
        text_config=_text(tokenizer, model_type="qwen2"),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=(side // 8 // 2) ** 2,
        tie_word_embeddings=True,
    )
    return transformers.InternVLForConditionalGeneration(config)


def _gemma3(tokenizer: PreTrainedTokenizerFast, side: int) -> transformers.PreTrainedModel:
    config = transformers.Gemma3Config(
        vision_config=_vision(image_size=side, patch_size=8, vision_use_head=False),
        text_config=_text(tokenizer, sliding_window=1024, query_pre_attn_scalar=HEAD_DIM),
        mm_tokens_per_image=(side // 16) ** 2,
        boi_token_index=tokenizer.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<end_of_image>"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
        tie_word_embeddings=True,
    )
    model = transformers.Gemma3ForConditionalGeneration(config)
    # Zero when built from a configuration, and then the pictures would not matter.
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=INIT)
    return model


def _square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


_QWEN_TOKENS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
_QWEN_CHAT = _chatml("<|vision_start|><|image_pad|><|vision_end|>")
_IDEFICS_TOKENS = (
    "<|im_start|>",
    "<end_of_utterance>",
    "<image>",
    "<fake_token_around_image>",
    "<global-img>",
    "<video>",
)

TWINS: dict[str, Twin] = {
    "Qwen2.5-VL": Twin(
        _qwen25,
        lambda tokenizer, _: processors.Qwen2_5_VLProcessor(_qwen_images(14), tokenizer),
        _QWEN_TOKENS,
        _QWEN_CHAT,
        "<|im_end|>",
    ),
    "Qwen3-VL": Twin(
        _qwen3,
        lambda tokenizer, _: processors.Qwen3VLProcessor(_qwen_images(16), tokenizer),
        _QWEN_TOKENS,
        _QWEN_CHAT,
        "<|im_end|>",
    ),
    "Idefics3": Twin(
        _idefics(transformers.Idefics3Config, transformers.Idefics3ForConditionalGeneration),
        lambda tokenizer, side: transformers.Idefics3Processor(
            transformers.Idefics3ImageProcessorPil(), tokenizer, image_seq_len=_idefics_tokens(side)
        ),
        _IDEFICS_TOKENS,
        _COLON,
        "<end_of_utterance>",
        lead=" ",
    ),
    "SmolVLM": Twin(
        _idefics(transformers.SmolVLMConfig, transformers.SmolVLMForConditionalGeneration),
        lambda tokenizer, side: processors.SmolVLMProcessor(
            transformers.SmolVLMImageProcessorPil(), tokenizer, image_seq_len=_idefics_tokens(side)
        ),
        _IDEFICS_TOKENS,
        _COLON,
        "<end_of_utterance>",
        lead=" ",
    ),
    "Pixtral": Twin(
        _llava("pixtral", "[IMG]", "full"),
        lambda tokenizer, _: processors.PixtralProcessor(transformers.PixtralImageProcessorPil(), tokenizer),
        ("[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]"),
        _INST,
        EOS,
        tail="",
    ),
    "LLaVA-SigLIP": Twin(
        _llava("siglip_vision_model", "<image>", "full", vision_use_head=False),
        lambda tokenizer, side: transformers.LlavaProcessor(
            transformers.SiglipImageProcessorPil(size=_square(side)), tokenizer, 16, "full"
        ),
        ("<image>",),
        _UPPER,
        EOS,
        tail="",
        lead=" ",
    ),
    "LLaVA-CLIP": Twin(
        _llava("clip_vision_model", "<image>", "default"),
        lambda tokenizer, side: transformers.LlavaProcessor(
            transformers.CLIPImageProcessorPil(), tokenizer, 16, "default", num_additional_image_tokens=1
        ),
        ("<image>",),
        _UPPER,
        EOS,
        tail="",
        lead=" ",
    ),
    "InternVL": Twin(
        _internvl,
        lambda tokenizer, side: processors.InternVLProcessor(
            transformers.GotOcr2ImageProcessorPil(size=_square(side)), tokenizer, (side // 8 // 2) ** 2
        ),
        ("<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>"),
        _chatml("<IMG_CONTEXT>\n"),
        "<|im_end|>",
        names=(
            ("start_image_token", "<img>"),
            ("end_image_token", "</img>"),
            ("context_image_token", "<IMG_CONTEXT>"),
            ("video_token", "<video>"),
        ),
    ),
    "Gemma3": Twin(
        _gemma3,
        lambda tokenizer, side: transformers.Gemma3Processor(
            transformers.Gemma3ImageProcessorPil(size=_square(side)),
            tokenizer,
            image_seq_length=(side // 16) ** 2,
        ),
        ("<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"),
        _TURNS,
        "<end_of_turn>",
        names=(
            ("boi_token", "<start_of_image>"),
            ("eoi_token", "<end_of_image>"),
            ("image_token", "<image_soft_token>"),
        ),
    ),
}


def build_twin(name: str, side: int = 64) -> Vlm:
    """The twin called ``name``; ``side`` [px] is the picture size of those that take squares."""
    twin = TWINS[name]
    plain = build_tokenizer(WORDS, special_tokens=(PAD, BOS, EOS, *twin.tokens))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain.backend_tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=twin.end,
        clean_up_tokenization_spaces=False,
        extra_special_tokens=dict(twin.names),
    )
    return twin_with(name, tokenizer, twin.template, side)


def twin_with(name: str, tokenizer: PreTrainedTokenizerFast, template: str, side: int = 64) -> Vlm:
    """The twin called ``name`` with a tokenizer and a chat template of its own."""
    twin = TWINS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = twin.model(tokenizer, side).eval()
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=False
    )
    processor = twin.processor(tokenizer, side)
    processor.chat_template = template
    architecture = architecture_of(model.config)
    keep_sizes(processor, architecture, architecture.geometry(model.config))
    return Vlm(model, processor, architecture)
