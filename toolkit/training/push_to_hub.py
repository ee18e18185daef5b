"""Sending an exported checkpoint to the Hugging Face hub, and checking beforehand that the hub will take it."""

from collections.abc import Iterable
from dataclasses import dataclass
from glob import escape
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from toolkit.config.load import load_recipe
from toolkit.errors import UserError
from toolkit.modeling.checkpoint_contract import RECIPE, read_contract
from toolkit.modeling.fetch_model import is_repository
from toolkit.modeling.hub_errors import HUB_FAILURES, upload_error
from toolkit.training.export import RECORD, is_export
from toolkit.training.model_card import describe_base, restricted
from toolkit.utils.progress import err

_EARLIER = ("model*.safetensors*", "tasks/*", "evaluation/*")
"""What an earlier export may have left in a repository, and the new one lacks."""

_EMPTY = {".gitattributes", "README.md"}  # what a repository has that was just made on the hub's pages

_READ_ONLY = "read"  # the role of a token


@dataclass(frozen=True)
class HubTarget:
    """Where a checkpoint is sent.

    Attributes:
        repository: The repository, ``OWNER/NAME``.
        public: Whether everybody may see it.
        force: Whether the files of a repository may be replaced that this toolkit did not write.
    """

    repository: str
    public: bool = False
    force: bool = False

    @property
    def url(self) -> str:
        """The page of the repository."""
        return f"{constants.ENDPOINT}/{self.repository}"

    def check(self) -> None:
        """Check that the hub will take a checkpoint, before the work whose result is sent.

        Raises:
            UserError: If the name is malformed, if nobody is logged in or may not write there, or if the repository
                holds something else, or is seen by others than the user says.
        """
        if not is_repository(self.repository):
            raise UserError(
                f"--push-to-hub {self.repository}: this is no name of a repository", remedy="write OWNER/NAME"
            )
        try:
            self._check_token(HfApi().whoami())
            self._check_repository()
        except LocalTokenNotFoundError:
            raise UserError(
                f"--push-to-hub {self.repository}: nobody is logged in to the hub",
                remedy="log in (hf auth login), or set HF_TOKEN to a token that may write",
            ) from None
        except HUB_FAILURES as error:
            raise upload_error(self.repository, error) from error

    def _check_token(self, user: dict[str, Any]) -> None:
        """Check that the owner of a token, whom the hub describes, may write into the repository."""
        owner = self.repository.partition("/")[0]
        known = [user["name"], *(each["name"] for each in user.get("orgs", []))]
        if owner.lower() not in [name.lower() for name in known]:
            raise UserError(
                f"--push-to-hub {self.repository}: you may not write there",
                f"you are logged in as {user['name']}",
                f"write {' or '.join(f'{name}/NAME' for name in known)}",
            )
        role = user.get("auth", {}).get("accessToken", {}).get("role")
        if role == _READ_ONLY:
            raise UserError(
                f"--push-to-hub {self.repository}: your token may only read",
                remedy="make one that may write in the settings of your account, and log in with it: hf auth login",
            )

    def _check_repository(self) -> None:
        """Check that a repository does not exist yet, or was written by an export, and is seen by those it should."""
        try:
            about = HfApi().model_info(self.repository)
        except HfHubHTTPError as error:
            if error.response.status_code == HTTPStatus.NOT_FOUND:
                return
            raise
        if bool(about.private) == self.public:
            seen, option = ("private", "leave out --public") if about.private else ("public", "add --public")
            raise UserError(
                f"--push-to-hub {self.repository}: this repository is {seen}",
                "a push does not change who may see a repository",
                f"{option}; or change it at {self.url}/settings",
            )
        files = {each.rfilename for each in about.siblings or []}
        if self.force or files <= _EMPTY or (RECORD in files and self._is_export()):
            return
        raise UserError(
            f"--push-to-hub {self.repository}: this repository holds something that toolkit export did not write",
            remedy="choose another name, or replace its files with --force",
        )

    def _is_export(self) -> bool:
        """Whether an export of this toolkit wrote the repository."""
        with TemporaryDirectory() as scratch:
            return is_export(Path(HfApi().hf_hub_download(self.repository, RECORD, cache_dir=scratch)).parent)

    def push(self, folder: Path, files: Iterable[str]) -> str:
        """Send files of an exported checkpoint, in one commit.

        Args:
            folder: The folder of the checkpoint.
            files: The files, by their paths inside the folder. Others in it are not sent.

        Returns:
            The address of the repository's page.

        Raises:
            UserError: If the hub does not take them.
        """
        shown = not are_progress_bars_disabled()
        if not err.is_terminal:
            disable_progress_bars()
        try:
            HfApi().create_repo(self.repository, private=not self.public, exist_ok=True)
            HfApi().upload_folder(
                repo_id=self.repository,
                folder_path=folder,
                allow_patterns=[escape(file) for file in files],
                delete_patterns=list(_EARLIER),
                commit_message="Export by toolkit export",
            )
        except HUB_FAILURES as error:
            raise upload_error(self.repository, error) from error
        finally:
            if shown:
                enable_progress_bars()
        return self.url


def license_note(folder: Path) -> str:
    """What to think of before an exported checkpoint is shared: the licences that do not let everybody share.

    Args:
        folder: The folder of the checkpoint.

    Returns:
        A note; "" if all licences are known to let everybody use and share what they are for.
    """
    base = describe_base(load_recipe(folder / RECIPE))
    named = restricted([*read_contract(folder).get("data_licenses", ()), *([base.license] if base.id else ())])
    return f"make sure that you may share this model, by these licences: {'; '.join(named)}" if named else ""
