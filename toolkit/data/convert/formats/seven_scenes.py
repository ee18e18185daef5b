"""7-Scenes: walks through seven rooms with a Kinect, tracked by KinectFusion.

Source: Shotton et al. 2013, "Scene Coordinate Regression Forests", and the set's readme: depth in millimetres, 65535
is unknown; every pose file holds world_from_camera; "the RGB and depth camera have not been calibrated"; the depth
camera has the focal length 585 and the principal point (320, 240). So depth map and picture do not match pixel by
pixel. The poses were found with the depth maps and are those of the depth camera.

The points of the depth camera are moved into the colour camera here, with the calibration of another Kinect (LIRIS,
"VOIR activities dataset": Kinect calibration) and the Kinect's usual colour focal length of 525, as Brachmann et al.
2023 (ACE) do. Expect labels to be off by a few pixels. The depth maps hold depth_z, as all depth maps of a Kinect do.
"""

from collections.abc import Mapping, Sequence
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
from toolkit.data.convert.readers.depth_png import MILLIMETRE, labelled_pixels, read_depth_png, to_metres
from toolkit.data.convert.readers.pose_files import read_pose, rigid
from toolkit.data.convert.readers.read_files import check_picture, check_size, read_lines
from toolkit.data.convert.shared.lidar.project import Scanner, find_hidden, project_points
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse, transform
from toolkit.utils.arrays import Array

_DEPTH = Camera(585, 585, 320, 240, 640, 480)
_COLOR = Camera(525, 525, 320, 240, 640, 480)

_COLOR_FROM_DEPTH = rigid(
    [
        [0.99996518, 0.00267651, -0.00790410],
        [-0.00274093, 0.99996303, -0.00815045],
        [0.00788199, 0.00817183, 0.99993555],
    ],
    [-0.02555894, 0.00010110, 0.00203183],
)

_EVERY_PIXEL = Scanner(across=float(np.degrees(1 / 585)), down=float(np.degrees(1 / 585)))
_HIDES = 0.05  # m; a surface that is nearer by at least this length hides what the depth camera sees beside it
_SPLITS = {"train": "TrainSplit.txt", "test": "TestSplit.txt"}
_SCENES = ("chess", "fire", "heads", "office", "pumpkin", "redkitchen", "stairs")
_PARTS = ("color.png", "depth.png", "pose.txt")

INFO = DatasetInfo(
    title="7-Scenes",
    home="https://www.microsoft.com/en-us/research/project/rgb-d-dataset-7-scenes/",
    license="Microsoft Research licence, non-commercial",
    attribution="7-Scenes, Shotton et al. 2013, Microsoft Research",
    depth_type="z (moved from the depth camera into the colour camera: off by a pixel or a few)",
    layout="""
chess/TrainSplit.txt, TestSplit.txt     (chess.zip)
chess/seq-01/frame-000000.color.png     (seq-01.zip, in chess.zip: unpack it too)
             frame-000000.depth.png
             frame-000000.pose.txt
""",
    splits=tuple(_SPLITS),
)


@dataclass(frozen=True)
class SevenScenesPicture(DatasetItem):
    """One picture.

    Attributes:
        folder: The folder of its sequence.
        stem: The beginning of the names of its files, such as frame-000000.
        sequence: The names of its scene and sequence, such as chess/seq-01.
    """

    folder: Path
    stem: str
    sequence: str


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All frames of which the picture, the depth map or the pose is there; a sequence not yet unpacked is a fault."""
    scenes = _scene_folders(source)
    if not scenes:
        raise not_this_set(source, INFO, "folder seq-01, nor one of a scene")
    select_names(options.splits, list(_SPLITS), "split", source)
    pictures: list[SevenScenesPicture] = []
    faults: list[UserError] = []
    for scene in scenes:
        try:
            sequences = _sequence_names(scene, options.splits)
        except UserError as fault:
            faults.append(fault)
            continue
        for name in sequences:
            found = _list_pictures(scene, name)
            pictures += found
            faults += [] if found else [_not_unpacked(scene / name)]
    return DatasetListing(pictures, faults)


def _scene_folders(source: Path) -> list[Path]:
    """SOURCE itself if it is a scene, otherwise the scenes in it."""
    if _is_scene(source):
        return [source]
    return sorted(path for path in source.iterdir() if path.is_dir() and (path.name in _SCENES or _is_scene(path)))


def _is_scene(folder: Path) -> bool:
    return (folder / _SPLITS["train"]).is_file() or any(folder.glob("seq-[0-9][0-9]"))


def _sequence_names(scene: Path, splits: Sequence[str]) -> list[str]:
    """The names of the sequences in the splits; without ``splits``, of all that are there or are in a split."""
    listed: Mapping[str, list[str]] = {
        split: [_sequence_name(line, scene / file) for line in read_lines(scene / file)]
        for split, file in _SPLITS.items()
        if split in splits or (scene / file).is_file()
    }
    there = [] if splits else [path.name.removesuffix(".zip") for path in scene.glob("seq-*")]
    return sorted(
        {*there, *(name for split, names in listed.items() if not splits or split in splits for name in names)}
    )


def _sequence_name(line: str, path: Path) -> str:
    """The name of a sequence: "seq-01" for what the split files call "sequence1"."""
    number = line.strip().removeprefix("sequence")
    if not number.isdecimal():
        raise UserError(f"{path}: {line.strip()!r} is not a sequence", remedy="get this file again")
    return f"seq-{int(number):02d}"


def _list_pictures(scene: Path, name: str) -> list[SevenScenesPicture]:
    stems = {path.name.split(".")[0] for part in _PARTS for path in (scene / name).glob(f"frame-*.{part}")}
    sequence = f"{scene.name}/{name}"
    return [SevenScenesPicture(f"{sequence}/{stem}", scene / name, stem, sequence) for stem in sorted(stems)]


def _not_unpacked(folder: Path) -> UserError:
    packed = folder.with_name(f"{folder.name}.zip")
    if packed.is_file():
        return UserError(f"{folder}: this sequence is not unpacked", remedy=f"unzip {packed} -d {folder.parent}")
    return UserError(f"{folder}: there is no frame of this sequence", remedy="get the scene again")


def convert(item: SevenScenesPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture, with those points of the depth camera that the colour camera sees."""
    color, depth, pose = (item.folder / f"{item.stem}.{part}" for part in _PARTS)
    image = workspace.reference_picture(color)
    _check_kinect_size(color, check_picture(color))
    stored = read_depth_png(depth)
    _check_kinect_size(depth, stored.shape[::-1])
    xyz = transform(_COLOR_FROM_DEPTH, _DEPTH.unproject(*labelled_pixels(to_metres(stored, MILLIMETRE))))
    pixels, depth_z = project_points(_COLOR, xyz)
    seen = ~find_hidden(pixels, depth_z, _COLOR, _EVERY_PIXEL, least=_HIDES)
    labels = workspace.sample_labels(item, _COLOR, (pixels[seen], depth_z[seen]), "z")
    return ManifestRow(image, _COLOR, labels, _world_from_color(pose), item.sequence)


def _world_from_color(path: Path) -> Array:
    return read_pose(path) @ inverse(_COLOR_FROM_DEPTH)


def _check_kinect_size(path: Path, size: Sequence[int]) -> None:
    check_size(
        path,
        size,
        (_COLOR.width, _COLOR.height),
        cause="it was resized, and the set's cameras do not fit it",
        remedy="get this file again, or leave it out with --skip-bad",
    )
