"""Dense depth models: load one, and predict depth maps of pictures."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForDepthEstimation, PreTrainedModel
from transformers.image_processing_backends import PilBackend
from transformers.utils import logging as transformers_logging

from toolkit.data.frames.frame import Frame
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.modeling.depth.depth_architectures import DepthArchitecture, depth_architecture_of, prepare
from toolkit.modeling.depth.depth_model_spec import DepthSpec
from toolkit.modeling.depth.value_map import ValueMap
from toolkit.modeling.fetch_model import fetch_model, fetch_weights
from toolkit.modeling.safe_loading import LOADING_OPTIONS, check_weights, clear_errors, load_config
from toolkit.modeling.vet_model import vet_folder

transformers_logging.disable_progress_bar()

_NEVER_USED = re.compile(r"(^|\.)fusion_stage\.(layers|intermediate)\.0\.residual_layer1\.")
"""Weights of the first fusion layer, which adds nothing to its input. The files of MiDaS leave them out."""


@dataclass(frozen=True)
class DepthModel:
    """A depth model with everything that is needed to use it.

    Attributes:
        network: The neural network.
        processor: The image processor, which turns pictures into tensors.
        architecture: What models of this architecture need.
        spec: How the model is used; all its options are set.
    """

    network: PreTrainedModel
    processor: PilBackend
    architecture: DepthArchitecture
    spec: DepthSpec

    def predict(self, frames: Sequence[Frame]) -> list[ValueMap]:
        """Predict the depth maps of pictures as they were taken.

        Pictures that have the same size as tensors pass through the network in one batch.

        Args:
            frames: The Frames whose pictures are read.

        Returns:
            One map for each Frame, in order.

        Raises:
            UserError: If a picture cannot be read, or the model does not take it.
        """
        prepared = [prepare(self.architecture, self.processor, frame) for frame in frames]
        same_size: dict[torch.Size, list[int]] = {}
        for index, (tensor, _) in enumerate(prepared):
            same_size.setdefault(tensor.shape, []).append(index)
        maps: dict[int, ValueMap] = {}
        for indices in same_size.values():
            output = self._pass(torch.stack([prepared[index][0] for index in indices]))
            for row, index in enumerate(indices):
                camera = frames[index].camera
                values = self._values(output, row, camera)
                size = (camera.width, camera.height)
                maps[index] = ValueMap(values, size, prepared[index][1], self.architecture.canonical)
        return [maps[index] for index in range(len(frames))]

    def _pass(self, batch: torch.Tensor) -> Any:
        with torch.inference_mode(), clear_errors(self.spec.name):
            return self.network(pixel_values=batch.to(self.network.device, self.network.dtype))

    def _values(self, output: Any, row: int, camera: Camera) -> NDArray[np.float32]:
        """The map (h, w) of one picture in a batch; canonical inverse depth C is turned into inverse depth w C / f.

        Source: Bochkovskii et al. 2024, "Depth Pro", section 3.2: depth = f / (w C), with the focal length f and the
        width w in pixels.
        """
        values: NDArray[np.float32] = output.predicted_depth[row].float().cpu().numpy()
        if not self.architecture.canonical:
            return values
        focal = camera.fx
        if self.spec.focal == "model":
            focal = 0.5 * camera.width / float(torch.tan(torch.deg2rad(output.field_of_view[row].float()) / 2))
        return values * np.float32(camera.width / focal)


def load_depth_model(spec: DepthSpec, device: str | torch.device | None = None) -> DepthModel:
    """Load a model that transformers' ``AutoModelForDepthEstimation`` knows.

    Args:
        spec: Which model it is, and how it will be used.
        device: The device that the model is moved to; by default a GPU if there is one.

    Raises:
        UserError: If there is no such model, if its files are not complete, if its architecture is not supported, or
            if the spec does not fit it.
    """
    folder = fetch_model(spec.name, weights=False)
    config = load_config(folder)
    architecture = depth_architecture_of(spec.name, config)
    settled = spec.settled(architecture.kinds, architecture.told(spec.name, config), architecture.canonical)
    if settled.focal == "model" and not config.use_fov_model:
        raise UserError(
            f"depth:{spec.name}: this model estimates no focal length",
            "its configuration has use_fov_model = false",
            "leave out focal=model",
        )
    vet_folder(folder)
    fetch_weights(folder)
    with clear_errors(spec.name):
        processor = architecture.processor.from_pretrained(folder, **LOADING_OPTIONS)
        loaded: Any = AutoModelForDepthEstimation.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **LOADING_OPTIONS,
        )
    network, report = loaded
    missing = {key for key in report["missing_keys"] if not _NEVER_USED.search(key)}
    check_weights(spec.name, {"missing_keys": missing})
    target = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return DepthModel(network.to(target).eval(), processor, architecture, settled)
