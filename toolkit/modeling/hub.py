"""Where the files of a model are, in a folder or on the Hugging Face hub, and clear errors if they cannot be loaded.

A model is data: Python that it brings never runs, and its pickles are not opened.
"""

import json
import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.errors import HTTPError
from huggingface_hub.utils import get_session
from safetensors import SafetensorError

from toolkit.errors import UserError

CONFIG = "config.json"

_ADAPTER = "adapter_config.json"

_MAY_NAME_CODE = (CONFIG, "processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
"""The files of a model in which ``auto_map`` can name Python code."""

_SAFE_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors")

_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "adapter_model.bin")

_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")

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
        if (folder / _ADAPTER).is_file():
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
    try:
        model_type = json.loads((folder / CONFIG).read_text(encoding="utf-8")).get("model_type")
    except ValueError as error:
        raise UserError(f"{folder / CONFIG}: this is not JSON", str(error), "save the model again") from error
    if not model_type:
        raise UserError(f"{folder / CONFIG}: it names no model_type", remedy="give the folder of a model")


@contextmanager
def clear_errors(name: str | Path) -> Iterator[None]:
    """Turn the errors that transformers raises about the files of a model into a UserError.

    transformers raises OSError for files that are missing, unreachable or unreadable, and ValueError for a
    configuration that it does not know or that needs Python code of the model's own. Weights that are cut short raise
    SafetensorError, and weights that are pickled code raise UnpicklingError.

    Args:
        name: The model that is loaded: a folder, or the id of a hub repository.
    """
    try:
        yield
    except (OSError, ValueError, SafetensorError, pickle.UnpicklingError) as error:
        raise _loading_error(name, error) from error


def _loading_error(name: str | Path, error: Exception) -> UserError:
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
        remedy = "save the model again, with its processor, or give another folder"
    else:
        remedy = "check the id, the network and HF_HUB_OFFLINE, or give a model folder"
    return UserError(problem, (str(error).strip().splitlines() or [type(error).__name__])[0], remedy)


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
            settings = json.loads(path.read_text(encoding="utf-8")) if path else {}
        except (OSError, ValueError, RecursionError):
            continue  # whatever is wrong with it, it is not the code that it names
        if isinstance(settings, dict) and settings.get("auto_map"):
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
