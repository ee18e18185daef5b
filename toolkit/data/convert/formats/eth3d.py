"""ETH3D's high-resolution multi-view set: photographs with depth from a laser scanner.

Source: https://www.eth3d.net/documentation; https://github.com/ETH3D/dataset-pipeline, src/exe/ground_truth_creator.cc.
Depth maps are raw little-endian float32, row by row, named like the photographs (".JPG"), and infinite where nothing
was measured. They hold z-depth and belong to the original, distorted photographs. A manifest cannot express the camera
model of these (THIN_PRISM_FISHEYE), so the undistorted photographs are used: each sampled depth is moved to the pixel
at which the undistorted photograph shows the same point. This needs the calibration of both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

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
from toolkit.data.convert.readers.colmap import ColmapImage, read_cameras, read_images
from toolkit.data.convert.readers.depth_png import labelled_pixels
from toolkit.data.convert.readers.read_files import must_exist, read_binary_rows
from toolkit.data.convert.readers.read_once import read_once
from toolkit.data.convert.readers.thin_prism import ThinPrismCamera, read_thin_prisms
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.data.frames.frame import SparseDepth
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse, transform
from toolkit.utils.arrays import Array

_AnyCamera = TypeVar("_AnyCamera")
_UNDISTORTED = "dslr_calibration_undistorted"
_DISTORTED = "dslr_calibration_jpg"
_PICTURES = "images"
_DEPTHS = "ground_truth_depth/dslr_images"

_ARCHIVES = {
    _UNDISTORTED: "SCENE_dslr_undistorted.7z",
    _DISTORTED: "SCENE_dslr_jpg.7z",
    f"{_PICTURES}/dslr_images_undistorted": "SCENE_dslr_undistorted.7z",
    _DEPTHS: "SCENE_dslr_depth.7z",
}

INFO = DatasetInfo(
    title="ETH3D high-res multi-view (training)",
    home="https://www.eth3d.net/datasets",
    license="CC BY-NC-SA 4.0",
    attribution="ETH3D, Schöps et al. 2017, ETH Zurich",
    depth_type="z",
    layout="""
SCENE/images/dslr_images_undistorted/*.JPG     (SCENE_dslr_undistorted.7z)
SCENE/dslr_calibration_undistorted/*.txt       (the same)
SCENE/ground_truth_depth/dslr_images/*.JPG     (SCENE_dslr_depth.7z)
SCENE/dslr_calibration_jpg/*.txt               (SCENE_dslr_jpg.7z; its pictures, distorted, are not needed)
""",
)


@dataclass(frozen=True)
class Eth3dPicture(DatasetItem):
    """One undistorted photograph.

    Attributes:
        scene: The folder of its scene.
        file: The file name that the photograph, its depth map and its calibrations share.
    """

    scene: Path
    file: str


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All photographs of the scenes; a scene of which a folder is missing is a fault."""
    scenes = sorted({path.parent for name in (_UNDISTORTED, _DISTORTED) for path in source.glob(f"*/{name}")})
    if (source / _UNDISTORTED).is_dir():
        scenes = [source]
    if not any((scene / _UNDISTORTED).is_dir() for scene in scenes):
        raise not_this_set(source, INFO, f"folder SCENE/{_UNDISTORTED}, and the distorted pictures cannot be used")
    return list_parts(scenes, _list_scene)


def _list_scene(scene: Path) -> list[Eth3dPicture]:
    """All file names of which the photograph, the depth map or the calibration is there."""
    _check_folders(scene)
    folders = (scene / _PICTURES / "dslr_images_undistorted", scene / _DEPTHS)
    files = {path.name for folder in folders for path in folder.glob("*.JPG")}
    names = sorted(files | set(_read_images(scene / _UNDISTORTED / "images.txt")))
    return [Eth3dPicture(f"{scene.name}/{Path(name).stem}", scene, name) for name in names]


def _check_folders(scene: Path) -> None:
    missing = {part: archive for part, archive in _ARCHIVES.items() if not (scene / part).is_dir()}
    if missing:
        archives = ", ".join(sorted({archive.replace("SCENE", scene.name) for archive in missing.values()}))
        raise UserError(
            f"{scene}: {', '.join(missing)} is missing",
            cause="the scene is not downloaded in full, or it is a test scene, which has no depth",
            remedy=f"unpack {archives} here, or leave the scene out with --skip-bad",
        )


def convert(item: Eth3dPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one undistorted photograph."""
    undistorted, distorted = item.scene / _UNDISTORTED, item.scene / _DISTORTED
    image, camera = _calibration_of(undistorted, _read_cameras(undistorted / "cameras.txt"), item.file)
    original, lens = _calibration_of(distorted, _read_thin_prisms(distorted / "cameras.txt"), item.file)
    path = workspace.reference_picture(item.scene / _PICTURES / image.name)
    depth = _read_depth(item.scene / _DEPTHS / item.file, lens.size)
    # Labels are sampled before they are moved, because a depth map has up to 24 million values.
    stand_in = Camera.from_focal(*lens.size, max(lens.size))  # only its size matters for the sampling
    sampled = workspace.sample_labels(item, stand_in, labelled_pixels(depth), "z")
    labels = _move_labels(sampled, lens, camera, inverse(image.world_from_camera) @ original.world_from_camera)
    return ManifestRow(path, camera, labels, image.world_from_camera, item.scene.name)


def _move_labels(labels: SparseDepth, lens: ThinPrismCamera, camera: Camera, camera_from_lens: Array) -> SparseDepth:
    """The labels of the undistorted photograph, from those of the distorted one.

    Args:
        labels: The labels of the distorted photograph, with z-depth.
        lens: The camera of the distorted photograph.
        camera: The camera of the undistorted photograph.
        camera_from_lens: The transform (4, 4) between their frames [m].

    Raises:
        Skipped: If no label falls into the undistorted photograph.
    """
    plane = lens.plane(labels.pixels)
    xyz = transform(camera_from_lens, np.c_[plane, np.ones(len(plane))] * labels.depth[:, None])
    pixels = camera.project(xyz)
    seen = camera.contains(pixels)
    if not seen.any():
        raise Skipped("no depth is known in it")
    return SparseDepth(pixels[seen], xyz[seen, 2], "z")


def _read_depth(path: Path, size: tuple[int, int]) -> Array:
    """The depth_z (H, W) [m] of a photograph of that size (width, height), NaN where nothing was measured."""
    must_exist(path)
    expected = size[0] * size[1] * 4
    if path.stat().st_size != expected:
        raise UserError(
            f"{path}: {path.stat().st_size} bytes are not the {expected} of a {size[0]} x {size[1]} depth map",
            cause="it is cut short, or it is a photograph: depth maps have the names of the photographs",
            remedy="get this file of SCENE_dslr_depth.7z again, or leave it out with --skip-bad",
        )
    depth = read_binary_rows(path, "<f4", size[0]).astype(np.float64)
    depth[~np.isfinite(depth)] = np.nan
    return depth


@read_once(4)
def _read_images(path: Path) -> Mapping[str, ColmapImage]:
    """The pictures of an images.txt by file name."""
    return {Path(image.name).name: image for image in read_images(path)}


_read_cameras = read_once(4)(read_cameras)
_read_thin_prisms = read_once(4)(read_thin_prisms)


def _calibration_of(folder: Path, cameras: Mapping[int, _AnyCamera], file: str) -> tuple[ColmapImage, _AnyCamera]:
    """The line of a photograph in a calibration's images.txt, and its camera."""
    path = folder / "images.txt"
    image = _read_images(path).get(file)
    if image is None or image.camera_id not in cameras:
        raise UserError(
            f"{path}: {file} is missing" if image is None else f"{path}: there is no camera {image.camera_id}",
            remedy="the download is incomplete: get this calibration again, or leave it out with --skip-bad",
        )
    return image, cameras[image.camera_id]
