"""A world of boxes with known geometry, seen by cameras and LiDARs, for the tests of converters."""

from pathlib import Path

import cv2
import numpy as np

from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.frames.frame import Frame
from toolkit.data.manifest.manifest import load_manifest
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse, transform
from toolkit.utils.arrays import Array

FORWARD = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""vehicle_from_camera of a camera that looks along x of a vehicle (x forward, y left, z up)."""

# World: x forward, y left, z up [m]. Ground, a far wall, a wall along the left side, a pillar in the way.
BOXES = [
    ((-5.0, -60.0, -1.0), (80.0, 60.0, 0.0)),
    ((25.0, -60.0, 0.0), (26.0, 60.0, 30.0)),
    ((-5.0, 7.0, 0.0), (25.0, 8.0, 4.0)),
    ((8.0, -1.5, 0.0), (8.6, 0.2, 2.4)),
]


def pose(x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> Array:
    """world_from_vehicle, yaw [deg] about z."""
    angle = np.radians(yaw)
    world_from_vehicle = np.eye(4)
    world_from_vehicle[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    world_from_vehicle[:3, 3] = x, y, z
    return world_from_vehicle


def cast(origin: Array, directions: Array) -> Array:
    """How many times each direction (N, 3) [world] leads from the origin (3,) to the nearest box; inf if never."""
    nearest = np.full(len(directions), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        for low, high in BOXES:
            one, other = (np.array(low) - origin) / directions, (np.array(high) - origin) / directions
            enter, leave = np.minimum(one, other).max(axis=1), np.maximum(one, other).min(axis=1)
            hit = (enter > 1e-6) & (enter <= leave)
            nearest[hit] = np.minimum(nearest[hit], enter[hit])
    return nearest


def true_depth(camera: Camera, world_from_camera: Array, pixels: Array) -> Array:
    """depth_z (N,) [m] of pixels (N, 2)."""
    return cast(world_from_camera[:3, 3], camera.rays(pixels) @ world_from_camera[:3, :3].T)


def depth_map(camera: Camera, world_from_camera: Array) -> Array:
    """depth_z (H, W) [m]; inf where nothing is."""
    rows, columns = np.mgrid[: camera.height, : camera.width]
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(float)
    return true_depth(camera, world_from_camera, pixels).reshape(camera.height, camera.width)


def sweep(world_from_lidar: Array, step: float = 0.25, wide: float = 50.0, tall: float = 25.0) -> Array:
    """Points (N, 3) [m, LiDAR frame] of a LiDAR that looks along its x, a beam every ``step`` degrees."""
    azimuth, elevation = np.radians(np.meshgrid(np.arange(-wide, wide, step), np.arange(-tall, tall, step)))
    rays = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], axis=-1
    ).reshape(-1, 3)
    distance = cast(world_from_lidar[:3, 3], rays @ world_from_lidar[:3, :3].T)
    return rays[np.isfinite(distance)] * distance[np.isfinite(distance), None]


def from_world(world_from_b: Array, xyz: Array) -> Array:
    """Points (N, 3) of frame b, from world points."""
    return transform(inverse(world_from_b), xyz)


def grey(path: Path, camera: Camera, seed: int = 0) -> None:
    """A textured picture of a camera's size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(40, 200, (camera.height, camera.width, 3), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)


def converted(name: str, source: Path, dest: Path, **options: object) -> list[Frame]:
    """The Frames of the manifest that a conversion writes; they load, pictures and depth maps decoded."""
    convert(ConvertJob(name, source, dest, ConvertOptions(**options)))  # type: ignore[arg-type]
    return list(load_manifest(dest / "manifest.jsonl", decode=True).frames)


def label_errors(frame: Frame, world_from_camera: Array) -> Array:
    """How far (N,) [m] the labels of a Frame are from the true depth_z."""
    assert frame.labels is not None
    pixels, depth_z = frame.labels.read(frame.camera)
    return np.abs(depth_z - true_depth(frame.camera, world_from_camera, pixels))


def inside(pixels: Array, left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Which pixels (N, 2) lie in a rectangle."""
    return np.all((pixels >= (left, top)) & (pixels <= (right, bottom)), axis=1)
