"""Dense depth models: loading them, and depth maps of pictures."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForDepthEstimation, PreTrainedModel
from transformers.image_processing_backends import PilBackend
from transformers.utils import logging as transformers_logging

from toolkit.data.frames.frame import Frame
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.modeling.depth.depth_architectures import DepthFamily, depth_family_of, prepare
from toolkit.modeling.depth.depth_model_spec import DepthSpec
from toolkit.modeling.depth.value_map import ValueMap
from toolkit.modeling.hub import check_weights, clear_errors, only_local

transformers_logging.disable_progress_bar()


_NEVER_USED = re.compile(r"(^|\.)fusion_stage\.(layers|intermediate)\.0\.residual_layer1\.")
"""Weights of the first fusion layer, which has nothing to add; the files of MiDaS leave them out."""


@dataclass(frozen=True)
class DepthModel:
    """A depth model with what it takes to use it.

    Attributes:
        network: The model.
        processor: Makes tensors of pictures.
        family: What its family needs.
        spec: How it is used, settled.
    """

    network: PreTrainedModel
    processor: PilBackend
    family: DepthFamily
    spec: DepthSpec

    def predict(self, frames: Sequence[Frame]) -> list[ValueMap]:
        """Depth maps of pictures as they were taken; those that the model sees equally large pass it together.

        Raises:
            UserError: If a picture cannot be read, or the model does not take it.
        """
        seen = [prepare(self.family, self.processor, frame) for frame in frames]
        alike: dict[torch.Size, list[int]] = {}
        for index, (tensor, _) in enumerate(seen):
            alike.setdefault(tensor.shape, []).append(index)
        maps: dict[int, ValueMap] = {}
        for indices in alike.values():
            output = self._pass(torch.stack([seen[index][0] for index in indices]))
            for row, index in enumerate(indices):
                camera = frames[index].camera
                values = self._values(output, row, camera)
                maps[index] = ValueMap(values, (camera.width, camera.height), seen[index][1], self.family.canonical)
        return [maps[index] for index in range(len(frames))]

    def _pass(self, batch: torch.Tensor) -> Any:
        with torch.inference_mode():
            return self.network(pixel_values=batch.to(self.network.device, self.network.dtype))

    def _values(self, output: Any, row: int, camera: Camera) -> NDArray[np.float32]:
        """The map of one picture of a batch; of canonical inverse depth C the inverse depth w C / f.

        Source: Bochkovskii et al. 2024, "Depth Pro", section 3.2: depth = f / (w C), with focal length f and width w
        in pixels.
        """
        values: NDArray[np.float32] = output.predicted_depth[row].float().cpu().numpy()
        if not self.family.canonical:
            return values
        focal = camera.fx
        if self.spec.focal == "model":
            focal = 0.5 * camera.width / float(torch.tan(torch.deg2rad(output.field_of_view[row].float()) / 2))
        return values * np.float32(camera.width / focal)


def load_depth_model(spec: DepthSpec, device: str | torch.device | None = None) -> DepthModel:
    """Load a model that transformers' ``AutoModelForDepthEstimation`` knows.

    Args:
        spec: Which, and how it is to be used.
        device: Where it goes; by default a GPU if there is one.

    Raises:
        UserError: If there is no such model, its files are not whole, it is of a family that cannot be measured, or
            the spec does not fit it.
    """
    local = only_local(spec.name)
    with clear_errors(spec.name):
        config = AutoConfig.from_pretrained(spec.name, local_files_only=local)
    family = depth_family_of(spec.name, config)
    settled = spec.settled(family.kinds, family.told(spec.name, config), family.canonical)
    if settled.focal == "model" and not config.use_fov_model:
        raise UserError(
            f"depth:{spec.name}: this model estimates no focal length",
            "its configuration has use_fov_model = false",
            "leave out focal=model",
        )
    with clear_errors(spec.name):
        processor = family.processor.from_pretrained(spec.name, local_files_only=local)
        loaded: Any = AutoModelForDepthEstimation.from_pretrained(
            spec.name, config=config, dtype=torch.float32, local_files_only=local, output_loading_info=True
        )
    network, report = loaded
    missing = {key for key in report["missing_keys"] if not _NEVER_USED.search(key)}
    check_weights(spec.name, {"missing_keys": missing})
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return DepthModel(network.to(where).eval(), processor, family, settled)
