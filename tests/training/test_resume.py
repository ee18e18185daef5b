"""Resuming: a run that was killed gives, to the bit, the weights of one that was not."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support.paths import ROOT
from tests.support.tiny_architectures import TWINS
from tests.support.training import TINY, interrupt_at, twin_recipe
from toolkit.config.load import load_recipe
from toolkit.training.train import train

KILLS, STEPS = 10, 30


def same(one: Path, other: Path) -> bool:
    a, b = (load_file(folder / "model.safetensors") for folder in (one, other))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def start(recipe: Path, output: Path, *more: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "toolkit", "train", str(recipe), *more, "--output", str(output)]
    return subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | {"HF_HUB_OFFLINE": "1"}
    )


def kill_after(run: subprocess.Popen[str], steps: int, delay: float) -> bool:
    """Kill -9 some seconds after so many steps were logged; False if the run ended before."""
    seen = 0
    assert run.stderr is not None
    for text in run.stderr:
        seen += text.startswith("step ")
        if seen >= steps:
            try:
                run.wait(delay)
            except subprocess.TimeoutExpired:
                run.send_signal(signal.SIGKILL)
                run.wait()
                return True
    run.wait()
    return False


@pytest.mark.slow
def test_ten_kills_change_nothing(tmp_path: Path) -> None:
    recipe = tmp_path / "quick.yaml"
    recipe.write_text(TINY)
    more = ["evaluation.samples=0", f"trainer.steps={STEPS}", "trainer.save_every=1", "trainer.log_every=1"]
    train(load_recipe(recipe, more), tmp_path / "whole")
    chance = random.Random(0)
    killed = sum(
        kill_after(start(recipe, tmp_path / "killed", *more), chance.randint(1, 2), chance.uniform(0, 0.1))
        for _ in range(KILLS)
    )
    assert killed == KILLS
    last = start(recipe, tmp_path / "killed", *more)
    _, said = last.communicate()
    assert last.returncode == 0, said
    assert "missing keys" not in said  # weights are loaded before: names in files only look missing
    assert same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow
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
    from toolkit.training.run_folder import find_start

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
