"""Which formats there are: the modules in ``toolkit/data/convert/formats``, by the names of their files."""

import hashlib
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from toolkit.data.convert import formats
from toolkit.data.convert.base_format import ConvertOptions, DatasetInfo, DatasetListing, ManifestRow
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError, did_you_mean


class DatasetFormat(Protocol):
    """The contract that the modules in ``toolkit/data/convert/formats`` keep."""

    INFO: DatasetInfo

    def items(self, source: Path, options: ConvertOptions) -> DatasetListing:
        """The pictures in SOURCE.

        Raises:
            UserError: If SOURCE is not this data set at all; ``not_this_set`` makes the message.
        """

    def convert(self, item: Any, workspace: Workspace) -> ManifestRow:
        """The manifest line of one picture.

        Raises:
            UserError: If one of its files is missing or damaged.
            Skipped: If it has no label.
        """


def format_names() -> list[str]:
    """The names of all formats, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(formats.__path__))


def get_format(name: str) -> DatasetFormat:
    """The format of that name.

    Raises:
        UserError: If there is none.
    """
    if name not in format_names():
        raise UserError(f"unknown format {name!r}", remedy=did_you_mean(name, format_names()))
    return cast(DatasetFormat, import_module(f"{formats.__name__}.{name}"))


def code_digest(name: str) -> str:
    """A digest of the code that makes a format's lines, so that they are made again when the code changes."""
    home = Path(formats.__path__[0])
    files = [*sorted(home.parent.rglob("*.py")), home / f"{name}.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def formats_to_text() -> str:
    """A list of all formats for people: name and title, one format a line."""
    return "\n".join(f"{name:<14}{get_format(name).INFO.title}" for name in format_names())
