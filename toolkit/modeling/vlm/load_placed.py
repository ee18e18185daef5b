"""Loading a model to ask it, where the user wants it, after it is known that the memory there suffices."""

import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from toolkit.errors import UserError
from toolkit.modeling.fetch_model import fetch_weights
from toolkit.modeling.placement import AUTO, Placement
from toolkit.modeling.safe_loading import load_config
from toolkit.modeling.vlm.architectures import architecture_of
from toolkit.modeling.vlm.memory import check_memory
from toolkit.modeling.vlm.vlm import Vlm, load_to_ask, load_vlm, stored_dtype

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig

_INSTALL = "pip install '3dqa-toolkit[quantize]'"


def load_placed(folder: str | Path, placement: Placement = Placement()) -> Vlm:
    """Load a model to ask it.

    Args:
        folder: The folder of the model.
        placement: Where its weights are put, and in which type.

    Raises:
        UserError: If this machine has no such device, if the weights do not fit into its memory, or if the model cannot
            be loaded (see ``toolkit.modeling.vlm.vlm.load_vlm``).
    """
    device = find_device(placement)
    shortened = quantization(folder, placement) if placement.quantize else None
    check_memory(fetch_weights(Path(folder)), placement, device)
    if placement.dtype == AUTO and shortened is None:
        return load_to_ask(folder, device)
    dtype = AUTO if placement.dtype == AUTO else getattr(torch, placement.dtype)
    return load_vlm(folder, dtype=dtype, device=device, quantization=shortened)


def find_device(placement: Placement) -> torch.device:
    """The device of this machine that a placement means.

    Raises:
        UserError: If this machine does not have it, or it cannot do what is wanted.
    """
    name, _, number = placement.device.partition(":")
    if name == AUTO:
        name = "cuda" if torch.cuda.is_available() or placement.quantize else "cpu"
    if name == "mps" and not torch.backends.mps.is_available():
        raise UserError("--device mps: this machine has no GPU of Apple's", remedy="leave it out")
    if name != "cuda":
        return torch.device(name)
    if not torch.cuda.is_available():
        flag = f"--quantize {placement.quantize}" if placement.quantize else f"--device {placement.device}"
        raise UserError(
            f"{flag}: torch finds no GPU of CUDA on this machine",
            f"torch is {torch.__version__}; `toolkit env` and nvidia-smi show what there is",
            "leave it out to use the CPU, or install the driver and a torch with CUDA",
        )
    index, count = int(number) if number else torch.cuda.current_device(), torch.cuda.device_count()
    if index >= count:
        raise UserError(f"--device cuda:{index}: the last GPU of this machine is cuda:{count - 1}")
    return torch.device("cuda", index)


def quantization(folder: str | Path, placement: Placement) -> "BitsAndBytesConfig":
    """How bitsandbytes shortens the weights of a model.

    Only the linear layers of the language model are shortened. The vision tower and the projector are small beside it,
    and they see where a point lies.

    Raises:
        UserError: If bitsandbytes is not installed.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(f"--quantize {placement.quantize} needs bitsandbytes", remedy=_INSTALL)
    from transformers import BitsAndBytesConfig

    architecture = architecture_of(load_config(folder))
    kept = [f"(.*\\.)?{part}" for part in (architecture.vision, architecture.projector)]
    options: dict[str, Any] = {"llm_int8_skip_modules": [*kept, "lm_head"]}
    if placement.quantize == "8bit":
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # each layer would warn at each token
        return BitsAndBytesConfig(load_in_8bit=True, **options)
    dtype = stored_dtype(folder) if placement.dtype == AUTO else getattr(torch, placement.dtype)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        **options,
    )
