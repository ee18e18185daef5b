"""Which task files may run. Python that was downloaded, with a checkpoint or in a recipe, runs only with ``--trust``.

These files run without a question: those of the toolkit, those that the user names on the command line, and those whose
content the user has trusted before. The SHA-256 hashes of trusted contents are in a small file in the user's state
folder: ``$XDG_STATE_HOME/3dqa-toolkit/trusted.json``, by default in ``~/.local/state``. It also holds the folders of
sharded runs, since what these resume from can run code.
"""

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from toolkit.errors import UserError
from toolkit.foreign_text import one_line
from toolkit.utils.resources import TASKS

_LARGEST = 1 << 20  # bytes of one task file
_MOST = 100  # files that one recipe or checkpoint may have
_SCHEMA = 1


@dataclass(frozen=True)
class Consent:
    """What the user lets run.

    Attributes:
        named: Files that the user has named on the command line, as resolved paths.
        digests: The hashes of contents that may run, whatever the files are called.
        others: Whether all other files may run too, and are remembered.
    """

    named: frozenset[Path] = frozenset()
    digests: frozenset[str] = frozenset()
    others: bool = False


@dataclass(frozen=True)
class TaskFile:
    """A Python file, read once: what was checked is what runs.

    Attributes:
        path: The resolved path.
        source: The content.
    """

    path: Path
    source: bytes

    @property
    def digest(self) -> str:
        """The SHA-256 hash of the content, in hexadecimal digits."""
        return hashlib.sha256(self.source).hexdigest()


_consent: ContextVar[Consent] = ContextVar("_consent", default=Consent())  # noqa: B039 - a Consent is frozen


def let_run(named: Iterable[Path] = (), others: bool = False) -> None:
    """Say what may run in this process from now on; what was said before holds no more.

    Args:
        named: Files that the user names on the command line.
        others: Whether the user has passed ``--trust``.
    """
    _consent.set(Consent(frozenset(map(resolved, named)), others=others))


def name_files(paths: Iterable[Path]) -> None:
    """Let files run in this process that the user names on the command line, beside those named before."""
    consent = _consent.get()
    _consent.set(replace(consent, named=consent.named | set(map(resolved, paths))))


@contextmanager
def trusting(others: bool) -> Iterator[None]:
    """Let all task files run, or only trusted ones, until the end of a block."""
    with _consenting(replace(_consent.get(), others=others)):
        yield


@contextmanager
def trusting_content(digest: str) -> Iterator[None]:
    """Let a file with this SHA-256 hash run until the end of a block, and no other."""
    with _consenting(Consent(digests=frozenset({digest}))):
        yield


@contextmanager
def _consenting(consent: Consent) -> Iterator[None]:
    token = _consent.set(consent)
    try:
        yield
    finally:
        _consent.reset(token)


def resolved(path: Path) -> Path:
    """The absolute path of a file, with all symbolic links followed. Unlike ``Path.resolve``, it takes link loops."""
    return Path(os.path.realpath(path))


def read_trusted(paths: Sequence[Path]) -> list[TaskFile]:
    """Read task files, and check that all of them may run.

    Raises:
        UserError: If a file cannot be read, is too large, or is not trusted. All that are not trusted are named.
    """
    if len(paths) > _MOST:
        raise UserError(f"{len(paths)} task files are included", remedy=f"include at most {_MOST}")
    files = [_read(resolved(path)) for path in paths]
    consent = _consent.get()
    asked = [file for file in files if not _is_users(file, consent)]
    if asked and consent.others:
        remember(asked)
    elif asked:
        _check_remembered(asked)
    return files


def _read(path: Path) -> TaskFile:
    if not path.is_file() or path.suffix != ".py":
        raise UserError(f"{path}: there is no such Python file", remedy="give --include the task's .py file")
    try:
        with path.open("rb") as file:
            source = file.read(_LARGEST + 1)
    except OSError as error:
        raise UserError(f"{path}: the file cannot be read", str(error.strerror)) from None
    if len(source) > _LARGEST:
        raise UserError(f"{path}: a task file has at most {_LARGEST:,} bytes", remedy="give the task's .py file")
    return TaskFile(path, source)


def _is_users(file: TaskFile, consent: Consent) -> bool:
    """Whether a file comes with the toolkit, or the user has named it in this call."""
    return file.path.parent == TASKS or file.path in consent.named or file.digest in consent.digests


def _check_remembered(files: Sequence[TaskFile]) -> None:
    """Check that the contents of files were trusted before.

    Raises:
        UserError: If some were not, or if the file that remembers them is damaged.
    """
    known = _remembered().sha256
    strange = [file for file in files if file.digest not in known]
    if not strange:
        return
    listed = [f"  {one_line(file.path)}, {len(file.source):,} bytes" for file in strange]
    raise UserError(
        "\n".join(["Python code is not trusted, and nothing of it has run:", *listed]),
        cause="it came with a checkpoint or is included by a recipe, and could do anything on this machine",
        remedy=f"read it: less {shlex.join(one_line(file.path) for file in strange)}; then give the same command with "
        "--trust (in Python: trust=True), which is remembered until the code changes",
    )


def remember(files: Sequence[TaskFile]) -> None:
    """Trust the contents of files from now on. If that cannot be written down, a note says so."""
    from toolkit.utils.progress import is_first_process

    if is_first_process():
        _write_down(sha256={file.digest: str(file.path) for file in files})


def remember_run(folder: Path) -> None:
    """Trust the pickles of a sharded run that this machine writes. If that cannot be written down, a note says so."""
    _write_down(runs={str(resolved(folder)): ""})


def check_run(folder: Path) -> None:
    """Check that this machine has written a sharded run, or that the user trusts it.

    Raises:
        UserError: If neither is so.
    """
    if not _consent.get().others and str(resolved(folder)) not in _remembered().runs:
        raise UserError(
            f"{folder}: it is not known that this sharded run was written on this machine",
            cause="what sharded runs resume from are pickles, which can run code",
            remedy="if you have trained it yourself, give the same command with --trust",
        )


@dataclass(frozen=True)
class _Memory:
    """What is trusted, as the file in the user's state folder holds it.

    Attributes:
        sha256: The hashes of contents, each with the path at which it was trusted first.
        runs: The folders of sharded runs, each with an empty text.
    """

    sha256: dict[str, str] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)


def _write_down(**fresh: dict[str, str]) -> None:
    """Add to what is trusted. If that is impossible, a note says so."""
    from toolkit.utils.files import write_text
    from toolkit.utils.progress import err

    try:
        known = asdict(_remembered())
        if all(fresh[key].keys() <= known[key].keys() for key in fresh):
            return
        path = _state_file()
        if path is None:
            raise UserError("there is no folder for it", "neither HOME nor XDG_STATE_HOME is set")
        more = {key: known[key] | {**values, **known[key]} for key, values in fresh.items()}
        write_text(path, json.dumps({"schema": _SCHEMA, **known, **more}, indent=2) + "\n")
    except UserError as error:
        err.note(f"what is trusted cannot be remembered: {error.problem}: {error.cause}")


def _remembered() -> _Memory:
    """What was trusted before; nothing if there is no such file.

    Raises:
        UserError: If the file is damaged.
    """
    path = _state_file()
    if path is None:
        return _Memory()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return _Memory()
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(content, dict) or content.get("schema") != _SCHEMA:
        raise _damaged(path, f"it does not hold schema {_SCHEMA}")
    parts = [content.get("sha256", {}), content.get("runs", {})]
    if not all(isinstance(part, dict) for part in parts):
        raise _damaged(path, "sha256 and runs must be mappings")
    return _Memory(*parts)


def _damaged(path: Path, cause: str) -> UserError:
    remedy = "delete it, or set XDG_STATE_HOME to another folder; then pass --trust"
    return UserError(f"{path}: what is trusted cannot be read", cause, remedy)


def _state_file() -> Path | None:
    """The file with the hashes; None if this machine has no home folder.

    A relative ``XDG_STATE_HOME`` does not count, as the XDG Base Directory Specification wants it: it could lead into a
    folder that was downloaded.
    """
    stated = os.environ.get("XDG_STATE_HOME", "")
    home = Path(stated) if os.path.isabs(stated) else Path(os.path.expanduser("~"), ".local", "state")
    return home / "3dqa-toolkit" / "trusted.json" if home.is_absolute() else None
