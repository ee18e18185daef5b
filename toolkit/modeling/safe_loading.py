"""Loading the files of a model from its folder as data, and clear errors if they cannot be loaded.

Python that a model brings never runs, and its pickles are not opened.
"""

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import UserError
from toolkit.foreign_text import one_line
from toolkit.modeling.vet_model import ADAPTER_CONFIG, CONFIG, DOWNLOAD_AGAIN, vet_config
from toolkit.utils.json import read_object

if TYPE_CHECKING:
    from transformers import PretrainedConfig  # imports torch, which takes seconds

_MAY_NAME_CODE = (CONFIG, "processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
"""The files of a model in which ``auto_map`` can name Python code."""

_SAFE_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors")

_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "adapter_model.bin")

_LONGEST_CAUSE = 300  # characters of what a library says

_PANIC = "PanicException"  # what Rust code raises at its own mistakes; it is no Exception

LOADING_OPTIONS: Mapping[str, Any] = {"trust_remote_code": False, "local_files_only": True}
"""The options with which transformers loads everything of a model: code that it brings never runs."""


def _check_folder(folder: Path) -> None:
    """Check that a folder holds a model with a plausible configuration."""
    if not folder.is_dir():
        raise UserError(
            f"{folder}: there is no such folder", remedy="give a model folder, or OWNER/NAME of a model on the hub"
        )
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


def load_config(folder: str | Path) -> "PretrainedConfig":
    """Load the configuration of a model, once it is known to be plausible.

    Args:
        folder: A model folder.

    Raises:
        UserError: If there is no such folder, or the configuration cannot be loaded.
    """
    from transformers import AutoConfig

    _check_folder(Path(folder))
    with clear_errors(folder, CONFIG):
        config: PretrainedConfig = AutoConfig.from_pretrained(str(folder), **LOADING_OPTIONS)
        return config


@contextmanager
def clear_errors(name: str | Path, what: str = "") -> Iterator[None]:
    """Turn whatever libraries raise while they read the files of a model, or use them first, into a UserError.

    These files can come from anywhere. transformers, tokenizers, peft and safetensors raise errors of any kind for
    values that they do not expect, often where they use a value, and not where they read it. So only calls of these
    libraries stand in such a block, and as little of the toolkit as possible: its own mistakes would be hidden.

    Args:
        name: The folder of the model that is loaded or used.
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
    cause = f"{what}: {_cause_of(error)}" if what else _cause_of(error)
    return UserError(problem, cause, f"{DOWNLOAD_AGAIN}; or give another folder")


def _cause_of(error: BaseException) -> str:
    """What a library says about a file, in one line without characters that a terminal would obey."""
    if isinstance(error, MemoryError):
        return "it states sizes for which there is not enough memory"
    text = " ".join(str(error).split())
    if not isinstance(error, OSError | ValueError) or not text:
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    return one_line(text, _LONGEST_CAUSE)


def _file_with_code(name: str | Path) -> str | None:
    """The file of a model that names Python code of the model's own; None if there is none."""
    for file in _MAY_NAME_CODE:
        try:
            settings = read_object(Path(name, file), "")
        except (OSError, UserError):
            continue  # whatever is wrong with it, it is not the code that it names
        if settings.get("auto_map"):
            return file
    return None


def _has_only_pickles(name: str | Path) -> bool:
    """Whether the weights of a model are there as pickles alone."""
    if any(Path(name, file).is_file() for file in _SAFE_WEIGHTS):
        return False
    return any(Path(name, file).is_file() for file in _PICKLES)


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
