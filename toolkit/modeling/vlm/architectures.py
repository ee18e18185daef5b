"""What each family of vision-language models needs: one table, one entry a family.

Every family takes pictures only at certain sizes. A picture that a processor resizes after
canonicalisation has another focal length than its camera says, so processors are kept from resizing and
every batch is checked against the pictures it was made from.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import PretrainedConfig
from transformers.processing_utils import ProcessorMixin

from toolkit.errors import UserError, did_you_mean
from toolkit.geometry.canonical import Canvas
from toolkit.modeling.vlm import processors

Part = Literal["vision", "projector", "language"]


Picture = Image.Image | np.ndarray


Size = tuple[int, int]


Batch = Mapping[str, Any]


class GeometryError(UserError):
    """A picture whose size the model does not take, or that a processor resized, cropped or cut."""


@dataclass(frozen=True)
class Geometry:
    """How pictures become image tokens.

    Attributes:
        canvas: The picture sizes that are taken as they are.
        patch: Side of a patch of the vision tower [px].
        merge: Patches a side that become one image token.
        seen: The (width, height) [px] of every picture that reaches the vision tower, from the batch
            that the processor made and the patch.
    """

    canvas: Canvas
    patch: int
    merge: int
    seen: Callable[[Batch, int], list[Size]]

    def image_tokens(self, width: int, height: int) -> int:
        """How many image tokens a picture of ``width`` x ``height`` [px] costs."""
        return (width // self.side) * (height // self.side)

    @property
    def side(self) -> int:
        """Side of what becomes one image token [px]."""
        return self.patch * self.merge


@dataclass(frozen=True)
class Family:
    """What one family of models needs.

    Attributes:
        name: What people call it.
        model_types: The ``model_type`` of its configurations.
        processor: Class that turns pictures and text into tensors.
        geometry: Its Geometry, from a configuration.
        vision: Regular expression for the start of the names of the vision tower's modules.
        projector: The same for what maps image features to the language model; it may lie in the tower.
        language: The same for the language model's layers.
        untouched: Attributes of the image processor that keep it from changing a picture's size.
        towers: The vision tower's ``model_type`` where it tells apart families of one ``model_type``.
    """

    name: str
    model_types: tuple[str, ...]
    processor: type[ProcessorMixin]
    geometry: Callable[[PretrainedConfig], Geometry]
    vision: str
    projector: str
    language: str
    untouched: Mapping[str, object]
    towers: tuple[str, ...] = ()

    def canvas(self, config: PretrainedConfig) -> Canvas:
        """The picture sizes that a model of this family with ``config`` takes as they are."""
        return self.geometry(config).canvas

    def part(self, name: str) -> Part:
        """The part of the model to which the module or parameter called ``name`` belongs."""
        if re.search(rf"(^|\.){self.projector}", name):
            return "projector"
        return "vision" if re.search(rf"(^|\.){self.vision}", name) else "language"

    @property
    def lora_target(self) -> str:
        """Regular expression for the linear layers of the language model, and of nothing else."""
        return rf"(.*\.)?{self.language}.*\.(q|k|v|o|gate|up|down)_proj"


def _grid(batch: Batch, patch: int) -> list[Size]:
    return [(columns * patch, rows * patch) for _, rows, columns in batch["image_grid_thw"].tolist()]


def _listed(batch: Batch, _: int) -> list[Size]:
    return [(width, height) for height, width in torch.as_tensor(batch["image_sizes"]).tolist()]


def _uniform(batch: Batch, _: int) -> list[Size]:
    count, _, height, width = batch["pixel_values"].shape
    return [(width, height)] * count


def _masked(batch: Batch, _: int) -> list[Size]:
    """Sizes where each row of the batch is filled up with empty pictures: the mask says what is real."""
    mask = batch["pixel_attention_mask"].flatten(0, 1)
    sizes = torch.stack([mask[:, 0, :].sum(-1), mask[:, :, 0].sum(-1)], dim=-1)
    return [(width, height) for width, height in sizes.tolist() if width]


def _side(value: int | Sequence[int]) -> int:
    return value if isinstance(value, int) else value[0]


def _any_size(config: PretrainedConfig, seen: Callable[[Batch, int], list[Size]]) -> Geometry:
    patch = _side(config.vision_config.patch_size)
    merge = getattr(config.vision_config, "spatial_merge_size", 1)
    return Geometry(Canvas(multiple=patch * merge), patch, merge, seen)


def _squares(
    config: PretrainedConfig,
    merge: Callable[[PretrainedConfig], int],
    seen: Callable[[Batch, int], list[Size]] = _uniform,
) -> Geometry:
    vision = config.vision_config
    return Geometry(Canvas(square=_side(vision.image_size)), _side(vision.patch_size), merge(config), seen)


def _gemma_merge(config: PretrainedConfig) -> int:
    patches = config.vision_config.image_size // config.vision_config.patch_size
    return patches // round(config.mm_tokens_per_image**0.5)


_QWEN25 = Family(
    name="Qwen2.5-VL",
    model_types=("qwen2_5_vl",),
    processor=processors.Qwen2_5_VLProcessor,
    geometry=partial(_any_size, seen=_grid),
    vision=r"visual\.",
    projector=r"visual\.(merger|deepstack_merger_list)\.",
    language=r"language_model\.",
    untouched={"do_resize": False},
)


_IDEFICS3 = Family(
    name="Idefics3",
    model_types=("idefics3",),
    processor=transformers.Idefics3Processor,
    geometry=partial(_squares, merge=lambda config: config.scale_factor, seen=_masked),
    vision=r"vision_model\.",
    projector=r"connector\.",
    language=r"text_model\.",
    untouched={"do_resize": False, "do_image_splitting": False},
)


_LLAVA = Family(
    name="LLaVA",
    model_types=("llava",),
    processor=transformers.LlavaProcessor,
    geometry=partial(_squares, merge=lambda _: 1),
    vision=r"vision_tower\.",
    projector=r"multi_modal_projector\.",
    language=r"language_model\.",
    untouched={"do_resize": False, "do_center_crop": False, "do_pad": False},
    towers=("siglip_vision_model", "clip_vision_model"),
)


FAMILIES: tuple[Family, ...] = (
    _QWEN25,
    replace(_QWEN25, name="Qwen3-VL", model_types=("qwen3_vl",), processor=processors.Qwen3VLProcessor),
    _IDEFICS3,
    replace(_IDEFICS3, name="SmolVLM", model_types=("smolvlm",), processor=processors.SmolVLMProcessor),
    _LLAVA,
    replace(
        _LLAVA,
        name="Pixtral",
        processor=processors.PixtralProcessor,
        geometry=partial(_any_size, seen=_listed),
        untouched={"do_resize": False},
        towers=("pixtral",),
    ),
    replace(
        _LLAVA,
        name="InternVL",
        model_types=("internvl",),
        processor=processors.InternVLProcessor,
        geometry=partial(_squares, merge=lambda config: round(1 / config.downsample_ratio)),
        # One tile at most: stock processors insist on cutting, whatever crop_to_patches says.
        untouched={"do_resize": False, "crop_to_patches": False, "max_patches": 1},
        towers=(),
    ),
    replace(
        _LLAVA,
        name="Gemma3",
        model_types=("gemma3",),
        processor=transformers.Gemma3Processor,
        geometry=partial(_squares, merge=_gemma_merge),
        untouched={"do_resize": False, "do_pan_and_scan": False},
        towers=(),
    ),
)


def family_of(config: PretrainedConfig) -> Family:
    """The Family of a model's configuration.

    Raises:
        UserError: If there is none.
    """
    tower = getattr(getattr(config, "vision_config", None), "model_type", None)
    for family in FAMILIES:
        if config.model_type in family.model_types and (not family.towers or tower in family.towers):
            return family
    known = sorted({model_type for family in FAMILIES for model_type in family.model_types})
    towers = ", ".join(tower for family in FAMILIES for tower in family.towers)
    is_tower = config.model_type in known
    raise UserError(
        f"models of type {config.model_type} {f'with a {tower} tower ' if is_tower else ''}are not supported",
        "how their processors resize pictures is not known, and a resize undoes canonicalisation",
        f"use a tower of {towers}" if is_tower else did_you_mean(config.model_type, known),
    )


def keep_sizes(processor: ProcessorMixin, family: Family, geometry: Geometry) -> None:
    """Keep a processor from changing the size of any picture; what it saves says so too."""
    images = processor.image_processor
    for name, value in family.untouched.items():
        setattr(images, name, value)
    if hasattr(images, "max_image_size"):
        images.max_image_size = {"longest_edge": geometry.canvas.square}


def picture_size(picture: Picture) -> Size:
    """(width, height) [px] of a PIL picture or of an array (height, width, 3)."""
    if isinstance(picture, Image.Image):
        return picture.size
    return picture.shape[1], picture.shape[0]


def flatten(images: Sequence[Picture | Sequence[Picture]]) -> list[Picture]:
    """The pictures of a batch in order, whether they are given a list a sample or all in one list."""
    rows = [[row] if isinstance(row, Image.Image | np.ndarray) else row for row in images]
    return [picture for row in rows for picture in row]


def check_pictures(geometry: Geometry, images: Sequence[Picture | Sequence[Picture]]) -> None:
    """Check that a model takes these pictures as they are.

    Raises:
        GeometryError: If one of them does not fit the canvas.
    """
    canvas = geometry.canvas
    for index, (width, height) in enumerate(map(picture_size, flatten(images))):
        if canvas.square and (width, height) != (canvas.square, canvas.square):
            wanted = f"exactly {canvas.square} x {canvas.square}"
        elif width % canvas.multiple or height % canvas.multiple:
            wanted = f"sides that are multiples of {canvas.multiple}"
        else:
            continue
        raise GeometryError(
            f"picture {index} of the batch is {width} x {height}; the model takes {wanted} [px]",
            "any other size would be resized, which changes the focal length that the picture was given",
            "canonicalise it for this model's canvas",
        )


def check_geometry(geometry: Geometry, batch: Batch, images: Sequence[Picture | Sequence[Picture]]) -> None:
    """Check that the pictures of a batch reach the vision tower at their own sizes.

    Args:
        geometry: Of the model.
        batch: What the processor made.
        images: The pictures it was made from, in order.

    Raises:
        GeometryError: If a picture does not fit the canvas, or was resized, cropped or cut into tiles.
    """
    check_pictures(geometry, images)
    given = [picture_size(picture) for picture in flatten(images)]
    seen = geometry.seen(batch, geometry.patch) if "pixel_values" in batch else []
    if seen == given:
        return
    texts = [", ".join(f"{width} x {height}" for width, height in sizes) or "none" for sizes in (given, seen)]
    raise GeometryError(
        f"the pictures given are {texts[0]}, but the vision tower would see {texts[1]} [px]",
        "the processor resizes, crops or cuts them, so their cameras are no longer true of them",
        "use a processor from toolkit.modeling.vlm.vlm.load_vlm, and do not change its image processor's settings",
    )
