"""Two processes: no sample twice, and the loss curve of one process with twice the batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.training import TINY

STEPS = 6
COMMON = ("evaluation.samples=4", f"trainer.steps={STEPS}", "trainer.log_every=1", f"trainer.save_every={STEPS}")


def run(launcher: list[str], recipe: Path, output: Path, *more: str) -> str:
    words = [*launcher, "train", str(recipe), *COMMON, *more, "--output", str(output)]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, capture_output=True, text=True, cwd=output.parent, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def losses(output: Path) -> list[float]:
    state = json.loads((output / "training" / f"checkpoint-{STEPS}" / "trainer_state.json").read_text())
    return [entry["loss"] for entry in state["log_history"] if "loss" in entry]


PYTHON = [sys.executable, "-m"]
LAUNCHERS = {
    # --multi_gpu starts one process each; without GPUs they talk over gloo. Both take a port that is free.
    "accelerate": ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"],
    "torchrun": ["torch.distributed.run", "--nproc_per_node", "2", "--standalone"],
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of one process with twice the batch."""
    home = tmp_path_factory.mktemp("one")
    (home / "quick.yaml").write_text(TINY)
    run([*PYTHON, "toolkit"], home / "quick.yaml", home / "run", "trainer.batch_size=4")
    return losses(home / "run")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_equal_one_with_twice_the_batch(launcher: str, expected: list[float], tmp_path: Path) -> None:
    recipe = tmp_path / "quick.yaml"
    recipe.write_text(TINY)
    said = run([*PYTHON, *LAUNCHERS[launcher], "-m", "toolkit"], recipe, tmp_path / "two", "trainer.batch_size=2")
    assert losses(tmp_path / "two") == pytest.approx(expected, rel=1e-3)
    assert said.count("saved ") == 1  # one process reports
    assert f"trained on {STEPS * 4} samples" in said


def test_no_index_is_drawn_twice() -> None:
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler, SequentialSampler

    shards = [
        BatchSamplerShard(BatchSampler(SequentialSampler(range(48)), 4, drop_last=False), 2, rank) for rank in (0, 1)
    ]
    drawn = [index for shard in shards for batch in shard for index in batch]
    assert sorted(drawn) == list(range(48))
    first_steps = [sorted(next(iter(shard))) for shard in shards]
    assert sorted(first_steps[0] + first_steps[1]) == list(range(8))


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "launch").glob("*.yaml")), ids=lambda path: path.stem)
def test_ready_configurations_are_what_accelerate_reads(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    assert config.num_processes == 8 * config.num_machines
    assert config.mixed_precision == "bf16"
    assert bool(config.fsdp_config) != bool(config.deepspeed_config)


def test_the_page_names_each_architectures_decoder_layer() -> None:
    from tests.support.tiny_architectures import TWINS, build_twin
    from toolkit.modeling.vlm.lora_targets import decoder_layer

    page = (ROOT / "docs" / "launch.md").read_text()
    for name in TWINS:
        assert f"`{decoder_layer(build_twin(name))}`" in page, name
