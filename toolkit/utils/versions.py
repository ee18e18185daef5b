"""The versions of the toolkit and of the packages that affect its results."""

from importlib.metadata import PackageNotFoundError, version

TOOLKIT = "3dqa-toolkit"
"""The name of the toolkit's distribution."""

_PACKAGES = (TOOLKIT, "torch", "transformers", "trl", "peft", "datasets")


def versions() -> dict[str, str]:
    """The versions of the toolkit and of the packages that affect its results, by the name of the distribution."""
    return {package: version_of(package) for package in _PACKAGES}


def version_of(package: str) -> str:
    """The version of an installed distribution, or "not installed"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
