"""KITTI's depth benchmark: a depth map of eleven LiDAR sweeps for each of many pictures of the raw recordings.

Source: Uhrig et al. 2017, "Sparsity Invariant CNNs", and the depth development kit's readme.txt (the folders; metres
are the stored value / 256, and 0 is unknown). The depth maps are LiDAR points projected into the rectified cameras and
hold depth_z. The pictures and the calibration of train and val come with the raw recordings. The selected validation
pictures, cropped to 1216 x 352, come with their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.convert.base_format import (
    ConvertOptions,
    DatasetInfo,
    DatasetItem,
    DatasetListing,
    ManifestRow,
    list_parts,
    not_this_set,
    select_names,
)
from toolkit.data.convert.readers.camera_matrix import camera_from_matrix, read_camera_matrix
from toolkit.data.convert.readers.read_files import check_picture
from toolkit.data.convert.shared.kitti_vehicle import CALIBRATION, check_fits, read_rig, world_from_camera
from toolkit.data.convert.shared.native_depth_map import reference_depth_map
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError

_SCALE = 1 / 256  # m per stored unit
_CAMERAS = ("image_02", "image_03")
_SELECTION = "val_selection_cropped"
_SPLITS = ("train", "val", _SELECTION)
_TOPS = {"train": "data_depth_annotated", "val": "data_depth_annotated", _SELECTION: "depth_selection"}

INFO = DatasetInfo(
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
class KittiDrivePicture(DatasetItem):
    """A picture of a drive, of the splits train and val.

    Attributes:
        depth: The file of its depth map.
        drive: The folder of the drive in the raw recordings.
        camera: The name of its camera, image_02 or image_03.
    """

    depth: Path
    drive: Path
    camera: str


@dataclass(frozen=True)
class KittiSelectedPicture(DatasetItem):
    """A picture of val_selection_cropped.

    Attributes:
        folder: The folder of the selection.
        drive: The name of the drive, with which the names of its files begin.
        frame: The end of the names of its files, such as 0000000005_image_02.
    """

    folder: Path
    drive: str
    frame: str


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All depth maps of the splits; a drive whose pictures are not there is a fault."""
    cameras = select_names(options.cameras or ["image_02"], _CAMERAS, "camera", source)
    folders = {split: folder for split in _SPLITS if (folder := _find_split(source, split)) is not None}
    if not folders:
        raise not_this_set(source, INFO, "folder train, val or val_selection_cropped")
    parts: list[tuple[str, Path]] = []
    for split in select_names(options.splits, list(folders), "split", source):
        folder = folders[split]
        drives = [folder] if split == _SELECTION else sorted(folder.glob("2011_*_drive_*_sync"))
        parts += [(split, drive) for drive in drives]
    return list_parts(parts, lambda part: _list_part(source, *part, cameras))


def _find_split(source: Path, split: str) -> Path | None:
    """The folder of a split; a train or val without depth maps belongs to another benchmark."""
    for folder in (source / split, source / _TOPS[split] / split):
        if any(folder.glob("groundtruth_depth" if split == _SELECTION else "*_sync/proj_depth")):
            return folder
    return None


def _list_part(source: Path, split: str, folder: Path, cameras: Sequence[str]) -> Sequence[DatasetItem]:
    """The pictures of the selection, or of one drive of train or val."""
    return _list_selected(folder, cameras) if split == _SELECTION else _list_drive(source, split, folder, cameras)


def _list_drive(source: Path, split: str, annotated: Path, cameras: Sequence[str]) -> list[KittiDrivePicture]:
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
        KittiDrivePicture(f"{split}/{drive.name}/{camera}/{path.stem}", path, drive, camera)
        for camera, folder in maps
        for path in sorted(folder.glob("[0-9]*.png"))
    ]


def _list_selected(folder: Path, cameras: Sequence[str]) -> list[KittiSelectedPicture]:
    """All frames of which the picture or the depth map is there."""
    frames = set()
    for part, word in (("image", "_image_"), ("groundtruth_depth", "_groundtruth_depth_")):
        for path in (folder / part).glob(f"2011_*{word}*.png"):
            drive, _, frame = path.stem.partition(word)
            frames.add((drive, frame))
    kept = [(drive, frame) for drive, frame in sorted(frames) if frame[-len(_CAMERAS[0]) :] in cameras]
    return [KittiSelectedPicture(f"{_SELECTION}/{drive}_{frame}", folder, drive, frame) for drive, frame in kept]


def convert(item: KittiDrivePicture | KittiSelectedPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture; it names the depth map of the data set."""
    if isinstance(item, KittiSelectedPicture):
        return _convert_selected(item, workspace)
    return _convert_drive_picture(item, workspace)


def _convert_drive_picture(item: KittiDrivePicture, workspace: Workspace) -> ManifestRow:
    picture = item.drive / item.camera / "data" / item.depth.name
    image = workspace.reference_picture(picture)
    rig = read_rig(item.drive.parent, item.camera[-2:])
    check_fits(rig, picture)
    labels = reference_depth_map(workspace, item.depth, rig.camera, _SCALE)
    posed = (item.drive / "oxts").is_dir()
    pose = world_from_camera(rig, item.drive, item.depth.stem) if posed else None
    return ManifestRow(image, rig.camera, labels, pose, item.drive.name)


def _convert_selected(item: KittiSelectedPicture, workspace: Workspace) -> ManifestRow:
    picture = item.folder / "image" / f"{item.drive}_image_{item.frame}.png"
    image = workspace.reference_picture(picture)
    k = read_camera_matrix(item.folder / "intrinsics" / f"{item.drive}_image_{item.frame}.txt")
    camera = camera_from_matrix(k, check_picture(picture))
    depth = item.folder / "groundtruth_depth" / f"{item.drive}_groundtruth_depth_{item.frame}.png"
    return ManifestRow(image, camera, reference_depth_map(workspace, depth, camera, _SCALE), sequence=item.drive)
