"""Matterport3D: undistorted colour and depth pictures of 90 buildings, with one table of cameras for each building.

Source: https://github.com/niessner/Matterport, data_organization.md. Depths are "in the z-direction from the camera
center (not the euclidean distance)"; a unit is a quarter of a millimetre, and 0 is unknown. The cameras of the
undistorted pictures look along -z with y up, and their pictures "have their origins in the bottom-left": cy is measured
from below, and the centre of the bottom-left pixel is (0.5, 0.5) (code/gaps/pkgs/RGBD/RGBDImage.cpp,
TransformImageToCamera).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.data.convert.base_format import (
    ConvertOptions,
    DatasetInfo,
    DatasetItem,
    DatasetListing,
    ManifestRow,
    list_parts,
    not_this_set,
)
from toolkit.data.convert.readers.pose_files import world_from_gl
from toolkit.data.convert.readers.read_files import check_picture, read_lines, reading
from toolkit.data.convert.readers.read_once import read_once
from toolkit.data.convert.shared.native_depth_map import reference_depth_map
from toolkit.data.convert.shared.splits import read_scene_list, split_scenes
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera

_SCALE = 1 / 4000  # m per stored unit
_TABLES = "undistorted_camera_parameters/*.conf"
_ABOVE = ("", "*/", "scans/*/", "v1/scans/*/")  # SOURCE may be a house, or any folder above the houses
_SPLITS = ("train", "val", "test")

INFO = DatasetInfo(
    title="Matterport3D",
    home="https://niessner.github.io/Matterport (download_mp.py, types undistorted_*)",
    license="Matterport3D Terms of Use (non-commercial research)",
    attribution="Matterport3D, Chang et al. 2017",
    depth_type="z",
    layout="""
HOUSE/undistorted_camera_parameters/HOUSE.conf
HOUSE/undistorted_color_images/*.jpg
HOUSE/undistorted_depth_images/*.png
scenes_train.txt, scenes_val.txt, scenes_test.txt     for --split only; from tasks/benchmark of the set's repository
""",
    splits=_SPLITS,
)


@dataclass(frozen=True)
class MatterportPicture(DatasetItem):
    """One picture.

    Attributes:
        table: The .conf file of its house.
        number: Its number in the table; the first is 0.
    """

    table: Path
    number: int


@dataclass(frozen=True)
class _Scan:
    """One line "scan" of a table.

    Attributes:
        depth: The file of the depth map.
        color: The file of the picture.
        pinhole: fx, fy, cx, cy [px]; the origin is the bottom-left corner of the picture.
        pose: The 16 numbers of world_from_camera by rows [m], with the camera in OpenGL's axes.
    """

    depth: Path
    color: Path
    pinhole: tuple[float, ...]
    pose: tuple[float, ...]


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All pictures that the houses' tables list."""
    tables = {path.stem: path for above in _ABOVE for path in sorted(source.glob(above + _TABLES))}
    if not tables:
        raise not_this_set(source, INFO, f"file HOUSE/{_TABLES}")
    paths = {split: source / f"scenes_{split}.txt" for split in _SPLITS}
    lists = {split: read_scene_list(path) for split, path in paths.items() if path.is_file()}
    houses, faults = split_scenes(source, options, lists, tables)
    return list_parts(houses, lambda house: _list_house(house, tables[house]), faults)


def _list_house(house: str, table: Path) -> list[MatterportPicture]:
    scans = _read_table(table)
    return [MatterportPicture(f"{house}/{scan.color.stem}", table, number) for number, scan in enumerate(scans)]


def convert(item: MatterportPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture; it names the depth map of the data set."""
    scan = _read_table(item.table)[item.number]
    image = workspace.reference_picture(scan.color)
    width, height = check_picture(scan.color)
    fx, fy, cx, cy = scan.pinhole
    camera = Camera.from_intrinsics([fx, fy, cx - 0.5, height - cy - 0.5, width, height])
    labels = reference_depth_map(workspace, scan.depth, camera, _SCALE, "z")
    return ManifestRow(image, camera, labels, world_from_gl(np.reshape(scan.pose, (4, 4))), item.table.stem)


@read_once(4)
def _read_table(path: Path) -> tuple[_Scan, ...]:
    """The pictures that the table of a house lists.

    Raises:
        UserError: If the table is damaged, or has fewer pictures than it says.
    """
    house = path.parent.parent
    depths, colors, announced = house / "undistorted_depth_images", house / "undistorted_color_images", None
    pinhole: tuple[float, ...] = ()
    scans: list[_Scan] = []
    for line in read_lines(path):
        with reading(path, ValueError):
            command, *words = line.split()
            if command == "n_images":
                announced = int(words[0])
            elif command == "depth_directory":
                depths = house / words[0]
            elif command == "color_directory":
                colors = house / words[0]
            elif command == "intrinsics_matrix":
                fx, _, cx, _, fy, cy, *_ = (float(word) for word in words)
                pinhole = (fx, fy, cx, cy)
            elif command == "scan":
                depth, color, *numbers = words
                pose = tuple(float(number) for number in numbers)
                if len(pose) != 16 or not pinhole:
                    raise ValueError(f"no camera and pose of 16 numbers for {color}")
                scans.append(_Scan(depths / depth, colors / color, pinhole, pose))
    if announced is not None and announced != len(scans):
        raise UserError(
            f"{path}: it lists {len(scans)} pictures, not the {announced} that it says",
            remedy="the download is incomplete: get this file again",
        )
    return tuple(scans)
