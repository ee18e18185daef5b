"""TUM RGB-D: hand-held and wheeled walks with a Kinect or an Xtion, tracked by cameras on the walls.

Source: Sturm et al. 2012, "A Benchmark for the Evaluation of RGB-D SLAM Systems", and its pages "File Formats" (1/5000
m a unit, 0 unknown, maps registered to the colour picture, poses of the colour camera as x y z qx qy qz qw) and
"Intrinsic Camera Calibration of the Kinect" (the cameras; the pictures of freiburg3 are undistorted). The maps hold
depth_z: that page unprojects with Z = depth.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, Skipped, chosen, not_this_set
from toolkit.data.convert.readers.pose_files import from_quaternion
from toolkit.data.convert.readers.read_files import read_lines, reading
from toolkit.data.convert.shared.native_depth_map import named_depth
from toolkit.data.convert.shared.workspace import Desk
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

_CAMERAS = {
    "freiburg1": Camera(517.3, 516.5, 318.6, 255.3, 640, 480, (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "freiburg2": Camera(520.9, 521.0, 325.1, 249.7, 640, 480, (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    "freiburg3": Camera(535.4, 539.2, 320.1, 247.6, 640, 480),
}


_TOGETHER = 0.02  # s; as in the benchmark's associate.py


_GAP = 0.1  # s; poses are measured every 0.01 s, but for gaps


_TRUTH = "groundtruth.txt"


ABOUT = About(
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
class Shot(Item):
    """One colour picture.

    Attributes:
        folder: Of its sequence.
        camera: freiburg1, freiburg2 or freiburg3.
        time: When it was taken [s].
        image: Its path in the sequence.
        depth: That of the depth map taken with it; "" where there is none.
    """

    folder: Path
    camera: str
    time: float
    image: str
    depth: str


def items(source: Path, options: Options) -> Listing:
    """All colour pictures of the sequences in SOURCE, or of the one that SOURCE is."""
    chosen(options.cameras, list(_CAMERAS), "camera", source)
    folders = _sequences(source)
    if not folders:
        raise not_this_set(source, ABOUT, "rgb.txt, nor a folder rgbd_dataset_freiburg*")
    shots: list[Shot] = []
    faults: list[UserError] = []
    for folder in folders:
        try:
            camera = _camera_of(folder)
            if not options.cameras or camera in options.cameras:
                shots += _shots(folder, camera)
        except UserError as fault:
            faults.append(fault)
    return Listing(shots, faults)


def _sequences(source: Path) -> list[Path]:
    if (source / "rgb.txt").is_file():
        return [source]
    named = {path for path in source.glob("rgbd_dataset_freiburg*") if path.is_dir()}
    return sorted(named | {path.parent for depth in ("*", "*/*") for path in source.glob(f"{depth}/rgb.txt")})


def _camera_of(folder: Path) -> str:
    found = re.search("freiburg[123]", folder.name)
    if found is None:
        raise UserError(
            f"{folder}: which camera recorded this is not known",
            cause="the folder's name holds none of freiburg1, freiburg2, freiburg3",
            remedy="call it as it was called in the download",
        )
    return found.group()


def _shots(folder: Path, camera: str) -> list[Shot]:
    pictures, maps = _read_list(folder / "rgb.txt"), _read_list(folder / "depth.txt")
    if not (folder / _TRUTH).is_file() and "validation" not in folder.name:
        raise UserError(f"{folder / _TRUTH}: there is no such file", remedy="get this sequence again")
    times, map_times = [time for time, _ in pictures], [time for time, _ in maps]
    shots = []
    for time, image in pictures:
        partner = _partner(times, map_times, time)
        depth = "" if partner is None else maps[partner][1]
        shots.append(Shot(f"{folder.name}/{Path(image).stem}", folder, camera, time, image, depth))
    return shots


def _partner(times: Sequence[float], map_times: Sequence[float], time: float) -> int | None:
    """Which map was taken with the picture of this time; each goes with the picture nearest to it, so with one only."""
    if not map_times:
        return None
    near = _nearest(map_times, time)
    together = abs(map_times[near] - time) <= _TOGETHER
    return near if together and times[_nearest(times, map_times[near])] == time else None


def _read_list(path: Path) -> list[tuple[float, str]]:
    """Times [s] and file names, in order of time."""
    with reading(path, ValueError):
        rows = [line.split() for line in read_lines(path) if not line.startswith("#")]
        return sorted((float(time), name) for time, name in rows)


def _nearest(times: Sequence[float], time: float) -> int:
    """Which of the sorted times is nearest."""
    after = bisect_left(times, time)
    return min(range(max(after - 1, 0), min(after + 1, len(times))), key=lambda index: abs(times[index] - time))


def convert(item: Shot, desk: Desk) -> Row:
    """The line of one picture; its depth map is named as it is."""
    if not item.depth:
        raise Skipped(f"no depth map was taken within {_TOGETHER} s of it")
    camera = _CAMERAS[item.camera]
    labels = named_depth(desk, item.folder / item.depth, camera, 1 / 5000)
    return Row(desk.picture(item.folder / item.image), camera, labels, _pose(item), item.folder.name)


def _pose(item: Shot) -> Array | None:
    """world_from_camera (4, 4) at the picture's time, between the two measured poses; None in a gap of tracking."""
    path = item.folder / _TRUTH
    if not path.is_file():
        return None
    times, places, turns = _trajectory(path)
    after = int(np.clip(np.searchsorted(times, item.time), 1, len(times) - 1))
    start, end = times[after - 1], times[after]
    if not start <= item.time <= end or end - start > _GAP:
        return None
    part = (item.time - start) / (end - start)
    turn = Slerp([start, end], Rotation.from_quat(turns[after - 1 : after + 1]))(item.time)
    place = (1 - part) * places[after - 1] + part * places[after]
    return from_quaternion(turn.as_quat()[[3, 0, 1, 2]], place)


@lru_cache(maxsize=2)
def _trajectory(path: Path) -> tuple[Array, Array, Array]:
    """Times (N,) [s], places (N, 3) [m] and turns (N, 4) as (x, y, z, w), each time once."""
    with reading(path, ValueError):
        lines = [line for line in read_lines(path) if not line.startswith("#")]
        rows = np.array([[float(word) for word in line.split()] for line in lines]).reshape(-1, 8)
    _, first = np.unique(rows[:, 0], return_index=True)
    if len(first) < 2 or np.linalg.norm(rows[:, 4:], axis=1).min() < 0.5:
        raise UserError(
            f"{path}: these are no poses", "there are fewer than two, or some turn by nothing", "get it again"
        )
    rows = rows[first]
    return rows[:, 0], rows[:, 1:4], rows[:, 4:]
