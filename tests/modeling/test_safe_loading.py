"""Models from elsewhere are data: neither the Python that they bring nor their pickles are run."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.support.depth_models import save_twin
from tests.support.pickles import Marking
from toolkit.errors import UserError
from toolkit.modeling.checkpoint_contract import canvas_of
from toolkit.modeling.depth.depth_model import load_depth_model
from toolkit.modeling.depth.depth_model_spec import DepthSpec
from toolkit.modeling.vlm.vlm import load_vlm, stored_dtype
from toolkit.utils.resources import MODELS, TINY

CODE = {
    f"Auto{kind}": "theirs.Theirs"
    for kind in ("Config", "Model", "ModelForImageTextToText", "ModelForDepthEstimation", "Processor", "ImageProcessor")
}
JSON = ("config.json", "processor_config.json", "preprocessor_config.json", "tokenizer_config.json")


def bring_code(folder: Path, mark: Path, **changes: Any) -> None:
    """Let every file of a model name Python code beside it, which makes a folder if it runs."""
    (folder / "theirs.py").write_text(f"import os\nos.mkdir({str(mark)!r})\nclass Theirs: pass\n")
    for file in (folder / name for name in JSON if (folder / name).is_file()):
        named = {**CODE, "AutoTokenizer": ["theirs.Theirs", "theirs.Theirs"]}
        own = changes if file.name == "config.json" else {}
        file.write_text(json.dumps({**json.loads(file.read_text()), "auto_map": named, **own}))


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who says yes to every question."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 20))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS / TINY, tmp_path / "model"))


def depth(folder: Path) -> object:
    return load_depth_model(DepthSpec(str(folder)), "cpu")


@pytest.mark.parametrize("load", [load_vlm, stored_dtype, canvas_of, depth])
def test_a_model_that_needs_its_own_code_is_refused(
    load: Callable[[Path], object], model: Path, tmp_path: Path, eager: None, capsys: pytest.CaptureFixture[str]
) -> None:
    bring_code(model, tmp_path / "ran", model_type="theirs")
    with pytest.raises(UserError, match="cannot be loaded") as caught:
        load(model)
    assert "Python code of its own" in caught.value.cause and "config.json" in caught.value.cause
    assert not (tmp_path / "ran").exists()
    assert "[y/N]" not in capsys.readouterr().out


def test_a_known_model_loads_without_the_code_that_it_brings(model: Path, tmp_path: Path, eager: None) -> None:
    bring_code(model, tmp_path / "ran")
    load_vlm(model)
    assert not (tmp_path / "ran").exists()


def test_a_known_depth_model_loads_without_the_code_that_it_brings(tmp_path: Path, eager: None) -> None:
    folder = Path(save_twin("glpn", tmp_path / "glpn"))
    bring_code(folder, tmp_path / "ran")
    depth(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("index", [False, True])
def test_weights_in_pickles_are_refused(model: Path, tmp_path: Path, index: bool) -> None:
    (model / "model.safetensors").unlink()
    torch.save({"weight": Marking(tmp_path / "ran")}, model / "pytorch_model.bin")
    if index:
        shards = {"metadata": {}, "weight_map": {"lm_head.weight": "pytorch_model.bin"}}
        (model / "model.safetensors.index.json").write_text(json.dumps(shards))
    with pytest.raises(UserError, match="cannot be loaded") as caught:
        load_vlm(model)
    assert "pickles" in caught.value.cause and "save_pretrained" in caught.value.remedy
    assert not (tmp_path / "ran").exists()


def test_pickles_beside_safetensors_do_no_harm(model: Path, tmp_path: Path) -> None:
    torch.save({"weight": Marking(tmp_path / "ran")}, model / "pytorch_model.bin")
    save_file({"weight": torch.zeros(1)}, model / "other.safetensors")
    load_vlm(model)
    assert not (tmp_path / "ran").exists()
