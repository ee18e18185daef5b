"""Pictures of 3D scans as Taskonomy and Omnidata's starter set store them: one folder for each kind of file.

Sources: https://github.com/StanfordVL/taskonomy, data/README.md, and https://github.com/EPFL-VILAB/omnidata,
omnidata_tools/dataset/README.md. ``depth_euclidean`` is the "raycast distance at each pixel from the camera location",
``depth_zbuffer`` the depth of the pinhole model; both store units of 1/512 m, and 65535 where the scan has no surface
(omnidata_annotator/scripts/create_mask_valid.py). Pictures are square and rendered by Blender, so the principal point
is the centre; ``field_of_view_rads`` is their field of view. ``camera_rotation_final`` are Euler angles X, Y, Z. They
are applied in turn about fixed axes to a camera in OpenGL's axes, in a world with z up; the camera then looks at
``point_location``. Files are called point_P_view_V_domain_KIND.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from toolkit.data.convert.base_format import (
    ConvertOptions,
    DatasetInfo,
    DatasetItem,
    DatasetListing,
    ManifestRow,
    list_parts,
    not_this_set,
)
from toolkit.data.convert.readers.pose_files import rigid, world_from_gl
from toolkit.data.convert.readers.read_files import check_picture, need, read_json, reading
from toolkit.data.convert.shared.native_depth_map import reference_depth_map
from toolkit.data.convert.shared.splits import read_split_table, split_scenes
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.data.frames.frame import DepthType
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

SPLITS = ("train", "val", "test")
DEPTH_TYPE = "euclidean for depth_euclidean, which is preferred; z for depth_zbuffer"
_SCALE = 1 / 512  # m per stored unit
_DEPTHS: dict[str, DepthType] = {"depth_euclidean": "euclidean", "depth_zbuffer": "z"}
_CAMERA_FOLDERS = ("point_info", "points")
_CAMERA_FILES = ("point_info", "fixatedpose")  # HM3D and Taskonomy's own archives have the second
_NAME = re.compile(r"(point_\d+_view_\d+)_domain_(\w+)\.(?:png|json)")
_TABLE = "train_val_test_*.csv"


@dataclass(frozen=True)
class OmnidataPicture(DatasetItem):
    """One picture.

    Attributes:
        building: The building that was scanned.
        rgb: The file of the picture.
        depth: The file of its depth map.
        depth_type: The kind of depth in the depth map.
        info: The file of its camera.
    """

    building: str
    rgb: Path
    depth: Path
    depth_type: DepthType
    info: Path


def list_pictures(source: Path, options: ConvertOptions, info: DatasetInfo, component: str) -> DatasetListing:
    """All pictures of which at least one file is there; a missing file is reported when the picture is converted.

    Args:
        source: The folder that holds the data set.
        options: The options that the user chose.
        info: The description of the data set, for messages.
        component: The name of the data set in Omnidata's layout, KIND/COMPONENT/BUILDING.

    Raises:
        UserError: If this is not the data set, or a split is chosen that no table lists.
    """
    buildings = _buildings(source, component)
    if not buildings:
        raise not_this_set(source, info, f"folder rgb/{component}/BUILDING")
    names, faults = split_scenes(source, options, _read_splits(source, options), buildings)
    return list_parts(names, lambda name: _list_building(source, name, buildings[name]), faults)


def _buildings(source: Path, component: str) -> dict[str, str]:
    """The path of the files of a kind below SOURCE, for each building; the first of the known layouts that fits."""
    for layout in (f"{{kind}}/{component}/*", "{kind}/*", "*/{kind}"):
        folders = sorted(path for path in source.glob(layout.format(kind="rgb")) if any(path.glob("point_*")))
        names = [path.parent.name if layout.startswith("*") else path.name for path in folders]
        if names:
            return {name: layout.replace("*", name) for name in names}
    return {source.name: "{kind}"} if any(source.glob("rgb/point_*")) else {}


def _read_splits(source: Path, options: ConvertOptions) -> dict[str, list[str]]:
    """The buildings of each split, if splits were chosen and there is a table of them."""
    tables = sorted(source.glob(_TABLE))
    if not options.splits or not tables:
        return {}
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise UserError(
            f"{source}: there are several tables of splits ({names})",
            remedy="keep one of them there, and move the others away",
        )
    return read_split_table(tables[0])


def _list_building(source: Path, building: str, layout: str) -> list[OmnidataPicture]:
    rgb = source / layout.format(kind="rgb")
    depth, depth_kind = _find_folder(source, layout, tuple(_DEPTHS), building)
    info, _ = _find_folder(source, layout, _CAMERA_FOLDERS, building)
    names = {path.name for folder in (rgb, depth, info) for path in folder.iterdir()}
    stems = {match[1] for name in names if (match := _NAME.fullmatch(name))}
    pictures = []
    for stem in sorted(stems):
        infos = [f"{stem}_domain_{kind}.json" for kind in _CAMERA_FILES]
        pictures.append(
            OmnidataPicture(
                f"{building}/{stem}",
                building,
                rgb / f"{stem}_domain_rgb.png",
                depth / f"{stem}_domain_{depth_kind}.png",
                _DEPTHS[depth_kind],
                info / next((name for name in infos if name in names), infos[0]),
            )
        )
    return pictures


def _find_folder(source: Path, layout: str, kinds: tuple[str, ...], building: str) -> tuple[Path, str]:
    """The first of a building's folders that is there, and its kind."""
    for kind in kinds:
        folder = source / layout.format(kind=kind)
        if folder.is_dir():
            return folder, kind
    raise UserError(
        f"{source / layout.format(kind=kinds[0])}: there is no such folder",
        cause=f"of the building {building} neither {' nor '.join(kinds)} was downloaded",
        remedy="download it, or leave the building out with --skip-bad",
    )


def picture_row(item: OmnidataPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture; it names the depth map of the data set.

    Raises:
        UserError: If one of its files is missing or damaged.
        Skipped: If nothing was measured in its depth map.
    """
    image = workspace.reference_picture(item.rgb)
    info = read_json(item.info)
    fov = math.degrees(need(info, "field_of_view_rads", item.info, int | float))
    camera = Camera.from_fov(*check_picture(item.rgb), fov)
    labels = reference_depth_map(workspace, item.depth, camera, _SCALE, item.depth_type)
    return ManifestRow(image, camera, labels, _world_from_camera(info, item.info), item.building)


def _world_from_camera(info: Any, path: Path) -> Array:
    """The pose (4, 4) of the camera [m]."""
    angles, location = (need(info, key, path, list) for key in ("camera_rotation_final", "camera_location"))
    with reading(path, ValueError, TypeError):
        rotation = Rotation.from_euler("xyz", np.asarray(angles, dtype=np.float64).reshape(3))
        return world_from_gl(rigid(rotation.as_matrix(), location))
