"""The recipes of the paper's protocol: their settings, what they say without data, and what they measure with it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.support.paths import REAL
from tests.support.walls import line, write_manifest
from toolkit.config.load import find_recipe, load_recipe, recipe_names
from toolkit.config.recipe import ManifestSource, Recipe
from toolkit.config.validate import validate
from toolkit.data.convert.registry import get_format
from toolkit.errors import UserError
from toolkit.evaluation.evaluate import EvaluationSetup, evaluate_recipe
from toolkit.evaluation.reports.report import Report
from toolkit.evaluation.sample_record import SampleRecord

pytestmark = pytest.mark.slow

SETS = ("argoverse2", "ddad", "eth3d", "ibims1", "nuscenes", "nyuv2", "scannetpp", "sunrgbd")
NAMES = (*SETS, "all")
TWO_METRES = EvaluationSetup("constant:2.0 m")
IBIMS1 = REAL / "ibims1" / "depthlm_format.jsonl"


def sources(recipe: Recipe) -> dict[str, ManifestSource]:
    return {name: source for name, source in recipe.sources.items() if isinstance(source, ManifestSource)}


def test_all_are_listed() -> None:
    assert {name for name in recipe_names() if name.startswith("protocol/")} == {f"protocol/{name}" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_the_papers_and_those_of_its_checkpoints(name: str) -> None:
    recipe, trained = load_recipe(f"protocol/{name}"), load_recipe("depthlm_qwen2_5_vl_3b")
    assert recipe.canonical.focal == trained.canonical.focal == 1000
    assert recipe.canonical.crop is None
    assert (recipe.marker, recipe.think, recipe.reference) == (trained.marker, trained.think, trained.reference)
    assert (recipe.marker.shape, recipe.marker.size) == ("arrow", 5)
    assert {task: share.weight for task, share in recipe.tasks.items()} == {"metric_depth": 1}
    assert list(recipe.sources) == [name] or (name == "all" and sorted(recipe.sources) == list(SETS))
    assert {(source.held_out, source.weight) for source in sources(recipe).values()} == {(1, 1)}
    assert recipe.evaluation.samples == 2000 * len(recipe.sources)


def test_the_recipe_for_all_asks_the_same_sets() -> None:
    singles = {name: load_recipe(f"protocol/{name}").sources[name] for name in SETS}
    assert load_recipe("protocol/all").sources == singles


@pytest.mark.parametrize("name", SETS)
def test_what_is_to_be_converted_can_be(name: str) -> None:
    form, *options = (sources(load_recipe(f"protocol/{name}"))[name].convert or "").split()
    assert form == name
    splits = get_format(name).INFO.splits
    assert not options or not splits or options[1] in splits


@pytest.mark.parametrize("name", NAMES)
def test_without_data_it_is_said_what_to_fetch_and_convert(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        evaluate_recipe(None, load_recipe(f"protocol/{name}"), TWO_METRES)
    said, written = str(caught.value), find_recipe(f"protocol/{name}").read_text()
    for each in SETS if name == "all" else [name]:
        assert f"{tmp_path}/data/{each}/manifest.jsonl: there is no such manifest" in said
        assert f"`toolkit data formats {each}`" in said
        (command,) = re.findall(rf"^# convert: +(toolkit data convert {each} SOURCE data/{each}.*)$", written, re.M)
        assert f"`{command}`" in said
        assert f"sources.{each}.path=MANIFEST" in said


def test_only_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_manifest(tmp_path, [line(0)])
    there = [f"sources.{name}.path={path}" for name in SETS if name not in ("ddad", "nyuv2")]
    with pytest.raises(UserError, match="2 faults") as caught:
        evaluate_recipe(None, load_recipe("protocol/all", [*there, "sources.ddad.path=my sets/ddad/manifest.jsonl"]))
    assert "toolkit data convert ddad SOURCE 'my sets/ddad' --split val" in str(caught.value)
    with pytest.raises(UserError, match="data/nyuv2") as caught:
        evaluate_recipe(None, load_recipe("protocol/all", [*there, "sources.ddad.weight=0"]))
    assert "ddad" not in str(caught.value)


def delta1(report: Report) -> float:
    (task,) = report.tasks
    return task.metrics["delta1"]


@pytest.mark.parametrize("name", NAMES)
def test_three_pictures_are_measured(name: str, tmp_path: Path) -> None:
    rows = [line(index, depth=[depth_z] * 35) for index, depth_z in enumerate([2.0, 1.0, 4.0])]
    paths = [
        f"sources.{each}.path={write_manifest(tmp_path, rows)}" for each in load_recipe(f"protocol/{name}").sources
    ]
    recipe = load_recipe(f"protocol/{name}", [*paths, f"evaluation.samples={24 if name == 'all' else 6}"])
    report = evaluate_recipe(None, recipe, TWO_METRES)
    # Distances are up to 1.22 times the depth_z: from 2.0 to 2.44 m, 1.0 to 1.22 m and 4.0 to 4.88 m.
    right = [record.images[0]["name"].endswith("0.png") for record in report.records]
    assert 0 < sum(right) < len(right)
    assert [record.scores["delta1"] for record in report.records] == right
    assert delta1(report) == pytest.approx(np.mean(right))
    assert {record.cameras[0][0] for record in report.records} == {1000}
    assert {size % 28 for record in report.records for size in record.cameras[0][4:]} == {0}
    if name == "all":
        check_sources(report, right)


def check_sources(report: Report, right: list[bool]) -> None:
    (task,) = report.tasks
    for source, (value, count) in task.sources.items():
        own = [good for good, record in zip(right, report.records, strict=True) if record.source == source]
        assert (value, count) == (pytest.approx(np.mean(own)), len(own))
    assert len(task.sources) > 4
    mean = np.mean([value for value, _ in task.sources.values()])
    assert f"mean of the sources {mean:.3f}" in report.to_markdown({})


def test_a_recipe_that_only_measures_can_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_manifest(tmp_path, [line(index) for index in range(3)])
    assert "pictures to measure on: 3" in validate(Path("protocol/eth3d"), [f"sources.eth3d.path={path}"])


def published() -> dict[str, dict[str, np.ndarray]]:
    """The published labels of each picture: pixels (N, 2), labels (N,) [m] and lengths (N,) of rays with z = 1."""
    found = {}
    for text in IBIMS1.read_text().splitlines():
        row = json.loads(text)
        fx, fy, cx, cy = row["intrinsics"][:4]
        pixels = np.array(row["pixel_coords"], dtype=float)
        lengths = np.sqrt(1 + ((pixels[:, 0] - cx) / fx) ** 2 + ((pixels[:, 1] - cy) / fy) ** 2)
        camera = np.array([fx, fy, cx, cy])
        found[row["image"]] = {"pixels": pixels, "labels": np.array(row["depth"]), "rays": lengths, "camera": camera}
    return found


def implied(record: SampleRecord, picture: Mapping[str, np.ndarray], reading: str) -> float:
    """The distance [m] that the label at a question's point implies, by the published file alone."""
    focal, _, cu, cv, _, _ = record.cameras[0]
    fx, fy, cx, cy = picture["camera"]
    u, v = record.points[0]["pixel"]
    original = np.array([(u - cu) / focal * fx + cx, (v - cv) / focal * fy + cy])
    apart = np.linalg.norm(picture["pixels"] - original, axis=1)
    assert apart.min() < 1e-3
    at = int(apart.argmin())
    return float(picture["labels"][at] * (picture["rays"][at] if reading == "z" else 1))


def share(distances: np.ndarray) -> float:
    return float(np.mean(np.maximum(distances / 2, 2 / distances) < 1.25))


@pytest.mark.skipif(not IBIMS1.is_file(), reason="iBims-1 is not on this machine")
@pytest.mark.parametrize(("reading", "of_all"), [("z", 0.2530), ("euclidean", 0.27225)])
def test_always_two_metres_on_ibims1_is_what_the_labels_imply(reading: str, of_all: float) -> None:
    pictures = published()
    lengths = [picture["rays"] if reading == "z" else 1 for picture in pictures.values()]
    everything = [picture["labels"] * rays for picture, rays in zip(pictures.values(), lengths, strict=True)]
    assert share(np.concatenate(everything)) == pytest.approx(of_all, abs=1e-6)
    words = [f"sources.ibims1.path={IBIMS1}", f"sources.ibims1.depth_type={reading}", "evaluation.samples=100"]
    report = evaluate_recipe(None, load_recipe("protocol/ibims1", words), TWO_METRES)
    distances = [implied(record, pictures[_name(record, pictures)], reading) for record in report.records]
    assert [record.truth for record in report.records] == pytest.approx(distances, abs=1e-6)
    assert delta1(report) == share(np.array(distances))


def _name(record: SampleRecord, pictures: Mapping[str, object]) -> str:
    return next(name for name in pictures if record.images[0]["name"].endswith(name))
