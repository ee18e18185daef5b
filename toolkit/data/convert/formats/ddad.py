"""DDAD, and other driving scenes in Toyota's DGP layout: several cameras and a LiDAR, each datum with its own pose.

Source: Dataset Governance Policy (DGP), proto/dataset.proto, scene.proto, sample.proto, geometry.proto.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, chosen, not_this_set
from toolkit.data.convert.readers.pose_files import from_quaternion
from toolkit.data.convert.readers.read_files import need, read_arrays, read_json
from toolkit.data.convert.shared.lidar.project import Scanner, camera_from_lidar, labels_from_lidar, lidar_in_camera
from toolkit.data.convert.shared.workspace import Desk
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

_SPLITS = ("train", "val", "test", "train_overfit")  # DGP's numbers 0 to 3


_VERSIONS = ("", "0", "1")  # first numbers of the versions of the layout that are known


_LENS = ("k1", "k2", "p1", "p2", "k3")


_OTHER_LENSES = ("k4", "k5", "k6", "s1", "s2", "s3", "s4", "xi", "alpha", "beta", "fov", "skew")


_LUMINAR = Scanner(across=0.25, down=0.5)


ABOUT = About(
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
class Shot(Item):
    """A picture of one camera at one moment.

    Attributes:
        scene: The scene's JSON file.
        sample: Which moment.
        datum: The picture's key.
    """

    scene: Path
    sample: int
    datum: str


def items(source: Path, options: Options) -> Listing:
    """All pictures of the scenes that the set's JSON files list; scenes that are not there are faults."""
    shots: list[Shot] = []
    faults: list[UserError] = []
    cameras: set[str] = set()
    for scene in _scenes(source, options):
        try:
            found = list(_shots(source, scene))
        except UserError as fault:
            faults.append(fault)
            continue
        cameras |= {camera for camera, _ in found}
        shots += [shot for camera, shot in found if not options.cameras or camera in options.cameras]
    if cameras:
        chosen(options.cameras, sorted(cameras), "camera", source)
    return Listing(shots, faults)


def _scenes(source: Path, options: Options) -> list[Path]:
    """The scenes' JSON files, each once, in the order of the set's."""
    found: dict[Path, None] = {}
    sets = {path: read_json(path) for path in sorted(source.glob("*.json"))}
    sets = {path: content for path, content in sets.items() if "scene_splits" in content}
    if not sets:
        raise not_this_set(source, ABOUT, "JSON file with scene_splits")
    splits: set[str] = set()
    for path, content in sets.items():
        _check_version(path, content)
        for number, split in sorted(need(content, "scene_splits", path, dict).items()):
            name = _SPLITS[int(number)] if number.isdecimal() and int(number) < len(_SPLITS) else number
            splits.add(name)
            if not options.splits or name in options.splits:
                found |= {path.parent / each: None for each in need(split, "filenames", path, list)}
    chosen(options.splits, sorted(splits), "split", source)
    return list(found)


def _check_version(path: Path, content: Mapping[str, Any]) -> None:
    version = str(content.get("metadata", {}).get("version", ""))
    if version.lstrip("v").split(".")[0] not in _VERSIONS:
        raise UserError(
            f"{path}: version {version} of the DGP layout is not known here",
            remedy="update the toolkit, or download version 1 of the set",
        )


def _shots(source: Path, scene: Path) -> Iterator[tuple[str, Shot]]:
    """Cameras and their pictures, moment by moment."""
    content, data = _read_scene(scene)
    for index, sample in enumerate(content["samples"]):
        for key in need(sample, "datum_keys", scene, list):
            datum = need(data, key, scene, dict)
            if "image" in need(datum, "datum", scene, dict):
                camera = need(datum, "id.name", scene, str)
                stem = Path(need(datum, "datum.image.filename", scene, str)).stem
                where = scene.parent.relative_to(source).as_posix()
                yield camera, Shot(f"{where}/{camera}/{stem}", scene, index, key)


@lru_cache(maxsize=4)
def _read_scene(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """A scene, and its data by key."""
    content = read_json(path)
    need(content, "samples", path, list)
    return content, {need(datum, "key", path, str): datum for datum in need(content, "data", path, list)}


def convert(item: Shot, desk: Desk) -> Row:
    """The line of one picture, with the points of the LiDAR of the same sample."""
    content, data = _read_scene(item.scene)
    sample, datum = content["samples"][item.sample], data[item.datum]
    folder = item.scene.parent
    image = desk.picture(folder / datum["datum"]["image"]["filename"])
    camera = _camera(folder, need(sample, "calibration_key", item.scene, str), datum, item.scene)
    world_from_camera = _pose(need(datum, "datum.image.pose", item.scene), item.scene)
    sweeps = [data[key]["datum"]["point_cloud"] for key in sample["datum_keys"] if "point_cloud" in data[key]["datum"]]
    if not sweeps:
        raise UserError(f"{item.scene}: sample {item.sample} has no LiDAR", remedy="leave it out with --skip-bad")
    xyz = np.concatenate([_seen(folder, sweep, world_from_camera, item.scene) for sweep in sweeps])
    labels = desk.sparse(item, camera, labels_from_lidar(camera, xyz, _LUMINAR), "z")
    return Row(image, camera, labels, world_from_camera, folder.relative_to(desk.source).as_posix())


def _seen(folder: Path, sweep: Mapping[str, Any], world_from_camera: Array, scene: Path) -> Array:
    """Points (N, 3) [m, camera frame] of a sweep, which was measured at a moment and pose of its own."""
    path = folder / need(sweep, "filename", scene, str)
    points = need(read_arrays(path), "data", path, np.ndarray)
    if points.ndim != 2 or points.shape[1] < 3:
        raise UserError(f"{path}: it holds {points.shape}, not points of x, y, z", remedy="get this file again")
    world_from_lidar = _pose(need(sweep, "pose", scene), scene)
    return lidar_in_camera(camera_from_lidar(world_from_camera, world_from_lidar), points)


def _camera(folder: Path, key: str, datum: Mapping[str, Any], scene: Path) -> Camera:
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


def _pose(pose: Any, scene: Path) -> Array:
    """world_from_datum (4, 4)."""
    quaternion = [need(pose, f"rotation.{each}", scene) for each in ("qw", "qx", "qy", "qz")]
    return from_quaternion(quaternion, [need(pose, f"translation.{each}", scene) for each in "xyz"])
