"""A wheel holds all of the toolkit, in one import package."""

import tomllib

from tests.support.paths import ROOT

BESIDE = ("tasks", "templates", "recipes", "models", "contracts")
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_package_is_named() -> None:
    inside = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "toolkit").rglob("__init__.py")}
    assert set(SETUPTOOLS["packages"]) == inside | {f"toolkit.{name}" for name in BESIDE}
    for package in SETUPTOOLS["packages"]:
        assert package.split(".")[0] == "toolkit"


def test_folders_beside_the_package_are_mapped_into_it() -> None:
    for name in BESIDE:
        assert SETUPTOOLS["package-dir"][f"toolkit.{name}"] == name
        assert (ROOT / name).is_dir()


def test_tested_versions_are_pinned() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    assert all("==" in pin for pin in pins)
    assert not any(pin.startswith("torchvision") for pin in pins)
    assert any(pin.startswith("torch==") for pin in pins)
