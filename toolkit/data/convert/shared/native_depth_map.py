"""Depth maps of a data set that a manifest can use as they are: 16-bit files, in the scale of the data set."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.base_format import Skipped
from toolkit.data.convert.readers.depth_png import INVALID, read_depth_png
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.data.frames.frame import DepthFile, DepthType
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera


def read_matching_depth_png(path: Path, camera: Camera) -> NDArray[np.uint16]:
    """The stored values (H, W) of a 16-bit depth map that has the size of the camera's picture.

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


def reference_depth_map(
    workspace: Workspace, path: Path, camera: Camera, scale: float, depth_type: DepthType = "z"
) -> DepthFile:
    """Check a 16-bit depth map of the data set, and name it as the labels of its picture.

    Args:
        workspace: The folders of the conversion.
        path: The depth map (H, W), of the size of the picture.
        camera: The camera of the picture.
        scale: The length of one stored unit [m].
        depth_type: The kind of its depths, z-depth or Euclidean.

    Raises:
        UserError: If it is missing, damaged, or of another size than the picture.
        Skipped: If nothing was measured in it.
    """
    if np.isin(read_matching_depth_png(path, camera), INVALID).all():
        raise Skipped("no depth is known in it")
    return DepthFile(Path(workspace.reference_file(path)), scale, depth_type)
