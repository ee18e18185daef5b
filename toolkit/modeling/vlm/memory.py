"""Whether the weights of a model fit into the memory of a device, from the headers of their files, before they load."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from toolkit.errors import UserError
from toolkit.foreign_text import one_line
from toolkit.modeling.bfloat16 import cpu_has_bfloat16
from toolkit.modeling.placement import AUTO, Placement
from toolkit.modeling.safe_loading import load_config
from toolkit.modeling.vet_model import DOWNLOAD_AGAIN
from toolkit.modeling.vlm.architectures import architecture_of
from toolkit.modeling.vlm.vlm import stored_dtype
from toolkit.utils.json import read_object
from toolkit.utils.progress import err, is_first_process

_GIGABYTE = 10**9

_TOLD_FROM = 4 * _GIGABYTE
"""What a model needs from which on it is told before it loads [bytes]."""

_ROOM = 0.1
"""The room that the pictures, the keys and the values of one question take, as a share of the weights."""

_WIDENING = 4
"""The most bytes that one byte of a file may take in memory; the room for a question is included."""

_FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
"""The size of the types that are cast when a model loads [bytes], as safetensors calls them."""

_OTHERS = {"I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2}
"""The size of types that stay as they are [bytes]; all that are not named have one byte."""

_SHORTENED = {"4bit": 0.52, "8bit": 1.0}
"""The size of a shortened weight [bytes]; in 4 bits with its scales (Dettmers et al., QLoRA, 2023, section 3)."""

_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True)
class StoredWeight:
    """A tensor in a file of weights.

    Attributes:
        name: Its name.
        shape: Its shape.
        dtype: Its type, as safetensors calls it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str


def check_memory(folder: str | Path, placement: Placement, device: torch.device) -> None:
    """Check that the weights of a model fit into the free memory of a device; if they are large, say so on stderr.

    Args:
        folder: The folder of the model.
        placement: The type that its weights get.
        device: The device.

    Raises:
        UserError: If they do not fit. It names what would make them fit, the best remedy first.
    """
    free = free_memory(device)
    if free is None or _is_small(Path(folder), free):
        return
    needed = needed_memory(folder, placement, device)
    if needed is None:
        return
    if needed > free:
        raise UserError(
            f"{folder}: this model needs about {_gigabytes(needed)}, and {_gigabytes(free)} are free on {device}",
            f"its weights take {_gigabytes(needed / (1 + _ROOM))} there, and a question a tenth of that",
            "; or ".join(_remedies(folder, placement, device, free)),
        )
    if needed >= _TOLD_FROM and is_first_process():
        err.note(f"loading {one_line(folder)} needs about {_gigabytes(needed)} of {_gigabytes(free)} on {device}")


def _is_small(folder: Path, free: float) -> bool:
    """Whether the sizes of the files alone show that a model fits, and is not worth a word."""
    size = sum(file.stat().st_size for file in _weight_files(folder) if file.is_file())
    return size * _WIDENING < min(free, _TOLD_FROM)


def needed_memory(folder: str | Path, placement: Placement, device: torch.device) -> float | None:
    """The memory that a model needs to answer one question [bytes]; None if its files do not say it.

    Raises:
        UserError: If its configuration cannot be read, or its architecture is not supported.
    """
    weights = list(stored_weights(Path(folder)))
    if not weights:
        return None
    architecture = architecture_of(load_config(folder))
    wide = _itemsize(folder, placement, device)
    total = 0.0
    for weight in weights:
        size = float(wide) if weight.dtype in _FLOATS else float(_OTHERS.get(weight.dtype, 1))
        linear = len(weight.shape) == 2 and architecture.part(weight.name) == "language"
        if placement.quantize and weight.dtype in _FLOATS and linear and not _is_kept(weight.name):
            size = _SHORTENED[placement.quantize]
        total += prod(weight.shape) * size
    return total * (1 + _ROOM)


def _is_kept(name: str) -> bool:
    """Whether a weight is one of words, which are not shortened."""
    return "embed" in name or name.endswith("lm_head.weight")


def _itemsize(folder: str | Path, placement: Placement, device: torch.device) -> int:
    """The size of one weight once it is loaded [bytes]."""
    if placement.dtype != AUTO:
        return int(getattr(torch, placement.dtype).itemsize)
    stored = stored_dtype(folder)
    widened = device.type == "cpu" and stored == torch.bfloat16 and not cpu_has_bfloat16()
    return torch.float32.itemsize if widened else stored.itemsize


def stored_weights(folder: Path) -> Iterator[StoredWeight]:
    """Yield the weights of a model, from the headers of their files. Nothing of a damaged file is yielded."""
    for file in _weight_files(folder):
        try:
            with safe_open(file, "pt") as stored:
                parts = [(name, stored.get_slice(name)) for name in stored.keys()]  # noqa: SIM118
        except (OSError, SafetensorError):
            continue  # loading it says what is wrong
        yield from (StoredWeight(name, tuple(part.get_shape()), part.get_dtype()) for name, part in parts)


def _weight_files(folder: Path) -> list[Path]:
    """The files of a model's weights, as transformers chooses them."""
    if (folder / _WHOLE).is_file() or not (folder / _INDEX).is_file():
        return [folder / _WHOLE]
    places = read_object(folder / _INDEX, DOWNLOAD_AGAIN).get("weight_map")
    return sorted({folder / Path(str(name)).name for name in places.values()}) if isinstance(places, dict) else []


def free_memory(device: torch.device) -> float | None:
    """The memory of a device that a model may take [bytes]; None if the device does not tell."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    limits = [free for free in (_free_of_system(), _free_of_container()) if free is not None]
    return min(limits, default=None)


def _free_of_system() -> float | None:
    """The memory that programs may still take without swapping [bytes], as Linux estimates it; else all memory."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))) * 1024
    except (OSError, StopIteration):
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return None


def _free_of_container(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """The memory that is left to a container [bytes]; None if it has no limit of its own.

    Files that are kept in memory count as used, but give way: ``inactive_file`` of the Linux documentation on control
    groups, version 2.
    """
    try:
        most, used = (float((root / f"memory.{name}").read_text()) for name in ("max", "current"))
        kept = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such file, or "max"
        return None
    return max(0.0, most - used + float(kept.get("inactive_file", 0)))


def _remedies(folder: str | Path, placement: Placement, device: torch.device, free: float) -> Iterator[str]:
    """Yield what would make a model fit, the best remedy first."""
    tried: list[tuple[str, Placement, torch.device]] = []
    if device.type == "cuda":
        for bits in ("8bit", "4bit"):
            tried.append((f"--quantize {bits}", Placement(placement.device, AUTO, bits), device))
    if placement.dtype == "float32" or _itemsize(folder, placement, device) == torch.float32.itemsize:
        tried.append(("--dtype bfloat16", Placement(placement.device, "bfloat16"), device))
    if device.type != "cpu":
        tried.append(("--device cpu", Placement("cpu", placement.dtype), torch.device("cpu")))
    for flag, other, place in tried:
        room = free if place == device else free_memory(place)
        needed = needed_memory(folder, other, place)
        if needed is not None and room is not None and needed <= room:
            yield f"{flag} ({_gigabytes(needed)})" + (", which is slow" if place.type == "cpu" else "")
    yield "ask it on a larger machine, which serves it: --model openai:NAME@URL"


def _gigabytes(size: float) -> str:
    return f"{size / _GIGABYTE:.1f} GB"
