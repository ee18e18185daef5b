"""Imports point strictly downward."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = [
    {"__main__"},
    {"cli"},
    {"commands.cloud"},
    {"commands.ask", "commands.data"},
    {"commands.shared", "commands"},
    {"show"},
    {"cloud"},
    {"statistics_figure"},
    {"ask", "export", "preview", "validate", "statistics"},
    {"pointing"},
    {"answers"},
    {"train"},
    {"measure"},
    {"adoption", "card", "estimate", "monitor"},
    {"checkpoint", "sft", "evaluate"},
    {"compare", "rescore"},
    {"agreement", "report", "overlap"},
    {"figures"},
    {"analysis"},
    {"collate"},
    {"predictors", "model", "depth_predictor", "answers_file"},
    {"tiny", "lora", "generation"},
    {"vlm", "depth_model"},
    {"hub"},
    {"families", "depth_families"},
    {"processors"},
    {"mix", "splitting"},
    {"plan", "recipe_file"},
    {"audit"},
    {"recipe", "mixture", "routing"},
    {"record", "remote.predictor"},
    {"sample"},
    {"hints"},
    {"registry", "convert.run", "convert.overlay"},
    {"convert.joining"},
    {"convert.registry", "convert.job", "convert.parts"},
    {
        "convert.formats.argoverse2",
        "convert.formats.ddad",
        "convert.formats.folder",
        "convert.formats.ibims1",
        "convert.formats.kitti",
        "convert.formats.nuscenes",
        "convert.formats.waymo",
    },
    {"convert.waymo_lidar"},
    {
        "convert.formats.eth3d",
        "convert.formats.hm3d",
        "convert.formats.matterport3d",
        "convert.formats.scannetpp",
        "convert.formats.taskonomy",
    },
    {"convert.omnidata"},
    {"convert.formats.kitti_raw", "convert.formats.kitti_depth", "convert.formats.nyuv2"},
    {"convert.formats.tum_rgbd", "convert.formats.seven_scenes", "convert.formats.sunrgbd"},
    {"convert.dense", "convert.kitti_rig", "convert.splits", "convert.streams", "convert.thin_prism"},
    {"convert.desk", "convert.lidar", "convert.colmap", "convert.tables"},
    {"convert.depth_png", "convert.labels", "convert.poses", "convert.range_image", "convert.rolling_shutter"},
    {"convert.hdf5"},
    {"convert.hdf5_blocks"},
    {"convert.reading"},
    {"convert", "convert.formats"},
    {"audit.pose_scale", "audit.intrinsics"},
    {"audit.poses", "audit.focal", "audit.read"},
    {"audit.depth_type", "audit.scale", "audit.saturation", "audit.alignment"},
    {"audit.duplicates", "audit.sky", "audit.report"},
    {"audit.warp", "audit.planes", "audit.outline"},
    {"audit.shot"},
    {"audit.finding", "audit.statistics"},
    {"sources.rooms", "sources.shapes", "sources.manifest", "abstract_task", "wording"},
    {"sources.indexing"},
    {"sources.manifest_index", "sources.manifest_line"},
    {"sources.furniture"},
    {"sources.shading", "sources", "canonical", "marker", "templating", "bootstrap", "pointcloud", "depthpicture"},
    {"sources.raycast", "sources.ranges", "sources.overview", "query", "metrics", "sheet", "identity", "depthmap"},
    {"intrinsics", "adaptive"},
    {"pictures", "depth_spec"},
    {"frame", "metrics.motion", "value_map", "alignment", "prose", "plausible"},
    {"imagefile"},
    {"metrics.relative", "metrics.choice"},
    {"camera", "answer", "metrics.metric"},
    {"numerals", "metrics.weighted", "interval", "remote.client"},
    {"remote.faults"},
    {"remote.completion", "remote.unanswered"},
    {"remote", "remote.patience"},
    {"units", "storage", "progress", "shipped", "reply", "places", "objects"},
    {"resources"},
    {"spelling"},
    {"errors", "ordinary"},
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
