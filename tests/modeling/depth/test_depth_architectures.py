"""What depth models see of a picture, and where in it the picture lies."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoConfig, PretrainedConfig, ZoeDepthImageProcessorPil
from transformers.models.auto.modeling_auto import MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES

from tests.support.depth_models import TWINS, save_twin
from toolkit.data.frames.frame import Frame, ImageArray
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.modeling.depth.depth_architectures import (
    _REFUSED,
    DEPTH_ARCHITECTURES,
    DepthProImageProcessor,
    depth_architecture_of,
    prepare,
)
from toolkit.modeling.depth.value_map import ValueMap

WIDTH, HEIGHT = 149, 95


def frame(pixels: np.ndarray) -> Frame:
    return Frame(ImageArray(pixels, "a picture"), Camera.from_focal(pixels.shape[1], pixels.shape[0], 100))


def ramps() -> np.ndarray:
    """Red tells the column, from 0 to 255 over the width; green the row."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    red, green = columns / (WIDTH - 1) * 255, rows / (HEIGHT - 1) * 255
    return np.round(np.stack([red, green, np.zeros_like(red)], axis=-1)).astype(np.uint8)


def load(name: str, folder: Path):
    save_twin(name, folder)
    architecture = depth_architecture_of("twin", AutoConfig.from_pretrained(folder))
    return architecture, architecture.processor.from_pretrained(folder)


PLACES = np.array([[u, v] for u in range(15, 134, 7) for v in range(15, 80, 7)], dtype=np.float64)


@pytest.mark.parametrize("shrink", [1, 2])
@pytest.mark.parametrize("name", sorted(TWINS))
def test_pixels_are_found_again(name: str, shrink: int, tmp_path: Path) -> None:
    """Where the model only passes on what it sees, in full or half its resolution, a pixel reads its own place."""
    architecture, processor = load(name, tmp_path)
    tensor, box = prepare(architecture, processor, frame(ramps()))
    black, white = (prepare(architecture, processor, frame(np.full_like(ramps(), grey)))[0] for grey in (0, 255))
    middle = tensor.shape[1] // 2, tensor.shape[2] // 2
    for channel, length in ((0, WIDTH), (1, HEIGHT)):
        passed_on = torch.nn.functional.avg_pool2d(tensor[None, channel], shrink)[0].numpy()
        values = ValueMap(passed_on, (WIDTH, HEIGHT), box).read(PLACES)
        low, high = float(black[channel][middle]), float(white[channel][middle])
        found = (values - low) / (high - low) * (length - 1)
        # 8 bits, and ZoeDepth's resize that keeps corners in place, leave fractions of a pixel.
        assert np.abs(found - PLACES[:, channel]).max() < 0.7


def test_zoedepth_sees_what_its_own_processor_makes(tmp_path: Path) -> None:
    architecture, processor = load("zoedepth", tmp_path)
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    stock = ZoeDepthImageProcessorPil.from_pretrained(tmp_path)(Image.fromarray(picture), return_tensors="pt")
    assert torch.equal(prepare(architecture, processor, frame(picture))[0], stock["pixel_values"][0])


def test_dinov2_depth_sees_what_its_own_processor_makes(tmp_path: Path) -> None:
    architecture, processor = load("dpt_dinov2", tmp_path)
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    stock = processor(Image.fromarray(picture), return_tensors="pt")["pixel_values"][0]
    assert torch.equal(prepare(architecture, processor, frame(picture))[0], stock)


def test_depth_pro_normalises_and_resizes_without_averaging() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    processor = DepthProImageProcessor(size={"height": 16, "width": 16})
    seen = processor(Image.fromarray(picture), return_tensors="pt")["pixel_values"][0]
    # At a quarter of the size, a place lies in the middle of four pixels.
    middle = sum(picture[i::4, j::4].astype(float) for i in (1, 2) for j in (1, 2)) / 4
    np.testing.assert_allclose(seen.permute(1, 2, 0), middle / 255 * 2 - 1, atol=1e-6)


def test_a_picture_that_is_too_small_is_named(tmp_path: Path) -> None:
    architecture, processor = load("glpn", tmp_path)
    with pytest.raises(UserError, match="a picture: the depth model does not take a picture of 40 x 20 px"):
        prepare(architecture, processor, frame(np.zeros((20, 40, 3), np.uint8)))


def test_every_architecture_of_transformers_is_known_or_refused_with_a_reason() -> None:
    assert set(MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES) == set(DEPTH_ARCHITECTURES) | set(_REFUSED)


@pytest.mark.parametrize(
    ("model_type", "cause"), [("prompt_depth_anything", "sensor"), ("bert", "it is not known what")]
)
def test_other_models_are_refused(model_type: str, cause: str) -> None:
    config = PretrainedConfig()
    config.model_type = model_type
    with pytest.raises(UserError, match=f"(?s){model_type}.*{cause}.*depth_anything"):
        depth_architecture_of("a/b", config)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Intel/dpt-hybrid-midas", "relative"), ("facebook/dpt-dinov2-base-nyu", "metric"), ("me/dpt-large", None)],
)
def test_dpt_tells_by_its_name_what_it_gives(name: str, kind: str | None) -> None:
    assert DEPTH_ARCHITECTURES["dpt"].told(name, PretrainedConfig()) == kind


@pytest.mark.parametrize("kind", ["metric", "relative"])
def test_depth_anything_tells_by_its_configuration(kind: str) -> None:
    config = PretrainedConfig(depth_estimation_type=kind)
    assert DEPTH_ARCHITECTURES["depth_anything"].told("any", config) == kind
