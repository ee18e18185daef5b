"""Which packages of the toolkit are missing on this machine, and how to bring them to one without a network."""

import platform
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from toolkit.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the checkout."""

_SAME = {"opencv-python": ("opencv-python", "opencv-python-headless", "opencv-contrib-python")}


def check_packages() -> None:
    """Check that the toolkit can run here.

    Raises:
        UserError: If packages are missing.
    """
    python = ".".join(platform.python_version_tuple()[:2])
    if missing := missing_packages():
        raise UserError(
            f"packages are missing: {', '.join(missing)}",
            remedy="install them. For a machine without a network, run on another one, in the same checkout: "
            f"bash benchmarks/gpu_parts/wheels.sh {python}",
        )


def missing_packages() -> list[str]:
    """The toolkit's requirements that the installed packages do not meet, each with the version that is here."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    missing = []
    for requirement in map(Requirement, project["dependencies"]):
        found = _version_of(requirement.name)
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            missing.append(f"{requirement} (here: {found or 'none'})")
    return missing


def _version_of(name: str) -> str | None:
    """The version of a package, or of one that contains the same modules; None if there is none."""
    for each in _SAME.get(name, (name,)):
        try:
            return version(each)
        except PackageNotFoundError:
            continue
    return None
