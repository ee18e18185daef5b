"""Where the files of a model are, in a folder or on the Hugging Face hub, and clear errors if they are missing."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import constants
from huggingface_hub.errors import HTTPError
from huggingface_hub.utils import get_session
from safetensors import SafetensorError

from toolkit.errors import UserError

CONFIG = "config.json"

_ADAPTER = "adapter_config.json"

_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")

_HUB_PATIENCE = 5.0  # seconds until the hub counts as unreachable; transformers itself retries for longer


def only_local(name: str | Path) -> bool:
    """Whether a model must be loaded without the hub, because it is a folder or the hub cannot be reached.

    Args:
        name: A model folder, or the id of a repository on the hub.

    Raises:
        UserError: If ``name`` is neither of them.
    """
    return _is_folder(name) or not _hub_answers()


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
    configuration that it does not know. Weights that are cut short raise SafetensorError.

    Args:
        name: The model that is loaded: a folder, or the id of a hub repository.
    """
    try:
        yield
    except (OSError, ValueError, SafetensorError) as error:
        cause = str(error).strip().splitlines()[0]
        if Path(name).is_dir():
            remedy = "save the model again, with its processor, or give another folder"
        else:
            remedy = "check the id, the network and HF_HUB_OFFLINE, or give a model folder"
        raise UserError(f"{name}: this model cannot be loaded", cause, remedy) from error


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
