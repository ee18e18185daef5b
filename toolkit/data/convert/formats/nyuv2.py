"""NYUv2: 1449 labelled pictures of rooms from a Kinect, as one MATLAB file of the authors or as exported pictures.

Source: Silberman et al. 2012, "Indoor Segmentation and Support Inference from RGBD Images", the set's page
(``rawDepths`` are metres, projected onto the picture and not filled in; ``depths`` are filled in), and
toolbox_nyu_depth_v2: camera_params.m (the colour camera; pictures are undistorted; depth ends at 10 m),
project_depth_map.m (a depth map keeps the depth along the axis, so it holds depth_z) and get_projection_mask.m (outside
of this area the picture is a white border or has no depth). The export is the one of BTS (Lee et al. 2019,
extract_official_train_test_set_from_mat.py): rawDepths in millimetres.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.base_format import (
    ConvertOptions,
    DatasetInfo,
    DatasetItem,
    DatasetListing,
    ManifestRow,
    not_this_set,
    select_names,
)
from toolkit.data.convert.readers.depth_png import MILLIMETRE, labelled_pixels, to_metres
from toolkit.data.convert.readers.hdf5 import open_hdf5
from toolkit.data.convert.readers.read_files import check_picture, check_size, need, read_matlab, reading
from toolkit.data.convert.shared.native_depth_map import read_matching_depth_png
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

_CAMERA = Camera(518.85790117450188, 519.46961112127485, 325.58244941119034, 253.73616633400465, 640, 480)
_VALID_AREA = (slice(44, 471), slice(40, 601))  # rows and columns of get_projection_mask.m
_FARTHEST = 10.0  # m; the toolbox cuts depth there
_LABELED = "nyu_depth_v2_labeled.mat"
_ARRAYS = (("images", (3,), np.uint8), ("rawDepths", (), np.floating))  # names, dimensions before W x H, and types
_SPLITS = {"train": "trainNdxs", "test": "testNdxs"}
_PICTURES = ("rgb_*.jpg", "rgb_*.png")
_DEPTH = "sync_depth_"

INFO = DatasetInfo(
    title="NYU Depth V2",
    home="https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html",
    license="research use (no licence is stated)",
    attribution="NYU Depth V2, Silberman et al. 2012, New York University",
    depth_type="z (as measured, not filled in)",
    layout="""
nyu_depth_v2_labeled.mat              (the labelled set; needs pip install '3dqa-toolkit[hdf5]')
splits.mat                            (of the same page, for --split)
or, exported by BTS or alike:
train/SCENE/rgb_00001.jpg             (also test, or scenes without a split, in any subfolder)
            sync_depth_00001.png      millimetres, 16 bits
""",
    splits=tuple(_SPLITS),
)


@dataclass(frozen=True)
class NyuLabeledPicture(DatasetItem):
    """A picture of the MATLAB file.

    Attributes:
        path: The MATLAB file.
        number: The number of the picture in it; the first is 1.
        scene: The name of the room.
    """

    path: Path
    number: int
    scene: str


@dataclass(frozen=True)
class NyuExportedPicture(DatasetItem):
    """An exported picture, with its depth map beside it.

    Attributes:
        folder: The folder of its scene.
        stem: Its number, five digits.
        suffix: The suffix of the picture's file.
    """

    folder: Path
    stem: str
    suffix: str


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All pictures of the MATLAB file, or, without it, of the export."""
    select_names(options.splits, list(_SPLITS), "split", source)
    return DatasetListing((_list_labeled if (source / _LABELED).is_file() else _list_exported)(source, options.splits))


def _list_labeled(source: Path, splits: Sequence[str]) -> Sequence[DatasetItem]:
    path = source / _LABELED
    file = open_hdf5(path)
    scenes = file.texts("scenes")
    for name, shape, kind in _ARRAYS:
        array, expected = file.array(name), (len(scenes), *shape, _CAMERA.width, _CAMERA.height)
        if array.shape != expected or not np.issubdtype(array.dtype, kind):
            cause = f"{name} is {array.shape} of {array.dtype}, not {expected} of {kind.__name__}"
            raise UserError(f"{path}: this is not the labelled set", cause, "get this file again")
    numbers = _split_numbers(source, splits) if splits else range(1, len(scenes) + 1)
    unknown = [number for number in numbers if not 1 <= number <= len(scenes)]
    if unknown:
        cause = f"there are {len(scenes)} pictures, and splits.mat names number {unknown[0]}"
        raise UserError(f"{path}: the sizes do not fit together", cause, "get this file again, and splits.mat")
    return [NyuLabeledPicture(f"{number:04d}", path, number, scenes[number - 1]) for number in numbers]


def _split_numbers(source: Path, splits: Sequence[str]) -> list[int]:
    """The numbers of the pictures in the splits; the first picture is 1."""
    path = source / "splits.mat"
    if not path.is_file():
        remedy = "put splits.mat beside the labelled set, or leave --split out"
        raise UserError(f"{path}: there is no such file", "it says what the splits are", remedy)
    content = read_matlab(path)
    with reading(path, ValueError, TypeError):
        return sorted(int(number) for split in splits for number in need(content, _SPLITS[split], path).ravel())


def _list_exported(source: Path, splits: Sequence[str]) -> Sequence[DatasetItem]:
    """All numbers of which the picture or the depth map is there; a folder "train" or "test" above it is its split."""
    found = {
        (path.parent, path.stem.removeprefix(_DEPTH).removeprefix("rgb_"))
        for pattern in (*_PICTURES, f"{_DEPTH}*.png")
        for path in source.rglob(pattern)
    }
    if not found:
        raise not_this_set(source, INFO, f"{_LABELED}, nor pictures rgb_NNNNN.jpg")
    on_the_way = {folder: {source.name, *folder.relative_to(source).parts} for folder, _ in found}
    there = [split for split in _SPLITS if any(split in names for names in on_the_way.values())]
    wanted = set(select_names(splits, there, "split", source)) if splits else set()
    return [
        NyuExportedPicture(f"{folder.relative_to(source).as_posix()}/{stem}", folder, stem, _suffix(folder, stem))
        for folder, stem in sorted(found)
        if not wanted or wanted & on_the_way[folder]
    ]


def _suffix(folder: Path, stem: str) -> str:
    return ".png" if (folder / f"rgb_{stem}.png").is_file() else ".jpg"


def convert(item: NyuLabeledPicture | NyuExportedPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture; pictures of the MATLAB file are written to DEST as PNG."""
    if isinstance(item, NyuLabeledPicture):
        return _convert_labeled(item, workspace)
    return _convert_exported(item, workspace)


def _convert_labeled(item: NyuLabeledPicture, workspace: Workspace) -> ManifestRow:
    file = open_hdf5(item.path)
    depth = np.asarray(file.array("rawDepths").row(item.number - 1).T, dtype=np.float64)
    labels = workspace.sample_labels(item, _CAMERA, labelled_pixels(_keep_measured(depth)), "z")
    pixels = file.array("images").row(item.number - 1).transpose(2, 1, 0)
    return ManifestRow(workspace.write_picture(f"images/{item.name}.png", pixels), _CAMERA, labels, sequence=item.scene)


def _convert_exported(item: NyuExportedPicture, workspace: Workspace) -> ManifestRow:
    picture = item.folder / f"rgb_{item.stem}{item.suffix}"
    image = workspace.reference_picture(picture)
    check_size(
        picture,
        check_picture(picture),
        (_CAMERA.width, _CAMERA.height),
        cause="it was resized or cropped, and the set's camera does not fit it",
        remedy="export the set again without that",
    )
    path = item.folder / f"{_DEPTH}{item.stem}.png"
    stored = read_matching_depth_png(path, _CAMERA)
    _check_millimetres(path, stored)
    labels = workspace.sample_labels(item, _CAMERA, labelled_pixels(_keep_measured(to_metres(stored, MILLIMETRE))), "z")
    return ManifestRow(image, _CAMERA, labels, sequence=item.folder.name)


def _keep_measured(depth: Array) -> Array:
    """The depth map (H, W) [m], with NaN where the Kinect did not measure."""
    kept = np.full(depth.shape, np.nan)
    kept[_VALID_AREA] = depth[_VALID_AREA]
    kept[~((kept > 0) & (kept < _FARTHEST))] = np.nan
    return kept


def _check_millimetres(path: Path, stored: NDArray[np.uint16]) -> None:
    if stored.max() > 1000 * _FARTHEST:
        raise UserError(
            f"{path}: these are no millimetres",
            cause=f"read so, they reach {stored.max() / 1000:.1f} m, farther than a Kinect measures; "
            "SUN RGB-D's copies of NYUv2 store them rotated by three bits",
            remedy="convert those with the format sunrgbd, or export the set's own file again",
        )
