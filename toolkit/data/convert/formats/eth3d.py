"""ETH3D's high-resolution multi-view set: photographs with depth from a laser scanner.

Source: https://www.eth3d.net/documentation; https://github.com/ETH3D/dataset-pipeline, src/exe/ground_truth_creator.cc.
Depth maps are raw little-endian float32, row by row, named like the photographs (".JPG"), infinite where nothing was
measured. They hold z-depth, and belong to the original, distorted photographs. These have cameras of a model that a
manifest cannot express (THIN_PRISM_FISHEYE), so the undistorted photographs are used: each sampled depth is moved to
the pixel at which the undistorted photograph shows the same point, which needs the calibration of both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, Skipped, not_this_set
from toolkit.data.convert.readers.colmap import ColmapImage, read_cameras, read_images
from toolkit.data.convert.readers.depth_png import labelled
from toolkit.data.convert.readers.read_files import must_exist, read_records
from toolkit.data.convert.readers.thin_prism import ThinPrism, read_thin_prisms
from toolkit.data.convert.shared.workspace import Desk
from toolkit.data.frames.frame import SparseDepth
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse, transform
from toolkit.utils.arrays import Array

_C = TypeVar("_C")


_FLAT = "dslr_calibration_undistorted"


_BENT = "dslr_calibration_jpg"


_PICTURES = "images"


_DEPTHS = "ground_truth_depth/dslr_images"


_ARCHIVES = {
    _FLAT: "SCENE_dslr_undistorted.7z",
    _BENT: "SCENE_dslr_jpg.7z",
    f"{_PICTURES}/dslr_images_undistorted": "SCENE_dslr_undistorted.7z",
    _DEPTHS: "SCENE_dslr_depth.7z",
}


ABOUT = About(
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
class Photograph(Item):
    """One picture.

    Attributes:
        scene: The folder of its scene.
        file: The name that the picture, its depth map and its calibrations share.
    """

    scene: Path
    file: str


def items(source: Path, options: Options) -> Listing:
    """The pictures that the undistorted scenes' calibrations list; scenes of which a part is missing are faults."""
    scenes = sorted({path.parent for name in (_FLAT, _BENT) for path in source.glob(f"*/{name}")})
    if (source / _FLAT).is_dir():
        scenes = [source]
    if not any((scene / _FLAT).is_dir() for scene in scenes):
        raise not_this_set(source, ABOUT, f"folder SCENE/{_FLAT}, and the distorted pictures cannot be used")
    found: list[Photograph] = []
    faults: list[UserError] = []
    for scene in scenes:
        try:
            _check_parts(scene)
            names = _names(scene)
        except UserError as fault:
            faults.append(fault)
            continue
        found += [Photograph(f"{scene.name}/{Path(name).stem}", scene, name) for name in names]
    return Listing(found, faults)


def _names(scene: Path) -> list[str]:
    """All that is listed, seen or measured: a picture of which a part is missing is a fault."""
    folders = (scene / _PICTURES / "dslr_images_undistorted", scene / _DEPTHS)
    files = {path.name for folder in folders for path in folder.glob("*.JPG")}
    return sorted(files | set(_images(scene / _FLAT / "images.txt")))


def _check_parts(scene: Path) -> None:
    missing = {part: archive for part, archive in _ARCHIVES.items() if not (scene / part).is_dir()}
    if missing:
        archives = ", ".join(sorted({archive.replace("SCENE", scene.name) for archive in missing.values()}))
        raise UserError(
            f"{scene}: {', '.join(missing)} is missing",
            cause="the scene is not downloaded in full, or a test scene, which has no depth",
            remedy=f"unpack {archives} here, or leave the scene out with --skip-bad",
        )


def convert(item: Photograph, desk: Desk) -> Row:
    """The line of one undistorted picture."""
    flat, camera = _calibrated(item.scene / _FLAT, _cameras(item.scene / _FLAT / "cameras.txt"), item.file)
    bent, lens = _calibrated(item.scene / _BENT, _lenses(item.scene / _BENT / "cameras.txt"), item.file)
    image = desk.picture(item.scene / _PICTURES / flat.name)
    depth = _read_depth(item.scene / _DEPTHS / item.file, lens.size)
    # Sampled before it is moved: the maps have up to 24 million values.
    around = Camera.from_focal(*lens.size, max(lens.size))
    drawn = desk.sparse(item, around, labelled(depth), "z")
    labels = _moved(drawn, lens, camera, inverse(flat.world_from_camera) @ bent.world_from_camera)
    return Row(image, camera, labels, flat.world_from_camera, item.scene.name)


def _moved(labels: SparseDepth, lens: ThinPrism, camera: Camera, flat_from_bent: Array) -> SparseDepth:
    """Labels of the undistorted picture, from those of the distorted one."""
    plane = lens.plane(labels.pixels)
    xyz = transform(flat_from_bent, np.c_[plane, np.ones(len(plane))] * labels.depth[:, None])
    pixels = camera.project(xyz)
    seen = camera.contains(pixels)
    if not seen.any():
        raise Skipped("no depth is known in it")
    return SparseDepth(pixels[seen], xyz[seen, 2], "z")


def _read_depth(path: Path, size: tuple[int, int]) -> Array:
    """Depth (H, W) [m], NaN where nothing was measured."""
    must_exist(path)
    expected = size[0] * size[1] * 4
    if path.stat().st_size != expected:
        raise UserError(
            f"{path}: {path.stat().st_size} bytes are not the {expected} of a {size[0]} x {size[1]} depth map",
            cause="it is cut short, or a photograph: depth maps have the photographs' names",
            remedy="get this file of SCENE_dslr_depth.7z again, or leave it out with --skip-bad",
        )
    depth = read_records(path, "<f4", size[0]).astype(np.float64)
    depth[~np.isfinite(depth)] = np.nan
    return depth


@lru_cache(maxsize=4)
def _images(path: Path) -> Mapping[str, ColmapImage]:
    """The pictures of an images.txt by file name."""
    return {Path(image.name).name: image for image in read_images(path)}


_cameras = lru_cache(maxsize=4)(read_cameras)


_lenses = lru_cache(maxsize=4)(read_thin_prisms)


def _calibrated(folder: Path, cameras: Mapping[int, _C], file: str) -> tuple[ColmapImage, _C]:
    """What a calibration says of a picture, and its camera."""
    path = folder / "images.txt"
    image = _images(path).get(file)
    if image is None or image.camera_id not in cameras:
        raise UserError(
            f"{path}: {file} is missing" if image is None else f"{path}: there is no camera {image.camera_id}",
            remedy="the download is incomplete: get this calibration again, or leave it out with --skip-bad",
        )
    return image, cameras[image.camera_id]
