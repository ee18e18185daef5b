"""What the Hugging Face hub said when it did not give or take a model, as errors with a way out."""

import errno
from http import HTTPStatus

from huggingface_hub import constants
from huggingface_hub.errors import (
    DryRunError,
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RevisionNotFoundError,
    XetDownloadError,
)

from toolkit.errors import UserError
from toolkit.foreign_text import one_line

HUB_FAILURES = (HTTPError, OSError, ValueError, RuntimeError, XetDownloadError)
"""What huggingface_hub raises if the hub does not do what it is asked. A reply that is no JSON is a ValueError."""

_FULL = (errno.ENOSPC, errno.EDQUOT)

_HIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)  # the hub says the former of missing models, too

_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

_LOG_IN = "log in (hf auth login), or set HF_TOKEN"


def download_error(name: str, error: BaseException) -> UserError:
    """Why a model could not be fetched, and how to get it otherwise.

    Args:
        name: The model, ``OWNER/NAME`` or ``OWNER/NAME@REVISION``.
        error: What huggingface_hub raised.
    """
    repository, _, revision = name.partition("@")
    by_hand = f"hf download {repository}{f' --revision {revision}' if revision else ''} --local-dir FOLDER"
    elsewhere = f"fetch it by hand where there is a network: {by_hand}; then give that folder"
    error = _root(error)
    if isinstance(error, OfflineModeIsEnabled) or constants.HF_HUB_OFFLINE:
        return UserError(
            f"{name}: there is no such folder, and the model is not in the cache, or only a part of it",
            "the hub is not asked, because HF_HUB_OFFLINE is set",
            f"unset HF_HUB_OFFLINE; or {elsewhere}",
        )
    if isinstance(error, GatedRepoError):
        return UserError(
            f"{name}: the hub gives this model only to those who have accepted its conditions",
            reply_to_text(error),
            f"accept them at {constants.ENDPOINT}/{repository}, then {_LOG_IN}; or {by_hand}",
        )
    if isinstance(error, RevisionNotFoundError):
        return UserError(
            f"{name}: the hub has this model, but no such revision of it",
            reply_to_text(error),
            "give a branch, a tag or a whole commit hash behind the @, or leave it out",
        )
    if isinstance(error, HfHubHTTPError) and _status(error) in _HIDDEN:
        return UserError(
            f"{name}: there is no such folder, and the hub has no such model, or hides it from you",
            reply_to_text(error),
            f"check the name; if the model is private, {_LOG_IN}; or by hand: {by_hand}",
        )
    return _other_error(f"{name}: this model could not be downloaded", error, elsewhere)


def upload_error(name: str, error: BaseException) -> UserError:
    """Why a model could not be sent to the hub.

    Args:
        name: The repository, ``OWNER/NAME``.
        error: What huggingface_hub raised.
    """
    root = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
    problem = f"{name}: the hub did not take the model"
    if isinstance(root, OfflineModeIsEnabled):
        return UserError(problem, "HF_HUB_OFFLINE is set", "unset it, or export to a folder: toolkit export RUN FOLDER")
    by_hand = f"export to a folder, and send it by hand: hf upload {name} FOLDER"
    if isinstance(root, HfHubHTTPError) and _status(root) in _REFUSED:
        return UserError(problem, reply_to_text(root), f"{_LOG_IN} with a token that may write there")
    return _other_error(problem, root, by_hand)


def _root(error: BaseException) -> BaseException:
    """What lies behind an error that only says that nothing was found on this machine either."""
    wrapped = isinstance(error, LocalEntryNotFoundError | DryRunError)
    return error.__cause__ if wrapped and error.__cause__ is not None else error


def _other_error(problem: str, error: BaseException, by_hand: str) -> UserError:
    """An error that has nothing to do with one model: the hub, the network, the disk."""
    if isinstance(error, HfHubHTTPError):
        remedy = _LOG_IN if _status(error) in _REFUSED else "try again later"
        return UserError(problem, reply_to_text(error), f"{remedy}; or {by_hand}")
    if isinstance(error, HTTPError):
        said = f"{constants.ENDPOINT} cannot be reached: {_first_line(error)}"
        return UserError(problem, said, f"check the network, HF_ENDPOINT and proxies; or {by_hand}")
    if isinstance(error, OSError) and error.errno in _FULL:
        return UserError(problem, "the disk is full", f"make room in {constants.HF_HUB_CACHE}, or set HF_HOME")
    if isinstance(error, OSError) and error.errno and error.filename:
        said = f"{error.filename}: {error.strerror}"
        return UserError(problem, said, f"set HF_HOME to a folder that you may write to; or {by_hand}")
    return UserError(problem, _first_line(error), f"give the same command again; or {by_hand}")


def reply_to_text(error: HfHubHTTPError) -> str:
    """The hub's reply in one line: its status, and its own words if there are any."""
    said = error.server_message or error.response.headers.get("X-Error-Message") or ""
    words = f": {one_line(said.strip())}" if said.strip() else ""
    return f"{constants.ENDPOINT} answered {_status(error)} {error.response.reason_phrase}".rstrip() + words


def _status(error: HfHubHTTPError) -> int:
    return int(error.response.status_code)


def _first_line(error: BaseException) -> str:
    said = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return one_line(said)
