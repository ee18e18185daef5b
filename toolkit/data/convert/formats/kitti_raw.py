"""KITTI's raw recordings, synchronised and rectified: drives with LiDAR sweeps and poses.

Source: Geiger et al. 2013, "Vision meets Robotics: The KITTI Dataset", and the raw data development kit's readme.txt.
The cameras are triggered when the LiDAR faces forward, so sweep and picture belong to the same moment.
"""

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
    select_names,
)
from toolkit.data.convert.readers.read_files import read_binary_rows, reading
from toolkit.data.convert.readers.read_once import read_once
from toolkit.data.convert.shared.kitti_vehicle import (
    CALIBRATION,
    HDL64,
    KittiRig,
    check_fits,
    read_rig,
    world_from_camera,
)
from toolkit.data.convert.shared.lidar.project import labels_from_lidar, lidar_in_camera
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError
from toolkit.utils.arrays import Array
from toolkit.utils.bounded_file import read_bounded

_CAMERAS = ("image_02", "image_03")
_DRIVES = "2011_*_drive_*_sync"

INFO = DatasetInfo(
    title="KITTI raw",
    home="https://www.cvlibs.net/datasets/kitti/raw_data.php",
    license="CC BY-NC-SA 3.0",
    attribution="KITTI, Geiger et al. 2013, KIT and Toyota Technological Institute",
    depth_type="z",
    layout="""
2011_09_26/calib_cam_to_cam.txt, calib_velo_to_cam.txt, calib_imu_to_velo.txt     (2011_09_26_calib.zip)
2011_09_26/2011_09_26_drive_0001_sync/image_02/data/*.png          (2011_09_26_drive_0001_sync.zip)
                                      velodyne_points/data/*.bin
                                      oxts/data/*.txt              (without it there are no poses)
""",
    cameras=_CAMERAS,
)


@dataclass(frozen=True)
class KittiRawPicture(DatasetItem):
    """One picture.

    Attributes:
        drive: The folder of its drive, inside the folder of its day.
        camera: The name of its camera, image_02 or image_03.
        stem: Its number, ten digits.
    """

    drive: Path
    camera: str
    stem: str


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All numbers of which the picture or the sweep is there; SOURCE holds several days, or the drives of one day."""
    cameras = select_names(options.cameras or ["image_02"], _CAMERAS, "camera", source)
    drives = sorted(path for pattern in (_DRIVES, f"2011_*/{_DRIVES}") for path in source.glob(pattern))
    if not drives:
        raise not_this_set(source, INFO, "folder of a drive (2011_MM_DD_drive_NNNN_sync)")
    faults = _faults_of_days({drive.parent for drive in drives})
    pictures: list[KittiRawPicture] = []
    for drive in drives:
        if drive.parent not in faults:
            pictures += [picture for camera in cameras for picture in _list_pictures(drive, camera)]
    return DatasetListing(pictures, list(faults.values()))


def _faults_of_days(days: set[Path]) -> dict[Path, UserError]:
    """One fault for each day that lacks a calibration file."""
    faults = {}
    for day in sorted(days):
        missing = [name for name in CALIBRATION if not (day / name).is_file()]
        if missing:
            remedy = f"unpack {day.name}_calib.zip beside the drives"
            faults[day] = UserError(f"{day}: {', '.join(missing)} is missing", "its drives cannot be used", remedy)
    return faults


def _list_pictures(drive: Path, camera: str) -> list[KittiRawPicture]:
    paths = [*(drive / camera / "data").glob("[0-9]*.*"), *(drive / "velodyne_points" / "data").glob("[0-9]*.*")]
    stems = sorted({each.stem for each in paths})
    return [KittiRawPicture(f"{drive.name}/{camera}/{stem}", drive, camera, stem) for stem in stems]


def convert(item: KittiRawPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture."""
    picture = item.drive / item.camera / "data" / f"{item.stem}.png"
    image = workspace.reference_picture(picture)
    rig = read_rig(item.drive.parent, item.camera[-2:])
    check_fits(rig, picture)
    sweep = item.drive / "velodyne_points" / "data" / f"{item.stem}.bin"
    if not sweep.is_file() and _was_lost(item.drive, int(item.stem)):
        raise Skipped("the LiDAR recorded nothing at its moment")
    xyz = lidar_in_camera(rig.camera_from_velodyne, read_binary_rows(sweep, "<f4", 4))
    labels = workspace.sample_labels(item, rig.camera, labels_from_lidar(rig.camera, xyz, HDL64), "z")
    return ManifestRow(image, rig.camera, labels, _pose(rig, item), item.drive.name)


def _pose(rig: KittiRig, item: KittiRawPicture) -> Array | None:
    return world_from_camera(rig, item.drive, item.stem) if (item.drive / "oxts").is_dir() else None


def _was_lost(drive: Path, number: int) -> bool:
    """Whether the data set itself lacks that sweep: its timestamp is a blank line, as some are in drive 0009."""
    times = _read_timestamps(drive / "velodyne_points" / "timestamps.txt")
    return number < len(times) and not times[number].strip()


@read_once(2)
def _read_timestamps(path: Path) -> list[str]:
    with reading(path):
        return read_bounded(path).decode("utf-8").splitlines()
