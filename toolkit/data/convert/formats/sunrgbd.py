"""SUN RGB-D: single rooms seen by four sensors, among them the pictures of NYUv2, Berkeley B3DO and SUN3D.

Source: Song et al. 2015, "SUN RGB-D", and SUNRGBDtoolbox: read3dPoints.m and read_3d_pts_general.m (millimetres rotated
left by three bits; beyond 8 m nothing is trusted; Z = depth, so depth_z), readme.txt (the folders) and
traintestSUNRGBD/allsplit.mat. ``depth`` is what was measured, ``depth_bfx`` what the authors filled in; the first is
taken. ``extrinsics`` says how the camera is tilted, not where it stands, and is no pose.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, chosen, not_this_set
from toolkit.data.convert.readers.depth_png import labelled, metres, rotated
from toolkit.data.convert.readers.read_files import check_picture, need, read_numbers, reading
from toolkit.data.convert.shared.native_depth_map import read_fitting
from toolkit.data.convert.shared.workspace import Desk
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

_SENSORS = ("kv1", "kv2", "realsense", "xtion")


_SPLITS = {"train": "alltrain", "test": "alltest"}


_SPLIT_FILE = Path("SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat")


_PARTS = {"image", "depth", "depth_bfx"}


_FARTHEST = 8.0  # m; read3dPoints.m caps there


_RECORDINGS = "sun3ddata"  # where folders beside each other are moments of one recording


ABOUT = About(
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
class Room(Item):
    """One picture; ``name`` is its folder below SUNRGBD.

    Attributes:
        folder: With image, depth and intrinsics.txt.
    """

    folder: Path


def items(source: Path, options: Options) -> Listing:
    """All folders that hold a part of a picture; with --split those that allsplit.mat names, there or not."""
    root = source / "SUNRGBD" if (source / "SUNRGBD").is_dir() else source
    there = [sensor for sensor in _SENSORS if (root / sensor).is_dir()]
    if not there:
        raise not_this_set(source, ABOUT, "folder kv1, kv2, realsense or xtion")
    sensors = chosen(options.cameras, there, "camera", source)
    chosen(options.splits, list(_SPLITS), "split", source)
    found = [Room(path.relative_to(root).as_posix(), path) for sensor in sensors for path in _leaves(root / sensor)]
    if not options.splits:
        return Listing(found)
    wanted = {name for name in _split(source, root, options.splits) if name.split("/")[0] in sensors}
    missing = sorted(wanted - {room.name for room in found})
    faults = [UserError(f"{root / name}: there is no such folder", remedy="get SUNRGBD.zip again") for name in missing]
    return Listing([room for room in found if room.name in wanted], faults)


def _leaves(folder: Path) -> Iterator[Path]:
    """Folders that hold a part of a picture, by name; those inside them, such as fullres, are left out."""
    for path, folders, files in os.walk(folder):
        if _PARTS & set(folders) or "intrinsics.txt" in files:
            folders.clear()
            yield Path(path)
        folders.sort()


def _split(source: Path, root: Path, splits: Sequence[str]) -> set[str]:
    """Names of the pictures of the splits."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    path = next((top / _SPLIT_FILE for top in (source, root.parent) if (top / _SPLIT_FILE).is_file()), None)
    if path is None:
        remedy = "unpack SUNRGBDtoolbox.zip there, or leave --split out"
        raise UserError(f"{source / _SPLIT_FILE}: there is no such file", "it says what the splits are", remedy)
    with reading(path, MatReadError, ValueError, TypeError, NotImplementedError):
        content: dict[str, Any] = loadmat(path, simplify_cells=True)
    names = [str(name) for split in splits for name in np.atleast_1d(need(content, _SPLITS[split], path))]
    # Paths on the authors' machines: /n/fs/sun3d/data/SUNRGBD/kv2/kinect2data/NAME, some with a slash at the end.
    return {Path(name.rpartition("/SUNRGBD/")[2]).as_posix() for name in names}


def convert(item: Room, desk: Desk) -> Row:
    """The line of one picture."""
    path = _only_file(item.folder, ("image",), (".jpg", ".png"))
    image = desk.picture(path)
    k = _intrinsics(item.folder / "intrinsics.txt")
    camera = Camera.from_intrinsics([k[0, 0], k[1, 1], k[0, 2], k[1, 2], *check_picture(path)])
    labels = desk.sparse(item, camera, labelled(_depth(item.folder, camera)), "z")
    recording = item.name.rpartition("/")[0] if _RECORDINGS in item.name else ""
    return Row(image, camera, labels, sequence=recording)


def _depth(folder: Path, camera: Camera) -> Array:
    """depth_z (H, W) [m]."""
    path = _only_file(folder, ("depth", "depth_bfx"), (".png",))
    depth = metres(rotated(read_fitting(path, camera)), 0.001)
    depth[depth > _FARTHEST] = np.nan
    return depth


def _only_file(folder: Path, parts: Sequence[str], suffixes: Sequence[str]) -> Path:
    """The one file of the first of the sub-folders that has one."""
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


def _intrinsics(path: Path) -> Array:
    """K (3, 3)."""
    numbers = read_numbers(path)
    if numbers.size != 9:
        raise UserError(f"{path}: there are {numbers.size} numbers, not 3 x 3", remedy="get this file again")
    return numbers.reshape(3, 3)
