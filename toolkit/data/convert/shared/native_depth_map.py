"""Depth maps that a manifest names as they are: one of the set's files, in its own scale."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.base_format import Skipped
from toolkit.data.convert.readers.depth_png import INVALID, read_depth_png
from toolkit.data.convert.shared.workspace import Desk
from toolkit.data.frames.frame import DepthFile, DepthType
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera


def read_fitting(path: Path, camera: Camera) -> NDArray[np.uint16]:
    """The stored values (H, W) of a 16-bit map of the camera's picture.

    Raises:
        UserError: If it is missing, damaged, or of another size than the picture.
    """
    stored = read_depth_png(path)
    if stored.shape != (camera.height, camera.width):
        raise UserError(
            f"{path}: the depth map is {stored.shape[1]} x {stored.shape[0]}, "
            f"its picture {camera.width} x {camera.height}",
            cause="one of them was resized, or belongs to another picture",
            remedy="get both again, or leave them out with --skip-bad",
        )
    return stored


def named_depth(desk: Desk, path: Path, camera: Camera, scale: float, depth_type: DepthType = "z") -> DepthFile:
    """A 16-bit map (H, W) of depths of ``depth_type``, of ``scale`` metres a stored unit, checked and named.

    Raises:
        UserError: If it is missing, damaged, or of another size than the camera's picture.
        Skipped: If nothing was measured in it.
    """
    if np.isin(read_fitting(path, camera), INVALID).all():
        raise Skipped("no depth is known in it")
    return DepthFile(Path(desk.refer(path)), scale, depth_type)
