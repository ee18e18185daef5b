"""KITTI's object benchmark: left and right colour pictures, LiDAR sweeps, one calibration file a picture.

Source: Geiger, Lenz, Urtasun 2012 and the object development kit's readme (``P2``, ``R0_rect``, ``Tr_velo_to_cam``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, chosen, not_this_set
from toolkit.data.convert.readers.pose_files import rigid, split_projection
from toolkit.data.convert.readers.read_files import check_picture, matrix_of, read_keyed_numbers, read_records
from toolkit.data.convert.shared.kitti_vehicle import HDL64
from toolkit.data.convert.shared.lidar.project import labels_from_lidar, lidar_in_camera
from toolkit.data.convert.shared.workspace import Desk
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

_CAMERAS = {"image_2": "P2", "image_3": "P3"}


_SPLITS = ("training", "testing")


ABOUT = About(
    title="KITTI object",
    home="https://www.cvlibs.net/datasets/kitti/eval_object.php",
    license="CC BY-NC-SA 3.0",
    attribution="KITTI, Geiger et al. 2012, KIT and Toyota Technological Institute",
    depth_type="z",
    layout="""
training/image_2/*.png     (data_object_image_2.zip)
training/velodyne/*.bin    (data_object_velodyne.zip)
training/calib/*.txt       (data_object_calib.zip)
""",
    splits=_SPLITS,
    cameras=tuple(_CAMERAS),
)


@dataclass(frozen=True)
class Scene(Item):
    """One picture.

    Attributes:
        folder: Of its split.
        camera: image_2 or image_3.
        stem: Its number.
    """

    folder: Path
    camera: str
    stem: str


def items(source: Path, options: Options) -> Listing:
    """All numbers that a picture, a sweep or a calibration file has: a scene of which one is missing is a fault."""
    cameras = chosen(options.cameras or ["image_2"], list(_CAMERAS), "camera", source)
    found: list[Scene] = []
    for split, folder in _splits(source, options).items():
        for part in (*cameras, "velodyne", "calib"):
            if not (folder / part).is_dir():
                raise not_this_set(source, ABOUT, f"folder {folder.relative_to(source) / part}")
        for camera in cameras:
            stems = {path.stem for part in (camera, "velodyne", "calib") for path in (folder / part).glob("[0-9]*.*")}
            found += [Scene(f"{split}{camera}/{stem}", folder, camera, stem) for stem in sorted(stems)]
    return Listing(found)


def _splits(source: Path, options: Options) -> Mapping[str, Path]:
    """The folders of the splits by what their scenes' names begin with; SOURCE may be one of them."""
    if (source / "image_2").is_dir() or (source / "velodyne").is_dir():
        return {"": source}
    there = [split for split in _SPLITS if (source / split).is_dir()]
    if not there:
        raise not_this_set(source, ABOUT, "folder training or image_2")
    return {f"{split}/": source / split for split in chosen(options.splits, there, "split", source)}


def convert(item: Scene, desk: Desk) -> Row:
    """The line of one picture; the cameras fire as the LiDAR faces forward, so sweep and picture are of one moment."""
    path = item.folder / item.camera / f"{item.stem}.png"
    image = desk.picture(path)
    k, camera_from_velodyne = _calibration(item.folder / "calib" / f"{item.stem}.txt", _CAMERAS[item.camera])
    camera = Camera.from_intrinsics([k[0, 0], k[1, 1], k[0, 2], k[1, 2], *check_picture(path)])
    points = read_records(item.folder / "velodyne" / f"{item.stem}.bin", "<f4", 4)
    xyz = lidar_in_camera(camera_from_velodyne, points)
    return Row(image, camera, desk.sparse(item, camera, labels_from_lidar(camera, xyz, HDL64), "z"))


@lru_cache(maxsize=4)
def _calibration(path: Path, projection: str) -> tuple[Array, Array]:
    """K (3, 3) and camera_from_velodyne (4, 4)."""
    numbers = read_keyed_numbers(path)
    k, camera_from_rectified = split_projection(matrix_of(numbers, projection, (3, 4), path))
    rectified_from_reference = rigid(matrix_of(numbers, "R0_rect", (3, 3), path), np.zeros(3))
    velodyne = matrix_of(numbers, "Tr_velo_to_cam", (3, 4), path)
    return k, camera_from_rectified @ rectified_from_reference @ rigid(velodyne[:, :3], velodyne[:, 3])
