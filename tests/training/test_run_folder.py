"""Where a run goes on: pickles that hold more than numbers are refused, and nothing of them is run."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.support.pickles import Marking
from toolkit.config.load import dump_recipe, load_recipe
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError
from toolkit.qa.tasks.trust import remember_run, trusting
from toolkit.training.run_folder import find_start

STATES = ("optimizer.pt", "scheduler.pt", "rng_state.pth")


@pytest.fixture
def recipe(quick: Path) -> Recipe:
    return load_recipe(quick)


@pytest.fixture
def begun(recipe: Recipe, tmp_path: Path) -> Path:
    """A run that was interrupted after four steps, with what is needed to tell where it goes on."""
    run = tmp_path / "run"
    for step in (2, 4):
        folder = run / "training" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        save_file({"weight": torch.zeros(2)}, folder / "model.safetensors")
        for name in STATES:
            torch.save({"state": torch.zeros(1000)}, folder / name)
        (folder / "trainer_state.json").write_text(f'{{"global_step": {step}}}')
    (run / "recipe.yaml").write_text(dump_recipe(recipe))
    return run


def old_pickle(file: Path, mark: Path) -> None:
    file.write_bytes(pickle.dumps({"state": Marking(mark)}))


def zip_file(file: Path, mark: Path) -> None:
    torch.save({"state": Marking(mark)}, file)


def half(file: Path, mark: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def test_sound_states_are_gone_on_from(begun: Path, recipe: Recipe) -> None:
    assert find_start(recipe, begun, "auto") == begun / "training" / "checkpoint-4"


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("spoil", [old_pickle, zip_file, half])
def test_pickles_that_hold_more_than_numbers(
    begun: Path, recipe: Recipe, tmp_path: Path, name: str, spoil: Callable[[Path, Path], None]
) -> None:
    newest, older = (begun / "training" / f"checkpoint-{step}" for step in (4, 2))
    spoil(newest / name, tmp_path / "ran")
    with pytest.raises(UserError, match=f"--resume {older}") as caught:
        find_start(recipe, begun, "auto")
    assert str(newest / name) in str(caught.value)
    assert not (tmp_path / "ran").exists()
    assert find_start(recipe, begun, str(older)) == older


def test_a_state_that_may_not_be_read_is_not_called_damaged(
    begun: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(torch, "load", forbidden)  # to the superuser, every file can be read
    with pytest.raises(UserError, match="it may not be read"):
        find_start(recipe, begun, "auto")


def test_weights_that_are_pickles_are_not_read_beside_others(begun: Path, recipe: Recipe, tmp_path: Path) -> None:
    zip_file(begun / "training" / "checkpoint-4" / "pytorch_model.bin", tmp_path / "ran")
    with pytest.raises(UserError, match="could be code"):
        find_start(recipe, begun, "auto")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("inside", ["pytorch_model_fsdp_0/.metadata", "global_step4/mp_rank_00_model_states.pt"])
def test_a_sharded_run_must_be_ones_own(begun: Path, recipe: Recipe, inside: str) -> None:
    start = begun / "training" / "checkpoint-4"
    (start / inside).parent.mkdir()
    (start / inside).touch()
    with pytest.raises(UserError, match="sharded run") as caught:
        find_start(recipe, begun, "auto")
    assert "--trust" in caught.value.remedy
    with trusting(True):
        assert find_start(recipe, begun, "auto") == start
    remember_run(begun)
    assert find_start(recipe, begun, "auto") == start
    shutil.copytree(begun, begun.with_name("copy"))
    with pytest.raises(UserError, match="sharded run"):
        find_start(recipe, begun.with_name("copy"), "auto")
