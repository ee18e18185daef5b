"""A plain folder of your own: pictures of one camera with depth maps or measured points, and poses if you have them."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
from toolkit.data.convert.readers.read_files import naming_file, need, read_arrays, read_json, read_numbers
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.data.frames.camera_file import parse_camera
from toolkit.data.frames.exif_turn import ExifTurn
from toolkit.data.frames.frame import DepthFile, DepthType, ImageFile, SparseDepth, check_unit
from toolkit.data.frames.image_file import RAW_ENDINGS, MissingReader, open_image
from toolkit.data.manifest.parse_line import DEPTH_TYPES, holds_whole_numbers
from toolkit.errors import UserError, did_you_mean
from toolkit.geometry.camera import Camera
from toolkit.utils.json import shown

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
    own=True,
)

_PICTURES = (".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".bmp", ".webp")
_PLUGGED = (".heic", ".heif", ".hif", ".avif", ".jxl")  # pictures for which Pillow may need a plug-in
_OTHERS = (".gif", ".jp2", ".ppm", ".pgm", ".tga", ".exr", ".hdr")
_DEPTHS = (".png", ".npy", ".tiff", ".tif")
_POINTS = (".txt", ".csv", ".npy")
_POSES = (".txt",)
_NAMED = 3  # how many of the files that are passed over are named

_Files = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class _FolderCamera:
    """The content of camera.json.

    Attributes:
        camera: The camera of all pictures.
        depth_type: The kind of all depths.
        depth_scale: Metres per stored unit of depth maps; None where there are none.
    """

    camera: Camera
    depth_type: DepthType
    depth_scale: float | None


@dataclass(frozen=True)
class FolderPicture(DatasetItem):
    """One picture; ``name`` is its path below ``images``, without suffix.

    Attributes:
        path: The file of the picture.
        settings: The content of camera.json.
        labels: The files below ``depth`` and below ``points`` that have its name, whatever their endings.
        pose: The file of its pose, or None.
        state: The sizes and times of all these files, so that what was changed is converted again.
    """

    path: Path
    settings: _FolderCamera
    labels: tuple[tuple[Path, ...], tuple[Path, ...]]
    pose: Path | None
    state: tuple[tuple[int, int], ...]


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All pictures below ``images``, in the order of their names."""
    images = source / "images"
    if not (source / "camera.json").is_file():
        raise not_this_set(source, INFO, "camera.json")
    if not any((source / folder).is_dir() for folder in ("depth", "points")):
        raise not_this_set(source, INFO, "folder depth/ or points/")
    depth, points, poses = (_files_by_name(source / folder) for folder in ("depth", "points", "poses"))
    settings = _read_camera(source, [path for paths in depth.values() for path in paths])
    found: list[DatasetItem] = []
    passed_over: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(images.rglob("*")):
        reason = _why_passed_over(path)
        if reason:
            passed_over[reason].append(path)
        elif path.suffix.lower() in (*_PICTURES, *_PLUGGED):
            name = _name_below(path, images)
            labels = tuple(depth.get(name, ())), tuple(points.get(name, ()))
            pose = _with_ending(poses.get(name, ()), _POSES)
            files = (path, *labels[0], *labels[1], *([pose] if pose else []))
            found.append(FolderPicture(name, path, settings, labels, pose, _state(files)))
    return DatasetListing(found, (), _with_names(passed_over, source))


def convert(item: FolderPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture."""
    pose = read_pose(item.pose) if item.pose is not None else None
    sequence = str(Path(item.name).parent) if "/" in item.name else workspace.source.name
    image = workspace.reference_picture(item.path)
    return ManifestRow(image, item.settings.camera, _labels(item, workspace), pose, sequence)


def _name_below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _files_by_name(folder: Path) -> _Files:
    """All files below a folder, by their paths below it without suffix."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[_name_below(path, folder)].append(path)
    return found


def _with_ending(paths: Iterable[Path], endings: Sequence[str]) -> Path | None:
    """The path with the first of some endings, in small or capital letters; None if there is none."""
    by_ending = {path.suffix.lower(): path for path in paths}
    return next((by_ending[ending] for ending in endings if ending in by_ending), None)


def _state(paths: Iterable[Path]) -> tuple[tuple[int, int], ...]:
    """The size and the time of the last modification [ns] of each file; nothing for what is no file."""
    found = [path.stat() for path in paths if path.is_file()]
    return tuple((each.st_size, each.st_mtime_ns) for each in found)


def _why_passed_over(path: Path) -> str:
    """Why a file below ``images`` is passed over although it is a picture, and what to do; "" for all other files."""
    ending = path.suffix.lower()
    if ending in RAW_ENDINGS:
        return "camera raw files are not taken: develop them to TIFF or JPEG in full size"
    if ending in _OTHERS:
        return f"{ending} files are not taken: convert them to PNG or JPEG"
    if ending in _PLUGGED:
        try:
            with open_image(path):
                return ""
        except MissingReader as missing:
            return f"{missing.cause}: {missing.remedy}"
        except UserError:
            return ""  # it is damaged, which is told as a fault when it is converted
    return ""


def _with_names(passed_over: Mapping[str, Sequence[Path]], source: Path) -> dict[str, int]:
    """The number of files by reason; the reasons name the first of the files."""
    counts = {}
    for reason, paths in passed_over.items():
        names = [path.relative_to(source).as_posix() for path in paths[:_NAMED]]
        counts[f"{reason} ({', '.join(names)}{', …' if len(paths) > _NAMED else ''})"] = len(paths)
    return counts


def _read_camera(source: Path, depth_maps: Sequence[Path]) -> _FolderCamera:
    path = source / "camera.json"
    content = read_json(path)
    depth_type = need(content, "depth_type", path, str)
    if depth_type not in DEPTH_TYPES:
        raise UserError(
            f"{path}, depth_type: {shown(depth_type)} is not known", remedy=did_you_mean(depth_type, DEPTH_TYPES)
        )
    scale = content.get("depth_scale")
    if (source / "depth").is_dir():
        _check_scale(path, scale, any(holds_whole_numbers(each.name) for each in depth_maps))
    with naming_file(path):
        return _FolderCamera(parse_camera(content), depth_type, scale)


def _check_scale(path: Path, scale: object, whole: bool) -> None:
    remedy = "give metres per stored unit: 0.001 for millimetres"
    if not isinstance(scale, int | float):
        raise UserError(f"{path}: 'depth_scale' is missing", remedy=remedy)
    if isinstance(scale, bool) or not 0 < scale < math.inf:
        raise UserError(f"{path}, depth_scale: {shown(scale)} is not a positive number", remedy=remedy)
    with naming_file(path):
        check_unit(scale, whole)


def _labels(item: FolderPicture, workspace: Workspace) -> SparseDepth | DepthFile:
    depth, points = (_with_ending(*each) for each in zip(item.labels, (_DEPTHS, _POINTS), strict=True))
    if depth is not None:
        return _depth_map(item, depth, workspace)
    if points is None:
        raise _no_labels(item)
    rows = read_arrays(points)["data"] if points.suffix.lower() == ".npy" else read_numbers(points)
    if rows.size % 3:
        raise UserError(f"{points}: these are not rows of u, v, depth", remedy="write three numbers for each point")
    if not rows.size:
        raise Skipped("no point is measured in it")
    rows = rows.reshape(-1, 3).astype("float64")
    found = rows[:, :2], rows[:, 2]
    return workspace.sample_labels(item, item.settings.camera, found, item.settings.depth_type)


def _no_labels(item: FolderPicture) -> UserError:
    others = [path for paths in item.labels for path in paths]
    if others:
        return UserError(
            f"{others[0]}: {others[0].suffix or 'a file without ending'} is not read as depth",
            remedy="convert it to a float TIFF or .npy, or leave the picture out with --skip-bad",
        )
    return UserError(
        f"{item.path}: neither depth/ nor points/ has a file of this name",
        remedy="add it, or leave the picture out with --skip-bad",
    )


def _depth_map(item: FolderPicture, path: Path, workspace: Workspace) -> DepthFile:
    """The depth map of a picture, which is read whole.

    Raises:
        UserError: If it is damaged, has 8 bits, or does not fit the picture or the scale.
        Skipped: If it holds no depth.
    """
    settings = item.settings
    width, height, orientation = ImageFile(item.path).stored_size()
    turn = ExifTurn.of(settings.camera, width, height, orientation)
    if turn is not None:  # else the picture does not fit the camera, which is told when the line is checked
        stored = DepthFile(path, settings.depth_scale or 1.0, settings.depth_type, orientation)
        if not len(stored.read(settings.camera.turned(turn.line))[0]):
            raise Skipped("no depth is known in it")
    return DepthFile(Path(workspace.reference_file(path)), settings.depth_scale or 1.0, settings.depth_type)
