"""Metric point clouds with colours, saved as PLY files, which Open3D, MeshLab, CloudCompare and trimesh read.

Conventions: see ``toolkit.geometry.camera``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from toolkit.data.frames.frame import DepthType, Frame
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.inference.cloud.depth_map import CLOUD, DepthMap, check_size, labels_of, nearest_pixels
from toolkit.utils.arrays import Array, Pixels
from toolkit.utils.files import write_bytes
from toolkit.utils.overwrite import mark_of

_PLY_HEADER = """\
ply
format binary_little_endian 1.0
comment {mark}
comment metres; camera frame: x right, y down, z forward, origin in the camera centre
element vertex {count}
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
end_header
"""

_PLY_VERTEX = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])


@dataclass(frozen=True)
class PointCloud:
    """Points with colours.

    Attributes:
        xyz: The points, (N, 3) [m], in the camera frame.
        rgb: The colours, (N, 3) uint8.
        dropped: The number of pixels without a point, because their depth is not known, or their distortion cannot be
            undone.
    """

    xyz: Array
    rgb: Pixels
    dropped: int = 0

    def write_ply(self, path: Path) -> None:
        """Write a binary PLY file, with float32 for points and uchar for colours.

        Source: Turk 1994, "The PLY Polygon File Format".

        Raises:
            UserError: If the cloud has no point, or the file cannot be written.
        """
        if not len(self.xyz):
            raise UserError(
                f"{path}: the cloud has no point, and is not written",
                cause=f"none of {self.dropped} pixels has a depth that can be used",
            )
        vertices = np.empty(len(self.xyz), _PLY_VERTEX)
        vertices["xyz"], vertices["rgb"] = self.xyz, self.rgb
        write_bytes(
            path, _PLY_HEADER.format(count=len(vertices), mark=mark_of(CLOUD)).encode("ascii") + vertices.tobytes()
        )


def cloud_at(pixels: ArrayLike, depth: ArrayLike, depth_type: DepthType, camera: Camera, picture: Pixels) -> PointCloud:
    """The points that are seen at some pixels, with their colours.

    Args:
        pixels: The pixels, (N, 2).
        depth: Their depths, (N,) [m]. Pixels whose depth is NaN or not positive are dropped.
        depth_type: Whether ``depth`` is depth_z or Euclidean distance.
        camera: The camera of the picture, with its distortion.
        picture: The picture, (height, width, 3) uint8. A point takes the colour of the nearest pixel.

    Raises:
        UserError: If the camera belongs to a picture of another size.
    """
    check_size("the picture", picture, camera)
    given, metres = np.asarray(pixels, dtype=np.float64).reshape(-1, 2), np.asarray(depth, dtype=np.float64)
    depth_z = metres if depth_type == "z" else camera.z_from_distance(given, metres)
    xyz = camera.unproject(given, np.where(depth_z > 0, depth_z, np.nan))
    valid = np.isfinite(xyz).all(axis=1)
    u, v = nearest_pixels(given[valid], (camera.width, camera.height))
    return PointCloud(xyz[valid], picture[v, u], int((~valid).sum()))


def cloud_of_map(depth_map: DepthMap, camera: Camera, picture: Pixels, every: int = 1) -> PointCloud:
    """The points of a depth map. Pixels without depth are dropped.

    Args:
        depth_map: The depth map.
        camera: The camera of the picture, with its distortion.
        picture: The picture, (height, width, 3) uint8.
        every: Only every ``every``-th pixel in both directions becomes a point.

    Raises:
        UserError: If the map, the camera and the picture have different sizes.
    """
    check_size("the depth map", depth_map.depth, camera)
    v, u = np.mgrid[0 : camera.height : every, 0 : camera.width : every]
    pixels = np.stack([u.ravel(), v.ravel()], axis=-1)
    return cloud_at(pixels, depth_map.depth[v, u].ravel(), depth_map.depth_type, camera, picture)


def cloud_of_labels(frame: Frame, every: int = 1) -> PointCloud:
    """The points of a Frame's labels, such as a depth map on disk, with the colours of its picture.

    Args:
        frame: A picture with labels.
        every: Only labels at every ``every``-th pixel in both directions become points.

    Raises:
        UserError: If the labels or the picture are missing or damaged, or have different sizes.
    """
    pixels, depth_z = labels_of(frame)
    u, v = nearest_pixels(pixels, (frame.camera.width, frame.camera.height))
    kept = (u % every == 0) & (v % every == 0)
    return cloud_at(pixels[kept], depth_z[kept], "z", frame.camera, frame.picture.read())
