"""What each family of dense depth models takes and gives: one table, one entry a family.

No processor here needs torchvision: of two families it stands below, of the others the stock one without torchvision
is taken. Whether a model gives metres is in the table, or in its configuration where families have both, and never
guessed.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from PIL import Image
from transformers import (
    DPTImageProcessorPil,
    GLPNImageProcessorPil,
    PretrainedConfig,
    ZoeDepthImageProcessorPil,
)
from transformers.image_processing_backends import PilBackend
from transformers.image_utils import IMAGENET_STANDARD_MEAN, IMAGENET_STANDARD_STD, PILImageResampling, SizeDict

from toolkit.data.frames.frame import Frame
from toolkit.errors import UserError
from toolkit.modeling.depth.depth_model_spec import Kind
from toolkit.modeling.depth.value_map import Box
from toolkit.utils.arrays import Pixels

_ZOE_PADDING = 3  # ZoeDepth pads by 3 sqrt(side / 2), reflecting (Bhat et al. 2023, published code)


class DepthProImageProcessor(PilBackend):
    """The processor of Depth Pro, whose stock one needs torchvision."""

    resample = PILImageResampling.BILINEAR
    image_mean = IMAGENET_STANDARD_MEAN
    image_std = IMAGENET_STANDARD_STD
    size: ClassVar[Any] = {"height": 1536, "width": 1536}
    do_resize = True
    do_rescale = True
    do_normalize = True

    def resize(self, image: np.ndarray, size: SizeDict, **_: Any) -> np.ndarray:  # type: ignore[override]
        """A picture (3, h, w) at another size: bilinear, without averaging, and not rounded to bytes."""
        wanted = [int(size.height or 0), int(size.width or 0)]
        given = torch.from_numpy(image.astype(np.float32))[None]
        resized: np.ndarray = torch.nn.functional.interpolate(given, wanted, mode="bilinear")[0].numpy()
        return resized


class Tipsv2DptImageProcessor(PilBackend):
    """The processor of TIPSv2 with a DPT head, whose stock one needs torchvision."""

    resample = PILImageResampling.BILINEAR
    size: ClassVar[Any] = {"height": 448, "width": 448}
    do_resize = True
    do_rescale = True
    do_normalize = False


@dataclass(frozen=True)
class DepthFamily:
    """What one family of depth models needs.

    Attributes:
        processor: Makes tensors of pictures.
        kinds: What its models can give.
        told: What a model gives, from its name and configuration; None where they do not tell.
        padding: Whether its processor pads pictures before it resizes them, or afterwards.
        canonical: Whether it gives inverse depth times focal length, in picture widths, as Depth Pro does.
    """

    processor: type[PilBackend]
    kinds: tuple[Kind, ...] = ("metric",)
    told: Callable[[str, PretrainedConfig], Kind | None] = lambda name, config: "metric"
    padding: Literal["", "before", "after"] = ""
    canonical: bool = False


def _of_depth_anything(_: str, config: PretrainedConfig) -> Kind:
    kind: Kind = config.depth_estimation_type
    return kind


_DPT_KINDS: Mapping[str, Kind] = {
    "Intel/dpt-*": "relative",  # MiDaS 3 and 3.1
    "facebook/dpt-dinov2-*": "metric",  # trained on NYU Depth v2 or KITTI
}


def _of_dpt(name: str, _: PretrainedConfig) -> Kind | None:
    return next((kind for pattern, kind in _DPT_KINDS.items() if fnmatch(name, pattern)), None)


DEPTH_FAMILIES: Mapping[str, DepthFamily] = {
    "depth_anything": DepthFamily(DPTImageProcessorPil, ("metric", "relative"), _of_depth_anything, "after"),
    "depth_pro": DepthFamily(DepthProImageProcessor, canonical=True),
    "dpt": DepthFamily(DPTImageProcessorPil, ("metric", "relative"), _of_dpt, "after"),
    "glpn": DepthFamily(GLPNImageProcessorPil),  # a sigmoid times the greatest depth of NYU Depth v2 or KITTI
    "tipsv2_dpt": DepthFamily(Tipsv2DptImageProcessor),  # a mean of depths in metres
    "zoedepth": DepthFamily(ZoeDepthImageProcessorPil, padding="before"),
}
"""By ``model_type``. None but Depth Pro is told a focal length: where the camera differs much from those that a model
was trained with, its metres err in proportion, and that is part of its result."""


_REFUSED = {
    "chmv2": "it gives the height of trees seen from above, not depth",
    "prompt_depth_anything": "it needs depth from a sensor beside the picture",
}


def depth_family_of(name: str, config: PretrainedConfig) -> DepthFamily:
    """The family of a depth model's configuration.

    Raises:
        UserError: If there is none, or it cannot answer from a picture.
    """
    family = DEPTH_FAMILIES.get(config.model_type)
    if family is None:
        raise UserError(
            f"depth:{name}: depth models of type {config.model_type!r} cannot be measured",
            cause=_REFUSED.get(config.model_type, "nothing is known of what they give"),
            remedy=f"use one of: {', '.join(sorted(DEPTH_FAMILIES))}; or answers in a file (file:answers.jsonl)",
        )
    return family


def prepare(family: DepthFamily, processor: PilBackend, frame: Frame) -> tuple[torch.Tensor, Box]:
    """What the model sees of a picture.

    Padding is done here and not in the processor, so that it is known where the picture lies.

    Args:
        family: The model's.
        processor: Of the family's class, with the model's settings.
        frame: Whose picture is meant; it is read.

    Returns:
        The tensor (3, h, w), and the part of it that shows the picture, as shares of its extent.

    Raises:
        UserError: If the picture cannot be read, or the processor does not take it.
    """
    picture = frame.picture.read()
    pads = getattr(processor, "do_pad", False)
    margins = _zoe_margins(picture) if pads and family.padding == "before" else ((0, 0), (0, 0))
    padded = np.pad(picture, (*margins, (0, 0)), mode="reflect")
    try:
        tensor = processor(Image.fromarray(padded), do_pad=False, return_tensors="pt")["pixel_values"][0]
    except ValueError as error:
        size = f"{picture.shape[1]} x {picture.shape[0]} px"
        raise UserError(
            f"{frame.name}: the depth model does not take a picture of {size}", str(error), "leave such pictures out"
        ) from error
    divisor = getattr(processor, "size_divisor", None)
    if pads and family.padding == "after" and divisor:
        margins = _centring(tensor.shape[1], divisor), _centring(tensor.shape[2], divisor)
        tensor = torch.nn.functional.pad(tensor, (*margins[1], *margins[0]))
        return tensor, _box(margins, (tensor.shape[1], tensor.shape[2]))
    return tensor, _box(margins, (padded.shape[0], padded.shape[1]))


def _zoe_margins(picture: Pixels) -> tuple[tuple[int, int], tuple[int, int]]:
    rows, columns = (int(math.sqrt(side / 2) * _ZOE_PADDING) for side in picture.shape[:2])
    return (rows, rows), (columns, columns)


def _centring(side: int, divisor: int) -> tuple[int, int]:
    """Margins that make a side a multiple of ``divisor``, the second one larger by 1 at most."""
    missing = -side % divisor
    return missing // 2, missing - missing // 2


def _box(margins: tuple[tuple[int, int], tuple[int, int]], padded: tuple[int, int]) -> Box:
    """The part of a padded picture (height, width) within its margins."""
    (top, bottom), (left, right) = margins
    height, width = padded
    return left / width, top / height, 1 - right / width, 1 - bottom / height
