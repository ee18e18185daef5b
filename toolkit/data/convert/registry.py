"""Which formats there are: the modules in ``toolkit/data/convert/formats``, by file name."""

import hashlib
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from toolkit.data.convert import formats
from toolkit.data.convert.base_format import About, Listing, Options, Row
from toolkit.data.convert.shared.workspace import Desk
from toolkit.errors import UserError, did_you_mean


class Format(Protocol):
    """The contract that the modules in ``toolkit/data/convert/formats`` keep."""

    ABOUT: About

    def items(self, source: Path, options: Options) -> Listing:
        """The pictures of SOURCE.

        Raises:
            UserError: If SOURCE is not this set at all; ``not_this_set`` makes the message.
        """

    def convert(self, item: Any, desk: Desk) -> Row:
        """The line of one picture.

        Raises:
            UserError: If a part of it is missing or damaged.
            Skipped: If it has no label.
        """


def format_names() -> list[str]:
    """Names of all formats."""
    return sorted(module.name for module in pkgutil.iter_modules(formats.__path__))


def get_format(name: str) -> Format:
    """The format of that name.

    Raises:
        UserError: If there is none.
    """
    if name not in format_names():
        raise UserError(f"unknown format {name!r}", remedy=did_you_mean(name, format_names()))
    return cast(Format, import_module(f"{formats.__name__}.{name}"))


def code_of(name: str) -> str:
    """A digest of the code that a format's lines come from: they are made anew when it changes."""
    home = Path(formats.__path__[0])
    files = [*sorted(home.parent.rglob("*.py")), home / f"{name}.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def describe_formats() -> str:
    """One line a format."""
    return "\n".join(f"{name:<14}{get_format(name).ABOUT.title}" for name in format_names())


def describe_format(name: str) -> str:
    """What is known of one set: where to get it, its terms, and the folders that are expected."""
    about = get_format(name).ABOUT
    lines = [
        about.title,
        f"  from         {about.home}",
        f"  licence      {about.license or 'yours to state: --license'}",
        f"  attribution  {about.attribution or 'yours to state: --attribution'}",
        f"  depth        {about.depth_type}",
        *([f"  --split      {', '.join(about.splits)}"] if about.splits else []),
        *([f"  --camera     {', '.join(about.cameras)}"] if about.cameras else []),
        "  SOURCE",
        *(f"    {line}" for line in about.layout.strip("\n").splitlines()),
    ]
    return "\n".join(lines)
