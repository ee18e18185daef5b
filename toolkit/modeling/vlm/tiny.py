"""A tiny vision-language model, built without any download: for examples, tests and first runs.

It is a standard LLaVA (SigLIP tower, Llama text model) with random weights, so a saved one loads through
``AutoModelForImageTextToText`` and ``AutoProcessor`` alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import ascii_letters

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipImageProcessorPil,
    SiglipVisionConfig,
)

from toolkit.modeling.vlm.architectures import family_of, keep_sizes
from toolkit.modeling.vlm.vlm import Vlm

PAD, BOS, EOS, IMAGE = "<pad>", "<bos>", "<end>", "<image>"


ROLES = ("<user>", "<assistant>", "<system>")


SPECIAL_TOKENS = (PAD, BOS, EOS, *ROLES, IMAGE)


# A word with the space before it; else one digit, one punctuation mark or one white space a token.
_PIECES = r" ?\p{L}+|\p{N}|[^\s\p{L}\p{N}]|\s"


_CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<' + message['role'] + '>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{{ eos_token }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"
)


@dataclass(frozen=True)
class TinyConfig:
    """Sizes of the tiny model.

    Attributes:
        image_size: Side of the square pictures it takes [px].
        patch_size: Side of a patch, which is one image token [px].
        width: Width of the vision tower and of the text model.
        vision_layers: Layers of the vision tower.
        text_layers: Layers of the text model.
        heads: Attention heads of both.
        inner: Width of the feed-forward layers of both.
        max_length: Longest sequence, image tokens included.
        init: Standard deviation of the text model's initial weights; narrow ones need more than 0.02.
        seed: Seed of the initial weights.
    """

    image_size: int = 96
    patch_size: int = 12
    width: int = 128
    vision_layers: int = 4
    text_layers: int = 4
    heads: int = 4
    inner: int = 256
    max_length: int = 2048
    init: float = 0.05
    seed: int = 0


def build_tokenizer(texts: Iterable[str], special_tokens: Sequence[str] = SPECIAL_TOKENS) -> PreTrainedTokenizerFast:
    """A tokenizer with one token for each word of ``texts``, each digit and each punctuation mark.

    Any other text is spelt byte by byte, so decoding gives back whatever was encoded.

    Args:
        texts: Whose words become tokens; each also with a space before it and without.
        special_tokens: Never split; they come first in the vocabulary.
    """
    words = sorted({piece for text in texts for piece in _words(text)})
    names = [*special_tokens, *sorted(pre_tokenizers.ByteLevel.alphabet()), *words]
    vocabulary = {name: index for index, name in enumerate(dict.fromkeys(names))}
    # Without merges, and with merges ignored, a piece is one token if the vocabulary has it, else its bytes.
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = _splitter()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(special_tokens))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        clean_up_tokenization_spaces=False,
        chat_template=_CHAT_TEMPLATE,
    )


def _splitter() -> pre_tokenizers.PreTokenizer:
    split = pre_tokenizers.Split(Regex(_PIECES), behavior="isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _words(text: str) -> set[str]:
    """The words of a text as the tokenizer spells them, each with a space before it and without."""
    space = "\u0120"  # how the byte-level alphabet writes a space
    bare = {piece.lstrip(space) for piece, _ in _splitter().pre_tokenize_str(text)} - {""}
    return {form for word in bare if len(word) > 1 or word in ascii_letters for form in (word, space + word)}


def build_tiny(config: TinyConfig, texts: Iterable[str]) -> Vlm:
    """A tiny model with random weights, the same for the same ``config`` and ``texts``.

    Args:
        config: Its sizes.
        texts: All texts that it will read or write often, such as the rendered templates.
    """
    tokenizer = build_tokenizer(texts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = LlavaForConditionalGeneration(_model_config(config, tokenizer))
    model.generation_config = GenerationConfig(
        do_sample=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    family = family_of(model.config)
    processor = _processor(config, tokenizer)
    keep_sizes(processor, family, family.geometry(model.config))
    return Vlm(model.eval(), processor, family)


def _processor(config: TinyConfig, tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    side = {"height": config.image_size, "width": config.image_size}
    return LlavaProcessor(
        image_processor=SiglipImageProcessorPil(size=side),
        tokenizer=tokenizer,
        patch_size=config.patch_size,
        vision_feature_select_strategy="full",
        image_token=IMAGE,
        chat_template=_CHAT_TEMPLATE,
    )


def _model_config(config: TinyConfig, tokenizer: PreTrainedTokenizerFast) -> LlavaConfig:
    return LlavaConfig(
        vision_config=_vision_config(config),
        text_config=_text_config(config, tokenizer),
        image_token_index=tokenizer.get_vocab()[IMAGE],
        image_seq_length=(config.image_size // config.patch_size) ** 2,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )


def _vision_config(config: TinyConfig) -> SiglipVisionConfig:
    return SiglipVisionConfig(
        image_size=config.image_size,
        patch_size=config.patch_size,
        hidden_size=config.width,
        intermediate_size=config.inner,
        num_hidden_layers=config.vision_layers,
        num_attention_heads=config.heads,
        vision_use_head=False,
    )


def _text_config(config: TinyConfig, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.width,
        intermediate_size=config.inner,
        num_hidden_layers=config.text_layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=config.max_length,
        tie_word_embeddings=True,
        initializer_range=config.init,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
