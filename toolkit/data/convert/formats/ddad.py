"""DDAD, and other driving scenes in Toyota's DGP layout: several cameras and a LiDAR; each datum has its own pose.

Source: Dataset Governance Policy (DGP), proto/dataset.proto, scene.proto, sample.proto, geometry.proto.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from toolkit.data.convert.readers.pose_files import from_quaternion
from toolkit.data.convert.readers.read_files import need, read_arrays, read_json
from toolkit.data.convert.readers.read_once import read_once
from toolkit.data.convert.shared.lidar.project import Scanner, camera_from_lidar, labels_from_lidar, lidar_in_camera
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

_SPLITS = ("train", "val", "test", "train_overfit")  # DGP's numbers 0 to 3
_VERSIONS = ("", "0", "1")  # the first numbers of the layout versions that are known here
_LENS = ("k1", "k2", "p1", "p2", "k3")
_OTHER_LENSES = ("k4", "k5", "k6", "s1", "s2", "s3", "s4", "xi", "alpha", "beta", "fov", "skew")
_LUMINAR = Scanner(across=0.25, down=0.5)

INFO = DatasetInfo(
    title="DDAD (and other sets in the DGP layout)",
    home="https://github.com/TRI-ML/DDAD",
    license="CC BY-NC-SA 4.0",
    attribution="DDAD, Guizilini et al. 2020, Toyota Research Institute",
    depth_type="z",
    layout="""
ddad.json (or scene_dataset*.json)
SCENE/scene_*.json
SCENE/calibration/*.json
SCENE/rgb/CAMERA_01/*.png
SCENE/point_cloud/LIDAR/*.npz
""",
    splits=_SPLITS,
)


@dataclass(frozen=True)
class DdadPicture(DatasetItem):
    """A picture of one camera at one moment.

    Attributes:
        scene: The JSON file of the scene.
        sample: The number of the moment; the first is 0.
        datum: The key of the picture.
    """

    scene: Path
    sample: int
    datum: str


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All pictures of the scenes that the JSON files of the data set list; a scene that is missing is a fault."""
    pictures: list[DdadPicture] = []
    faults: list[UserError] = []
    cameras: set[str] = set()
    for scene in _list_scenes(source, options):
        try:
            found = list(_list_pictures(source, scene))
        except UserError as fault:
            faults.append(fault)
            continue
        cameras |= {camera for camera, _ in found}
        pictures += [picture for camera, picture in found if not options.cameras or camera in options.cameras]
    if cameras:
        select_names(options.cameras, sorted(cameras), "camera", source)
    return DatasetListing(pictures, faults)


def _list_scenes(source: Path, options: ConvertOptions) -> list[Path]:
    """The JSON files of the scenes, each once, in the order in which the data set lists them."""
    found: dict[Path, None] = {}
    sets = {path: read_json(path) for path in sorted(source.glob("*.json"))}
    sets = {path: content for path, content in sets.items() if "scene_splits" in content}
    if not sets:
        raise not_this_set(source, INFO, "JSON file with scene_splits")
    splits: set[str] = set()
    for path, content in sets.items():
        _check_version(path, content)
        for number, split in sorted(need(content, "scene_splits", path, dict).items()):
            name = _SPLITS[int(number)] if number.isdecimal() and int(number) < len(_SPLITS) else number
            splits.add(name)
            if not options.splits or name in options.splits:
                found |= {path.parent / each: None for each in need(split, "filenames", path, list)}
    select_names(options.splits, sorted(splits), "split", source)
    return list(found)


def _check_version(path: Path, content: Mapping[str, Any]) -> None:
    version = str(content.get("metadata", {}).get("version", ""))
    if version.lstrip("v").split(".")[0] not in _VERSIONS:
        raise UserError(
            f"{path}: version {version} of the DGP layout is not known here",
            remedy="update the toolkit, or download version 1 of the set",
        )


def _list_pictures(source: Path, scene: Path) -> Iterator[tuple[str, DdadPicture]]:
    """The pictures of a scene with the names of their cameras, moment by moment."""
    content, data = _read_scene(scene)
    for index, sample in enumerate(content["samples"]):
        for key in need(sample, "datum_keys", scene, list):
            datum = need(data, key, scene, dict)
            if "image" in need(datum, "datum", scene, dict):
                camera = need(datum, "id.name", scene, str)
                stem = Path(need(datum, "datum.image.filename", scene, str)).stem
                where = scene.parent.relative_to(source).as_posix()
                yield camera, DdadPicture(f"{where}/{camera}/{stem}", scene, index, key)


@read_once(4)
def _read_scene(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The content of a scene's JSON file, and the scene's data by key."""
    content = read_json(path)
    need(content, "samples", path, list)
    return content, {need(datum, "key", path, str): datum for datum in need(content, "data", path, list)}


def convert(item: DdadPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture, with points of the LiDAR of the same sample."""
    content, data = _read_scene(item.scene)
    sample, datum = content["samples"][item.sample], data[item.datum]
    folder = item.scene.parent
    image = workspace.reference_picture(folder / datum["datum"]["image"]["filename"])
    camera = _read_camera(folder, need(sample, "calibration_key", item.scene, str), datum, item.scene)
    world_from_camera = _world_from_sensor(need(datum, "datum.image.pose", item.scene), item.scene)
    sweeps = [data[key]["datum"]["point_cloud"] for key in sample["datum_keys"] if "point_cloud" in data[key]["datum"]]
    if not sweeps:
        raise UserError(f"{item.scene}: sample {item.sample} has no LiDAR", remedy="leave it out with --skip-bad")
    xyz = np.concatenate([_read_sweep(folder, sweep, world_from_camera, item.scene) for sweep in sweeps])
    labels = workspace.sample_labels(item, camera, labels_from_lidar(camera, xyz, _LUMINAR), "z")
    return ManifestRow(image, camera, labels, world_from_camera, folder.relative_to(workspace.source).as_posix())


def _read_sweep(folder: Path, sweep: Mapping[str, Any], world_from_camera: Array, scene: Path) -> Array:
    """The points (N, 3) of a sweep in the camera frame [m]; the sweep has its own moment and pose."""
    path = folder / need(sweep, "filename", scene, str)
    points = need(read_arrays(path), "data", path, np.ndarray)
    if points.ndim != 2 or points.shape[1] < 3:
        raise UserError(f"{path}: it holds {points.shape}, not points of x, y, z", remedy="get this file again")
    world_from_lidar = _world_from_sensor(need(sweep, "pose", scene), scene)
    return lidar_in_camera(camera_from_lidar(world_from_camera, world_from_lidar), points)


def _read_camera(folder: Path, key: str, datum: Mapping[str, Any], scene: Path) -> Camera:
    path = folder / "calibration" / f"{key}.json"
    calibration = read_json(path)
    names = need(calibration, "names", path, list)
    name = need(datum, "id.name", scene, str)
    if name not in names:
        raise UserError(f"{path}: there is no camera {name}", remedy="get this file again")
    lens = need(calibration, "intrinsics", path, list)[names.index(name)]
    odd = [each for each in _OTHER_LENSES if lens.get(each)]
    if odd:
        raise UserError(
            f"{path}: {name} is no pinhole camera with radial and tangential distortion ({', '.join(odd)} are set)",
            remedy=f"choose the other cameras with --camera: {', '.join(each for each in names if each != name)}",
        )
    size = [need(datum, f"datum.image.{side}", scene, int) for side in ("width", "height")]
    pinhole = [need(lens, each, path, int | float) for each in ("fx", "fy", "cx", "cy")]
    return Camera.from_intrinsics([*pinhole, *size], [lens.get(each, 0.0) for each in _LENS])


def _world_from_sensor(pose: Any, scene: Path) -> Array:
    """The pose (4, 4) [m] of a sensor, from the JSON object that holds it."""
    quaternion = [need(pose, f"rotation.{each}", scene) for each in ("qw", "qx", "qy", "qz")]
    return from_quaternion(quaternion, [need(pose, f"translation.{each}", scene) for each in "xyz"])
