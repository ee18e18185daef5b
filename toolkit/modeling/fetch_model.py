"""Where the files of a model are: in a folder, in the toolkit, or on the Hugging Face hub, from which they are fetched.

Everything else that opens a model is given a folder.
"""

import re
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from toolkit.errors import UserError
from toolkit.utils.resources import TINY, model_folder

_HUB_ID = re.compile(r"(?P<repository>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>\w[\w./-]*))?", re.ASCII)

_SETTINGS = ("*.json", "*.yaml", "*.jinja", "*.txt", "*.model", "tasks/*")
"""The files of a model without its weights; those of a checkpoint of this toolkit among them."""

_WEIGHTS = ("*.safetensors",)


def is_hub_id(name: str | Path) -> bool:
    """Whether a name has the form of a repository on the hub, ``OWNER/NAME`` or ``OWNER/NAME@REVISION``.

    Where there is such a file or folder, the name means that, and not the hub.
    """
    return isinstance(name, str) and not Path(name).exists() and _HUB_ID.fullmatch(name) is not None


def fetch_model(name: str | Path, weights: bool = True) -> Path:
    """Find the folder with the files of a model. What is only on the hub is downloaded into the hub's cache first.

    Python files of the model are fetched, but nothing here runs them. Pickled weights are not fetched.

    Args:
        name: A folder; ``tiny``; or a repository on the hub, ``OWNER/NAME`` or ``OWNER/NAME@REVISION``.
        weights: Whether the weights are needed too.

    Returns:
        The folder. If ``name`` has not the form of a hub repository, it is not checked whether there is such a folder.

    Raises:
        UserError: If the hub does not give the files. It says what the hub said.
    """
    if name == TINY or not is_hub_id(name):
        return Path(model_folder(name))
    match = _HUB_ID.fullmatch(str(name))
    assert match is not None
    wanted = [*_SETTINGS, *(_WEIGHTS if weights else ())]
    try:
        return Path(snapshot_download(match["repository"], revision=match["revision"], allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise _hub_error(str(name), error) from error


def _hub_error(name: str, error: Exception) -> UserError:
    repository = name.partition("@")[0]
    by_hand = f"where there is a network: hf download {repository} --local-dir FOLDER; then give that folder"
    if isinstance(error, GatedRepoError):
        return UserError(
            f"{name}: the hub gives this model only to those who accepted its conditions",
            remedy=f"accept them at {constants.ENDPOINT}/{repository}, then log in: hf auth login",
        )
    if isinstance(error, RevisionNotFoundError):
        return UserError(f"{name}: the hub has no such revision of this model", remedy="leave out what follows the @")
    if isinstance(error, RepositoryNotFoundError):
        return UserError(
            f"{name}: there is no such folder, and the hub has no such model",
            remedy="check the name; if the model is private, log in first: hf auth login",
        )
    if constants.HF_HUB_OFFLINE:
        return UserError(
            f"{name}: there is no such folder, and this model has not been downloaded yet",
            "the hub is not asked, because HF_HUB_OFFLINE is set",
            f"unset HF_HUB_OFFLINE; or, {by_hand}",
        )
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return UserError(f"{name}: this model could not be downloaded", said, by_hand)
