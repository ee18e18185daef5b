"""What each architecture of vision-language models needs, in one table.

Every architecture takes pictures only at certain sizes. If a processor resizes a picture after canonicalisation, the
picture has another focal length than its camera says. Processors are therefore kept from resizing, and every batch is
checked against the pictures that it was made from.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import PretrainedConfig
from transformers.processing_utils import ProcessorMixin

from toolkit.config.recipe import ModelPart
from toolkit.errors import UserError, did_you_mean
from toolkit.geometry.canonical import Canvas
from toolkit.modeling.vlm import processors

ImageLike = Image.Image | np.ndarray
"""A PIL picture, or an array (height, width, 3) of bytes."""

_Size = tuple[int, int]
"""The width and the height of a picture [px]."""

_Batch = Mapping[str, Any]
"""The tensors that a processor makes, by name."""


class PictureSizeError(UserError):
    """A picture has a size that the model does not take, or a processor has resized, cropped or cut it."""


@dataclass(frozen=True)
class PictureGeometry:
    """How pictures become image tokens.

    Attributes:
        canvas: The picture sizes that the model takes without resizing.
        patch: The side of a patch of the vision tower [px].
        merge: How many patches along each side are merged into one image token.
        seen: A function that returns the size of every picture that reaches the vision tower, from the batch that the
            processor made and the side of a patch.
    """

    canvas: Canvas
    patch: int
    merge: int
    seen: Callable[[_Batch, int], list[_Size]]

    def __post_init__(self) -> None:
        """Check the lengths, which a model's configuration states.

        Raises:
            ValueError: If one is no positive whole number.
        """
        for length in (self.canvas.multiple, self.canvas.square or 1, self.patch, self.merge):
            if not isinstance(length, int) or length < 1:
                raise ValueError(f"a patch or picture has a side of {length} px, where a positive number is expected")

    def image_tokens(self, width: int, height: int) -> int:
        """The number of image tokens that a picture of ``width`` x ``height`` [px] becomes."""
        return (width // self.side) * (height // self.side)

    @property
    def side(self) -> int:
        """The side of the square that becomes one image token [px]."""
        return self.patch * self.merge


@dataclass(frozen=True)
class Architecture:
    """What models of one architecture need.

    Attributes:
        name: The name that people use for the architecture.
        model_types: The ``model_type`` of its configurations.
        processor: The class that turns pictures and text into tensors.
        geometry: A function that returns the PictureGeometry of a configuration.
        vision: A regular expression for the start of the names of the vision tower's modules.
        projector: The same for the part that maps image features to the language model. It may lie in the tower.
        language: The same for the language model's layers.
        untouched: The attributes of the image processor that keep it from changing a picture's size.
        towers: The ``model_type`` of the vision tower, where it tells apart architectures with the same
            ``model_type``.
    """

    name: str
    model_types: tuple[str, ...]
    processor: type[ProcessorMixin]
    geometry: Callable[[PretrainedConfig], PictureGeometry]
    vision: str
    projector: str
    language: str
    untouched: Mapping[str, object]
    towers: tuple[str, ...] = ()

    def canvas(self, config: PretrainedConfig) -> Canvas:
        """The picture sizes that a model with this configuration takes without resizing."""
        return self.geometry(config).canvas

    def part(self, name: str) -> ModelPart:
        """The part of the model that the module or parameter called ``name`` belongs to."""
        if re.search(rf"(^|\.){self.projector}", name):
            return "projector"
        return "vision" if re.search(rf"(^|\.){self.vision}", name) else "language"

    @property
    def lora_target(self) -> str:
        """A regular expression for the linear layers of the language model, and of no other part."""
        return rf"(.*\.)?{self.language}.*\.(q|k|v|o|gate|up|down)_proj"


def _sizes_from_grid(batch: _Batch, patch: int) -> list[_Size]:
    """Sizes from the number of patches along time, height and width."""
    return [(columns * patch, rows * patch) for _, rows, columns in batch["image_grid_thw"].tolist()]


def _sizes_from_list(batch: _Batch, _: int) -> list[_Size]:
    """Sizes that the processor lists as (height, width)."""
    return [(width, height) for height, width in torch.as_tensor(batch["image_sizes"]).tolist()]


def _sizes_from_pixels(batch: _Batch, _: int) -> list[_Size]:
    """Sizes from the tensor of pixels, where all pictures have one size."""
    count, _, height, width = batch["pixel_values"].shape
    return [(width, height)] * count


def _sizes_from_mask(batch: _Batch, _: int) -> list[_Size]:
    """Sizes from the mask of real pixels, where each row of the batch is filled up with empty pictures."""
    mask = batch["pixel_attention_mask"].flatten(0, 1)
    sizes = torch.stack([mask[:, 0, :].sum(-1), mask[:, :, 0].sum(-1)], dim=-1)
    return [(width, height) for width, height in sizes.tolist() if width]


def _side(value: int | Sequence[int]) -> int:
    return value if isinstance(value, int) else value[0]


def _any_size(config: PretrainedConfig, seen: Callable[[_Batch, int], list[_Size]]) -> PictureGeometry:
    patch = _side(config.vision_config.patch_size)
    merge = getattr(config.vision_config, "spatial_merge_size", 1)
    return PictureGeometry(Canvas(multiple=patch * merge), patch, merge, seen)


def _squares(
    config: PretrainedConfig,
    merge: Callable[[PretrainedConfig], int],
    seen: Callable[[_Batch, int], list[_Size]] = _sizes_from_pixels,
) -> PictureGeometry:
    vision = config.vision_config
    return PictureGeometry(Canvas(square=_side(vision.image_size)), _side(vision.patch_size), merge(config), seen)


def _gemma_merge(config: PretrainedConfig) -> int:
    patches = config.vision_config.image_size // config.vision_config.patch_size
    return patches // round(config.mm_tokens_per_image**0.5)


_QWEN25 = Architecture(
    name="Qwen2.5-VL",
    model_types=("qwen2_5_vl",),
    processor=processors.Qwen2_5_VLProcessor,
    geometry=partial(_any_size, seen=_sizes_from_grid),
    vision=r"visual\.",
    projector=r"visual\.(merger|deepstack_merger_list)\.",
    language=r"language_model\.",
    untouched={"do_resize": False},
)

_IDEFICS3 = Architecture(
    name="Idefics3",
    model_types=("idefics3",),
    processor=processors.Idefics3Processor,
    geometry=partial(_squares, merge=lambda config: config.scale_factor, seen=_sizes_from_mask),
    vision=r"vision_model\.",
    projector=r"connector\.",
    language=r"text_model\.",
    untouched={"do_resize": False, "do_image_splitting": False},
)

_LLAVA = Architecture(
    name="LLaVA",
    model_types=("llava",),
    processor=processors.LlavaProcessor,
    geometry=partial(_squares, merge=lambda _: 1),
    vision=r"vision_tower\.",
    projector=r"multi_modal_projector\.",
    language=r"language_model\.",
    untouched={"do_resize": False, "do_center_crop": False, "do_pad": False},
    towers=("siglip_vision_model", "clip_vision_model"),
)

ARCHITECTURES: tuple[Architecture, ...] = (
    _QWEN25,
    replace(_QWEN25, name="Qwen3-VL", model_types=("qwen3_vl",), processor=processors.Qwen3VLProcessor),
    _IDEFICS3,
    replace(_IDEFICS3, name="SmolVLM", model_types=("smolvlm",), processor=processors.SmolVLMProcessor),
    _LLAVA,
    replace(
        _LLAVA,
        name="Pixtral",
        processor=processors.PixtralProcessor,
        geometry=partial(_any_size, seen=_sizes_from_list),
        untouched={"do_resize": False},
        towers=("pixtral",),
    ),
    replace(
        _LLAVA,
        name="InternVL",
        model_types=("internvl",),
        processor=processors.InternVLProcessor,
        geometry=partial(_squares, merge=lambda config: round(1 / config.downsample_ratio)),
        # At most one tile: stock processors cut pictures into tiles even if crop_to_patches is false.
        untouched={"do_resize": False, "crop_to_patches": False, "max_patches": 1},
        towers=(),
    ),
    replace(
        _LLAVA,
        name="Gemma3",
        model_types=("gemma3",),
        processor=processors.Gemma3Processor,
        geometry=partial(_squares, merge=_gemma_merge),
        untouched={"do_resize": False, "do_pan_and_scan": False},
        towers=(),
    ),
)


def architecture_of(config: PretrainedConfig) -> Architecture:
    """The Architecture of a model.

    Args:
        config: The configuration of the model.

    Raises:
        UserError: If its architecture is not supported.
    """
    tower = getattr(getattr(config, "vision_config", None), "model_type", None)
    for architecture in ARCHITECTURES:
        if config.model_type in architecture.model_types and (not architecture.towers or tower in architecture.towers):
            return architecture
    known = sorted({model_type for architecture in ARCHITECTURES for model_type in architecture.model_types})
    towers = ", ".join(tower for architecture in ARCHITECTURES for tower in architecture.towers)
    is_tower = config.model_type in known
    raise UserError(
        f"models of type {config.model_type} {f'with a {tower} tower ' if is_tower else ''}are not supported",
        "how their processors resize pictures is not known, and a resize undoes canonicalisation",
        f"use a tower of {towers}" if is_tower else did_you_mean(config.model_type, known),
    )


def keep_sizes(processor: ProcessorMixin, architecture: Architecture, geometry: PictureGeometry) -> None:
    """Keep a processor from changing the size of any picture; the settings that it saves say so too.

    Args:
        processor: The processor, which is changed in place.
        architecture: The architecture of the model.
        geometry: The picture sizes and patches of the model.
    """
    images = processor.image_processor
    for name, value in architecture.untouched.items():
        setattr(images, name, value)
    if hasattr(images, "max_image_size"):
        images.max_image_size = {"longest_edge": geometry.canvas.square}


def _picture_size(picture: ImageLike) -> _Size:
    """The size of a picture."""
    if isinstance(picture, Image.Image):
        return picture.size
    return picture.shape[1], picture.shape[0]


def _flatten(images: Sequence[ImageLike | Sequence[ImageLike]]) -> list[ImageLike]:
    """The pictures of a batch in order, whether there is a list for each sample or one list of all."""
    rows = [[row] if isinstance(row, Image.Image | np.ndarray) else row for row in images]
    return [picture for row in rows for picture in row]


def check_pictures(geometry: PictureGeometry, images: Sequence[ImageLike | Sequence[ImageLike]]) -> None:
    """Check that a model takes these pictures without resizing.

    Args:
        geometry: The picture sizes and patches of the model.
        images: The pictures of a batch: one list for each sample, or one list of all.

    Raises:
        PictureSizeError: If a picture does not fit the canvas.
    """
    canvas = geometry.canvas
    for index, (width, height) in enumerate(map(_picture_size, _flatten(images))):
        if canvas.square and (width, height) != (canvas.square, canvas.square):
            wanted = f"exactly {canvas.square} x {canvas.square}"
        elif width % canvas.multiple or height % canvas.multiple:
            wanted = f"sides that are multiples of {canvas.multiple}"
        else:
            continue
        raise PictureSizeError(
            f"picture {index} of the batch is {width} x {height}; the model takes {wanted} [px]",
            "any other size would be resized, which changes the focal length that the picture was given",
            "canonicalise it for this model's canvas",
        )


def check_geometry(geometry: PictureGeometry, batch: _Batch, images: Sequence[ImageLike | Sequence[ImageLike]]) -> None:
    """Check that the pictures of a batch reach the vision tower at their own sizes.

    Args:
        geometry: The picture sizes and patches of the model.
        batch: The tensors that the processor made.
        images: The pictures that the batch was made from, in order.

    Raises:
        PictureSizeError: If a picture does not fit the canvas, or was resized, cropped or cut into tiles.
    """
    check_pictures(geometry, images)
    given = [_picture_size(picture) for picture in _flatten(images)]
    seen = geometry.seen(batch, geometry.patch) if "pixel_values" in batch else []
    if seen == given:
        return
    texts = [", ".join(f"{width} x {height}" for width, height in sizes) or "none" for sizes in (given, seen)]
    raise PictureSizeError(
        f"the pictures given are {texts[0]}, but the vision tower would see {texts[1]} [px]",
        "the processor resizes, crops or cuts them, so their cameras do not describe them any more",
        "use a processor from toolkit.modeling.vlm.vlm.load_vlm, and do not change its image processor's settings",
    )
