"""Views of 3D scans as Taskonomy and Omnidata's starter set store them: a folder a kind, files point_P_view_V_domain_*.

Sources: https://github.com/StanfordVL/taskonomy, data/README.md, and https://github.com/EPFL-VILAB/omnidata,
omnidata_tools/dataset/README.md. ``depth_euclidean`` is the "raycast distance at each pixel from the camera location",
``depth_zbuffer`` the depth of the pinhole model; both have 1/512 m a unit, and 65535 where the scan has no surface
(omnidata_annotator/scripts/create_mask_valid.py). Pictures are square and rendered by Blender, so the principal point
is the centre; ``field_of_view_rads`` spans them. ``camera_rotation_final`` are Euler angles X, Y, Z, applied in turn
about fixed axes to a camera in OpenGL's axes, in a world with z up: so turned, it looks at ``point_location``.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, not_this_set
from toolkit.data.convert.readers.pose_files import rigid, world_from_gl
from toolkit.data.convert.readers.read_files import check_picture, need, read_json, reading
from toolkit.data.convert.shared.native_depth_map import named_depth
from toolkit.data.convert.shared.splits import read_table, split_scenes
from toolkit.data.convert.shared.workspace import Desk
from toolkit.data.frames.frame import DepthType
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

SPLITS = ("train", "val", "test")


DEPTH_TYPE = "euclidean for depth_euclidean, which is preferred; z for depth_zbuffer"


_SCALE = 1 / 512  # m a unit


_DEPTHS: dict[str, DepthType] = {"depth_euclidean": "euclidean", "depth_zbuffer": "z"}


_CAMERAS = ("point_info", "points")


_INFOS = ("point_info", "fixatedpose")  # HM3D and Taskonomy's own archives have the second


_NAME = re.compile(r"(point_\d+_view_\d+)_domain_(\w+)\.(?:png|json)")


_TABLE = "train_val_test_*.csv"


@dataclass(frozen=True)
class View(Item):
    """One picture.

    Attributes:
        building: The scan it was taken in.
        rgb: Its picture.
        depth: Its depth map.
        depth_type: What that holds.
        info: Its camera.
    """

    building: str
    rgb: Path
    depth: Path
    depth_type: DepthType
    info: Path


def list_views(source: Path, options: Options, about: About, component: str) -> Listing:
    """All views that have a picture, a depth map or a camera: one of which a part is missing is a fault.

    Args:
        source: What was downloaded.
        options: What the user chose.
        about: The set, for messages.
        component: Its name in Omnidata's layout, KIND/COMPONENT/BUILDING.

    Raises:
        UserError: If this is not the set, or a split is chosen that no table describes.
    """
    buildings = _buildings(source, component)
    if not buildings:
        raise not_this_set(source, about, f"folder rgb/{component}/BUILDING")
    names, faults = split_scenes(source, options, _splits(source, options), buildings)
    views: list[View] = []
    for name in names:
        try:
            views += _views(source, name, buildings[name])
        except UserError as fault:
            faults.append(fault)
    return Listing(views, faults)


def _buildings(source: Path, component: str) -> dict[str, str]:
    """Buildings, and where below SOURCE the files of a kind are: the first of the known layouts that fits."""
    for layout in (f"{{kind}}/{component}/*", "{kind}/*", "*/{kind}"):
        folders = sorted(path for path in source.glob(layout.format(kind="rgb")) if any(path.glob("point_*")))
        names = [path.parent.name if layout.startswith("*") else path.name for path in folders]
        if names:
            return {name: layout.replace("*", name) for name in names}
    return {source.name: "{kind}"} if any(source.glob("rgb/point_*")) else {}


def _splits(source: Path, options: Options) -> dict[str, list[str]]:
    tables = sorted(source.glob(_TABLE))
    if not options.splits or not tables:
        return {}
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise UserError(f"{source}: there are several tables of splits ({names})", remedy="leave the one that is meant")
    return read_table(tables[0])


def _views(source: Path, building: str, layout: str) -> list[View]:
    rgb = source / layout.format(kind="rgb")
    depth, depth_kind = _folder(source, layout, tuple(_DEPTHS), building)
    info, _ = _folder(source, layout, _CAMERAS, building)
    names = {path.name for folder in (rgb, depth, info) for path in folder.iterdir()}
    stems = {match[1] for name in names if (match := _NAME.fullmatch(name))}
    views = []
    for stem in sorted(stems):
        infos = [f"{stem}_domain_{kind}.json" for kind in _INFOS]
        views.append(
            View(
                f"{building}/{stem}",
                building,
                rgb / f"{stem}_domain_rgb.png",
                depth / f"{stem}_domain_{depth_kind}.png",
                _DEPTHS[depth_kind],
                info / next((name for name in infos if name in names), infos[0]),
            )
        )
    return views


def _folder(source: Path, layout: str, kinds: tuple[str, ...], building: str) -> tuple[Path, str]:
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


def view_row(item: View, desk: Desk) -> Row:
    """The line of one view, which names the set's own depth map."""
    image = desk.picture(item.rgb)
    info = read_json(item.info)
    fov = math.degrees(need(info, "field_of_view_rads", item.info, int | float))
    camera = Camera.from_fov(*check_picture(item.rgb), fov)
    labels = named_depth(desk, item.depth, camera, _SCALE, item.depth_type)
    return Row(image, camera, labels, _pose(info, item.info), item.building)


def _pose(info: Any, path: Path) -> Array:
    """world_from_camera (4, 4)."""
    angles, location = (need(info, key, path, list) for key in ("camera_rotation_final", "camera_location"))
    with reading(path, ValueError, TypeError):
        rotation = Rotation.from_euler("xyz", np.asarray(angles, dtype=np.float64).reshape(3))
        return world_from_gl(rigid(rotation.as_matrix(), location))
