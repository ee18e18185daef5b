"""A plain folder: pictures of one camera with depth maps or measured points, poses if there are any."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, Skipped, not_this_set
from toolkit.data.convert.readers.pose_files import read_pose
from toolkit.data.convert.readers.read_files import need, read_arrays, read_json, read_numbers
from toolkit.data.convert.shared.workspace import Desk
from toolkit.data.frames.frame import DepthFile, SparseDepth
from toolkit.data.manifest.parse_line import DEPTH_TYPES
from toolkit.errors import UserError, did_you_mean
from toolkit.geometry.camera import Camera

ABOUT = About(
    title="A plain folder",
    home="your own camera",
    license="",
    attribution="",
    depth_type="as camera.json says",
    layout="""
camera.json      {"intrinsics": [fx, fy, cx, cy, width, height], "depth_type": "z" or "euclidean",
                  "depth_scale": metres a stored unit (for depth/), "distortion": [k1, k2, p1, p2, k3]}
images/**/NAME   pictures; a folder below images/ is a sequence
depth/**/NAME    depth maps: 16-bit PNG, float TIFF or .npy; or
points/**/NAME   .txt, .csv or .npy with rows u, v, depth [m]
poses/**/NAME    .txt with the 16 numbers of world_from_camera, by rows; may be left out
""",
)


_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


_DEPTHS = (".png", ".npy", ".tiff", ".tif", ".exr")


_POINTS = (".txt", ".csv", ".npy")


@dataclass(frozen=True)
class Picture(Item):
    """One picture; ``name`` is its path below ``images``, without suffix.

    Attributes:
        path: The file.
    """

    path: Path


@dataclass(frozen=True)
class _Rig:
    """What camera.json says."""

    camera: Camera
    depth_type: Any
    depth_scale: float | None


def items(source: Path, options: Options) -> Listing:
    """All pictures below ``images``, by name."""
    images = source / "images"
    if not (source / "camera.json").is_file():
        raise not_this_set(source, ABOUT, "camera.json")
    if not any((source / folder).is_dir() for folder in ("depth", "points")):
        raise not_this_set(source, ABOUT, "folder depth/ or points/")
    _rig(source)
    paths = sorted(path for path in images.rglob("*") if path.suffix.lower() in _PICTURES)
    return Listing([Picture(path.relative_to(images).with_suffix("").as_posix(), path) for path in paths])


def convert(item: Picture, desk: Desk) -> Row:
    """The line of one picture."""
    rig = _rig(desk.source)
    pose_file = desk.source / "poses" / f"{item.name}.txt"
    pose = read_pose(pose_file) if pose_file.is_file() else None
    sequence = str(Path(item.name).parent) if "/" in item.name else desk.source.name
    return Row(desk.picture(item.path), rig.camera, _labels(item, rig, desk), pose, sequence)


@lru_cache(maxsize=1)
def _rig(source: Path) -> _Rig:
    path = source / "camera.json"
    said = read_json(path)
    intrinsics, distortion = need(said, "intrinsics", path, list), said.get("distortion") or ()
    depth_type = need(said, "depth_type", path, str)
    if depth_type not in DEPTH_TYPES:
        raise UserError(f"{path}, depth_type: {depth_type!r} is neither", remedy=did_you_mean(depth_type, DEPTH_TYPES))
    if (source / "depth").is_dir() and not isinstance(said.get("depth_scale"), int | float):
        raise UserError(f"{path}: 'depth_scale' is missing", remedy="give metres a stored unit: 0.001 for millimetres")
    try:
        camera = Camera.from_intrinsics(intrinsics, distortion)
    except (TypeError, ValueError):
        raise UserError(f"{path}: the intrinsics are not six numbers", remedy="give them in pixels") from None
    return _Rig(camera, depth_type, said.get("depth_scale"))


def _labels(item: Picture, rig: _Rig, desk: Desk) -> SparseDepth | DepthFile:
    depth = _beside(desk.source / "depth" / item.name, _DEPTHS)
    if depth is not None and rig.depth_scale is not None:
        return DepthFile(Path(desk.refer(depth)), rig.depth_scale, rig.depth_type)
    points = _beside(desk.source / "points" / item.name, _POINTS)
    if points is None:
        raise UserError(
            f"{item.path}: neither depth/ nor points/ has a file of this name",
            remedy="add it, or leave the picture out with --skip-bad",
        )
    rows = read_arrays(points)["data"] if points.suffix == ".npy" else read_numbers(points)
    if rows.size % 3:
        raise UserError(f"{points}: these are no rows of u, v, depth", remedy="write three numbers a point")
    if not rows.size:
        raise Skipped("no point is measured in it")
    rows = rows.reshape(-1, 3).astype("float64")
    return desk.sparse(item, rig.camera, (rows[:, :2], rows[:, 2]), rig.depth_type)


def _beside(stem: Path, suffixes: tuple[str, ...]) -> Path | None:
    paths = (stem.with_name(stem.name + suffix) for suffix in suffixes)
    return next((path for path in paths if path.is_file()), None)
