"""Logits of the tokens that carry loss alone. Those of images, questions and padding would be computed for nothing.

TRL's fused head leaves them out itself on GPUs with Triton. Elsewhere it scores every token, because some accelerators
compile anew for each number of tokens. CPUs do not, and with a vocabulary of 150,000 most of a step would be logits.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import is_triton_available

from toolkit.training.collator import IGNORED


def trl_selects_rows(device: torch.device) -> bool:
    """Whether TRL's fused head itself scores only the tokens that carry loss on this device."""
    return device.type == "cuda" and is_triton_available()


@contextmanager
def select_labelled_rows(model: PreTrainedModel, inputs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Let the model's head see only the tokens that predict a label, for as long as the context lasts.

    The backbone reads all tokens as before. Of its last hidden states, those before a label go on to the head. All
    that makes logits of them (adapters, scaling, soft caps, sharded weights) stays TRL's own.

    Args:
        model: The model with TRL's fused head, not wrapped by peft or for several processes.
        inputs: The batch, with ``labels`` (batch, length).

    Yields:
        The batch with the labels of the chosen tokens as ``shift_labels`` (1, chosen) in place of ``labels``.
    """
    labels = inputs["labels"][:, 1:]
    chosen = labels != IGNORED

    def choose(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        states = output.last_hidden_state[:, :-1]
        output.last_hidden_state = states[chosen.to(states.device)].unsqueeze(0)
        return output

    hook = model.base_model.register_forward_hook(choose)
    try:
        rest = {name: value for name, value in inputs.items() if name != "labels"}
        yield {**rest, "shift_labels": labels[chosen].unsqueeze(0)}
    finally:
        hook.remove()
