"""Casts rays into a furnished room, to find what each pixel sees, and exactly how far away it is.

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
from toolkit.utils.arrays import Array, Array32

Triple = tuple[float, float, float]
"""Three numbers: a point or an extent along x, y, z, or a colour."""

PixelWindow = tuple[slice, slice]
"""The rows and the columns of a part of a picture."""

FACES, CEILING, FLOOR = 6, 2, 3
"""The number of faces of a room, and the numbers of its ceiling and its floor."""

# Inward normals of the room's faces: -x, +x, ceiling, floor, -z, +z. The number of a face is 2 axis + (far side).
_INWARD = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=np.float32).T.copy()
_CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)

SURROUND = 0.4
"""The width of the floor around a solid [m] that may have its contact shadow."""

_NEAR = 0.05  # [m] a solid with a corner nearer than this is searched in the whole picture
_ON_TOP = 1e-9  # relative distance from a cylinder's top within which a point counts as on the top


@dataclass(frozen=True)
class Solid:
    """A solid that stands on the floor.

    Attributes:
        kind: The shape of the solid.
        x: World x of its centre [m].
        z: World z of its centre [m].
        yaw: The turn about the vertical axis [deg], from world z towards world x.
        size: The extent along its own x, y, z [m]; for a cylinder, x and z are its diameter; for a ball, all three are.
        textures: The rows of the texture table for the faces across its own x, y and z axes.
    """

    kind: Literal["box", "cylinder", "ball"]
    x: float
    z: float
    yaw: float
    size: Triple
    textures: tuple[int, int, int]

    @cached_property
    def half(self) -> Array:
        """Half of its extent (3,) [m] along its own axes."""
        return np.array(self.size) / 2

    @cached_property
    def world_from_solid(self) -> Array:
        """The pose (4, 4) of its middle."""
        return pose_from_angles(self.yaw, 0.0, 0.0, np.array([self.x, -self.size[1] / 2, self.z]))

    @cached_property
    def corners(self) -> Array:
        """Corners (2, 8, 3) [m, world frame] of the box around it, and of this box with the floor that surrounds it."""
        grown = self.half + np.array([SURROUND, 0.0, SURROUND])
        return transform(self.world_from_solid, np.stack([_CUBE * self.half, _CUBE * grown]))

    def clearance(self, x: NDArray[np.floating], z: NDArray[np.floating]) -> NDArray[np.floating]:
        """The horizontal distance (...) [m] from its outline to world points x, z (...) [m]; 0 or less inside."""
        dx, dz = x - self.x, z - self.z
        if self.kind != "box":
            return np.sqrt(dx * dx + dz * dz) - self.size[0] / 2
        cosine, sine = math.cos(math.radians(self.yaw)), math.sin(math.radians(self.yaw))
        beside = np.abs(dx * cosine - dz * sine) - self.size[0] / 2
        before = np.abs(dx * sine + dz * cosine) - self.size[2] / 2
        outside = np.sqrt(np.maximum(beside, 0) ** 2 + np.maximum(before, 0) ** 2)
        return outside + np.minimum(np.maximum(beside, before), 0)


@dataclass(frozen=True)
class FacePatch:
    """A rectangle on a face of the room that has a texture of its own: a door, a window, a skirting board.

    Attributes:
        face: The number of the room's face: 0 to 5 for -x, +x, ceiling, floor, -z, +z.
        u: Where it begins and ends [m], along world z on the faces -x and +x, and along world x on the others.
        v: Where it begins and ends [m], along world z on floor and ceiling, and along world y on the others.
        texture: The row of the texture table.
    """

    face: int
    u: tuple[float, float]
    v: tuple[float, float]
    texture: int


@dataclass(frozen=True, eq=False)
class RoomScene:
    """The geometry of a furnished room.

    Attributes:
        size: The room's extent along world x, y, z [m]; y goes from -size[1] to 0, and the middle of x and z is 0.
        solids: The solids that stand in it.
        patches: The patches on its faces; where two overlap, the later one is seen.
    """

    size: Triple
    solids: tuple[Solid, ...]
    patches: tuple[FacePatch, ...]

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
        """The least and the greatest coordinate of the room [m] along world x, y, z."""
        width, height, depth = self.size
        return (-width / 2, width / 2), (-height, 0.0), (-depth / 2, depth / 2)


@dataclass(frozen=True, eq=False)
class RayHits:
    """What the ray through each pixel centre of a picture hits first.

    Attributes:
        depth_z: The z-depth (H, W) [m], exact.
        rays: The viewing rays (3, H, W) [m, world frame], whose z in the camera frame is 1.
        point: The points that are hit (3, H, W) [m, world frame].
        normal: The unit normals (3, H, W) of the surfaces there, towards the camera, world frame.
        surface: The rows (H, W) of the texture table.
        u: The first coordinate (H, W) [m] on the surface.
        v: The second coordinate (H, W) [m] on the surface.
        windows: For each solid, the part of the picture outside of which neither it nor its contact shadow can be seen.
    """

    depth_z: Array
    rays: Array
    point: Array32
    normal: Array32
    surface: NDArray[np.intp]
    u: Array32
    v: Array32
    windows: Sequence[PixelWindow] = ()


def pose_from_angles(yaw: float, pitch: float, roll: float, position: Array) -> Array:
    """The pose ``world_from_camera`` (4, 4) of a camera.

    Args:
        yaw: The turn to the right about the vertical axis [deg], applied last.
        pitch: The turn upwards [deg], applied after roll.
        roll: The turn clockwise about the viewing axis [deg], applied first.
        position: The camera centre (3,) [m, world frame].
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


def cast_rays(scene: RoomScene, camera: Camera, world_from_camera: Array) -> RayHits:
    """What each pixel centre of a camera sees of a room.

    Args:
        scene: The room.
        camera: The camera.
        world_from_camera: The pose (4, 4) of the camera.
    """
    rays = world_from_camera[:3, :3] @ _camera_rays(camera)
    origin = world_from_camera[:3, 3]
    hits = _cast_room(scene, origin, rays.reshape(3, camera.height, camera.width))
    own, surrounding = _solid_windows(scene.solids, camera, world_from_camera)
    for solid, window in zip(scene.solids, own, strict=True):
        _cast_solid(hits, solid, window, origin)
    return replace(hits, windows=surrounding)


@lru_cache(maxsize=4)
def _camera_rays(camera: Camera) -> Array:
    """The viewing rays (3, H * W) of all pixel centres in the camera frame, with z = 1, row after row.

    The camera has no distortion, so that u alone tells x, and v alone tells y.
    """
    upper_row, left_column = np.zeros((camera.width, 2)), np.zeros((camera.height, 2))
    upper_row[:, 0], left_column[:, 1] = np.arange(camera.width), np.arange(camera.height)
    rays = np.ones((3, camera.height, camera.width))
    rays[0], rays[1] = camera.rays(upper_row)[:, 0], camera.rays(left_column)[:, 1, None]
    rays.flags.writeable = False
    return rays.reshape(3, -1)


def _cast_room(scene: RoomScene, origin: Array, rays: Array) -> RayHits:
    """What the rays (3, H, W) [world frame] from a camera centre ``origin`` (3,) [m] hit in the empty room."""
    low, high = np.array(scene.bounds).T[:, :, None, None]
    ahead = ~np.signbit(rays)  # so that a ray along a wall meets it at +infinity, whatever the sign of its zero
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
    return RayHits(depth_z, rays, point, np.take(_INWARD, face, axis=1), surface, u, v)


def _solid_windows(
    solids: tuple[Solid, ...], camera: Camera, world_from_camera: Array
) -> tuple[list[PixelWindow], list[PixelWindow]]:
    """The part of the picture that holds each solid, and the part that holds it with the floor around it."""
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


def _cast_solid(hits: RayHits, solid: Solid, window: PixelWindow, origin: Array) -> None:
    """Write into ``hits`` where the rays within a window, from the camera centre ``origin``, hit a solid."""
    rays = hits.rays[:, *window]
    if not rays.size:
        return
    solid_from_world = inverse(solid.world_from_solid)
    start = transform(solid_from_world, origin)
    ways = np.einsum("ij,jhw->ihw", solid_from_world[:3, :3], rays)
    enter, leave = _crossing(solid, start, ways)
    rows, columns = np.nonzero((enter < leave) & (enter > 0) & (enter < hits.depth_z[window]))
    depth_z = enter[rows, columns]
    axis, u, v, normal = _surface_at(solid, ways[:, rows, columns] * depth_z + start[:, None])
    rows, columns = rows + window[0].start, columns + window[1].start
    hits.depth_z[rows, columns] = depth_z
    hits.point[:, rows, columns] = hits.rays[:, rows, columns] * depth_z + origin[:, None]
    hits.normal[:, rows, columns] = solid.world_from_solid[:3, :3] @ normal
    hits.surface[rows, columns] = np.array(solid.textures)[axis]
    hits.u[rows, columns] = u
    hits.v[rows, columns] = v


def _crossing(solid: Solid, start: Array, ways: Array) -> tuple[Array, Array]:
    """Where rays (3, ...) from ``start`` (3,), in the solid's frame, enter and leave the solid.

    Returns:
        The lengths (...) along the rays, in units of the rays. A ray with enter > leave, or with NaN, misses.
    """
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
    """Where rays enter and leave the slab |x| < half, along one axis."""
    towards = np.copysign(half, ways)
    return (-towards - start) / ways, (towards - start) / ways


def _round_crossing(start: Array, ways: Array, radius: float) -> tuple[Array, Array]:
    """Where rays enter and leave |x| < radius: the roots of |start + t way|^2 = radius^2, or NaN if they miss."""
    a = (ways * ways).sum(axis=0)
    b = np.tensordot(start, ways, axes=1)
    root = np.sqrt(b * b - a * (start @ start - radius * radius))
    return (-b - root) / a, (-b + root) / a


def _surface_at(solid: Solid, local: Array) -> tuple[NDArray[np.intp], Array, Array, Array]:
    """The axis of the face (N,), u and v (N,) [m] and the outward normal (3, N) at points (3, N) [m] of a solid.

    Points and normals are in the solid's frame.
    """
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
