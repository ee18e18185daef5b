"""Where what comes with the toolkit lies: inside an installed package, or beside it in a checkout."""

from pathlib import Path
from typing import Literal

TINY = "tiny"
"""Name of the model that comes with the toolkit."""


def folder(name: Literal["tasks", "templates", "recipes", "models"]) -> Path:
    """The folder of that name."""
    package = Path(__file__).resolve().parent.parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def model_folder(name: str | Path) -> str | Path:
    """Where the model of a name lies: the folder of the one that comes with the toolkit; other names and paths stay."""
    return folder("models") / TINY if name == TINY else name
