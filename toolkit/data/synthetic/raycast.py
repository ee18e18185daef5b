"""Casts rays into a furnished room: what each pixel sees, and exactly how far it is.

Conventions: see ``toolkit.geometry.camera``. The world frame has its origin on the floor, below the middle of the
room; x and z are horizontal and y points down, so the floor is y = 0 and an upright camera has no rotation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse, transform
from toolkit.utils.arrays import Array

Floats = NDArray[np.float32]


Triple = tuple[float, float, float]


Window = tuple[slice, slice]


FACES, CEILING, FLOOR = 6, 2, 3


# Inward normals of the room's faces: -x, +x, ceiling, floor, -z, +z. A face is 2 axis + (far side).
_INWARD = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=np.float32).T.copy()


_CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)


SURROUND = 0.4  # [m] of floor around a solid that is taken in with it, for its contact shadow


_NEAR = 0.05  # [m] a solid with a corner nearer than this is looked for in the whole picture


_ON_TOP = 1e-9  # relative distance from a cylinder's top, still taken for the top


@dataclass(frozen=True)
class Solid:
    """Something that stands on the floor.

    Attributes:
        kind: Its shape.
        x: Centre, world frame [m]; so is z.
        yaw: Turn about the vertical [deg], from world z towards world x.
        size: Extent along its own x, y, z [m]; a cylinder's x and z and all of a ball's are diameters.
        textures: Row of the texture table for the faces across its own x, y, z.
    """

    kind: Literal["box", "cylinder", "ball"]
    x: float
    z: float
    yaw: float
    size: Triple
    textures: tuple[int, int, int]

    @cached_property
    def half(self) -> Array:
        """Half its extent (3,) [m]."""
        return np.array(self.size) / 2

    @cached_property
    def world_from_solid(self) -> Array:
        """Pose (4, 4) of its middle."""
        return pose(self.yaw, 0.0, 0.0, np.array([self.x, -self.size[1] / 2, self.z]))

    @cached_property
    def corners(self) -> Array:
        """Corners (2, 8, 3) [m, world frame] of the box around it, and of that with what surrounds it."""
        grown = self.half + np.array([SURROUND, 0.0, SURROUND])
        return transform(self.world_from_solid, np.stack([_CUBE * self.half, _CUBE * grown]))

    def clearance(self, x: NDArray[np.floating], z: NDArray[np.floating]) -> NDArray[np.floating]:
        """Distance in plan (...) [m] from its outline to points x, z (...) of the world; 0 or less inside."""
        dx, dz = x - self.x, z - self.z
        if self.kind != "box":
            return np.sqrt(dx * dx + dz * dz) - self.size[0] / 2
        cosine, sine = math.cos(math.radians(self.yaw)), math.sin(math.radians(self.yaw))
        beside = np.abs(dx * cosine - dz * sine) - self.size[0] / 2
        before = np.abs(dx * sine + dz * cosine) - self.size[2] / 2
        outside = np.sqrt(np.maximum(beside, 0) ** 2 + np.maximum(before, 0) ** 2)
        return outside + np.minimum(np.maximum(beside, before), 0)


@dataclass(frozen=True)
class Patch:
    """A rectangle on a face of the room that has a texture of its own: a door, a window, a skirting board.

    Attributes:
        face: The room's face: 0 to 5 for -x, +x, ceiling, floor, -z, +z.
        u: From, to [m]; along world z on the faces across x, else along world x.
        v: From, to [m]; along world z on floor and ceiling, else along world y.
        texture: Row of the texture table.
    """

    face: int
    u: tuple[float, float]
    v: tuple[float, float]
    texture: int


@dataclass(frozen=True, eq=False)
class Scene:
    """A room with furniture.

    Attributes:
        size: The room's extent along world x, y, z [m]; y from -size[1] to 0, x and z about 0.
        solids: What stands in it.
        patches: What is on its faces, the last on top.
    """

    size: Triple
    solids: tuple[Solid, ...]
    patches: tuple[Patch, ...]


@dataclass(frozen=True, eq=False)
class Hits:
    """What the ray through each pixel centre of a picture hits first.

    Attributes:
        depth_z: (H, W) [m], exact.
        rays: (3, H, W) [m, world frame], with camera z = 1.
        point: (3, H, W) [m, world frame].
        normal: (3, H, W), unit, towards the camera, world frame.
        surface: (H, W), row of the texture table.
        u: (H, W) [m], coordinate on the surface; so is v.
        windows: Rows and columns outside of which a solid and what surrounds it cannot be seen, one a solid.
    """

    depth_z: Array
    rays: Array
    point: Floats
    normal: Floats
    surface: NDArray[np.intp]
    u: Floats
    v: Floats
    windows: Sequence[Window] = ()


def pose(yaw: float, pitch: float, roll: float, position: Array) -> Array:
    """``world_from_camera`` (4, 4) of a camera at ``position`` (3,) [m].

    Args:
        yaw: Turn to the right about the vertical [deg].
        pitch: Turn upwards [deg], applied before yaw.
        roll: Turn clockwise about the viewing axis [deg], applied first.
        position: Camera centre, world frame [m].
    """
    (cy, cp, cr), (sy, sp, sr) = (
        np.cos(np.radians([yaw, pitch, roll])),
        np.sin(np.radians([yaw, pitch, roll])),
    )
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    tilt = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    lean = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = turn @ tilt @ lean
    world_from_camera[:3, 3] = position
    return world_from_camera


def cast(scene: Scene, camera: Camera, world_from_camera: Array) -> Hits:
    """What each pixel centre of ``camera`` sees of the scene."""
    rays = world_from_camera[:3, :3] @ _rays(camera)
    origin = world_from_camera[:3, 3]
    hits = _cast_room(scene, origin, rays.reshape(3, camera.height, camera.width))
    own, surrounding = _windows(scene.solids, camera, world_from_camera)
    for solid, window in zip(scene.solids, own, strict=True):
        _cast_solid(hits, solid, window, origin)
    return replace(hits, windows=surrounding)


@lru_cache(maxsize=4)
def _rays(camera: Camera) -> Array:
    """Viewing rays (3, H * W) in the camera frame, z = 1, of all pixel centres, row after row."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.ascontiguousarray(camera.rays(np.stack([columns.ravel(), rows.ravel()], axis=-1)).T)
    rays.flags.writeable = False
    return rays


def _cast_room(scene: Scene, origin: Array, rays: Array) -> Hits:
    """What the rays (3, H, W) hit in the empty room."""
    width, height, depth = scene.size
    low = np.array([-width / 2, -height, -depth / 2])[:, None, None]
    high = np.array([width / 2, 0.0, depth / 2])[:, None, None]
    ahead = ~np.signbit(rays)  # so that a ray along a wall meets it at +infinity, whatever its zero's sign
    with np.errstate(divide="ignore"):
        x, y, z = (np.where(ahead, high, low) - origin[:, None, None]) / rays
    depth_z = np.minimum(np.minimum(x, y), z)
    face = np.where(x == depth_z, ahead[0], np.where(y == depth_z, 2 + ahead[1], 4 + ahead[2])).astype(np.intp)
    point = (rays * depth_z + origin[:, None, None]).astype(np.float32)
    u = np.where(face < 2, point[2], point[0])
    v = np.where((face == CEILING) | (face == FLOOR), point[2], point[1])
    surface = face.copy()
    for patch in scene.patches:
        (left, right), (top, bottom) = patch.u, patch.v
        on = (face == patch.face) & (u > left) & (u < right) & (v > top) & (v < bottom)
        surface[on] = patch.texture
    return Hits(depth_z, rays, point, np.take(_INWARD, face, axis=1), surface, u, v)


def _windows(solids: tuple[Solid, ...], camera: Camera, world_from_camera: Array) -> tuple[list[Window], list[Window]]:
    """Rows and columns that hold each solid in the picture; then those that hold what surrounds it too."""
    if not solids:
        return [], []
    corners = np.stack([solid.corners for solid in solids], axis=1).reshape(-1, 8, 3)
    corners = transform(inverse(world_from_camera), corners)
    pixels = camera.project(corners)
    size = (camera.width, camera.height)
    nearest, farthest = corners[..., 2].min(axis=1), corners[..., 2].max(axis=1)
    lower = np.where(nearest[:, None] < _NEAR, 0, np.clip(np.floor(pixels.min(axis=1)), 0, size))
    upper = np.where(nearest[:, None] < _NEAR, size, np.clip(np.ceil(pixels.max(axis=1)) + 1, 0, size))
    upper[farthest <= 0] = 0
    bounds = np.concatenate([lower, upper], axis=1).astype(int).tolist()
    windows = [(slice(top, bottom), slice(left, right)) for left, top, right, bottom in bounds]
    return windows[: len(solids)], windows[len(solids) :]


def _cast_solid(hits: Hits, solid: Solid, window: Window, origin: Array) -> None:
    """Enter into ``hits`` what the rays within a window hit of a solid."""
    rays = hits.rays[:, *window]
    if not rays.size:
        return
    solid_from_world = inverse(solid.world_from_solid)
    start = transform(solid_from_world, origin)
    ways = np.einsum("ij,jhw->ihw", solid_from_world[:3, :3], rays)
    enter, leave = _crossing(solid, start, ways)
    rows, columns = np.nonzero((enter < leave) & (enter > 0) & (enter < hits.depth_z[window]))
    depth_z = enter[rows, columns]
    axis, u, v, normal = _touch(solid, ways[:, rows, columns] * depth_z + start[:, None])
    rows, columns = rows + window[0].start, columns + window[1].start
    hits.depth_z[rows, columns] = depth_z
    hits.point[:, rows, columns] = hits.rays[:, rows, columns] * depth_z + origin[:, None]
    hits.normal[:, rows, columns] = solid.world_from_solid[:3, :3] @ normal
    hits.surface[rows, columns] = np.array(solid.textures)[axis]
    hits.u[rows, columns] = u
    hits.v[rows, columns] = v


def _crossing(solid: Solid, start: Array, ways: Array) -> tuple[Array, Array]:
    """Where rays (3, ...) from ``start`` (3,), solid frame, enter and leave it; enter > leave: they miss."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if solid.kind == "ball":
            return _round_crossing(start, ways, solid.half[0])
        if solid.kind == "cylinder":
            enter, leave = _round_crossing(start[::2], ways[::2], solid.half[0])
            enter_y, leave_y = _slab_crossing(start[1], ways[1], solid.half[1])
            return np.maximum(enter, enter_y), np.minimum(leave, leave_y)
        (x0, x1), (y0, y1), (z0, z1) = (_slab_crossing(start[i], ways[i], solid.half[i]) for i in range(3))
        return np.maximum(np.maximum(x0, y0), z0), np.minimum(np.minimum(x1, y1), z1)


def _slab_crossing(start: float, ways: Array, half: float) -> tuple[Array, Array]:
    """Where rays enter and leave the slab |x| < half."""
    towards = np.copysign(half, ways)
    return (-towards - start) / ways, (towards - start) / ways


def _round_crossing(start: Array, ways: Array, radius: float) -> tuple[Array, Array]:
    """Where rays enter and leave |x| < radius: the roots of |start + t way|^2 = radius^2; NaN: they miss."""
    a = (ways * ways).sum(axis=0)
    b = np.tensordot(start, ways, axes=1)
    root = np.sqrt(b * b - a * (start @ start - radius * radius))
    return (-b - root) / a, (-b + root) / a


def _touch(solid: Solid, local: Array) -> tuple[NDArray[np.intp], Array, Array, Array]:
    """Face axis (N,), u, v (N,) [m] and outward normal (3, N) at points (3, N) [m] on a solid, its frame."""
    x, y, z = local
    if solid.kind == "box":
        axis = np.argmax(np.abs(local) / solid.half[:, None], axis=0)
        normal = np.where(axis == np.arange(3)[:, None], np.sign(local), 0.0)
        return axis, np.where(axis == 0, z, x), np.where(axis == 1, z, y), normal
    around = np.arctan2(x, z) * solid.half[0]
    if solid.kind == "ball":
        return np.zeros(x.shape, dtype=np.intp), around, y, local / solid.half[0]
    top = np.abs(y) > solid.half[1] * (1 - _ON_TOP)
    side = np.stack([x, np.zeros_like(x), z]) / solid.half[0]
    normal = np.where(top, np.array([[0.0], [-1.0], [0.0]]), side)
    return top.astype(np.intp), np.where(top, x, around), np.where(top, z, y), normal
