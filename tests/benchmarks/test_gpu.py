"""The GPU benchmark: what it counts, what it makes, and what it does when something is missing or does not fit."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import Qwen2_5_VLForConditionalGeneration

from benchmarks import gpu
from benchmarks.gpu_parts import child, packages
from benchmarks.gpu_parts.flops import forward_flops, language_layer_weights, training_flops, vision_layer_weights
from benchmarks.gpu_parts.plan import PARTS, PREPARE, Part, Surroundings, Trial
from benchmarks.gpu_parts.random_model import REAL, make_config, make_tokenizer
from benchmarks.gpu_parts.timed_training import time_training
from toolkit.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def real() -> Qwen2_5_VLForConditionalGeneration:
    with torch.device("meta"):
        return Qwen2_5_VLForConditionalGeneration(make_config(REAL, make_tokenizer()))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread, as the benchmark uses for the twin."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def weights(module: nn.Module) -> int:
    return sum(each.weight.numel() for each in module.modules() if isinstance(each, nn.Linear | nn.Conv3d))


def test_the_model_has_the_size_of_the_published_one(real: Qwen2_5_VLForConditionalGeneration) -> None:
    assert real.num_parameters() == 3_754_622_976  # as the index of the published weights says


def test_a_layers_weights_are_those_of_its_matrices(real: Qwen2_5_VLForConditionalGeneration) -> None:
    # Queries and output 2048 x 2048, keys and values 2048 x 256, and three matrices of 2048 x 11008.
    assert language_layer_weights(real.config.text_config) == 2 * 2048**2 + 2 * 2048 * 256 + 3 * 2048 * 11008
    assert language_layer_weights(real.config.text_config) == weights(real.model.language_model.layers[0])
    assert vision_layer_weights(real.config.vision_config) == 4 * 1280**2 + 3 * 1280 * 3420
    assert vision_layer_weights(real.config.vision_config) == weights(real.model.visual.blocks[0])


def test_operations_of_a_sample_are_counted_by_hand(real: Qwen2_5_VLForConditionalGeneration) -> None:
    # One picture of 10 x 18 patches: windows of 8, 2 rows and of 8, 8, 2 columns.
    found = forward_flops(real.config, [100], [(1, 10, 18)], taught=7)
    tower = weights(real.model.visual) - weights(real.model.visual.merger) * 3 / 4  # the merger sees a quarter
    pairs = 4 * 180**2 + 28 * (8**2 + 2**2) * (8**2 + 8**2 + 2**2)
    assert found.vision == 2 * tower * 180 + 4 * 1280 * pairs
    assert found.language == 2 * weights(real.model.language_model) * 100 + 4 * 36 * 2048 * 100**2
    assert found.head == 2 * 2048 * 151936 * 7
    assert training_flops(found, lora=False).total == 3 * found.total
    assert training_flops(found, lora=True).total == found.vision + 2 * (found.language + found.head)


@pytest.mark.usefixtures("one_thread")
def test_a_batch_that_does_not_fit_is_halved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trl import SFTTrainer

    given = Surroundings(str(tmp_path), gpu=False, until=time.time() + 60, batch_size=4)
    reports: list[dict[str, Any]] = []
    monkeypatch.setattr(child, "_PICTURES", 5)
    child.prepare(given, reports.append)
    whole = SFTTrainer.training_step

    def narrow(self: SFTTrainer, model: Any, inputs: Any, *more: Any) -> torch.Tensor:
        if len(inputs["input_ids"]) > 2:
            raise torch.OutOfMemoryError
        return whole(self, model, inputs, *more)

    monkeypatch.setattr(SFTTrainer, "training_step", narrow)
    time_training(Trial(questions=2, steps=2), given, reports.append)
    found = reports[-1]
    assert found["too_large_batches"] == [4]
    assert (found["batch_size"], found["accumulate"], found["steps"]) == (2, 4, 2)
    assert found["answers_per_sample"] == 2
    assert found["answers_per_second"] == pytest.approx(2 * 8 * 2 / sum(found["seconds_per_step"]))
    assert found["model_flops_per_step"] > 0
    assert not list(tmp_path.glob("training/checkpoint-*"))


def bench(folder: Path, seconds: float) -> gpu.Bench:
    found = gpu.Bench(folder, folder / "out" / "gpu.json", time.monotonic() + seconds)
    found.results["probe"] = {"gpu": True}
    found.results["parts"][PREPARE.name] = {"status": "done"}
    return found


def test_parts_that_cannot_run_say_why(tmp_path: Path) -> None:
    by_name = {part.name: part for part in PARTS}
    plenty, short = bench(tmp_path, 1000), bench(tmp_path, 30)
    assert gpu.reason_to_skip(by_name["fsdp"], plenty) == ""
    assert "s are left" in gpu.reason_to_skip(by_name["fsdp"], short)
    missing = Part("x", "", 1, 1, package="no_such_package")
    assert gpu.reason_to_skip(missing, plenty) == "no_such_package is not installed"
    plenty.results["probe"]["gpu"] = False
    assert gpu.reason_to_skip(Part("x", "", 1, 1, gpu_only=True), plenty) == "it needs a GPU"
    plenty.results["parts"][PREPARE.name] = {"status": "failed"}
    assert gpu.reason_to_skip(by_name["ask"], plenty) == "there is no model"


def test_a_part_that_crashes_or_hangs_leaves_what_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = bench(tmp_path, 1000)
    (tmp_path / "x.json").write_text(json.dumps({"points": 3}))
    crash = [sys.executable, "-c", "import sys; print('lost'); sys.exit(3)"]
    hang = [sys.executable, "-c", "import time; time.sleep(60)"]
    for command, status in ((crash, "failed"), (hang, "ended at its time limit")):
        monkeypatch.setattr(gpu, "_command", lambda part, given, command=command: command)
        result = gpu.run_part(Part("x", "", 1.0, 0), run)
        assert (result["status"], result["points"]) == (status, 3)
        assert result["log"] == (["lost"] if command is crash else [])


def test_later_parts_begin_with_the_batch_that_fitted(tmp_path: Path) -> None:
    run = bench(tmp_path, 1000)
    assert run.batch_size == 8
    run.results["parts"]["train_1_sdpa"] = {"batch_size": 4}
    assert run.batch_size == 4
    run.results["parts"]["lora"] = {"batch_size": 2}  # says nothing about full fine-tuning
    assert run.batch_size == 4


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packages.missing_packages() == []
    monkeypatch.setattr(packages, "_version_of", lambda name: {"trl": "1.0", "datasets": None}.get(name, "99"))
    found = [each for each in packages.missing_packages() if each.startswith(("trl", "datasets"))]
    assert found == ["trl<2,>=1.16 (here: 1.0)", "datasets>=4.7 (here: none)"]
    with pytest.raises(UserError, match=r"wheels\.sh 3\."):
        packages.check_packages()
