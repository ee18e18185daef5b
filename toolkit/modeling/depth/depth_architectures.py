"""What each architecture of dense depth models takes and gives, in one table.

No processor here needs torchvision. Two architectures have their own processor below, and the others use the stock
processor that works without torchvision. Whether a model gives metres is written in the table, or in the model's
configuration where an architecture has both kinds. It is never guessed.
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
from toolkit.modeling.depth.depth_model_spec import DepthKind
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
        """Resize a picture (3, h, w) bilinearly, without averaging and without rounding to bytes."""
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
class DepthArchitecture:
    """What models of one architecture take and give.

    Attributes:
        processor: The class of the image processor, which turns pictures into tensors.
        kinds: The kinds of depth that models of this architecture can give.
        told: A function that returns the kind that a model gives, from its name and configuration; None if they do
            not tell.
        padding: Whether the processor pads pictures before or after it resizes them; empty if it does not pad.
        canonical: Whether the model gives inverse depth times the focal length in picture widths, as Depth Pro does.
    """

    processor: type[PilBackend]
    kinds: tuple[DepthKind, ...] = ("metric",)
    told: Callable[[str, PretrainedConfig], DepthKind | None] = lambda name, config: "metric"
    padding: Literal["", "before", "after"] = ""
    canonical: bool = False


def _kind_of_depth_anything(_: str, config: PretrainedConfig) -> DepthKind:
    kind: DepthKind = config.depth_estimation_type
    return kind


_DPT_KINDS: Mapping[str, DepthKind] = {
    "Intel/dpt-*": "relative",  # MiDaS 3 and 3.1
    "facebook/dpt-dinov2-*": "metric",  # trained on NYU Depth v2 or KITTI
}


def _kind_of_dpt(name: str, _: PretrainedConfig) -> DepthKind | None:
    return next((kind for pattern, kind in _DPT_KINDS.items() if fnmatch(name, pattern)), None)


DEPTH_ARCHITECTURES: Mapping[str, DepthArchitecture] = {
    "depth_anything": DepthArchitecture(DPTImageProcessorPil, ("metric", "relative"), _kind_of_depth_anything, "after"),
    "depth_pro": DepthArchitecture(DepthProImageProcessor, canonical=True),
    "dpt": DepthArchitecture(DPTImageProcessorPil, ("metric", "relative"), _kind_of_dpt, "after"),
    "glpn": DepthArchitecture(GLPNImageProcessorPil),  # a sigmoid times the greatest depth of NYU Depth v2 or KITTI
    "tipsv2_dpt": DepthArchitecture(Tipsv2DptImageProcessor),  # a mean of depths in metres
    "zoedepth": DepthArchitecture(ZoeDepthImageProcessorPil, padding="before"),
}
"""The architectures by ``model_type``.

Only Depth Pro is given a focal length. The metres of the others are wrong in proportion where a camera differs from
those that the model was trained with, and that is part of their result.
"""

_REFUSED = {
    "chmv2": "it gives the height of trees seen from above, not depth",
    "prompt_depth_anything": "it needs depth from a sensor beside the picture",
}
"""Why some architectures are refused, by ``model_type``."""


def depth_architecture_of(name: str, config: PretrainedConfig) -> DepthArchitecture:
    """The architecture of a depth model.

    Args:
        name: The name of the model, for the error.
        config: The configuration of the model.

    Raises:
        UserError: If the architecture is not known, or needs more than a picture.
    """
    architecture = DEPTH_ARCHITECTURES.get(config.model_type)
    if architecture is None:
        raise UserError(
            f"depth:{name}: depth models of type {config.model_type!r} cannot be measured",
            cause=_REFUSED.get(config.model_type, "it is not known what they give"),
            remedy=f"use one of: {', '.join(sorted(DEPTH_ARCHITECTURES))}; or answers in a file (file:answers.jsonl)",
        )
    return architecture


def prepare(architecture: DepthArchitecture, processor: PilBackend, frame: Frame) -> tuple[torch.Tensor, Box]:
    """Turn a picture into the tensor that the model takes.

    Padding is done here and not in the processor, so that it is known where in the tensor the picture is.

    Args:
        architecture: The architecture of the model.
        processor: A processor of the architecture's class, with the model's settings.
        frame: The Frame whose picture is read.

    Returns:
        The tensor (3, h, w), and the part of it that shows the picture.

    Raises:
        UserError: If the picture cannot be read, or the processor does not take it.
    """
    picture = frame.picture.read()
    pads = getattr(processor, "do_pad", False)
    margins = _zoe_margins(picture) if pads and architecture.padding == "before" else ((0, 0), (0, 0))
    padded = np.pad(picture, (*margins, (0, 0)), mode="reflect")
    try:
        tensor = processor(Image.fromarray(padded), do_pad=False, return_tensors="pt")["pixel_values"][0]
    except ValueError as error:
        size = f"{picture.shape[1]} x {picture.shape[0]} px"
        raise UserError(
            f"{frame.name}: the depth model does not take a picture of {size}", str(error), "leave such pictures out"
        ) from error
    divisor = getattr(processor, "size_divisor", None)
    if pads and architecture.padding == "after" and divisor:
        margins = _centred_margins(tensor.shape[1], divisor), _centred_margins(tensor.shape[2], divisor)
        tensor = torch.nn.functional.pad(tensor, (*margins[1], *margins[0]))
        return tensor, _box_within(margins, (tensor.shape[1], tensor.shape[2]))
    return tensor, _box_within(margins, (padded.shape[0], padded.shape[1]))


def _zoe_margins(picture: Pixels) -> tuple[tuple[int, int], tuple[int, int]]:
    """The rows above and below, and the columns left and right, that ZoeDepth adds to a picture."""
    rows, columns = (int(math.sqrt(side / 2) * _ZOE_PADDING) for side in picture.shape[:2])
    return (rows, rows), (columns, columns)


def _centred_margins(side: int, divisor: int) -> tuple[int, int]:
    """The margins that make a side a multiple of ``divisor``; the second is larger by at most 1."""
    missing = -side % divisor
    return missing // 2, missing - missing // 2


def _box_within(margins: tuple[tuple[int, int], tuple[int, int]], padded: tuple[int, int]) -> Box:
    """The part of a padded picture (height, width) within its margins."""
    (top, bottom), (left, right) = margins
    height, width = padded
    return left / width, top / height, 1 - right / width, 1 - bottom / height
