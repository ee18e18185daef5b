"""KITTI's object benchmark: left and right colour pictures, LiDAR sweeps, one calibration file for each picture.

Source: Geiger, Lenz, Urtasun 2012 and the object development kit's readme (``P2``, ``R0_rect``, ``Tr_velo_to_cam``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.data.convert.base_format import (
    ConvertOptions,
    DatasetInfo,
    DatasetItem,
    DatasetListing,
    ManifestRow,
    not_this_set,
    select_names,
)
from toolkit.data.convert.readers.camera_matrix import camera_from_matrix
from toolkit.data.convert.readers.pose_files import rigid, split_projection
from toolkit.data.convert.readers.read_files import check_picture, need_matrix, read_binary_rows, read_keyed_numbers
from toolkit.data.convert.readers.read_once import read_once
from toolkit.data.convert.shared.kitti_vehicle import HDL64
from toolkit.data.convert.shared.lidar.project import labels_from_lidar, lidar_in_camera
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.utils.arrays import Array

_CAMERAS = {"image_2": "P2", "image_3": "P3"}
_SPLITS = ("training", "testing")

INFO = DatasetInfo(
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
class KittiPicture(DatasetItem):
    """One picture.

    Attributes:
        folder: The folder of its split.
        camera: The name of its camera, image_2 or image_3.
        stem: Its number, six digits.
    """

    folder: Path
    camera: str
    stem: str


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All pictures of which at least one file is there; a missing file is reported when the picture is converted."""
    cameras = select_names(options.cameras or ["image_2"], list(_CAMERAS), "camera", source)
    found: list[KittiPicture] = []
    for split, folder in _split_folders(source, options).items():
        for part in (*cameras, "velodyne", "calib"):
            if not (folder / part).is_dir():
                raise not_this_set(source, INFO, f"folder {folder.relative_to(source) / part}")
        for camera in cameras:
            stems = {path.stem for part in (camera, "velodyne", "calib") for path in (folder / part).glob("[0-9]*.*")}
            found += [KittiPicture(f"{split}{camera}/{stem}", folder, camera, stem) for stem in sorted(stems)]
    return DatasetListing(found)


def _split_folders(source: Path, options: ConvertOptions) -> Mapping[str, Path]:
    """The folders of the splits, by the prefix of their pictures' names; SOURCE may be the folder of one split."""
    if (source / "image_2").is_dir() or (source / "velodyne").is_dir():
        return {"": source}
    there = [split for split in _SPLITS if (source / split).is_dir()]
    if not there:
        raise not_this_set(source, INFO, "folder training or image_2")
    return {f"{split}/": source / split for split in select_names(options.splits, there, "split", source)}


def convert(item: KittiPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture.

    The cameras are triggered when the LiDAR faces forward, so sweep and picture belong to the same moment.
    """
    path = item.folder / item.camera / f"{item.stem}.png"
    image = workspace.reference_picture(path)
    k, camera_from_velodyne = _read_calibration(item.folder / "calib" / f"{item.stem}.txt", _CAMERAS[item.camera])
    camera = camera_from_matrix(k, check_picture(path))
    points = read_binary_rows(item.folder / "velodyne" / f"{item.stem}.bin", "<f4", 4)
    xyz = lidar_in_camera(camera_from_velodyne, points)
    return ManifestRow(image, camera, workspace.sample_labels(item, camera, labels_from_lidar(camera, xyz, HDL64), "z"))


@read_once(4)
def _read_calibration(path: Path, projection: str) -> tuple[Array, Array]:
    """K (3, 3) [px] and camera_from_velodyne (4, 4) [m] of the camera with this projection."""
    numbers = read_keyed_numbers(path)
    k, camera_from_rectified = split_projection(need_matrix(numbers, projection, (3, 4), path))
    rectified_from_reference = rigid(need_matrix(numbers, "R0_rect", (3, 3), path), np.zeros(3))
    velodyne = need_matrix(numbers, "Tr_velo_to_cam", (3, 4), path)
    return k, camera_from_rectified @ rectified_from_reference @ rigid(velodyne[:, :3], velodyne[:, 3])
