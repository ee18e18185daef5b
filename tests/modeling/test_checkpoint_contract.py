"""A checkpoint's contract, with and without its weights."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.own_task import write_task
from tests.support.training import TINY
from toolkit.config.build_presenter import make_tasks
from toolkit.config.load import load_recipe
from toolkit.errors import UserError
from toolkit.modeling.checkpoint import load_checkpoint
from toolkit.modeling.checkpoint_contract import CONTRACT, open_contract, with_own_tasks
from toolkit.qa.tasks.task import template_version
from toolkit.qa.tasks.trust import trusting
from toolkit.training.train import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("contract")
    (home / "quick.yaml").write_text(TINY)
    train(load_recipe(home / "quick.yaml", ["trainer.steps=2", "evaluation.samples=0"]), home / "run")
    return home / "run"


@pytest.fixture
def weightless(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "run", ignore=shutil.ignore_patterns("*.safetensors", "training")))


def test_a_contract_needs_no_weights(folder: Path, weightless: Path) -> None:
    checkpoint, contract = load_checkpoint(folder), open_contract(weightless)
    assert contract.presenter == checkpoint.presenter
    assert contract.recipe == checkpoint.recipe
    assert {name: template_version(task) for name, task in contract.tasks.items()} == {
        name: template_version(task) for name, task in checkpoint.tasks.items()
    }
    with pytest.raises(UserError, match="cannot be loaded"):
        load_checkpoint(weightless)


def rewrite(folder: Path, **changed: object) -> None:
    saved = json.loads((folder / CONTRACT).read_text()) | changed
    (folder / CONTRACT).write_text(json.dumps({key: value for key, value in saved.items() if value is not None}))


def test_an_older_contract_does_not_say_the_canvas_so_it_needs_the_configuration(weightless: Path) -> None:
    said = open_contract(weightless)
    rewrite(weightless, canvas=None)
    assert open_contract(weightless).presenter == said.presenter
    (weightless / "config.json").unlink()
    with pytest.raises(UserError, match=r"no config\.json"):
        open_contract(weightless)


@pytest.mark.parametrize("canvas", [28, {"multiple": 0}, {"square": "96 px"}])
def test_a_canvas_that_is_none_is_refused(weightless: Path, canvas: object) -> None:
    rewrite(weightless, canvas=canvas)
    with pytest.raises(UserError, match=r"toolkit\.json: canvas: .* is no canvas"):
        open_contract(weightless)


def test_a_recipe_knows_the_tasks_that_a_checkpoint_brings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "tasks").mkdir()
    path = write_task(tmp_path / "tasks", "own_brought")
    recipe = load_recipe("depth_plus_distance")
    assert with_own_tasks(tmp_path, recipe) == recipe  # nothing of the checkpoint's is needed
    brought = load_recipe("depth_plus_distance", ["tasks={own_brought: 1}"])
    for asking, more in ((recipe, ["own_brought"]), (brought, [])):
        with pytest.raises(UserError, match="Python code is not trusted"):
            with_own_tasks(tmp_path, asking, more)
    with trusting(True):
        knowing = with_own_tasks(tmp_path, brought)
        assert knowing.include == (path,)
        assert [task.name for task, _ in make_tasks(knowing)] == ["own_brought"]
