"""Resuming: a run that was killed gives, to the bit, the weights of one that was not."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support.killable import KillableCommand
from tests.support.paths import ROOT
from tests.support.tiny_architectures import TWINS
from tests.support.training import TINY, interrupt_at, twin_recipe
from toolkit.config.load import load_recipe
from toolkit.training.run_folder import find_start
from toolkit.training.train import train

pytestmark = pytest.mark.slow

KILLS, STEPS = 10, 30


def same(one: Path, other: Path) -> bool:
    a, b = (load_file(folder / "model.safetensors") for folder in (one, other))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def kill_after(run: KillableCommand, steps: int, delay: float) -> bool:
    """Kill a run some seconds after so many steps were logged; False if it ended before."""
    seen = 0
    for text in run.lines():
        seen += text.startswith("step ")
        if seen >= steps and not run.ends_within(delay):
            run.kill()
            return True
    return False


def test_ten_kills_change_nothing(tmp_path: Path) -> None:
    recipe = tmp_path / "quick.yaml"
    recipe.write_text(TINY)
    more = ["evaluation.samples=0", f"trainer.steps={STEPS}", "trainer.save_every=1", "trainer.log_every=1"]
    train(load_recipe(recipe, more), tmp_path / "whole")
    chance = random.Random(0)
    words = ("train", recipe, *more, "--output", tmp_path / "killed")
    killed = sum(
        kill_after(KillableCommand(*words), chance.randint(1, 2), chance.uniform(0, 0.1)) for _ in range(KILLS)
    )
    assert killed == KILLS
    last = subprocess.run(
        [sys.executable, "-m", "toolkit", *map(str, words)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert last.returncode == 0, last.stderr
    assert "missing keys" not in last.stderr  # weights are loaded before: names in files only look missing
    assert same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_the_present_step(number: signal.Signals, tmp_path: Path) -> None:
    recipe = tmp_path / "quick.yaml"
    recipe.write_text(TINY)
    more = ["evaluation.samples=0", "trainer.steps=1000", "trainer.save_every=1000", "trainer.log_every=1"]
    run = KillableCommand("train", recipe, *more, "--output", tmp_path / "run")
    for text in run.lines():
        if text.startswith("step      3 of"):
            run.send(number)
            break
    ended = run.end()
    (saved,) = (tmp_path / "run" / "training").glob("checkpoint-*")
    steps = int(saved.name.removeprefix("checkpoint-"))
    assert ended.code == 128 + number
    assert 3 <= steps < 1000
    assert f"; the first {steps} steps are saved; to go on: toolkit train " in ended.err.splitlines()[-1]
    assert find_start(load_recipe(recipe, more), tmp_path / "run", "auto") == saved


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("name", TWINS)
def test_every_architecture_resumes_exactly(
    name: str, lora: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = twin_recipe(name, tmp_path, *(["model.lora.rank=2"] if lora else []))
    train(recipe, tmp_path / "whole")
    restore = interrupt_at(3, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "broken")
    restore()
    assert train(recipe, tmp_path / "broken").samples == 4  # steps 3 and 4 once more
    assert same(tmp_path / "whole", tmp_path / "broken")
    base = load_file(tmp_path / "twin" / "model.safetensors")
    trained = load_file(tmp_path / "whole" / "model.safetensors")
    assert any(not torch.equal(base[key], trained[key]) for key in base)


def test_a_half_written_checkpoint_is_passed_over(tmp_path: Path) -> None:
    recipe_path = tmp_path / "quick.yaml"
    recipe_path.write_text(TINY)
    recipe = load_recipe(recipe_path, ["evaluation.samples=0", "trainer.steps=4"])
    train(recipe, tmp_path / "run")
    (tmp_path / "run" / "toolkit.json").unlink()
    torn = tmp_path / "run" / "training" / "checkpoint-9"
    torn.mkdir()
    (torn / "trainer_state.json").write_text('{"global_step": ')
    start_at = find_start(recipe, tmp_path / "run", "auto")
    assert start_at is not None
    assert start_at.name == "checkpoint-4"
