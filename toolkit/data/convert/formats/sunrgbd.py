"""SUN RGB-D: pictures of rooms from four sensors, among them the pictures of NYUv2, Berkeley B3DO and SUN3D.

Source: Song et al. 2015, "SUN RGB-D", and SUNRGBDtoolbox: read3dPoints.m and read_3d_pts_general.m (millimetres rotated
left by three bits; depth beyond 8 m is not trusted; Z = depth, so it is depth_z), readme.txt (the folders) and
traintestSUNRGBD/allsplit.mat. ``depth`` was measured, ``depth_bfx`` was filled in by the authors; ``depth`` is used
where it is there. ``extrinsics`` says how the camera is tilted but not where it is, so it is not a pose.
"""

import os
from collections.abc import Iterator, Sequence
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
from toolkit.data.convert.readers.camera_matrix import camera_from_matrix, read_camera_matrix
from toolkit.data.convert.readers.depth_png import MILLIMETRE, labelled_pixels, to_metres, undo_rotation
from toolkit.data.convert.readers.read_files import check_picture, need, read_matlab
from toolkit.data.convert.shared.native_depth_map import read_matching_depth_png
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

_SENSORS = ("kv1", "kv2", "realsense", "xtion")
_SPLITS = {"train": "alltrain", "test": "alltest"}
_SPLIT_FILE = Path("SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat")
_PARTS = {"image", "depth", "depth_bfx"}
_FARTHEST = 8.0  # m; read3dPoints.m caps there
_RECORDINGS = "sun3ddata"  # in this folder, folders beside each other are moments of one recording

INFO = DatasetInfo(
    title="SUN RGB-D",
    home="https://rgbd.cs.princeton.edu (SUNRGBD.zip; SUNRGBDtoolbox.zip for --split)",
    license="research use (no licence is stated)",
    attribution="SUN RGB-D, Song et al. 2015, Princeton; NYUv2, Silberman et al. 2012; B3DO, Janoch et al. 2011; "
    "SUN3D, Xiao et al. 2013",
    depth_type="z (as measured; filled in where only depth_bfx is there)",
    layout="""
SUNRGBD/kv1/**/NAME/image/*.jpg          (also kv2, realsense, xtion)
                    depth/*.png          or depth_bfx/*.png
                    intrinsics.txt
SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat
""",
    splits=tuple(_SPLITS),
    cameras=_SENSORS,
)


@dataclass(frozen=True)
class SunRgbdPicture(DatasetItem):
    """One picture; ``name`` is the path of its folder below SUNRGBD.

    Attributes:
        folder: The folder that holds image, depth and intrinsics.txt.
    """

    folder: Path


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All folders that hold a part of a picture; with --split those that allsplit.mat names, even if missing."""
    root = source / "SUNRGBD" if (source / "SUNRGBD").is_dir() else source
    there = [sensor for sensor in _SENSORS if (root / sensor).is_dir()]
    if not there:
        raise not_this_set(source, INFO, "folder kv1, kv2, realsense or xtion")
    sensors = select_names(options.cameras, there, "camera", source)
    select_names(options.splits, list(_SPLITS), "split", source)
    folders = [folder for sensor in sensors for folder in _picture_folders(root / sensor)]
    found = [SunRgbdPicture(folder.relative_to(root).as_posix(), folder) for folder in folders]
    if not options.splits:
        return DatasetListing(found)
    wanted = {name for name in _split_names(source, root, options.splits) if name.split("/")[0] in sensors}
    missing = sorted(wanted - {picture.name for picture in found})
    faults = [UserError(f"{root / name}: there is no such folder", remedy="get SUNRGBD.zip again") for name in missing]
    return DatasetListing([picture for picture in found if picture.name in wanted], faults)


def _picture_folders(folder: Path) -> Iterator[Path]:
    """The folders that hold a part of a picture, by name, without the folders inside them, such as fullres."""
    for path, folders, files in os.walk(folder):
        if _PARTS & set(folders) or "intrinsics.txt" in files:
            folders.clear()
            yield Path(path)
        folders.sort()


def _split_names(source: Path, root: Path, splits: Sequence[str]) -> set[str]:
    """The names of the pictures in the splits."""
    path = next((top / _SPLIT_FILE for top in (source, root.parent) if (top / _SPLIT_FILE).is_file()), None)
    if path is None:
        remedy = "unpack SUNRGBDtoolbox.zip there, or leave --split out"
        raise UserError(f"{source / _SPLIT_FILE}: there is no such file", "it says what the splits are", remedy)
    content = read_matlab(path, simplify=True)
    names = [str(name) for split in splits for name in np.atleast_1d(need(content, _SPLITS[split], path))]
    # These are paths on the authors' machines: /n/fs/sun3d/data/SUNRGBD/kv2/kinect2data/NAME, some end in a slash.
    return {Path(name.rpartition("/SUNRGBD/")[2]).as_posix() for name in names}


def convert(item: SunRgbdPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture."""
    path = _only_file(item.folder, ("image",), (".jpg", ".png"))
    image = workspace.reference_picture(path)
    k = read_camera_matrix(item.folder / "intrinsics.txt")
    camera = camera_from_matrix(k, check_picture(path))
    labels = workspace.sample_labels(item, camera, labelled_pixels(_read_depth(item.folder, camera)), "z")
    recording = item.name.rpartition("/")[0] if _RECORDINGS in item.name else ""
    return ManifestRow(image, camera, labels, sequence=recording)


def _read_depth(folder: Path, camera: Camera) -> Array:
    """The depth_z (H, W) [m] of a picture, NaN where it is unknown."""
    path = _only_file(folder, ("depth", "depth_bfx"), (".png",))
    depth = to_metres(undo_rotation(read_matching_depth_png(path, camera)), MILLIMETRE)
    depth[depth > _FARTHEST] = np.nan
    return depth


def _only_file(folder: Path, parts: Sequence[str], suffixes: Sequence[str]) -> Path:
    """The only file with one of the suffixes, in the first of the sub-folders that has any."""
    for part in parts:
        found = sorted(path for path in (folder / part).glob("*") if path.suffix.lower() in suffixes)
        if len(found) > 1:
            cause = f"there are {len(found)}: {found[0].name}, {found[1].name}"
            raise UserError(f"{folder / part}: which file is the picture's is not known", cause, "unpack the set again")
        if found:
            return found[0]
    raise UserError(
        f"{folder}: there is no {' or '.join(f'{part}/*{suffixes[0]}' for part in parts)}",
        remedy="the download is incomplete: get SUNRGBD.zip again, or leave the picture out with --skip-bad",
    )
