"""Looking at the files of a model before transformers reads them: what is no JSON, or states sizes beyond all reason.

transformers takes the numbers in these files at their word: a model of a billion layers is built until memory ends.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from toolkit.errors import UserError, raise_all
from toolkit.utils.json import read_object

CONFIG = "config.json"
"""The name of the file that holds the configuration of a model."""

ADAPTER_CONFIG = "adapter_config.json"
"""The name of the file that holds the configuration of an adapter."""

DOWNLOAD_AGAIN = "save the model again, with its processor, or download it again from where it came"
"""The remedy for the damaged files of a model."""

_PROCESSOR = ("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json")

_OBJECTS = (
    *_PROCESSOR,
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.json",
    "vocab.json",
    "model.safetensors.index.json",
)
"""The files of a model that hold a JSON object each, where they are there at all."""

_BOUNDS = (
    (re.compile(r"^(num_hidden_layers|num_layers|n_layers?|depth|num_blocks)$"), 1000),
    (re.compile(r"patch_size|merge_size|multiple_of|num_channels"), 4096),
    (re.compile(r"image_size|picture_size|^height$|^width$"), 8192),
    (re.compile(r"_tokens$|tokens_per|seq_len"), 1 << 20),
    (re.compile(r""), (1 << 31) - 1),
)
"""The largest plausible number by the name of its key; the first name that fits counts."""

_COUNTS_OF_LAYERS = ("num_hidden_layers", "depth")

_NUMBERED = re.compile(r"\.(\d+)\.")


def vet_config(file: Path) -> None:
    """Check that the configuration of a model is a JSON object that names a type and states plausible sizes.

    Raises:
        UserError: If it does not. All numbers that are too large are named.
    """
    config = read_object(file, DOWNLOAD_AGAIN)
    if not isinstance(config.get("model_type"), str) or not config["model_type"]:
        raise UserError(f"{file}: it names no model_type", remedy="give the folder of a model")
    raise_all(f"{file}: these numbers cannot be right; {DOWNLOAD_AGAIN}", _faults_of_sizes(config))


def vet_fit(folder: Path, config: Any) -> None:
    """Check that the configuration of a vision-language model fits the weights beside it.

    transformers makes room for all weights that a configuration describes, and notices only then that they are not in
    the files. Widths and numbers of layers that a configuration leaves out have defaults, of large models.

    Args:
        folder: The folder of the model. Only the headers of its weights are read.
        config: The configuration, as transformers has read it.

    Raises:
        UserErrors: If the weights are others.
    """
    shapes = _stored_shapes(folder)
    if not shapes:
        return  # whatever is wrong with the files, transformers says it
    lengths = {length for shape in shapes.values() for length in shape}
    layers = max((int(index) + 1 for name in shapes for index in _NUMBERED.findall(name)), default=0)
    faults = []
    for key, part in (("text_config", config.get_text_config()), ("vision_config", config.vision_config)):
        width = getattr(part, "hidden_size", None)
        if isinstance(width, int) and width not in lengths:
            faults.append(UserError(f"{key}: hidden_size is {width}, but no weight beside it has this length"))
        for name in _COUNTS_OF_LAYERS:
            count = getattr(part, name, None)
            if isinstance(count, int) and count > layers:
                faults.append(UserError(f"{key}: {name} is {count}, but the weights beside it have {layers} layers"))
    raise_all(f"{folder / CONFIG}: it does not describe the weights beside it; {DOWNLOAD_AGAIN}", faults)


def vet_folder(folder: Path) -> None:
    """Check that the other JSON files of a model are objects, and that its processor states plausible sizes.

    Raises:
        UserError: If a file is damaged, or an adapter lies beside the model.
    """
    if (folder / ADAPTER_CONFIG).is_file():
        raise UserError(
            f"{folder / ADAPTER_CONFIG}: an adapter lies beside a whole model",
            "it is not clear whether its weights belong to the model",
            "merge it into the model, or move the adapter's files to another folder",
        )
    for name in _OBJECTS:
        if not (folder / name).exists():
            continue
        content = read_object(folder / name, DOWNLOAD_AGAIN)
        if name in _PROCESSOR:
            raise_all(f"{folder / name}: these numbers cannot be right; {DOWNLOAD_AGAIN}", _faults_of_sizes(content))


def _faults_of_sizes(content: Mapping[str, Any]) -> list[UserError]:
    """The numbers that are larger than anything plausible, or so far below zero; one error for each."""
    found = []
    for key, value in _numbers(content):
        bound = next(bound for name, bound in _BOUNDS if name.search(key.rpartition(".")[2]))
        if abs(value) > bound:
            text = str(value) if abs(value) < 10**12 else "a number of many digits"
            found.append(UserError(f"{key}: {text} is too large; {bound} is the largest plausible number"))
    return found


def _numbers(content: Any, key: str = "") -> Iterator[tuple[str, int]]:
    """All integers of a JSON value, each with its path of keys. Members of a list have the key of the list."""
    if isinstance(content, Mapping):
        for name, inner in content.items():
            yield from _numbers(inner, f"{key}.{name}" if key else name)
    elif isinstance(content, list):
        for inner in content:
            yield from _numbers(inner, key)
    elif isinstance(content, int) and not isinstance(content, bool):
        yield key, content


def _stored_shapes(folder: Path) -> dict[str, list[int]]:
    """The shapes of all weights of a model by name; empty if there are none, or a file of them is damaged."""
    shapes: dict[str, list[int]] = {}
    for file in folder.glob("model*.safetensors"):
        try:
            with safe_open(file, "pt") as weights:
                shapes |= {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118
        except (OSError, SafetensorError):
            return {}
    return shapes
