"""TUM RGB-D: walks with a Kinect or an Xtion in the hand or on wheels, tracked by cameras on the walls.

Source: Sturm et al. 2012, "A Benchmark for the Evaluation of RGB-D SLAM Systems", and its pages "File Formats" (a unit
is 1/5000 m, 0 is unknown, depth maps are registered to the colour picture, and poses are those of the colour camera, as
x y z qx qy qz qw) and "Intrinsic Camera Calibration of the Kinect" (the cameras; the pictures of freiburg3 are
undistorted). The depth maps hold depth_z: that page unprojects with Z = depth.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from toolkit.data.convert.base_format import (
    ConvertOptions,
    DatasetInfo,
    DatasetItem,
    DatasetListing,
    ManifestRow,
    Skipped,
    list_parts,
    not_this_set,
    select_names,
)
from toolkit.data.convert.readers.pose_files import from_quaternion
from toolkit.data.convert.readers.read_files import read_lines, reading
from toolkit.data.convert.readers.read_once import read_once
from toolkit.data.convert.shared.native_depth_map import reference_depth_map
from toolkit.data.convert.shared.nearest_moment import nearest_moment
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

_CAMERAS = {
    "freiburg1": Camera(517.3, 516.5, 318.6, 255.3, 640, 480, (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "freiburg2": Camera(520.9, 521.0, 325.1, 249.7, 640, 480, (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    "freiburg3": Camera(535.4, 539.2, 320.1, 247.6, 640, 480),
}

_SCALE = 1 / 5000  # m per stored unit
_TOGETHER = 0.02  # s; a picture and a depth map belong together within this time, as in the benchmark's associate.py
_GAP = 0.1  # s; poses are measured every 0.01 s, and a longer gap is not interpolated
_POSES = "groundtruth.txt"

INFO = DatasetInfo(
    title="TUM RGB-D",
    home="https://cvg.cit.tum.de/data/datasets/rgbd-dataset/download",
    license="CC BY 4.0",
    attribution="TUM RGB-D benchmark, Sturm et al. 2012, Technical University of Munich",
    depth_type="z",
    layout="""
rgbd_dataset_freiburg1_NAME/rgb.txt, rgb/*.png
                            depth.txt, depth/*.png
                            groundtruth.txt        (sequences for validation have none)
""",
    cameras=tuple(_CAMERAS),
)


@dataclass(frozen=True)
class TumPicture(DatasetItem):
    """One colour picture.

    Attributes:
        folder: The folder of its sequence.
        camera: The name of its camera: freiburg1, freiburg2 or freiburg3.
        time: The moment at which it was taken [s].
        image: Its path in the folder.
        depth: The path of the depth map that was taken with it, in the folder; "" where there is none.
    """

    folder: Path
    camera: str
    time: float
    image: str
    depth: str


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All colour pictures of the sequences in SOURCE; SOURCE may be one sequence."""
    select_names(options.cameras, list(_CAMERAS), "camera", source)
    folders = _sequence_folders(source)
    if not folders:
        raise not_this_set(source, INFO, "rgb.txt, nor a folder rgbd_dataset_freiburg*")
    return list_parts(folders, lambda folder: _list_pictures(folder, options.cameras))


def _sequence_folders(source: Path) -> list[Path]:
    if (source / "rgb.txt").is_file():
        return [source]
    named = {path for path in source.glob("rgbd_dataset_freiburg*") if path.is_dir()}
    return sorted(named | {path.parent for depth in ("*", "*/*") for path in source.glob(f"{depth}/rgb.txt")})


def _camera_name(folder: Path) -> str:
    found = re.search("freiburg[123]", folder.name)
    if found is None:
        raise UserError(
            f"{folder}: which camera recorded this is not known",
            cause="the folder's name holds none of freiburg1, freiburg2, freiburg3",
            remedy="give the folder the name that it had in the download",
        )
    return found.group()


def _list_pictures(folder: Path, cameras: Sequence[str]) -> list[TumPicture]:
    """The pictures of a sequence, if its camera is one of those wanted; without ``cameras``, all are."""
    camera = _camera_name(folder)
    if cameras and camera not in cameras:
        return []
    images, maps = _read_list(folder / "rgb.txt"), _read_list(folder / "depth.txt")
    if not (folder / _POSES).is_file() and "validation" not in folder.name:
        raise UserError(f"{folder / _POSES}: there is no such file", remedy="get this sequence again")
    times, map_times = [time for time, _ in images], [time for time, _ in maps]
    pictures = []
    for time, image in images:
        partner = _find_depth_map(times, map_times, time)
        depth = "" if partner is None else maps[partner][1]
        pictures.append(TumPicture(f"{folder.name}/{Path(image).stem}", folder, camera, time, image, depth))
    return pictures


def _find_depth_map(times: Sequence[float], map_times: Sequence[float], time: float) -> int | None:
    """The index of the depth map that was taken with the picture of this time [s]; None if there is none.

    Each depth map belongs to the picture that is nearest to it in time, so to one only.
    """
    near = nearest_moment(map_times, time, _TOGETHER)
    if near is None:
        return None
    picture = nearest_moment(times, map_times[near], math.inf)
    return near if picture is not None and times[picture] == time else None


def _read_list(path: Path) -> list[tuple[float, str]]:
    """The times [s] and file names that a list holds, in order of time."""
    with reading(path, ValueError):
        rows = [line.split() for line in read_lines(path) if not line.startswith("#")]
        return sorted((float(time), name) for time, name in rows)


def convert(item: TumPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture; it names the depth map of the data set."""
    if not item.depth:
        raise Skipped(f"no depth map was taken within {_TOGETHER} s of it")
    camera = _CAMERAS[item.camera]
    labels = reference_depth_map(workspace, item.folder / item.depth, camera, _SCALE)
    return ManifestRow(
        workspace.reference_picture(item.folder / item.image), camera, labels, _pose(item), item.folder.name
    )


def _pose(item: TumPicture) -> Array | None:
    """The pose (4, 4) [m] at the time of the picture, interpolated between two measured poses.

    None where the tracking has a gap, or the sequence has no poses.
    """
    path = item.folder / _POSES
    if not path.is_file():
        return None
    times, positions, quaternions = _read_trajectory(path)
    after = int(np.clip(np.searchsorted(times, item.time), 1, len(times) - 1))
    start, end = times[after - 1], times[after]
    if not start <= item.time <= end or end - start > _GAP:
        return None
    part = (item.time - start) / (end - start)
    rotation = Slerp([start, end], Rotation.from_quat(quaternions[after - 1 : after + 1]))(item.time)
    position = (1 - part) * positions[after - 1] + part * positions[after]
    return from_quaternion(rotation.as_quat()[[3, 0, 1, 2]], position)


@read_once(2)
def _read_trajectory(path: Path) -> tuple[Array, Array, Array]:
    """Times (N,) [s], each once; positions (N, 3) [m]; and quaternions (N, 4) as (x, y, z, w)."""
    with reading(path, ValueError):
        lines = [line for line in read_lines(path) if not line.startswith("#")]
        rows = np.array([[float(word) for word in line.split()] for line in lines]).reshape(-1, 8)
    _, first = np.unique(rows[:, 0], return_index=True)
    if len(first) < 2 or np.linalg.norm(rows[:, 4:], axis=1).min() < 0.5:
        raise UserError(
            f"{path}: these are not poses", "there are fewer than two, or a quaternion is zero", "get this file again"
        )
    rows = rows[first]
    return rows[:, 0], rows[:, 1:4], rows[:, 4:]
