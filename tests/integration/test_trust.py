"""Checkpoints and recipes from elsewhere run no Python of their own, whatever command opens them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import toolkit
from tests.support.command import Run
from tests.support.own_task import OWN, write_task
from tests.support.training import TINY
from tests.support.walls import wall
from toolkit.config.load import load_recipe
from toolkit.errors import UserError
from toolkit.qa.tasks import registry
from toolkit.qa.tasks.trust import let_run
from toolkit.training.train import train

ASKED = ("how far is it", "--point", "red=40,20", "--point", "blue=50,70", "--fov", 60, "--task", "own_from_afar")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a task of its own, whose recipe includes the file that it was trained with."""
    home = tmp_path_factory.mktemp("elsewhere")
    own = write_task(home, "own_from_afar", OWN.replace("second.xyz[1] - first.xyz[1]", "abs(second.xyz[1])"))
    (home / "recipe.yaml").write_text(TINY)
    words = ["tasks={own_from_afar: 1}", f"include=[{own}]", "trainer.steps=1", "evaluation.samples=0"]
    train(load_recipe(home / "recipe.yaml", words), home / "run")
    let_run()
    return home / "run"


@pytest.fixture
def downloaded(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkpoint as somebody else sends it, as the newest run in runs/; its code leaves a mark if it runs."""
    folder = tmp_path / "runs" / "theirs"
    shutil.copytree(saved, folder)
    (code,) = (folder / "tasks").glob("*.py")
    code.write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n{code.read_text()}")
    recipe = folder / "recipe.yaml"
    outside = tmp_path / "outside.py"
    outside.write_bytes(code.read_bytes())
    recipe.write_text(recipe.read_text().replace(str(saved.parent / code.name), str(outside)))
    assert str(outside) in recipe.read_text()
    Image.fromarray(wall()).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(registry._registered, "own_from_afar")  # the training was not in this process
    return folder


COMMANDS: dict[str, tuple[object, ...]] = {
    "ask": ("ask", "a.png", *ASKED, "--model", "runs/theirs"),
    "ask the newest run": ("ask", "a.png", *ASKED),
    "ask like it": ("ask", "a.png", *ASKED, "--model", "openai:x@http://127.0.0.1:9/v1", "--like", "runs/theirs"),
    "ask a server's model": ("ask", "a.png", *ASKED, "--model", "openai:runs/theirs@http://127.0.0.1:9/v1"),
    "ask many": ("ask", "a.png", "how far is it", "--fov", 60, "--grid", "2x2"),
    "cloud": ("cloud", "a.png", "-o", "a.ply", "--fov", 60),
    "eval": ("eval", "runs/theirs", "runs/theirs/recipe.yaml", "--limit", 1),
    "eval of a recipe": ("eval", "-", "runs/theirs/recipe.yaml", "--predictor", "constant"),
    "export": ("export", "runs/theirs", "exported"),
    "train": ("train", "runs/theirs/recipe.yaml", "--output", "new"),
    "dry run": ("train", "runs/theirs/recipe.yaml", "--output", "new", "--dry-run"),
    "train on it": ("train", "runs/theirs/recipe.yaml", "model.name=runs/theirs", "--output", "new"),
    "validate": ("data", "validate", "runs/theirs/recipe.yaml"),
    "preview": ("data", "preview", "runs/theirs/recipe.yaml", "--count", 1),
    "mix": ("data", "mix", "runs/theirs/recipe.yaml", "--count", 1),
}


@pytest.mark.parametrize("name", COMMANDS, ids=str)
def test_no_command_runs_code_that_was_downloaded(run: Run, downloaded: Path, tmp_path: Path, name: str) -> None:
    code, _, err = run(*COMMANDS[name])
    assert code == 2, err
    assert "Python code is not trusted" in err and "--trust" in err and "Traceback" not in err
    assert not (tmp_path / "ran").exists()


def test_without_a_folder_tasks_the_recipe_names_the_code(run: Run, downloaded: Path, tmp_path: Path) -> None:
    shutil.rmtree(downloaded / "tasks")
    code, _, err = run(*COMMANDS["ask"])
    assert code == 2 and f"{tmp_path / 'outside.py'}, " in err
    assert not (tmp_path / "ran").exists()


def test_stats_need_no_trust_and_run_nothing(run: Run, downloaded: Path, tmp_path: Path) -> None:
    assert run("data", "stats", downloaded / "recipe.yaml")[0] == 0
    assert not (tmp_path / "ran").exists()


def test_trust_is_asked_for_once(run: Run, downloaded: Path, tmp_path: Path) -> None:
    code, out, err = run(*COMMANDS["ask"], "--trust", "--json")
    assert code == 0, err
    assert json.loads(out)["task"] == "own_from_afar"
    assert (tmp_path / "ran").exists()
    assert run(*COMMANDS["ask"])[0] == 0
    assert run(*COMMANDS["validate"])[0] == 0  # its recipe includes a file of the same content
    (own,) = (downloaded / "tasks").glob("*.py")
    own.write_text(own.read_text() + "# changed\n")
    code, _, err = run(*COMMANDS["ask"])
    assert code == 2 and str(own) in err


def test_python_asks_for_trust_too(downloaded: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Python code is not trusted"):
        toolkit.load(downloaded)
    assert not (tmp_path / "ran").exists()
    assert "own_from_afar" in toolkit.load(downloaded, trust=True).tasks
    assert "own_from_afar" in toolkit.load(downloaded).tasks


@pytest.mark.parametrize(
    "named", [lambda path: ("--include", path), lambda path: (f"include=[{path}]",)], ids=["option", "override"]
)
def test_files_on_the_command_line_need_no_trust(
    run: Run, quick: Path, tmp_path: Path, named: Callable[[Path], tuple[object, ...]]
) -> None:
    path = write_task(tmp_path, "own_named")
    words = ("train", quick, "tasks={own_named: 1}", "--dry-run", "--output", tmp_path / "run")
    code, _, err = run(*words, *named(path))
    assert code == 0, err
    quick.write_text(f"{quick.read_text()}include: [{path.name}]\n")
    assert run(*words)[0] == 2


def test_what_was_trained_here_is_trusted(run: Run, quick: Path, tmp_path: Path) -> None:
    path = write_task(tmp_path, "own_trained", OWN.replace("second.xyz[1] - first.xyz[1]", "abs(second.xyz[1]) + 1"))
    words = ("train", quick, "tasks={own_trained: 1}", "trainer.steps=1", "evaluation.samples=0")
    code, _, err = run(*words, "--include", path, "--output", tmp_path / "run")
    assert code == 0, err
    assert run("data", "validate", tmp_path / "run" / "recipe.yaml")[0] == 0
    (tmp_path / "run").rename(tmp_path / "moved")
    assert "own_trained" in toolkit.load(tmp_path / "moved").tasks
