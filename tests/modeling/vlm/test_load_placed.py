"""Loading a model where the user wants it. Without a GPU, what transformers is told stands for what it does."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForImageTextToText
from transformers.quantizers.quantizers_utils import should_convert_module

from tests.support.tiny_architectures import TWINS, build_twin
from toolkit.errors import UserError
from toolkit.modeling.placement import Placement
from toolkit.modeling.vlm import load_placed as module
from toolkit.modeling.vlm.load_placed import find_device, load_placed, quantization
from toolkit.modeling.vlm.vlm import save_vlm


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs, as far as torch is asked about them."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)


@pytest.fixture
def bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if bitsandbytes were installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        module.importlib.util, "find_spec", lambda name: SimpleNamespace() if name == "bitsandbytes" else found(name)
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_what_this_machine_lacks_is_named() -> None:
    for placement in (Placement("cuda"), Placement("cuda:1"), Placement(quantize="4bit")):
        with pytest.raises(UserError, match="torch finds no GPU of CUDA"):
            find_device(placement)
    assert find_device(Placement()) == find_device(Placement("cpu")) == torch.device("cpu")


@pytest.mark.usefixtures("gpus")
def test_gpus_are_numbered() -> None:
    assert find_device(Placement()) == find_device(Placement(quantize="4bit")) == torch.device("cuda", 0)
    assert find_device(Placement("cuda:1")) == torch.device("cuda", 1)
    with pytest.raises(UserError, match="the last GPU of this machine is cuda:1"):
        find_device(Placement("cuda:2"))


def test_weights_get_the_type_that_is_asked_for(tmp_path: Path) -> None:
    save_vlm(build_twin("Qwen3-VL"), tmp_path / "model")
    assert load_placed(tmp_path / "model").model.dtype == torch.float32
    vlm = load_placed(tmp_path / "model", Placement("cpu", "bfloat16"))
    assert {weight.dtype for weight in vlm.model.parameters()} == {torch.bfloat16}
    assert vlm.placement_to_json() == {"device": "cpu", "dtype": "bfloat16", "quantize": None}


def test_bitsandbytes_is_asked_for_if_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs bitsandbytes") as error:
        quantization(tmp_path, Placement(quantize="4bit"))
    assert "3dqa-toolkit[quantize]" in error.value.remedy


@pytest.mark.usefixtures("bitsandbytes")
@pytest.mark.parametrize("name", TWINS)
def test_the_language_model_is_shortened_and_what_sees_is_not(name: str, tmp_path: Path) -> None:
    vlm = build_twin(name)
    save_vlm(vlm, tmp_path)
    kept = quantization(tmp_path, Placement(quantize="8bit")).llm_int8_skip_modules
    linear = [path for path, layer in vlm.model.named_modules() if isinstance(layer, torch.nn.Linear)]
    shortened = {path for path in linear if should_convert_module(path, kept)}
    assert {vlm.architecture.part(path) for path in shortened} == {"language"}
    assert {path for path in linear if vlm.architecture.part(path) == "language"} - shortened == {"lm_head"}


@pytest.mark.usefixtures("bitsandbytes", "gpus")
def test_transformers_is_told_where_and_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_vlm(build_twin("Qwen3-VL"), tmp_path / "model")
    told: dict[str, object] = {}

    def from_pretrained(name: str, **options: object) -> None:
        told.update(options)
        raise OSError("no GPU here")

    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", from_pretrained)
    monkeypatch.setattr(module, "check_memory", lambda *_: None)
    with pytest.raises(UserError, match="cannot be loaded"):
        load_placed(tmp_path / "model", Placement("cuda:1", "bfloat16", "4bit"))
    assert told["device_map"] == {"": torch.device("cuda", 1)}
    config = told["quantization_config"]
    assert (config.load_in_4bit, config.bnb_4bit_quant_type) == (True, "nf4")
    assert config.bnb_4bit_compute_dtype == told["dtype"] == torch.bfloat16
