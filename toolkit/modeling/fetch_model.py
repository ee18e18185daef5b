"""Where the files of a model are: in a folder, in the toolkit, or on the Hugging Face hub, from which they are fetched.

Everything else that opens a model is given a folder. From the hub, the small files are fetched first: they say what the
model is and how it is asked. Its weights are fetched when they are loaded, so that whatever is wrong with the small
files is said before gigabytes are downloaded. A model is data: weights come as safetensors alone.
"""

import difflib
import hashlib
import re
import shutil
from collections.abc import Sequence
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import UserError
from toolkit.modeling.vet_model import CONFIG, DOWNLOAD_AGAIN
from toolkit.utils.files import write_bytes
from toolkit.utils.json import read_object
from toolkit.utils.progress import err, is_first_process
from toolkit.utils.resources import TINY, model_folder

if TYPE_CHECKING:
    from huggingface_hub import DryRunFileInfo

_HUB_ID = re.compile(r"(?P<repository>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>\w[\w./-]*))?", re.ASCII)

_RUNS = "runs"  # the folder in which toolkit train makes runs, unless it is told otherwise

_SMALL_FILES = (
    "*.json",
    "*.jinja",
    "*.txt",
    "*.model",
    "README.md",
    "recipe.yaml",
    "trained_on.npz",
    "tasks/*",
)
"""The files of a model without its weights; those of a checkpoint of this toolkit among them."""

_TASKS = "tasks/*.py"

_INDEX, _WEIGHTS, _SUFFIX = "model.safetensors.index.json", "model.safetensors", ".safetensors"

_PATIENCE = 10.0  # seconds until the hub counts as unreachable

_LISTED = 20  # files of a repository that an error names

_GIGABYTE = 1e9

_SHA256 = re.compile(r"[0-9a-f]{64}")

_found: dict[tuple[str, str, str], Path] = {}
"""The folder of each model that this process has looked for on the hub: all its files are then of one revision."""


def is_hub_id(name: str | Path) -> bool:
    """Whether a name has the form of a repository on the hub, ``OWNER/NAME`` or ``OWNER/NAME@REVISION``.

    Where there is such a file or folder, the name means that, and not the hub.
    """
    return isinstance(name, str) and _HUB_ID.fullmatch(name) is not None and not Path(name).exists()


def is_repository(name: str) -> bool:
    """Whether a text has the form ``OWNER/NAME``, without a revision."""
    return "@" not in name and _HUB_ID.fullmatch(name) is not None


def fetch_model(name: str | Path, weights: bool = True) -> Path:
    """Find the folder with the files of a model. What is only on the hub is downloaded into the hub's cache first.

    Python files of tasks are fetched, but nothing here runs them.

    Args:
        name: A folder; ``tiny``; or a repository on the hub, ``OWNER/NAME`` or ``OWNER/NAME@REVISION``.
        weights: Whether the weights are fetched too. Without them, ``load_vlm`` fetches them later.

    Returns:
        The folder. If ``name`` has not the form of a hub repository, it is not checked whether there is such a folder.

    Raises:
        UserError: If the hub does not give the files. It says what the hub said.
    """
    if name == TINY or not is_hub_id(name):
        return Path(model_folder(name))
    _check_no_run_is_meant(str(name))
    folder = _fetch_small_files(str(name))
    return fetch_weights(folder) if weights else folder


def hub_name(folder: Path) -> str | None:
    """The name of a model in the hub's cache, ``OWNER/NAME@COMMIT``; None for any other folder."""
    commit, snapshots = folder.name, folder.parent
    if snapshots.name != "snapshots" or not snapshots.parent.name.startswith("models--"):
        return None
    from huggingface_hub import constants

    if snapshots.parent.parent.resolve() != Path(constants.HF_HUB_CACHE).expanduser().resolve():
        return None
    return f"{snapshots.parent.name.removeprefix('models--').replace('--', '/')}@{commit}"


def fetch_weights(folder: Path) -> Path:
    """Fetch the weights of a model whose small files were fetched. Any other folder stays as it is.

    Of several processes, one downloads and shows its progress, and the others wait.

    Returns:
        The folder.

    Raises:
        UserError: If the model has no weights in safetensors, if they do not fit on the disk, or if the hub does not
            give them.
    """
    name = hub_name(folder)
    if name is None or not (folder / CONFIG).is_file() or not _missing_weights(folder):
        return folder
    from huggingface_hub.utils import WeakFileLock

    from toolkit.modeling.hub_errors import HUB_FAILURES, download_error

    repository = folder.parent.parent
    locks = repository.parent / ".locks" / repository.name  # where the hub's library has its own
    try:
        locks.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(locks / "weights.lock"):
            if missing := _missing_weights(folder):
                _download_weights(name, folder, missing)
    except HUB_FAILURES as error:
        raise download_error(name, error) from error
    return folder


def _check_no_run_is_meant(name: str) -> None:
    """Check that the name of a repository is not that of a folder which is misspelt or not there yet.

    Raises:
        UserError: If the part before the slash is a folder here, or the folder of runs.
    """
    parent = Path(name).parent
    if "@" in name or not (parent.is_dir() or parent.name == _RUNS):
        return
    beside = [f"{parent}/{path.name}" for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []
    close = " or ".join(difflib.get_close_matches(name, beside, n=3))
    remedy = f"did you mean {close}" if close else "train one: toolkit train recipes/depth_plus_distance.yaml"
    raise UserError(
        f"{name}: there is no such folder",
        f"{parent} is a folder of yours, so the hub was not asked" if parent.is_dir() else "the hub was not asked",
        f"{remedy}; for a model on the hub, write {name}@main",
    )


def _silent_bar() -> Any:
    """The class of progress bars that are not shown."""
    from huggingface_hub.utils import tqdm

    class SilentBar(tqdm):
        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **{**settings, "disable": True})

    return SilentBar


def _fetch_small_files(name: str) -> Path:
    """Fetch the files of a repository without its weights; the cache serves if the hub does not.

    Raises:
        UserError: If neither the hub nor the cache gives them.
    """
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import OfflineModeIsEnabled, RevisionNotFoundError

    from toolkit.modeling.hub_errors import HUB_FAILURES, download_error

    key = (constants.ENDPOINT, str(constants.HF_HUB_CACHE), name)
    if key in _found and _found[key].is_dir():
        return _found[key]
    repository, _, revision = name.partition("@")
    wanted: dict[str, Any] = {"repo_id": repository, "revision": revision or None, "allow_patterns": _SMALL_FILES}
    try:
        HfApi().model_info(repository, revision=revision or None, timeout=_PATIENCE)  # without it, nothing ends a wait
        folder = Path(snapshot_download(**wanted, tqdm_class=_silent_bar()))
    except HUB_FAILURES as error:
        fault = download_error(name, error)
        try:
            folder = Path(snapshot_download(**wanted, local_files_only=True))
        except HUB_FAILURES:
            raise fault from error
        if isinstance(error, RevisionNotFoundError):
            raise fault from error
        if not isinstance(error, OfflineModeIsEnabled) and is_first_process():
            err.note(f"{name}: its copy in the cache is used: {fault.cause or fault.problem}")
    _make_real(folder)
    _found[key] = folder
    return folder


def _make_real(folder: Path) -> None:
    """Put copies in place of the links to the task files, which stand under names of their own beside templates."""
    for link in folder.glob(_TASKS):
        if link.is_symlink():
            write_bytes(link, link.read_bytes())


def _missing_weights(folder: Path) -> list[str]:
    """The files of weights that a model has according to its index, and that are not in its folder yet.

    Raises:
        UserError: If the index is damaged.
    """
    names = [_WEIGHTS]
    if (folder / _INDEX).is_file() and not (folder / _WEIGHTS).is_file():
        places = read_object(folder / _INDEX, DOWNLOAD_AGAIN).get("weight_map")
        if not isinstance(places, dict):
            raise UserError(f"{folder / _INDEX}: it has no weight_map", remedy=DOWNLOAD_AGAIN)
        names = sorted({place for place in map(str, places.values()) if place.endswith(_SUFFIX)})
    return [name for name in names if not (folder / name).is_file()]


def _download_weights(name: str, folder: Path, missing: Sequence[str]) -> None:
    """Download files of weights, after a look at the disk, and check that they arrived as they were sent.

    They come one after another: of files that come side by side, the hub's library would end all before it obeys
    Control-C. Those that are complete stay.
    """
    from huggingface_hub import hf_hub_download, snapshot_download

    repository, _, commit = name.partition("@")
    wanted: dict[str, Any] = {"repo_id": repository, "revision": commit}
    names = [escape(file) for file in missing]
    planned = snapshot_download(**wanted, allow_patterns=names, dry_run=True, tqdm_class=_silent_bar())
    if len(planned) < len(missing):
        raise _no_weights_error(name, [file for file in missing if file not in {each.filename for each in planned}])
    _check_space(name, folder, planned)
    for file in missing:
        hf_hub_download(**wanted, filename=file)
        _check_content(name, folder / file)


def _no_weights_error(name: str, missing: Sequence[str]) -> UserError:
    from huggingface_hub import HfApi

    repository, _, commit = name.partition("@")
    files = HfApi().list_repo_files(repository, revision=commit)
    more = f", and {len(files) - _LISTED} more" if len(files) > _LISTED else ""
    return UserError(
        f"{name}: its repository has no {missing[0]}, and only weights in safetensors are loaded",
        f"pickles (.bin, .pt, .ckpt) can hold code; its files are {', '.join(files[:_LISTED])}{more}",
        "give a copy in safetensors; or, if you trust whoever made it, load it in Python by the from_pretrained of "
        "transformers, and save it by save_pretrained",
    )


def _check_space(name: str, folder: Path, planned: "Sequence[DryRunFileInfo]") -> None:
    """Check that what will be downloaded fits on the disk of the cache, as far as the hub says sizes."""
    needed = sum(each.file_size or 0 for each in planned if each.will_download)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{name}: its weights do not fit on the disk",
            f"{needed / _GIGABYTE:.1f} GB are needed in {folder.parent.parent}, and {free / _GIGABYTE:.1f} GB are free",
            "make room, or set HF_HOME to a folder on another disk",
        )


def _check_content(name: str, file: Path) -> None:
    """Check a large file in the cache, where its name is the SHA-256 hash that the hub states.

    Raises:
        UserError: If the content has another hash. The file is then deleted.
    """
    blob = file.resolve()
    if not _SHA256.fullmatch(blob.name):
        return
    with blob.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != blob.name:
        file.unlink()
        blob.unlink()
        raise UserError(
            f"{name}: {file.name} is not what the hub has: it was damaged on its way",
            f"its SHA-256 hash is {found}, and the hub states {blob.name}",
            f"give the same command again, which downloads it anew; or hf download {name.partition('@')[0]} "
            "--local-dir FOLDER, and give that folder",
        )
