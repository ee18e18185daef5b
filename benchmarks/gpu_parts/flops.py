"""How many floating-point operations the matrix products of Qwen2.5-VL take, counted from its configuration.

A weight costs two operations for each token that passes it forward, and four backward: 6 N per token (Kaplan et al.
2020, arXiv 2001.08361, section 2.1). Attention takes 4 L H Q T per token forward, for L layers, H heads of width Q and
T tokens (Chowdhery et al. 2022, arXiv 2204.02311, appendix B, which counts 12 L H Q T with the backward pass and does
not halve it for causal attention). Both are counted for patches in the vision tower and for tokens in the language
model. The output head counts for the tokens that carry loss, since no other token needs it. What gradient
checkpointing computes a second time does not count: the share of the peak is the model FLOPs utilisation (MFU).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_BY_TOKEN = 2  # operations per weight and token, forward
_PER_PAIR = 4  # operations per unit of width for each pair of tokens, forward: queries by keys, and weights by values


@dataclass(frozen=True)
class Flops:
    """Floating-point operations by part of the model.

    Attributes:
        vision: The vision tower, with the layer that embeds patches and the one that merges them.
        language: The layers of the language model.
        head: The output head.
    """

    vision: float
    language: float
    head: float

    @property
    def total(self) -> float:
        """The sum of all parts."""
        return self.vision + self.language + self.head


def language_layer_weights(text: Any) -> int:
    """The number of weights in the matrices of one language layer.

    Args:
        text: The configuration of the language model.
    """
    width = text.hidden_size
    head = width // text.num_attention_heads
    attention = 2 * width * width + 2 * width * head * text.num_key_value_heads
    return attention + 3 * width * text.intermediate_size


def vision_layer_weights(vision: Any) -> int:
    """The number of weights in the matrices of one layer of the vision tower.

    Args:
        vision: The configuration of the vision tower.
    """
    return 4 * vision.hidden_size**2 + 3 * vision.hidden_size * vision.intermediate_size


def forward_flops(config: Any, lengths: Sequence[int], grids: Iterable[Sequence[int]], taught: int) -> Flops:
    """The operations of one forward pass.

    Args:
        config: The configuration of the model.
        lengths: The number of tokens of each sample, without padding.
        grids: The number of patches of each picture along time, height and width.
        taught: The number of tokens that carry loss.
    """
    text = config.text_config
    by_token = _BY_TOKEN * text.num_hidden_layers * language_layer_weights(text)
    by_pair = _PER_PAIR * text.num_hidden_layers * text.hidden_size
    return Flops(
        vision=sum(_picture_flops(config.vision_config, rows, columns) for _, rows, columns in grids),
        language=by_token * sum(lengths) + by_pair * sum(length**2 for length in lengths),
        head=_BY_TOKEN * text.hidden_size * text.vocab_size * taught,
    )


def _picture_flops(vision: Any, rows: int, columns: int) -> float:
    """The operations of the vision tower for a picture of ``rows`` x ``columns`` patches, forward."""
    patches, merged = rows * columns, vision.spatial_merge_size**2
    embedding = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2 * vision.hidden_size
    layers = vision.depth * vision_layer_weights(vision)
    merger = vision.hidden_size * merged * (vision.hidden_size * merged + vision.out_hidden_size) / merged
    whole = len(vision.fullatt_block_indexes)
    window = vision.window_size // vision.patch_size
    pairs = whole * patches**2 + (vision.depth - whole) * _squares(rows, window) * _squares(columns, window)
    return _BY_TOKEN * (embedding + layers + merger) * patches + _PER_PAIR * vision.hidden_size * pairs


def _squares(length: int, window: int) -> int:
    """The sum of the squared sizes of the windows along one side of ``length`` patches; the last may be smaller."""
    return length // window * window**2 + (length % window) ** 2


def training_flops(forward: Flops, lora: bool) -> Flops:
    """The operations of a forward and a backward pass.

    Full fine-tuning takes three times the forward pass. With adapters on the language model, its own weights get no
    gradients, which saves a third of that, and the vision tower has no backward pass; the adapters do not count.

    Args:
        forward: The operations of the forward pass.
        lora: Whether only adapters on the language model are trained.
    """
    vision, others = (1, 2) if lora else (3, 3)
    return Flops(vision * forward.vision, others * forward.language, others * forward.head)
