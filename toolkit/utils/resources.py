"""The folders of the files that come with the toolkit: inside an installed package, or beside it in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def _folder(name: str) -> Path:
    """The folder of that name inside the package, or beside the package in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


TASKS, TEMPLATES, RECIPES, MODELS, CONTRACTS = (
    _folder(name) for name in ("tasks", "templates", "recipes", "models", "contracts")
)

TINY = "tiny"
"""The name of the model that comes with the toolkit."""


def model_folder(name: str | Path) -> str | Path:
    """The folder of the model that comes with the toolkit, if ``name`` is its name; otherwise ``name`` itself."""
    return MODELS / TINY if name == TINY else name
