"""A tiny vision-language model, built without any download, for examples, tests and first runs.

It is a standard LLaVA (SigLIP vision tower, Llama text model) with random weights. A saved one can therefore be loaded
with ``AutoModelForImageTextToText`` and ``AutoProcessor``, without this toolkit.
"""

from collections.abc import Iterable, Sequence
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

from toolkit.config.recipe import TinySettings
from toolkit.modeling.vlm.architectures import architecture_of, keep_sizes
from toolkit.modeling.vlm.vlm import Vlm

PAD, BOS, EOS, IMAGE = "<pad>", "<bos>", "<end>", "<image>"
ROLES = ("<user>", "<assistant>", "<system>")
SPECIAL_TOKENS = (PAD, BOS, EOS, *ROLES, IMAGE)

# A token is a word with the space before it, or else a single digit, punctuation mark or white-space character.
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

_HEADS, _INNER = 4, 256  # attention heads, and width of the feed-forward layers, of both towers
_LONGEST = 2048  # the highest number of tokens in a sequence, including image tokens
_INITIAL = 0.05  # standard deviation of the text model's random weights; narrow models need more than the usual 0.02


def build_tokenizer(texts: Iterable[str], special_tokens: Sequence[str] = SPECIAL_TOKENS) -> PreTrainedTokenizerFast:
    """Build a tokenizer with one token for each word of ``texts``, each digit and each punctuation mark.

    Any other text is spelt byte by byte, so decoding gives back exactly what was encoded.

    Args:
        texts: The texts whose words become tokens, each with a space before it and without.
        special_tokens: The tokens that are never split. They come first in the vocabulary.
    """
    words = sorted({piece for text in texts for piece in _words(text)})
    names = [*special_tokens, *sorted(pre_tokenizers.ByteLevel.alphabet()), *words]
    vocabulary = {name: index for index, name in enumerate(dict.fromkeys(names))}
    # Without merges, a piece is one token if it is in the vocabulary, and otherwise one token for each of its bytes.
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
    """Make what splits a text into pieces and spells them in the byte-level alphabet."""
    split = pre_tokenizers.Split(Regex(_PIECES), behavior="isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _words(text: str) -> set[str]:
    """The words of a text in the byte-level alphabet, each with a space before it and without."""
    space = "\u0120"  # how the byte-level alphabet writes a space
    bare = {piece.lstrip(space) for piece, _ in _splitter().pre_tokenize_str(text)} - {""}
    return {form for word in bare if len(word) > 1 or word in ascii_letters for form in (word, space + word)}


def build_tiny(settings: TinySettings, texts: Iterable[str], seed: int = 0) -> Vlm:
    """Build a tiny model with random weights. The same arguments give the same model.

    Args:
        settings: The sizes of the model.
        texts: The texts that the model will often read or write, such as rendered templates.
        seed: The seed of the random weights.
    """
    tokenizer = build_tokenizer(texts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(_model_config(settings, tokenizer))
    model.generation_config = GenerationConfig(
        do_sample=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    architecture = architecture_of(model.config)
    processor = _processor(settings, tokenizer)
    keep_sizes(processor, architecture, architecture.geometry(model.config))
    return Vlm(model.eval(), processor, architecture)


def _processor(settings: TinySettings, tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    side = {"height": settings.picture, "width": settings.picture}
    return LlavaProcessor(
        image_processor=SiglipImageProcessorPil(size=side),
        tokenizer=tokenizer,
        patch_size=settings.patch,
        vision_feature_select_strategy="full",
        image_token=IMAGE,
        chat_template=_CHAT_TEMPLATE,
    )


def _model_config(settings: TinySettings, tokenizer: PreTrainedTokenizerFast) -> LlavaConfig:
    return LlavaConfig(
        vision_config=_vision_config(settings),
        text_config=_text_config(settings, tokenizer),
        image_token_index=tokenizer.get_vocab()[IMAGE],
        image_seq_length=(settings.picture // settings.patch) ** 2,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )


def _vision_config(settings: TinySettings) -> SiglipVisionConfig:
    return SiglipVisionConfig(
        image_size=settings.picture,
        patch_size=settings.patch,
        hidden_size=settings.width,
        intermediate_size=_INNER,
        num_hidden_layers=settings.layers,
        num_attention_heads=_HEADS,
        vision_use_head=False,
    )


def _text_config(settings: TinySettings, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        intermediate_size=_INNER,
        num_hidden_layers=settings.layers,
        num_attention_heads=_HEADS,
        num_key_value_heads=_HEADS,
        max_position_embeddings=_LONGEST,
        tie_word_embeddings=True,
        initializer_range=_INITIAL,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
