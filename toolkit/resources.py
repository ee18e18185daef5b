"""Where the built-in tasks, templates and recipes lie: inside an installed package, or beside it in a checkout."""

from pathlib import Path
from typing import Literal


def folder(name: Literal["tasks", "templates", "recipes"]) -> Path:
    """The folder of that name."""
    package = Path(__file__).resolve().parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name
