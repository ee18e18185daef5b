"""KITTI's depth benchmark: semi-dense maps of eleven LiDAR sweeps each, for the pictures of the raw recordings.

Source: Uhrig et al. 2017, "Sparsity Invariant CNNs", and the depth development kit's readme.txt (the folders; metres
are the stored value / 256, 0 is unknown). The maps are LiDAR points projected into the rectified cameras and hold
depth_z. Pictures and calibration of train and val come with the raw recordings; the selected validation pictures,
cropped to 1216 x 352, bring their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, chosen, not_this_set
from toolkit.data.convert.readers.read_files import check_picture, read_numbers
from toolkit.data.convert.shared.kitti_vehicle import CALIBRATION, check_fits, read_rig, world_from_camera
from toolkit.data.convert.shared.native_depth_map import named_depth
from toolkit.data.convert.shared.workspace import Desk
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera

_SCALE = 1 / 256  # metres a stored unit


_CAMERAS = ("image_02", "image_03")


_SELECTION = "val_selection_cropped"


_SPLITS = ("train", "val", _SELECTION)


_TOPS = {"train": "data_depth_annotated", "val": "data_depth_annotated", _SELECTION: "depth_selection"}


ABOUT = About(
    title="KITTI depth (completion and prediction)",
    home="https://www.cvlibs.net/datasets/kitti/eval_depth.php",
    license="CC BY-NC-SA 3.0",
    attribution="KITTI, Uhrig et al. 2017 and Geiger et al. 2013, KIT and Daimler",
    depth_type="z",
    layout="""
train/2011_MM_DD_drive_NNNN_sync/proj_depth/groundtruth/image_02/*.png     (data_depth_annotated.zip; also val)
2011_MM_DD/calib_*.txt, 2011_MM_DD_drive_NNNN_sync/image_02/data/*.png     (the raw recordings; oxts gives poses)
val_selection_cropped/image, groundtruth_depth, intrinsics                 (data_depth_selection.zip; needs no more)
train and val may be in data_depth_annotated, val_selection_cropped in depth_selection
""",
    splits=_SPLITS,
    cameras=_CAMERAS,
)


@dataclass(frozen=True)
class Drawn(Item):
    """A picture of a drive.

    Attributes:
        depth: Its depth map.
        drive: The drive's folder among the raw recordings.
        camera: image_02 or image_03.
    """

    depth: Path
    drive: Path
    camera: str


@dataclass(frozen=True)
class Selected(Item):
    """A picture of the selection; ``name`` is val_selection_cropped and its stem.

    Attributes:
        folder: Of the selection.
        drive: The drive's name, with which its files begin.
        frame: What they end in: 0000000005_image_02.
    """

    folder: Path
    drive: str
    frame: str


def items(source: Path, options: Options) -> Listing:
    """All depth maps of the splits; drives whose pictures are not there are faults."""
    cameras = chosen(options.cameras or ["image_02"], _CAMERAS, "camera", source)
    folders = {split: folder for split in _SPLITS if (folder := _folder_of(source, split)) is not None}
    if not folders:
        raise not_this_set(source, ABOUT, "folder train, val or val_selection_cropped")
    found: list[Item] = []
    faults: list[UserError] = []
    for split in chosen(options.splits, list(folders), "split", source):
        if split == _SELECTION:
            found += _selected(folders[split], cameras)
            continue
        for drive in sorted(folders[split].glob("2011_*_drive_*_sync")):
            try:
                found += _drawn(source, split, drive, cameras)
            except UserError as fault:
                faults.append(fault)
    return Listing(found, faults)


def _folder_of(source: Path, split: str) -> Path | None:
    """Where a split is; train and val of other benchmarks have no depth maps."""
    for folder in (source / split, source / _TOPS[split] / split):
        if any(folder.glob("groundtruth_depth" if split == _SELECTION else "*_sync/proj_depth")):
            return folder
    return None


def _drawn(source: Path, split: str, annotated: Path, cameras: Sequence[str]) -> list[Item]:
    day = source / annotated.name[:10]
    drive = day / annotated.name
    missing = [path for path in (drive, *(day / name for name in CALIBRATION)) if not path.exists()]
    if missing:
        raise UserError(
            f"{annotated}: its pictures cannot be used",
            cause=f"{missing[0]} is missing",
            remedy=f"unpack {drive.name}.zip and {day.name}_calib.zip of the raw recordings to {source}",
        )
    maps = [(camera, annotated / "proj_depth" / "groundtruth" / camera) for camera in cameras]
    return [
        Drawn(f"{split}/{drive.name}/{camera}/{path.stem}", path, drive, camera)
        for camera, folder in maps
        for path in sorted(folder.glob("[0-9]*.png"))
    ]


def _selected(folder: Path, cameras: Sequence[str]) -> list[Item]:
    """All frames of which a picture or a depth map is there."""
    frames = set()
    for part, word in (("image", "_image_"), ("groundtruth_depth", "_groundtruth_depth_")):
        for path in (folder / part).glob(f"2011_*{word}*.png"):
            drive, _, frame = path.stem.partition(word)
            frames.add((drive, frame))
    kept = [(drive, frame) for drive, frame in sorted(frames) if frame[-len(_CAMERAS[0]) :] in cameras]
    return [Selected(f"{_SELECTION}/{drive}_{frame}", folder, drive, frame) for drive, frame in kept]


def convert(item: Drawn | Selected, desk: Desk) -> Row:
    """The line of one picture; its depth map is named as it is."""
    return _convert_selected(item, desk) if isinstance(item, Selected) else _convert_drawn(item, desk)


def _convert_drawn(item: Drawn, desk: Desk) -> Row:
    picture = item.drive / item.camera / "data" / item.depth.name
    image = desk.picture(picture)
    rig = read_rig(item.drive.parent, item.camera[-2:])
    check_fits(rig, picture)
    labels = named_depth(desk, item.depth, rig.camera, _SCALE)
    posed = (item.drive / "oxts").is_dir()
    pose = world_from_camera(rig, item.drive, item.depth.stem) if posed else None
    return Row(image, rig.camera, labels, pose, item.drive.name)


def _convert_selected(item: Selected, desk: Desk) -> Row:
    picture = item.folder / "image" / f"{item.drive}_image_{item.frame}.png"
    image = desk.picture(picture)
    lens = item.folder / "intrinsics" / f"{item.drive}_image_{item.frame}.txt"
    k = read_numbers(lens)
    if k.size != 9:
        raise UserError(f"{lens}: there are {k.size} numbers, not 3 x 3", remedy="get this file again")
    camera = Camera.from_intrinsics([k[0], k[4], k[2], k[5], *check_picture(picture)])
    depth = item.folder / "groundtruth_depth" / f"{item.drive}_groundtruth_depth_{item.frame}.png"
    return Row(image, camera, named_depth(desk, depth, camera, _SCALE), sequence=item.drive)
