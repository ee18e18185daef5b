"""Imports point down the layers, and no two siblings import each other, directly or in a circle."""

import ast
from collections import defaultdict
from graphlib import TopologicalSorter

import pytest

from docs.draw_layers import DRAWING, LAYERS, drawing, imports, layer_of, module_files
from tests.support.paths import ROOT

ORDER = {layer: height for height, layer in enumerate(reversed(LAYERS))}
FILES = module_files()
EDGES = {name: {other for other in imports(path) if other in FILES} - {"toolkit"} for name, path in FILES.items()}
HEAVY = {"torch", "transformers", "trl", "peft", "datasets"}


def test_only_the_layers_stand_in_the_package() -> None:
    beside = {"", "__main__"}
    assert {layer_of(name) for name in FILES} - beside == set(LAYERS)


@pytest.mark.parametrize("name", sorted(set(FILES) - {"toolkit", "toolkit.__main__"}))
def test_imports_point_down(name: str) -> None:
    here = layer_of(name)
    for other in EDGES[name]:
        assert ORDER[layer_of(other)] <= ORDER[here], f"{name} imports {other}, which is above it"
        assert {layer_of(other), here} != {"inference", "evaluation"}, f"{name} imports {other}"


def test_no_siblings_import_each_other_in_a_circle() -> None:
    graphs: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, others in EDGES.items():
        for other in others:
            here, there = name.split("."), other.split(".")
            depth = next((at for at, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), None)
            if depth is not None:
                graphs[".".join(here[:depth])][here[depth]].add(there[depth])
    for graph in graphs.values():
        TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("name", sorted(name for name in FILES if ORDER.get(layer_of(name), 99) <= ORDER["config"]))
def test_nothing_below_the_models_needs_torch(name: str) -> None:
    assert not {other.split(".")[0] for other in imports(FILES[name])} & HEAVY


def test_tasks_import_what_a_question_is_and_what_lies_below() -> None:
    for path in (ROOT / "tasks").glob("*.py"):
        for other in imports(path):
            if other.startswith("toolkit."):
                assert ORDER[layer_of(other)] <= ORDER["qa"], path.name


def test_nothing_imports_tasks_by_name() -> None:
    for path in FILES.values():
        assert not any(other.startswith(("tasks", "toolkit.tasks")) for other in imports(path))


def test_no_two_modules_of_a_layer_have_one_name() -> None:
    named = defaultdict(list)
    for name, path in FILES.items():
        if path.stem != "__init__":
            named[layer_of(name), path.stem].append(name)
    assert not {where: names for where, names in named.items() if len(names) > 1}


def test_no_two_public_classes_have_one_name() -> None:
    defined = defaultdict(list)
    for name, path in FILES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                defined[node.name].append(name)
    assert not {name: modules for name, modules in defined.items() if len(modules) > 1}


def test_the_drawing_shows_the_imports_of_today() -> None:
    assert DRAWING.read_text(encoding="utf-8") == drawing(), "run: python docs/draw_layers.py"
