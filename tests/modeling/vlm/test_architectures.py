"""Every architecture: pictures arrive unresized, the loss is on the answer alone, and parts are told apart."""

from collections.abc import Sequence
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from trl import SFTConfig, SFTTrainer

from tests.support.architecture_batches import ANSWERS, PROMPTS, every_architecture, fitting, noise, one_and_two
from tests.support.tiny_architectures import TWINS, build_twin
from toolkit.errors import UserError
from toolkit.geometry.canonical import Canvas
from toolkit.modeling.vlm.architectures import PictureSizeError, architecture_of, check_geometry, check_pictures
from toolkit.modeling.vlm.vlm import Vlm, conversation, encode


@every_architecture
def test_pictures_reach_the_tower_unresized(name: str) -> None:
    vlm = build_twin(name)
    images = one_and_two(vlm)
    batch = encode(vlm, PROMPTS, images)
    sizes = [(image.shape[1], image.shape[0]) for row in images for image in row]
    assert vlm.geometry.seen(batch, vlm.geometry.patch) == sizes
    image_tokens = int((batch["input_ids"] == vlm.model.config.image_token_id).sum())
    assert image_tokens == sum(vlm.geometry.image_tokens(*size) for size in sizes)


@every_architecture
def test_pixels_are_those_of_the_picture(name: str) -> None:
    vlm = build_twin(name)
    side = vlm.geometry.canvas.square or 2 * vlm.geometry.canvas.multiple
    bright = np.zeros((side, side, 3), np.uint8)
    bright[0, 0] = 255
    pixels = encode(vlm, PROMPTS[:1], [[bright]])["pixel_values"]
    # One white pixel stays one white pixel: three channels, and Qwen's patches hold two frames of each.
    assert int((pixels > pixels.min() + (pixels.max() - pixels.min()) / 2).sum()) in (3, 6)


@every_architecture
def test_a_wrong_size_is_an_error(name: str) -> None:
    vlm = build_twin(name)
    good = fitting(vlm.geometry.canvas)[0]
    for image in (good[:-1], good[:, :-1], np.tile(good, (3, 3, 1))[: good.shape[0] + 1]):
        with pytest.raises(PictureSizeError, match=f"{image.shape[1]} x {image.shape[0]}"):
            encode(vlm, PROMPTS[:1], [[image]])


@every_architecture
def test_a_batch_of_other_sizes_is_caught(name: str) -> None:
    vlm, smaller = build_twin(name), build_twin(name, side=32)
    given, other = fitting(vlm.geometry.canvas)[0], fitting(smaller.geometry.canvas)[1]
    batch = encode(smaller, PROMPTS[:1], [[other]])
    with pytest.raises(PictureSizeError, match=f"would see {other.shape[1]} x {other.shape[0]}"):
        check_geometry(vlm.geometry, batch, [[given]])
    with pytest.raises(PictureSizeError, match="but the vision tower would see none"):
        check_geometry(vlm.geometry, {"input_ids": batch["input_ids"]}, [[given]])


def test_a_processor_that_resizes_a_fitting_picture_is_caught() -> None:
    vlm = build_twin("Qwen2.5-VL")
    processor = vlm.processor.image_processor
    processor.do_resize, processor.size = True, {"shortest_edge": 200 * 28 * 28, "longest_edge": 400 * 28 * 28}
    with pytest.raises(PictureSizeError, match="84 x 140, but the vision tower would see"):
        encode(vlm, PROMPTS[:1], [[noise(84, 140)]])


def test_tiles_are_caught() -> None:
    vlm = build_twin("InternVL")
    batch = {"pixel_values": torch.zeros(5, 3, 64, 64)}
    with pytest.raises(PictureSizeError, match="64 x 64, 64 x 64"):
        check_geometry(vlm.geometry, batch, [noise(64, 64)])


def test_patches_that_are_cut_off_are_caught() -> None:
    """Pixtral's processor passes on any size, and its tower drops what makes no whole patch."""
    vlm = build_twin("Pixtral")
    batch = {"pixel_values": torch.zeros(1, 3, 40, 33), "image_sizes": torch.tensor([[40, 33]])}
    with pytest.raises(PictureSizeError, match="multiples of 16"):
        check_geometry(vlm.geometry, batch, [noise(33, 40)])


def test_text_alone_needs_no_pictures() -> None:
    vlm = build_twin("Qwen2.5-VL")
    check_pictures(vlm.geometry, [[], []])
    assert "pixel_values" not in encode(vlm, PROMPTS, [[], []])


def _labels(vlm: Vlm, images: Sequence[Sequence[np.ndarray]], folder: str) -> dict[str, Any]:
    """The first batch that TRL's trainer would train on."""

    def render(rows: dict[str, list[int]]) -> dict[str, list[Any]]:
        made = [conversation(PROMPTS[i], images[i], ANSWERS[i]) for i in rows["index"]]
        return {key: [row[key] for row in made] for key in made[0]}

    settings = SFTConfig(
        output_dir=folder,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        remove_unused_columns=False,
        max_length=None,
        report_to="none",
        per_device_train_batch_size=len(images),
    )
    rows = datasets.Dataset.from_dict({"index": range(len(images))}).with_transform(render)
    trainer = SFTTrainer(vlm.model, settings, train_dataset=rows, processing_class=vlm.processor)
    return trainer.data_collator([rows[i] for i in range(len(images))])


@every_architecture
def test_the_loss_is_on_the_answer_and_its_end_alone(name: str, tmp_path: Any) -> None:
    vlm = build_twin(name)
    images = one_and_two(vlm)
    batch = _labels(vlm, images, str(tmp_path))
    check_geometry(vlm.geometry, batch, images)
    twin = TWINS[name]
    for labels, answer in zip(batch["labels"], ANSWERS, strict=True):
        learnt = vlm.processor.tokenizer.decode(labels[labels != -100])
        assert learnt == twin.lead + answer + twin.end + twin.tail


@every_architecture
def test_asking_shows_what_training_showed(name: str, tmp_path: Any) -> None:
    vlm = build_twin(name)
    images = one_and_two(vlm)
    trained = _labels(vlm, images, str(tmp_path))
    asked = encode(vlm, PROMPTS, images)
    for row in range(len(images)):
        prompt = trained["input_ids"][row][(trained["labels"][row] == -100) & (trained["attention_mask"][row] == 1)]
        assert prompt.tolist() == asked["input_ids"][row][asked["attention_mask"][row] == 1].tolist()
    assert torch.equal(trained["pixel_values"], asked["pixel_values"])


@every_architecture
def test_parts_cover_the_model_without_overlap(name: str) -> None:
    vlm = build_twin(name)
    parts: dict[str, list[str]] = {"vision": [], "projector": [], "language": []}
    for parameter, _ in vlm.model.named_parameters():
        parts[vlm.architecture.part(parameter)].append(parameter)
    assert all(parts.values())
    assert all("language_model" in n or "text_model" in n or "lm_head" in n for n in parts["language"])
    assert not any("merger" in n or "projector" in n or "connector" in n for n in parts["vision"])


def test_unknown_models_are_named_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="bert") as caught:
        architecture_of(transformers.BertConfig())
    assert "qwen2_5_vl" in caught.value.remedy


def test_unknown_towers_are_named_with_the_known_ones() -> None:
    config = transformers.LlavaConfig(vision_config={"model_type": "dinov2"}, text_config={"model_type": "llama"})
    with pytest.raises(UserError, match="dinov2") as caught:
        architecture_of(config)
    assert "pixtral" in caught.value.remedy


@pytest.mark.parametrize(
    ("config", "canvas", "tokens"),
    [
        (transformers.Qwen2_5_VLConfig(), Canvas(multiple=28), 48 * 36),
        (transformers.Qwen3VLConfig(), Canvas(multiple=32), 42 * 31),
        (transformers.LlavaConfig(vision_config={"model_type": "pixtral"}), Canvas(multiple=16), 84 * 63),
        (transformers.LlavaConfig(), Canvas(square=336), 24 * 24),
        (transformers.InternVLConfig(), Canvas(square=448), 16 * 16),
    ],
    ids=lambda value: value.model_type if hasattr(value, "model_type") else None,
)
def test_canvas_of_the_stock_sizes(config: Any, canvas: Canvas, tokens: int) -> None:
    architecture = architecture_of(config)
    assert architecture.canvas(config) == canvas
    geometry = architecture.geometry(config)
    side = canvas.square
    assert geometry.image_tokens(side or 1344, side or 1008) == tokens
