"""The benchmark of the method's claims: every variant a recipe, each trained once, intervals over seeds."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import ablations
from benchmarks.ablations import COMPARISONS
from tests.support.paths import ROOT
from tests.support.training import QUICK
from toolkit.config.build import make_plan
from toolkit.config.load import dump_recipe, load_recipe
from toolkit.geometry.canonical import Canvas

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_variant_of_an_ablation_is_a_recipe_of_its_own(name: str) -> None:
    recipes = [load_recipe(f"ablations/{name}", settings) for settings in COMPARISONS[name].values()]
    assert recipes[0] == load_recipe(f"ablations/{name}")
    assert len({dump_recipe(recipe) for recipe in recipes}) == len(COMPARISONS[name])
    plans = [make_plan(recipe, Canvas(square=96)) for recipe in recipes]
    asked = [plan.held_out["metric_depth"][0].query.views[0].frame.picture.name for plan in plans]
    assert len(set(asked)) == 1  # the same held-out rooms
    assert all(len(plan.held_out["metric_depth"]) == 400 for plan in plans)
    assert plans[-1].train[0].images[0].shape == (96, 96, 3)


def test_what_several_ablations_share_is_run_once(tmp_path: Path) -> None:
    runs = ablations.plan_runs(list(COMPARISONS), 3, tmp_path, [])
    every = [run for variants in runs.values() for each in variants.values() for run in each]
    assert len(every) == 3 * 13
    assert len({run.folder for run in every}) == 3 * 10
    for name, variant in (("tasks", 0), ("labels", 0)):
        assert list(runs[name].values())[variant] == runs["reference"]["a mark in the picture"]
    assert runs["questions"]["one question per picture"] == runs["reference"]["coordinates in the text"]
    assert ablations.plan_runs(["labels"], 3, tmp_path, []) == {"labels": runs["labels"]}
    with pytest.raises(ValueError, match="makes two variants of 'reference' the same"):
        ablations.plan_runs(["cameras"], 2, tmp_path, ["reference=text"])


def test_a_comparison_named_twice_is_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(ablations.Run, "train", lambda run, more: seen.append(run))
    monkeypatch.setattr(ablations, "to_text", lambda name, runs: f"{name}: {[len(each) for each in runs.values()]}")
    monkeypatch.setattr(sys, "argv", ["ablations.py", "cameras", "cameras", "--seeds", "2", "--output", str(tmp_path)])
    ablations.main()
    assert len(seen) == 4
    assert (tmp_path / "table.md").read_text() == "cameras: [2, 2]\n"


def test_ablations_are_trained_once_and_tabulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = ["sources.rooms.settings.rooms=20", "sources.rooms.held_out_rooms=5", "evaluation.max_new_tokens=4", *QUICK]
    words = [word for each in few for word in ("--set", each)]
    monkeypatch.setattr(sys, "argv", ["ablations.py", "cameras", "--seeds", "2", "--output", str(tmp_path), *words])
    monkeypatch.chdir(ROOT)
    ablations.main()
    written = (tmp_path / "table.md").read_text()
    assert [line.split(" | ")[0] for line in written.splitlines()[4:6]] == [
        f"| {variant}" for variant in COMPARISONS["cameras"]
    ]
    assert len(list(tmp_path.glob("cameras-*/toolkit.json"))) == 4
    monkeypatch.setattr(subprocess, "run", None)
    ablations.main()
    assert (tmp_path / "table.md").read_text() == written


def test_an_interval_over_seeds() -> None:
    mean, half = ablations.interval([0.4, 0.5, 0.6])
    assert mean == pytest.approx(0.5)
    assert half == pytest.approx(4.302653 * 0.1 / 3**0.5, rel=1e-6)
