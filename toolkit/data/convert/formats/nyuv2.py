"""NYUv2: 1449 labelled rooms seen by a Kinect, as the authors' one MATLAB file or as exported pictures.

Source: Silberman et al. 2012, "Indoor Segmentation and Support Inference from RGBD Images", the set's page
(``rawDepths``: metres, projected onto the picture and not filled in; ``depths`` are) and toolbox_nyu_depth_v2:
camera_params.m (the colour camera; pictures are undistorted; depth ends at 10 m), project_depth_map.m (a map keeps the
point's depth along the axis, so depth_z) and get_projection_mask.m (outside of it the picture is a white border or has
no depth). The export is that of BTS (Lee et al. 2019, extract_official_train_test_set_from_mat.py): rawDepths in
millimetres.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, chosen, not_this_set
from toolkit.data.convert.readers.depth_png import labelled, metres
from toolkit.data.convert.readers.hdf5 import open_hdf5
from toolkit.data.convert.readers.read_files import check_picture, need, reading
from toolkit.data.convert.shared.native_depth_map import read_fitting
from toolkit.data.convert.shared.workspace import Desk
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

_CAMERA = Camera(518.85790117450188, 519.46961112127485, 325.58244941119034, 253.73616633400465, 640, 480)


_SEEN = (slice(44, 471), slice(40, 601))  # rows and columns of get_projection_mask.m


_FARTHEST = 10.0  # m; the toolbox cuts there


_LABELED = "nyu_depth_v2_labeled.mat"


_SPLITS = {"train": "trainNdxs", "test": "testNdxs"}


_PICTURES = ("rgb_*.jpg", "rgb_*.png")


_DEPTH = "sync_depth_"


ABOUT = About(
    title="NYU Depth V2",
    home="https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html",
    license="research use (no licence is stated)",
    attribution="NYU Depth V2, Silberman et al. 2012, New York University",
    depth_type="z (as measured, not filled in)",
    layout="""
nyu_depth_v2_labeled.mat              (the labelled set; splits.mat of the same page for --split)
or, exported by BTS or alike:
train/SCENE/rgb_00001.jpg             (also test, or scenes without a split, at any depth)
            sync_depth_00001.png      millimetres, 16 bits
""",
    splits=tuple(_SPLITS),
)


@dataclass(frozen=True)
class Labeled(Item):
    """A picture of the MATLAB file.

    Attributes:
        path: The file.
        number: Which, from 1.
        scene: The room in which it was taken.
    """

    path: Path
    number: int
    scene: str


@dataclass(frozen=True)
class Exported(Item):
    """A picture with its depth map beside it.

    Attributes:
        folder: Of its scene.
        stem: Its number, five digits.
        suffix: Of the picture.
    """

    folder: Path
    stem: str
    suffix: str


def items(source: Path, options: Options) -> Listing:
    """All pictures of the MATLAB file, or, without it, of the export."""
    chosen(options.splits, list(_SPLITS), "split", source)
    return Listing((_labeled if (source / _LABELED).is_file() else _exported)(source, options.splits))


def _labeled(source: Path, splits: Sequence[str]) -> list[Item]:
    path = source / _LABELED
    file = open_hdf5(path)
    count = file["images"].shape[0]
    for name in ("images", "rawDepths"):
        expected = (count, *((3,) if name == "images" else ()), _CAMERA.width, _CAMERA.height)
        if file[name].shape != expected:
            cause = f"{name} is {file[name].shape}, not {expected}"
            raise UserError(f"{path}: this is not the labelled set", cause, "get this file again")
    scenes = ["".join(map(chr, file.at(int(address)).read().ravel())) for address in file["scenes"].read().ravel()]
    numbers = _split(source, splits) if splits else range(1, count + 1)
    if len(scenes) != count or max(numbers, default=0) > count:
        cause = f"there are {count} pictures, {len(scenes)} scenes, and splits up to {max(numbers, default=0)}"
        raise UserError(f"{path}: the sizes do not fit together", cause, "get this file again, and splits.mat")
    return [Labeled(f"{number:04d}", path, number, scenes[number - 1]) for number in numbers]


def _split(source: Path, splits: Sequence[str]) -> list[int]:
    """Numbers of the splits' pictures, from 1."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    path = source / "splits.mat"
    if not path.is_file():
        remedy = "put splits.mat beside the labelled set, or leave --split out"
        raise UserError(f"{path}: there is no such file", "it says what the splits are", remedy)
    with reading(path, MatReadError, ValueError, TypeError, NotImplementedError):
        content: dict[str, Any] = loadmat(path)
        return sorted(int(number) for split in splits for number in need(content, _SPLITS[split], path).ravel())


def _exported(source: Path, splits: Sequence[str]) -> list[Item]:
    """All numbers that a picture or a depth map has; the folder "train" or "test" on the way to it is its split."""
    found = {
        (path.parent, path.stem.removeprefix(_DEPTH).removeprefix("rgb_"))
        for pattern in (*_PICTURES, f"{_DEPTH}*.png")
        for path in source.rglob(pattern)
    }
    if not found:
        raise not_this_set(source, ABOUT, f"{_LABELED}, nor pictures rgb_NNNNN.jpg")
    on_the_way = {folder: {source.name, *folder.relative_to(source).parts} for folder, _ in found}
    there = [split for split in _SPLITS if any(split in names for names in on_the_way.values())]
    wanted = set(chosen(splits, there, "split", source)) if splits else set()
    return [
        Exported(f"{folder.relative_to(source).as_posix()}/{stem}", folder, stem, _suffix(folder, stem))
        for folder, stem in sorted(found)
        if not wanted or wanted & on_the_way[folder]
    ]


def _suffix(folder: Path, stem: str) -> str:
    return ".png" if (folder / f"rgb_{stem}.png").is_file() else ".jpg"


def convert(item: Labeled | Exported, desk: Desk) -> Row:
    """The line of one picture; those of the MATLAB file are written to DEST as PNG."""
    return _convert_labeled(item, desk) if isinstance(item, Labeled) else _convert_exported(item, desk)


def _convert_labeled(item: Labeled, desk: Desk) -> Row:
    file = open_hdf5(item.path)
    depth = np.asarray(file["rawDepths"].row(item.number - 1).T, dtype=np.float64)
    labels = desk.sparse(item, _CAMERA, labelled(_measured(depth)), "z")
    pixels = file["images"].row(item.number - 1).transpose(2, 1, 0)
    return Row(desk.write_picture(f"images/{item.name}.png", pixels), _CAMERA, labels, sequence=item.scene)


def _convert_exported(item: Exported, desk: Desk) -> Row:
    picture = item.folder / f"rgb_{item.stem}{item.suffix}"
    image = desk.picture(picture)
    size = check_picture(picture)
    if size != (_CAMERA.width, _CAMERA.height):
        raise UserError(
            f"{picture}: it is {size[0]} x {size[1]}, not {_CAMERA.width} x {_CAMERA.height}",
            cause="it was resized or cropped, and the set's camera does not fit it",
            remedy="export the set again without that",
        )
    path = item.folder / f"{_DEPTH}{item.stem}.png"
    stored = read_fitting(path, _CAMERA)
    _check_millimetres(path, stored)
    labels = desk.sparse(item, _CAMERA, labelled(_measured(metres(stored, 0.001))), "z")
    return Row(image, _CAMERA, labels, sequence=item.folder.name)


def _measured(depth: Array) -> Array:
    """Depth (H, W) [m] where the Kinect measured it; NaN elsewhere."""
    kept = np.full(depth.shape, np.nan)
    kept[_SEEN] = depth[_SEEN]
    kept[~((kept > 0) & (kept < _FARTHEST))] = np.nan
    return kept


def _check_millimetres(path: Path, stored: NDArray[np.uint16]) -> None:
    if stored.max() > 1000 * _FARTHEST:
        raise UserError(
            f"{path}: these are no millimetres",
            cause=f"read so, they reach {stored.max() / 1000:.1f} m, farther than a Kinect measures; "
            "SUN RGB-D's copies of NYUv2 hold them rotated by three bits",
            remedy="convert those with the format sunrgbd, or export the set's own file again",
        )
