"""Versions."""

from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("3dqa-toolkit", "torch", "transformers", "trl", "peft", "datasets")


def versions() -> dict[str, str]:
    """Versions of this toolkit and of what it runs on."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
