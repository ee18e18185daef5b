"""Whether a model fits is known before it loads, from the headers of its files."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.tiny_architectures import build_twin
from toolkit.errors import UserError
from toolkit.modeling.placement import Placement
from toolkit.modeling.vlm import memory
from toolkit.modeling.vlm.memory import check_memory, free_memory, needed_memory, stored_weights
from toolkit.modeling.vlm.vlm import cast_weights, load_vlm, save_vlm

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
ROOM = 1.1  # a tenth is kept for a question


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in bfloat16."""
    home = tmp_path_factory.mktemp("stored") / "model"
    vlm = build_twin("Pixtral")
    cast_weights(vlm, torch.bfloat16)
    save_vlm(vlm, home)
    return home


def parameters(folder: Path) -> int:
    return sum(weight.numel() for weight in load_file(folder / "model.safetensors").values())


def test_the_size_is_that_of_the_loaded_weights(folder: Path) -> None:
    for dtype, size in (("auto", 2), ("float32", 4), ("float16", 2)):
        needed = needed_memory(folder, Placement(dtype=dtype), GPU)
        assert needed == pytest.approx(ROOM * size * parameters(folder))
        loaded = load_vlm(folder, dtype=dtype if dtype == "auto" else getattr(torch, dtype)).model
        assert needed == pytest.approx(ROOM * sum(weight.nbytes for weight in loaded.parameters()))


def test_a_cpu_without_bfloat16_needs_twice_as_much(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    for able in (True, False):
        monkeypatch.setattr(memory, "cpu_has_bfloat16", lambda able=able: able)
        sizes.append(needed_memory(folder, Placement(), CPU))
    assert sizes[1] == 2 * sizes[0]


def test_only_linear_layers_of_the_language_model_are_shortened(folder: Path) -> None:
    linear = sum(
        weight.numel()
        for name, weight in load_file(folder / "model.safetensors").items()
        if weight.dim() == 2 and "language_model" in name and ".layers." in name
    )
    assert linear > 0
    needed = needed_memory(folder, Placement(quantize="8bit"), GPU)
    assert needed == pytest.approx(ROOM * (2 * parameters(folder) - linear))
    assert needed_memory(folder, Placement(quantize="4bit"), GPU) < needed


def test_shards_are_counted_once_and_other_files_not_at_all(folder: Path, tmp_path: Path) -> None:
    whole = load_file(folder / "model.safetensors")
    names = sorted(whole)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, own in parts.items():
        save_file({name: whole[name] for name in own}, tmp_path / file)
    save_file(whole, tmp_path / "model-of-before.safetensors")
    places = {name: file for file, own in parts.items() for name in own}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert sorted(weight.name for weight in stored_weights(tmp_path)) == names
    (tmp_path / "model-1.safetensors").write_bytes(b"damaged")
    assert len(list(stored_weights(tmp_path))) == len(parts["model-2.safetensors"])


def test_what_does_not_fit_is_refused_with_remedies_that_would(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {bits: needed_memory(folder, Placement(quantize=bits), GPU) for bits in (None, "8bit", "4bit")}
    free = {"cuda": 0.0, "cpu": 1e12}
    monkeypatch.setattr(memory, "free_memory", lambda device: free[device.type])
    monkeypatch.setattr(memory, "_GIGABYTE", 1)
    told = []
    for limit in (needed["8bit"], needed["4bit"], 1.0):
        free["cuda"] = limit
        with pytest.raises(UserError, match="this model needs about") as error:
            check_memory(folder, Placement(), GPU)
        told.append(error.value.remedy)
        assert f"{needed[None]:.1f} GB, and {limit:.1f} GB are free on cuda:0" in error.value.problem
    assert told[0].index("--quantize 8bit") < told[0].index("--quantize 4bit") < told[0].index("--device cpu")
    assert "8bit" not in told[1] and "--quantize 4bit" in told[1]
    assert "--quantize" not in told[2] and told[2].endswith("--model openai:NAME@URL")
    free["cuda"] = needed[None]
    check_memory(folder, Placement(), GPU)


def test_a_large_model_is_told_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check_memory(folder, Placement(), CPU)
    assert not capsys.readouterr().err
    monkeypatch.setattr(memory, "_TOLD_FROM", 1)
    check_memory(folder, Placement(), CPU)
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs about 0.0 GB of" in line and line.endswith("on cpu")


def test_memory_that_torch_keeps_for_itself_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10, 100))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 30)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 25)
    assert free_memory(GPU) == 15
    assert (free_memory(CPU) or 0) > 0


def test_a_container_has_less(tmp_path: Path) -> None:
    assert memory._free_of_container(tmp_path) is None
    for name, text in (("max", "1000\n"), ("current", "700\n"), ("stat", "anon 600\ninactive_file 50\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert memory._free_of_container(tmp_path) == 350
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._free_of_container(tmp_path) is None
