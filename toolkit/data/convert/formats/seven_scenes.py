"""7-Scenes: walks through seven rooms with a Kinect, tracked by KinectFusion.

Source: Shotton et al. 2013, "Scene Coordinate Regression Forests", and the set's readme: depth in millimetres, 65535
unknown, world_from_camera in every pose file; "the RGB and depth camera have not been calibrated"; the depth camera has
focal length 585 and principal point (320, 240). So depth map and picture do not match pixel by pixel, and the poses,
which were found with the depth maps, are the depth camera's. Its points are moved into the colour camera here, with the
calibration of another Kinect (LIRIS, "VOIR activities dataset": Kinect calibration) and the Kinect's usual colour
focal length of 525, as Brachmann et al. 2023 (ACE) do; expect labels to be off by a pixel or a few.
The maps hold depth_z, as all of the Kinect's do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, chosen, not_this_set
from toolkit.data.convert.readers.depth_png import labelled, metres, read_depth_png
from toolkit.data.convert.readers.pose_files import read_pose, rigid
from toolkit.data.convert.readers.read_files import check_picture, read_lines
from toolkit.data.convert.shared.lidar.project import Scanner, hidden, project
from toolkit.data.convert.shared.workspace import Desk
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


_HIDES = 0.05  # m; nearer surfaces by so much hide what the depth camera sees beside them


_SPLITS = {"train": "TrainSplit.txt", "test": "TestSplit.txt"}


_SCENES = ("chess", "fire", "heads", "office", "pumpkin", "redkitchen", "stairs")


_PARTS = ("color.png", "depth.png", "pose.txt")


ABOUT = About(
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
class Shot(Item):
    """One picture.

    Attributes:
        folder: Of its sequence.
        stem: frame-000000.
        sequence: Scene and sequence.
    """

    folder: Path
    stem: str
    sequence: str


def items(source: Path, options: Options) -> Listing:
    """All frames of which a picture, a depth map or a pose is there; sequences that are not unpacked are faults."""
    scenes = _scenes(source)
    if not scenes:
        raise not_this_set(source, ABOUT, "folder seq-01, nor one of a scene")
    chosen(options.splits, list(_SPLITS), "split", source)
    shots: list[Shot] = []
    faults: list[UserError] = []
    for scene in scenes:
        try:
            sequences = _sequences(scene, options.splits)
        except UserError as fault:
            faults.append(fault)
            continue
        for name in sequences:
            found = _shots(scene, name)
            shots += found
            faults += [] if found else [_not_unpacked(scene / name)]
    return Listing(shots, faults)


def _scenes(source: Path) -> list[Path]:
    """SOURCE itself if it is a scene, else the scenes in it."""
    if _is_scene(source):
        return [source]
    return sorted(path for path in source.iterdir() if path.is_dir() and (path.name in _SCENES or _is_scene(path)))


def _is_scene(folder: Path) -> bool:
    return (folder / _SPLITS["train"]).is_file() or any(folder.glob("seq-[0-9][0-9]"))


def _sequences(scene: Path, splits: Sequence[str]) -> list[str]:
    """Names of the sequences of the splits; without, of all that are there or are named by a split."""
    listed: Mapping[str, list[str]] = {
        split: [_folder_of(line, scene / file) for line in read_lines(scene / file)]
        for split, file in _SPLITS.items()
        if split in splits or (scene / file).is_file()
    }
    there = [] if splits else [path.name.removesuffix(".zip") for path in scene.glob("seq-*")]
    return sorted(
        {*there, *(name for split, names in listed.items() if not splits or split in splits for name in names)}
    )


def _folder_of(line: str, path: Path) -> str:
    """seq-01, which the split files call sequence1."""
    number = line.strip().removeprefix("sequence")
    if not number.isdecimal():
        raise UserError(f"{path}: {line.strip()!r} is no sequence", remedy="get this file again")
    return f"seq-{int(number):02d}"


def _shots(scene: Path, name: str) -> list[Shot]:
    stems = {path.name.split(".")[0] for part in _PARTS for path in (scene / name).glob(f"frame-*.{part}")}
    sequence = f"{scene.name}/{name}"
    return [Shot(f"{sequence}/{stem}", scene / name, stem, sequence) for stem in sorted(stems)]


def _not_unpacked(folder: Path) -> UserError:
    packed = folder.with_name(f"{folder.name}.zip")
    if packed.is_file():
        return UserError(f"{folder}: this sequence is not unpacked", remedy=f"unzip {packed} -d {folder.parent}")
    return UserError(f"{folder}: there is no frame of this sequence", remedy="get the scene again")


def convert(item: Shot, desk: Desk) -> Row:
    """The line of one picture, with the depth camera's points that the colour camera sees."""
    color, depth, pose = (item.folder / f"{item.stem}.{part}" for part in _PARTS)
    image = desk.picture(color)
    _check_size(color, check_picture(color))
    stored = read_depth_png(depth)
    _check_size(depth, stored.shape[::-1])
    pixels, depth_z = project(_COLOR, transform(_COLOR_FROM_DEPTH, _DEPTH.unproject(*labelled(metres(stored, 0.001)))))
    seen = ~hidden(pixels, depth_z, _COLOR, _EVERY_PIXEL, least=_HIDES)
    labels = desk.sparse(item, _COLOR, (pixels[seen], depth_z[seen]), "z")
    return Row(image, _COLOR, labels, _world_from_color(pose), item.sequence)


def _world_from_color(path: Path) -> Array:
    return read_pose(path) @ inverse(_COLOR_FROM_DEPTH)


def _check_size(path: Path, size: Sequence[int]) -> None:
    if tuple(size) != (_COLOR.width, _COLOR.height):
        raise UserError(
            f"{path}: it is {size[0]} x {size[1]}, not {_COLOR.width} x {_COLOR.height}",
            cause="it was resized, and the set's cameras do not fit it",
            remedy="get this file again, or leave it out with --skip-bad",
        )
