"""Where the files of a model are, in a folder or on the Hugging Face hub, and clear errors if they cannot be loaded.

A model is data: Python that it brings never runs, and its pickles are not opened.
"""

import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.errors import HTTPError
from huggingface_hub.utils import get_session

from toolkit.errors import UserError
from toolkit.modeling.vet_model import ADAPTER_CONFIG, CONFIG, DOWNLOAD_AGAIN, vet_config
from toolkit.utils.json import read_object

if TYPE_CHECKING:
    from transformers import PretrainedConfig  # imports torch, which takes seconds

_MAY_NAME_CODE = (CONFIG, "processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
"""The files of a model in which ``auto_map`` can name Python code."""

_SAFE_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors")

_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "adapter_model.bin")

_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")

_LONGEST_CAUSE = 300  # characters of what a library says

_PANIC = "PanicException"  # what Rust code raises at its own mistakes; it is no Exception

_HUB_PATIENCE = 5.0  # seconds until the hub counts as unreachable; transformers itself retries for longer


def loading_options(name: str | Path) -> dict[str, Any]:
    """The options with which everything of a model is loaded by transformers.

    Python code that the model brings never runs. The hub is not asked if the model is a folder, or if the hub cannot
    be reached.

    Args:
        name: A model folder, or the id of a repository on the hub.

    Raises:
        UserError: If ``name`` is neither of them.
    """
    return {"trust_remote_code": False, "local_files_only": _is_folder(name) or not _hub_answers()}


def _is_folder(name: str | Path) -> bool:
    """Whether ``name`` is a model folder; if it is not, it must be the id of a hub repository."""
    folder = Path(name)
    if folder.is_dir():
        _check_folder(folder)
        return True
    if folder.exists() or isinstance(name, Path) or not _HUB_ID.fullmatch(name):
        raise UserError(f"{name}: there is no such folder", remedy="give a model folder or a hub repository's id")
    return False


def _hub_answers() -> bool:
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=_HUB_PATIENCE)
    except HTTPError:
        return False
    return True


def _check_folder(folder: Path) -> None:
    if not (folder / CONFIG).is_file():
        if (folder / ADAPTER_CONFIG).is_file():
            raise UserError(
                f"{folder}: this is a LoRA adapter, not a model",
                "it holds what was learnt, without the model that it was learnt on",
                f"merge it first: toolkit export {folder} MERGED_FOLDER",
            )
        raise UserError(
            f"{folder}: there is no {CONFIG} in this folder",
            "a model folder holds the configuration, the weights and the processor's files",
            "give the folder that was passed to save_pretrained or to toolkit train --output",
        )
    vet_config(folder / CONFIG)


def load_config(name: str | Path, options: Mapping[str, Any]) -> "PretrainedConfig":
    """Load the configuration of a model, once it is known to be plausible.

    Args:
        name: A model folder, or the id of a repository on the hub.
        options: What ``loading_options`` returns.

    Raises:
        UserError: If it cannot be loaded.
    """
    from transformers import AutoConfig
    from transformers.utils import cached_file

    with clear_errors(name, CONFIG):
        if not Path(name).is_dir():
            vet_config(Path(str(cached_file(str(name), CONFIG, local_files_only=options["local_files_only"]))))
        config: PretrainedConfig = AutoConfig.from_pretrained(str(name), **options)
        return config


@contextmanager
def clear_errors(name: str | Path, what: str = "") -> Iterator[None]:
    """Turn whatever libraries raise while they read the files of a model, or use them first, into a UserError.

    These files can come from anywhere. transformers, tokenizers, peft and safetensors raise errors of any kind for
    values that they do not expect, often where they use a value, and not where they read it. So only calls of these
    libraries stand in such a block, and as little of the toolkit as possible: its own mistakes would be hidden.

    Args:
        name: The model that is loaded or used: a folder, or the id of a hub repository.
        what: The files that are read, for the error; "" if an error itself says it.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's, which says what to do on a GPU
            raise
        raise _loading_error(name, what, error) from error
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise _loading_error(name, what, error) from error


def _loading_error(name: str | Path, what: str, error: BaseException) -> UserError:
    problem = f"{name}: this model cannot be loaded"
    if isinstance(error, ValueError) and (file := _file_with_code(name)):
        return UserError(
            problem,
            f"it needs Python code of its own ({file} names it under auto_map), and code of models never runs here",
            "give a model that transformers itself knows; names of converted models often end in -hf",
        )
    if isinstance(error, pickle.UnpicklingError) or (isinstance(error, OSError) and _has_only_pickles(name)):
        return UserError(
            problem,
            "its weights are pickles (.bin), which can hold code; only weights in safetensors are loaded",
            "give a copy in safetensors; or, if you trust whoever made it, load it in Python by the from_pretrained of "
            "transformers, and save it by save_pretrained",
        )
    if Path(name).is_dir():
        remedy = f"{DOWNLOAD_AGAIN}; or give another folder"
    else:
        remedy = "check the id, the network and HF_HUB_OFFLINE, or give a model folder"
    return UserError(problem, f"{what}: {_cause_of(error)}" if what else _cause_of(error), remedy)


def _cause_of(error: BaseException) -> str:
    """What a library says about a file, in one line without characters that a terminal would obey."""
    if isinstance(error, MemoryError):
        return "it states sizes for which there is not enough memory"
    text = " ".join(str(error).split())
    if not isinstance(error, OSError | ValueError) or not text:
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return shown if len(shown) <= _LONGEST_CAUSE else f"{shown[:_LONGEST_CAUSE]} …"


def _stored_file(name: str | Path, file: str) -> Path | None:
    """A file of a model in its folder, or in the cache of what was downloaded from the hub; None if it is not there."""
    if Path(name).is_dir():
        path = Path(name, file)
        return path if path.is_file() else None
    cached = try_to_load_from_cache(str(name), file)
    return Path(cached) if isinstance(cached, str) else None


def _file_with_code(name: str | Path) -> str | None:
    """The file of a model that names Python code of the model's own; None if there is none."""
    for file in _MAY_NAME_CODE:
        path = _stored_file(name, file)
        try:
            settings = read_object(path, "") if path else {}
        except (OSError, UserError):
            continue  # whatever is wrong with it, it is not the code that it names
        if settings.get("auto_map"):
            return file
    return None


def _has_only_pickles(name: str | Path) -> bool:
    """Whether the weights of a model are there as pickles alone."""
    if any(_stored_file(name, file) for file in _SAFE_WEIGHTS):
        return False
    return any(_stored_file(name, file) for file in _PICKLES)


def check_weights(name: str | Path, report: Mapping[str, Any]) -> None:
    """Check that all weights of a model came from its files.

    Args:
        name: The model, as the user named it.
        report: The loading report of transformers, whose ``missing_keys`` are the weights that no file holds.

    Raises:
        UserError: If a weight did not come from the files.
    """
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(
            f"{name}: {len(missing)} of the model's weights are not in its files, such as {missing[0]}",
            "transformers would fill them with random numbers",
            "download or save the model again",
        )
