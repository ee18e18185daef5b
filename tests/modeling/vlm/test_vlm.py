"""Loading, encoding, generating and saving, on twins of every architecture."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoProcessor

from tests.support.architecture_batches import PROMPTS, every_architecture, one_and_two
from tests.support.tiny_architectures import build_twin
from toolkit.config.recipe import TinySettings
from toolkit.errors import UserError
from toolkit.modeling.vlm.tiny import build_tiny
from toolkit.modeling.vlm.vlm import (
    Vlm,
    cast_weights,
    conversation,
    encode,
    load_to_ask,
    load_vlm,
    save_vlm,
    stored_dtype,
)

STOCK_PROCESSORS = {
    "Qwen2.5-VL": "Qwen2_5_VLProcessor",
    "Qwen3-VL": "Qwen3VLProcessor",
    "Idefics3": "Idefics3Processor",
    "SmolVLM": "SmolVLMProcessor",
    "Pixtral": "PixtralProcessor",
    "LLaVA-SigLIP": "LlavaProcessor",
    "LLaVA-CLIP": "LlavaProcessor",
    "InternVL": "InternVLProcessor",
    "Gemma3": "Gemma3Processor",
}
STOCK_VIDEO = {
    "Qwen2.5-VL": "Qwen2VLVideoProcessor",
    "Qwen3-VL": "Qwen3VLVideoProcessor",
    "SmolVLM": "SmolVLMVideoProcessor",
    "InternVL": "InternVLVideoProcessor",
}


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    save_vlm(build_tiny(TinySettings(width=32), PROMPTS), folder)
    return folder


@every_architecture
def test_saving_and_loading_changes_nothing(name: str, tmp_path: Path) -> None:
    vlm = build_twin(name)
    images = one_and_two(vlm)
    save_vlm(vlm, tmp_path / "model")
    again = load_vlm(tmp_path / "model")
    ours, theirs = encode(vlm, PROMPTS, images), encode(again, PROMPTS, images)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    with torch.no_grad():
        assert torch.equal(vlm.model(**ours).logits, again.model(**theirs).logits)
    assert again.architecture is vlm.architecture
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@every_architecture
def test_saved_folders_are_stock(name: str, tmp_path: Path) -> None:
    save_vlm(build_twin(name), tmp_path / "model")
    save_vlm(load_vlm(tmp_path / "model"), tmp_path / "again")
    for folder in ("model", "again"):
        saved = json.loads((tmp_path / folder / "processor_config.json").read_text())
        assert saved["processor_class"] == STOCK_PROCESSORS[name]
        assert saved["image_processor"]["do_resize"] is False
        assert saved.get("video_processor", {}).get("video_processor_type") == STOCK_VIDEO.get(name)


@pytest.mark.parametrize("name", ["Idefics3", "LLaVA-SigLIP", "LLaVA-CLIP", "Gemma3"])
def test_stock_processors_make_the_same_of_a_saved_folder(name: str, tmp_path: Path) -> None:
    vlm = build_twin(name)
    save_vlm(vlm, tmp_path / "model")
    stock = Vlm(vlm.model, AutoProcessor.from_pretrained(tmp_path / "model"), vlm.architecture)
    ours, theirs = (encode(v, PROMPTS, one_and_two(vlm)) for v in (vlm, stock))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_settings_of_the_video_processor_are_kept(tmp_path: Path) -> None:
    save_vlm(build_twin("Qwen3-VL"), tmp_path / "model")
    file = tmp_path / "model" / "processor_config.json"
    settings = json.loads(file.read_text())
    settings["video_processor"]["fps"] = 7
    file.write_text(json.dumps(settings))
    save_vlm(load_vlm(tmp_path / "model"), tmp_path / "again")
    assert json.loads((tmp_path / "again" / "processor_config.json").read_text())["video_processor"]["fps"] == 7


@every_architecture
def test_batching_changes_no_answer(name: str) -> None:
    vlm = build_twin(name)
    images = one_and_two(vlm)
    with torch.no_grad():
        together = vlm.model(**encode(vlm, PROMPTS, images)).logits[:, -1]
        alone = [vlm.model(**encode(vlm, [p], [i])).logits[0, -1] for p, i in zip(PROMPTS, images, strict=True)]
    assert (PROMPTS[0] != PROMPTS[1]) and not torch.allclose(together[0], together[1], atol=1e-3)
    torch.testing.assert_close(together, torch.stack(alone), atol=2e-5, rtol=0)


@every_architecture
def test_pictures_matter(name: str) -> None:
    vlm = build_twin(name)
    (image,) = one_and_two(vlm)[0]
    with torch.no_grad():
        seen, dark = (vlm.model(**encode(vlm, PROMPTS[:1], [[x]])).logits for x in (image, image // 4))
    assert not torch.allclose(seen[0, -1], dark[0, -1], atol=1e-4)


def test_conversation_is_plain_text_with_pil_pictures() -> None:
    row = conversation("How far?", [np.zeros((4, 6, 3), np.uint8)], "1 m")
    assert row["prompt"] == [{"role": "user", "content": "How far?"}]
    assert row["completion"] == [{"role": "assistant", "content": "1 m"}]
    assert [image.size for image in row["images"]] == [(6, 4)]
    assert "completion" not in conversation("How far?", [])


def test_saving_into_a_folder_keeps_its_other_files(tiny_folder: Path, tmp_path: Path) -> None:
    vlm = load_vlm(tiny_folder)
    (tmp_path / "recipe.yaml").write_text("kept")
    (tmp_path / "model-00001-of-00002.safetensors").write_text("stale")
    save_vlm(vlm, tmp_path)
    save_vlm(vlm, tmp_path)
    assert (tmp_path / "recipe.yaml").read_text() == "kept"
    assert not (tmp_path / "model-00001-of-00002.safetensors").exists()
    assert load_vlm(tmp_path).architecture is vlm.architecture


def test_an_interrupted_save_leaves_nothing_behind(tiny_folder: Path, tmp_path: Path) -> None:
    vlm = load_vlm(tiny_folder)
    vlm.processor.save_pretrained = lambda _: (_ for _ in ()).throw(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        save_vlm(vlm, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_save_has_left_goes_with_the_next_one(tiny_folder: Path, tmp_path: Path) -> None:
    for left in (tmp_path / ".model.saving", tmp_path / "model" / ".saving"):
        (left / "model").mkdir(parents=True)
        (left / "model" / "model.safetensors").write_text("half")
        save_vlm(load_vlm(tiny_folder), tmp_path / "model")
        assert not left.exists()
        shutil.rmtree(tmp_path / "model")


def _copy(source: Path, target: Path, **changes: Any) -> Path:
    """A copy of a model folder, with files of these stems replaced by texts, or left out for None."""
    target.mkdir()
    for file in source.iterdir():
        text = changes.get(file.stem, file.read_bytes())
        if text is not None:
            (target / file.name).write_bytes(text)
    return target


def _complaint(name: str | Path) -> UserError:
    with pytest.raises(UserError) as caught:
        load_vlm(name)
    assert caught.value.remedy
    return caught.value


def test_no_such_folder(tmp_path: Path) -> None:
    for name in (tmp_path / "none", str(tmp_path / "none"), "./none", "some/where/else"):
        assert "no such folder" in _complaint(name).problem


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    assert "no config.json" in _complaint(tmp_path).problem


def test_an_adapter_is_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "toolkit export" in _complaint(tmp_path).remedy


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (b"{", "not JSON"),
        (b"{}", "model_type"),
        (b'{"model_type": "bert"}', "bert"),
        (b'{"model_type": "no_such_model"}', "cannot be loaded"),
    ],
)
def test_a_configuration_that_is_no_use(tiny_folder: Path, tmp_path: Path, config: bytes, words: str) -> None:
    assert words in _complaint(_copy(tiny_folder, tmp_path / "model", config=config)).problem


@pytest.mark.parametrize("file", ["model", "tokenizer", "processor_config"])
def test_a_folder_that_lacks_a_file(tiny_folder: Path, tmp_path: Path, file: str) -> None:
    _complaint(_copy(tiny_folder, tmp_path / "model", **{file: None, "tokenizer_config": None}))


def test_weights_that_are_not_all_there(tiny_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = _copy(tiny_folder, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in weights if "multi_modal_projector" in name)
    save_file({name: weight for name, weight in weights.items() if name != lost}, folder / "model.safetensors")
    assert "1 of the model's weights" in _complaint(folder).problem


def test_cast_weights_load_in_their_type_and_answer_as_before(tmp_path: Path) -> None:
    for name in ("Qwen3-VL", "LLaVA-SigLIP"):
        vlm = build_twin(name)
        cast_weights(vlm, torch.bfloat16)
        save_vlm(vlm, tmp_path / name)
        again = load_vlm(tmp_path / name)
        batch = encode(vlm, PROMPTS, one_and_two(vlm))
        with torch.no_grad():
            assert torch.equal(vlm.model(**batch).logits, again.model(**batch).logits)
        assert again.model.dtype == stored_dtype(tmp_path / name) == torch.bfloat16


@pytest.mark.parametrize(
    ("whole", "text", "expected"),
    [("float16", "bfloat16", torch.float16), (None, "bfloat16", torch.bfloat16), (None, None, torch.float32)],
)
def test_the_stored_type_is_the_one_that_the_configuration_names(
    whole: str | None, text: str | None, expected: torch.dtype, tiny_folder: Path, tmp_path: Path
) -> None:
    config = json.loads((tiny_folder / "config.json").read_text())
    config["dtype"] = whole
    config["text_config"]["dtype"] = text
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert stored_dtype(tmp_path) == expected


@pytest.mark.parametrize(("able", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_without_bfloat16_is_asked_in_float32(
    able: bool, expected: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vlm = build_twin("LLaVA-SigLIP")
    cast_weights(vlm, torch.bfloat16)
    save_vlm(vlm, tmp_path / "model")
    monkeypatch.setattr("toolkit.modeling.vlm.vlm.cpu_has_bfloat16", lambda: able)
    asked = load_to_ask(tmp_path / "model", "cpu").model
    assert asked.dtype == expected
    given = vlm.model.state_dict()
    assert all(torch.equal(weight.float(), given[name].float()) for name, weight in asked.state_dict().items())
