"""A plain folder of your own: pictures of one camera with depth maps or measured points, and poses if you have them."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from toolkit.data.convert.base_format import (
    ConvertOptions,
    DatasetInfo,
    DatasetItem,
    DatasetListing,
    ManifestRow,
    Skipped,
    not_this_set,
)
from toolkit.data.convert.readers.pose_files import read_pose
from toolkit.data.convert.readers.read_files import need, read_arrays, read_json, read_numbers
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.data.frames.frame import DepthFile, SparseDepth
from toolkit.data.manifest.parse_line import DEPTH_TYPES
from toolkit.errors import UserError, did_you_mean
from toolkit.geometry.camera import Camera

INFO = DatasetInfo(
    title="A plain folder",
    home="your own camera",
    license="",
    attribution="",
    depth_type="as camera.json says",
    layout="""
camera.json      {"intrinsics": [fx, fy, cx, cy, width, height], "depth_type": "z" or "euclidean",
                  "depth_scale": metres per stored unit (for depth/), "distortion": [k1, k2, p1, p2, k3]}
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
class FolderPicture(DatasetItem):
    """One picture; ``name`` is its path below ``images``, without suffix.

    Attributes:
        path: The file of the picture.
    """

    path: Path


@dataclass(frozen=True)
class _FolderCamera:
    """The content of camera.json; ``depth_scale`` is in metres per stored unit."""

    camera: Camera
    depth_type: Any
    depth_scale: float | None


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All pictures below ``images``, in the order of their names."""
    images = source / "images"
    if not (source / "camera.json").is_file():
        raise not_this_set(source, INFO, "camera.json")
    if not any((source / folder).is_dir() for folder in ("depth", "points")):
        raise not_this_set(source, INFO, "folder depth/ or points/")
    _read_camera(source)
    paths = sorted(path for path in images.rglob("*") if path.suffix.lower() in _PICTURES)
    return DatasetListing([FolderPicture(path.relative_to(images).with_suffix("").as_posix(), path) for path in paths])


def convert(item: FolderPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture."""
    settings = _read_camera(workspace.source)
    pose_file = workspace.source / "poses" / f"{item.name}.txt"
    pose = read_pose(pose_file) if pose_file.is_file() else None
    sequence = str(Path(item.name).parent) if "/" in item.name else workspace.source.name
    image = workspace.reference_picture(item.path)
    return ManifestRow(image, settings.camera, _labels(item, settings, workspace), pose, sequence)


@lru_cache(maxsize=1)
def _read_camera(source: Path) -> _FolderCamera:
    path = source / "camera.json"
    content = read_json(path)
    intrinsics, distortion = need(content, "intrinsics", path, list), content.get("distortion") or ()
    depth_type = need(content, "depth_type", path, str)
    if depth_type not in DEPTH_TYPES:
        raise UserError(
            f"{path}, depth_type: {depth_type!r} is not known", remedy=did_you_mean(depth_type, DEPTH_TYPES)
        )
    if (source / "depth").is_dir() and not isinstance(content.get("depth_scale"), int | float):
        raise UserError(
            f"{path}: 'depth_scale' is missing", remedy="give metres per stored unit: 0.001 for millimetres"
        )
    try:
        camera = Camera.from_intrinsics(intrinsics, distortion)
    except (TypeError, ValueError):
        raise UserError(f"{path}: the intrinsics are not six numbers", remedy="give them in pixels") from None
    return _FolderCamera(camera, depth_type, content.get("depth_scale"))


def _labels(item: FolderPicture, settings: _FolderCamera, workspace: Workspace) -> SparseDepth | DepthFile:
    depth = _find_file(workspace.source / "depth" / item.name, _DEPTHS)
    if depth is not None and settings.depth_scale is not None:
        return DepthFile(Path(workspace.reference_file(depth)), settings.depth_scale, settings.depth_type)
    points = _find_file(workspace.source / "points" / item.name, _POINTS)
    if points is None:
        raise UserError(
            f"{item.path}: neither depth/ nor points/ has a file of this name",
            remedy="add it, or leave the picture out with --skip-bad",
        )
    rows = read_arrays(points)["data"] if points.suffix == ".npy" else read_numbers(points)
    if rows.size % 3:
        raise UserError(f"{points}: these are not rows of u, v, depth", remedy="write three numbers for each point")
    if not rows.size:
        raise Skipped("no point is measured in it")
    rows = rows.reshape(-1, 3).astype("float64")
    return workspace.sample_labels(item, settings.camera, (rows[:, :2], rows[:, 2]), settings.depth_type)


def _find_file(stem: Path, suffixes: tuple[str, ...]) -> Path | None:
    """The first file with this path and one of the suffixes; None if there is none."""
    paths = (stem.with_name(stem.name + suffix) for suffix in suffixes)
    return next((path for path in paths if path.is_file()), None)
