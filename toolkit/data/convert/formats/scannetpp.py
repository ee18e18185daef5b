"""ScanNet++: the iPhone recordings, with depth from the phone's LiDAR and poses in the frame of the scene's laser scan.

Source: https://github.com/scannetpp/scannetpp, common/scene_release.py, iphone/prepare_iphone_data.py and
iphone/arkit_pcl.py: depth.bin and depth/*.png hold z-depth in millimetres, 0 where nothing was measured, at 192 x 256
over the whole field of view of the picture; ``aligned_pose`` is world_from_camera, in OpenCV's axes. Where COLMAP's
model was downloaded, only the frames in it are converted: its cameras include the distortion of the lens, and its poses
are adjusted to one another. For these files see ``toolkit.data.convert.readers.colmap`` and
``toolkit.data.convert.readers.frame_streams``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from toolkit.data.convert.base_format import (
    ConvertOptions,
    DatasetInfo,
    DatasetItem,
    DatasetListing,
    ManifestRow,
    Skipped,
    list_parts,
    not_this_set,
)
from toolkit.data.convert.readers.camera_matrix import camera_from_matrix
from toolkit.data.convert.readers.colmap import read_cameras, read_images
from toolkit.data.convert.readers.depth_png import MILLIMETRE, labelled_pixels, read_depth_png, to_metres
from toolkit.data.convert.readers.frame_streams import extraction_command, open_depth_stream, open_video_stream
from toolkit.data.convert.readers.read_files import check_picture, need, read_json, reading
from toolkit.data.convert.readers.read_once import read_once
from toolkit.data.convert.shared.splits import read_scene_list, split_scenes
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

_VIDEOS = ("rgb.mkv", "rgb.mp4")
_POSES = "pose_intrinsic_imu.json"
_FRAME = re.compile(r"frame_(\d+)")
_EVERY = 10  # every tenth of a video's 60 frames a second is converted, where COLMAP does not choose
_QUALITY = 95  # the quality of the JPEGs that the frames of a video are written as

INFO = DatasetInfo(
    title="ScanNet++ (iPhone)",
    home="https://kaldir.vc.in.tum.de/scannetpp",
    license="ScanNet++ Terms of Use (non-commercial research and education)",
    attribution="ScanNet++, Yeshwanth, Liu et al. 2023, Technical University of Munich",
    depth_type="z",
    layout="""
data/SCENE/iphone/rgb/frame_*.jpg             extracted from rgb.mkv, which is the faster way:
                                              ffmpeg -i rgb.mkv -start_number 0 -q:v 1 rgb/frame_%06d.jpg
data/SCENE/iphone/rgb.mkv (or rgb.mp4)        read where there is no folder rgb; its frames are written to DEST
data/SCENE/iphone/depth.bin                   or depth/frame_*.png, extracted from it
data/SCENE/iphone/pose_intrinsic_imu.json     cameras and poses of all frames; or
data/SCENE/iphone/colmap/*.txt                of fewer frames, better, and preferred
splits/*.txt                                  for --split
""",
)


@dataclass(frozen=True)
class ScannetppPicture(DatasetItem):
    """One frame of a recording.

    Attributes:
        folder: The folder "iphone" of its scene.
        number: The number of the frame; the first is 0.
        picture: The name of its file in the folder rgb; "" if it is in the video.
    """

    folder: Path
    number: int
    picture: str


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """The frames of all scenes that have an iPhone recording, or of those in the chosen splits."""
    data = source / "data" if (source / "data").is_dir() else source
    there = [path.parent.name for path in data.glob("*/iphone") if path.is_dir()]
    if not there:
        raise not_this_set(source, INFO, "folder data/SCENE/iphone")
    lists = {path.stem: read_scene_list(path) for path in sorted(source.glob("splits/*.txt"))}
    scenes, faults = split_scenes(source, options, lists, there)
    return list_parts(scenes, lambda scene: _list_pictures(scene, data / scene / "iphone"), faults)


def _list_pictures(scene: str, folder: Path) -> list[ScannetppPicture]:
    pictures = {
        int(match[1]): path.name
        for path in folder.glob("rgb/frame_*")
        if path.suffix in (".jpg", ".png") and (match := _FRAME.fullmatch(path.stem))
    }
    if not pictures:
        _find_video(folder)
        pictures = dict.fromkeys(_video_numbers(folder), "")
    return [ScannetppPicture(f"{scene}/frame_{each:06d}", folder, each, pictures[each]) for each in sorted(pictures)]


def _find_video(folder: Path) -> Path:
    paths = [folder / name for name in _VIDEOS]
    for path in paths:
        if path.is_file():
            return path
    raise UserError(
        f"{folder}: there is neither a picture rgb/frame_*.jpg nor a video {' or '.join(_VIDEOS)}",
        remedy=f"download {_VIDEOS[0]}, and extract its frames if you can: {extraction_command(paths[0])}",
    )


def _video_numbers(folder: Path) -> list[int]:
    """The numbers of the frames of a video that are converted."""
    placed = _read_colmap(folder)
    if placed is not None:
        return sorted(placed)
    names = (_FRAME.fullmatch(name) for name in _read_poses(folder / _POSES))
    return sorted(int(match[1]) for match in names if match)[::_EVERY]


def convert(item: ScannetppPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one frame, with points of the LiDAR."""
    placed = _read_colmap(item.folder)
    if placed is not None and item.number not in placed:
        raise Skipped("COLMAP did not place it")
    depth = _read_depth(item)
    image, size = _reference_frame(item, workspace)
    camera, pose = placed[item.number] if placed is not None else _read_arkit(item, size)
    scene = item.folder.parent.name
    return ManifestRow(
        image, camera, workspace.sample_labels(item, camera, labelled_pixels(depth, size), "z"), pose, scene
    )


def _reference_frame(item: ScannetppPicture, workspace: Workspace) -> tuple[str, tuple[int, int]]:
    """The path of the picture as the manifest names it, and its width and height [px]."""
    if item.picture:
        path = item.folder / "rgb" / item.picture
        return workspace.reference_picture(path), check_picture(path)
    pixels = _open_video(_find_video(item.folder)).frame(item.number)
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    return workspace.write(f"images/{item.name}.jpg", data), (pixels.shape[1], pixels.shape[0])


def _read_depth(item: ScannetppPicture) -> Array:
    """The z-depth (H, W) [m], NaN where nothing was measured."""
    if (item.folder / "depth").is_dir():
        return to_metres(read_depth_png(item.folder / "depth" / f"frame_{item.number:06d}.png"), MILLIMETRE)
    return _open_depth(item.folder / "depth.bin").frame(item.number)


def _read_arkit(item: ScannetppPicture, size: tuple[int, int]) -> tuple[Camera, Array]:
    """The camera of a frame and its pose (4, 4) [m], as the phone tracked itself."""
    path = item.folder / _POSES
    frame = need(_read_poses(path), f"frame_{item.number:06d}", path, dict)
    k, pose = need(frame, "intrinsic", path, list), need(frame, "aligned_pose", path, list)
    with reading(path, ValueError, TypeError):
        matrix = np.asarray(k, dtype=np.float64).reshape(3, 3)
        world_from_camera = np.asarray(pose, dtype=np.float64).reshape(4, 4)
    return camera_from_matrix(matrix, size), world_from_camera


@read_once(4)
def _read_colmap(folder: Path) -> Mapping[int, tuple[Camera, Array]] | None:
    """The camera and the pose (4, 4) [m] of each frame that COLMAP placed; None if its model was not downloaded."""
    model = folder / "colmap"
    if not model.is_dir():
        return None
    cameras = read_cameras(model / "cameras.txt")
    found = {}
    for image in read_images(model / "images.txt"):
        match = _FRAME.fullmatch(Path(image.name).stem)
        if match is None or image.camera_id not in cameras:
            raise UserError(
                f"{model / 'images.txt'}: {image.name} is not a frame of a camera in cameras.txt",
                remedy="get the folder colmap again",
            )
        found[int(match[1])] = (cameras[image.camera_id], image.world_from_camera)
    return found


_read_poses: Any = read_once(2)(read_json)
_open_video = read_once(1)(open_video_stream)
_open_depth = read_once(1)(open_depth_stream)
