"""Saved steps: each file of one cut in half is told, nothing damaged is deleted, and the clock does not matter."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from toolkit.config.load import dump_recipe, load_recipe
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError
from toolkit.training.run_folder import find_start
from toolkit.training.saved_steps import begin_saving, remove_older, saved_step, set_damaged_aside

JSON = ("config.json", "tokenizer.json", "trainer_state.json")
WEIGHTS = ("model-1.safetensors", "model-2.safetensors", "adapter_model.safetensors")
INDEX = "model.safetensors.index.json"


@pytest.fixture
def recipe(quick: Path) -> Recipe:
    return load_recipe(quick)


def save_step(training: Path, number: int) -> Path:
    folder = training / f"checkpoint-{number}"
    folder.mkdir(parents=True)
    for name in WEIGHTS:
        save_file({"weight": torch.zeros(100)}, folder / name)
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({"state": torch.zeros(100)}, folder / name)
    for name in JSON:
        (folder / name).write_text(json.dumps({"global_step": number}))
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": WEIGHTS[0], "b": WEIGHTS[1]}}))
    return folder


@pytest.fixture
def training(recipe: Recipe, tmp_path: Path) -> Path:
    """The training folder of a run that was interrupted after four steps."""
    folder = tmp_path / "run" / "training"
    for number in (2, 4):
        save_step(folder, number)
    (tmp_path / "run" / "recipe.yaml").write_text(dump_recipe(recipe))
    return folder


def halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("name", [*JSON, *WEIGHTS, INDEX])
def test_half_a_file_is_told_and_an_older_step_taken(
    training: Path, recipe: Recipe, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    halve(training / "checkpoint-4" / name)
    assert find_start(recipe, training.parent, "auto") == training / "checkpoint-2"
    said = capsys.readouterr().err
    assert f"{training / 'checkpoint-4' / name}: it is cut short or damaged" in said
    assert f"goes on from {training / 'checkpoint-2'}" in said
    assert set_damaged_aside(training, start=2) == [training / "damaged-checkpoint-4"]
    assert (training / "damaged-checkpoint-4" / name).is_file()


@pytest.mark.parametrize("name", [*WEIGHTS[:2], "optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_file_that_is_missing_is_told(
    training: Path, recipe: Recipe, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (training / "checkpoint-4" / name).unlink()
    assert find_start(recipe, training.parent, "auto") == training / "checkpoint-2"
    assert str(training / "checkpoint-4") in capsys.readouterr().err


def test_a_run_of_which_nothing_is_whole_does_not_begin_anew(training: Path, recipe: Recipe) -> None:
    for number in (2, 4):
        halve(training / f"checkpoint-{number}" / WEIGHTS[0])
    with pytest.raises(UserError, match="no saved step is whole") as caught:
        find_start(recipe, training.parent, "auto")
    for number in (2, 4):
        assert f"checkpoint-{number}/{WEIGHTS[0]}" in str(caught.value)
        assert saved_step(training / f"checkpoint-{number}").faults


def test_a_step_that_was_not_saved_to_its_end_is_passed_over(
    training: Path, recipe: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    (training / "checkpoint-4" / "trainer_state.json").unlink()
    assert find_start(recipe, training.parent, "auto") == training / "checkpoint-2"
    assert "not saved to its end" in capsys.readouterr().err
    assert set_damaged_aside(training, start=2) == []


def test_damaged_steps_of_several_tries_are_all_kept(training: Path) -> None:
    for expected in ("damaged-checkpoint-4", "damaged-checkpoint-4-2"):
        halve(training / "checkpoint-4" / WEIGHTS[0])
        assert set_damaged_aside(training, start=2) == [training / expected]
        save_step(training, 4)


def test_the_last_two_steps_stay_whatever_the_clock_says(training: Path) -> None:
    fresh = save_step(training, 6)
    os.utime(fresh, (0, 0))  # the clock was set back
    remove_older(fresh)
    assert sorted(path.name for path in training.iterdir()) == ["checkpoint-4", "checkpoint-6"]


def test_damaged_steps_are_never_removed(training: Path) -> None:
    halve(training / "checkpoint-4" / WEIGHTS[0])
    remove_older(save_step(training, 6))
    assert sorted(path.name for path in training.iterdir()) == ["checkpoint-2", "checkpoint-4", "checkpoint-6"]


def test_steps_after_the_fresh_one_are_not_removed(training: Path) -> None:
    remove_older(save_step(training, 3))
    assert sorted(path.name for path in training.iterdir()) == ["checkpoint-2", "checkpoint-3", "checkpoint-4"]


def test_a_step_that_is_written_over_does_not_pass_for_whole_meanwhile(training: Path) -> None:
    begin_saving(training / "checkpoint-4")
    assert not saved_step(training / "checkpoint-4").whole


def test_a_step_of_fewer_processes_is_told(training: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="start as many processes as before"):
        find_start(recipe, training.parent, "auto")
