"""Imports point strictly downward."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = [
    {"__main__"},
    {"cli"},
    {"ask", "export", "measure", "preview", "validate"},
    {"train"},
    {"card", "estimate"},
    {"checkpoint", "sft", "evaluate"},
    {"collate"},
    {"predictors", "model"},
    {"tiny", "lora"},
    {"vlm"},
    {"hub"},
    {"families"},
    {"processors"},
    {"plan", "recipe_file"},
    {"recipe", "mixture", "routing", "audit"},
    {"sample", "audit.pose_scale", "audit.intrinsics"},
    {"registry", "audit.poses", "audit.focal", "audit.read"},
    {"audit.depth_type", "audit.scale", "audit.saturation", "audit.alignment"},
    {"audit.duplicates", "audit.sky", "audit.report"},
    {"audit.warp", "audit.planes", "audit.outline"},
    {"audit.shot"},
    {"audit.finding", "audit.statistics"},
    {"sources.rooms", "sources.manifest", "abstract_task"},
    {"sources.manifest_line"},
    {"sources.furniture"},
    {"sources.shading", "sources", "canonical", "marker", "templating"},
    {"sources.raycast", "query", "metrics", "sheet"},
    {"frame"},
    {"intrinsics"},
    {"camera", "answer"},
    {"numerals"},
    {"units", "storage", "progress", "resources", "reply"},
    {"errors"},
    {""},
]
HEIGHT = {name: -level for level, names in enumerate(LAYERS) for name in names}
TORCH = {"torch", "transformers", "trl", "peft", "datasets"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT / "toolkit").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


FILES = {module_name(path): path for path in (ROOT / "toolkit").rglob("*.py")}


def imports(path: Path) -> set[str]:
    """All modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name.removeprefix("toolkit.") in FILES else node.module for name in inner}
    return found


def test_every_module_has_a_layer() -> None:
    assert set(FILES) == set(HEIGHT)


@pytest.mark.parametrize("name", sorted(set(FILES) - {""}))
def test_imports_point_down(name: str) -> None:
    for other in imports(FILES[name]):
        if other == "toolkit" or not other.startswith("toolkit"):
            continue
        inner = other.removeprefix("toolkit.")
        assert HEIGHT[inner] < HEIGHT[name], f"{name} imports {inner}, which is not below it"


@pytest.mark.parametrize("name", sorted(set(FILES) - {""}))
def test_torch_lives_above_the_mixture(name: str) -> None:
    if HEIGHT[name] <= HEIGHT["plan"]:
        assert not {other.split(".")[0] for other in imports(FILES[name])} & TORCH


def test_tasks_import_only_the_contract_and_below() -> None:
    for path in (ROOT / "tasks").glob("*.py"):
        for other in imports(path):
            if other.startswith("toolkit."):
                assert HEIGHT[other.removeprefix("toolkit.")] <= HEIGHT["registry"], path.name


def test_nothing_imports_tasks_by_name() -> None:
    for path in FILES.values():
        assert not any(other.startswith(("tasks", "toolkit.tasks")) for other in imports(path))
