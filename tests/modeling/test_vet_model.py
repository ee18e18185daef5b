"""Files of a model that came from anywhere: the model is used, or a UserError says what is wrong with them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from toolkit.config.recipe import TinySettings
from toolkit.errors import UserError
from toolkit.modeling.predictor import Reply
from toolkit.modeling.safe_loading import clear_errors
from toolkit.modeling.vet_model import vet_config, vet_folder
from toolkit.modeling.vlm.generation import generate
from toolkit.modeling.vlm.tiny import build_tiny
from toolkit.modeling.vlm.vlm import load_vlm, save_vlm

NO_OBJECTS = {
    "empty": b"",
    "list": b"[]",
    "null": b"null",
    "number": b"1.5",
    "text": b'"x"',
    "cut": b'{"model_type": "lla',
    "deep": b'{"a":' * 100_000,
    "digits": b'{"a": ' + b"9" * 6_000 + b"}",
    "not UTF-8": b'{"a": "\xff"}',
    "mark": b"\xef\xbb\xbf{}",
}
"""What a JSON file of a model can hold instead of an object."""

FILES = ("config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_vlm(build_tiny(TinySettings(picture=16, patch=8, width=16, layers=1), ["how far is it"]), folder)
    return folder


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def change(file: Path, keys: str, value: Any) -> None:
    """Give the value behind a path of keys another value."""
    content = inner = json.loads(file.read_text())
    *path, last = keys.split(".")
    for key in path:
        inner = inner[key]
    inner[last] = value
    file.write_text(json.dumps(content))


def vet(model: Path) -> None:
    vet_config(model / "config.json")
    vet_folder(model)


def answer(model: Path, tokens: int = 1) -> list[Reply]:
    return generate(load_vlm(model), ["how far is it"], [[np.zeros((16, 16, 3), np.uint8)]], max_new_tokens=tokens)


@pytest.mark.parametrize("content", NO_OBJECTS.values(), ids=NO_OBJECTS)
@pytest.mark.parametrize("name", [*FILES, "added_tokens.json", "model.safetensors.index.json"])
def test_a_file_that_holds_no_object_is_named(name: str, content: bytes, model: Path) -> None:
    (model / name).write_bytes(content)
    with pytest.raises(UserError, match=name.replace(".", r"\.")) as caught:
        vet(model)
    assert caught.value.remedy or "download" in caught.value.problem


@pytest.mark.parametrize(
    ("name", "keys", "value"),
    [
        ("config.json", "text_config.num_hidden_layers", 10**9),
        ("config.json", "vision_config.image_size", 10**6),
        ("config.json", "text_config.vocab_size", 10**12),
        ("processor_config.json", "num_additional_image_tokens", 10**9),
        ("processor_config.json", "image_processor.size.height", 10**6),
        ("processor_config.json", "patch_size", 10**4000),
    ],
)
def test_sizes_beyond_reason_are_named(name: str, keys: str, value: int, model: Path) -> None:
    change(model / name, keys, value)
    with pytest.raises(UserError, match=keys):
        vet(model)


@pytest.mark.parametrize(
    ("keys", "value", "fault"),
    [
        ("text_config.num_hidden_layers", 500, "500, but the weights beside it have 1 layers"),
        ("text_config.hidden_size", 4096, "hidden_size is 4096"),
        (
            "vision_config",
            {"model_type": "siglip_vision_model", "image_size": 16, "patch_size": 8},
            "hidden_size is 768",
        ),
    ],
)
def test_sizes_of_another_model_are_named(keys: str, value: Any, fault: str, model: Path) -> None:
    change(model / "config.json", keys, value)
    with pytest.raises(UserError, match=fault):
        load_vlm(model)


def test_an_adapter_beside_a_model_is_refused(model: Path) -> None:
    (model / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"adapter_config\.json"):
        load_vlm(model)


@pytest.mark.parametrize(
    ("name", "keys", "value"),
    [
        ("config.json", "text_config.hidden_size", "x"),
        ("config.json", "text_config.hidden_act", "x"),
        ("config.json", "text_config.vocab_size", 10**9),
        ("config.json", "text_config.pad_token_id", 10**8),
        ("config.json", "vision_config.patch_size", 0),
        ("config.json", "dtype", "x"),
        ("processor_config.json", "image_processor", 3),
        ("processor_config.json", "image_processor.image_mean", "x"),
        ("processor_config.json", "patch_size", None),
        ("tokenizer.json", "model", 1),
        ("tokenizer.json", "model.vocab.0", 10**9),
        ("tokenizer.json", "added_tokens", []),
        ("tokenizer_config.json", "eos_token", 3),
        ("tokenizer_config.json", "tokenizer_class", 1.5),
        ("generation_config.json", "pad_token_id", {}),
    ],
)
def test_nonsense_is_a_users_error(name: str, keys: str, value: Any, model: Path) -> None:
    change(model / name, keys, value)
    with pytest.raises(UserError) as caught:
        answer(model)
    assert str(model) in str(caught.value)


def test_what_shows_only_in_use_is_a_users_error(model: Path) -> None:
    change(model / "config.json", "image_token_index", 10**6)
    vlm = load_vlm(model)
    with pytest.raises(UserError, match="cannot be loaded"):
        generate(vlm, ["how far is it"], [[np.zeros((16, 16, 3), np.uint8)]], max_new_tokens=1)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_new_tokens": 10**12, "min_new_tokens": 10**6, "max_time": -1.0, "forced_bos_token_id": 3},
        {"bad_words_ids": [[token] for token in range(50)], "suppress_tokens": list(range(50))},
        {"eos_token_id": 10**9, "pad_token_id": -1, "bos_token_id": "x"},
        {"eos_token_id": "x"},
        {"eos_token_id": [None, True, 2]},
    ],
)
def test_answers_follow_no_setting_of_the_models_own(settings: dict[str, Any], model: Path, saved: Path) -> None:
    file = model / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    assert answer(model, 3) == answer(saved, 3)


@pytest.mark.parametrize("spoil", [lambda weight: weight * torch.nan, lambda weight: weight[:1]])
def test_damaged_weights_are_a_users_error(spoil: Callable[[torch.Tensor], torch.Tensor], model: Path) -> None:
    file = model / "model.safetensors"
    weights = {name: spoil(weight).clone() for name, weight in load_file(file).items()}
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(UserError, match="model"):
        answer(model)


class PanicException(BaseException):
    """What Rust code raises at its own mistakes has this name."""


@pytest.mark.parametrize("error", [KeyError("x"), MemoryError(), RecursionError("deep"), PanicException("\x1b[31m")])
def test_whatever_libraries_raise_is_cleared_up(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json") as caught, clear_errors(tmp_path, "config.json"):
        raise error
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), UserError("said already")])
def test_what_is_no_librarys_error_passes(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as caught, clear_errors(tmp_path):
        raise error
    assert caught.value is error
