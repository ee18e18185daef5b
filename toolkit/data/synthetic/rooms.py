"""Synthetic rooms: furnished boxes with textures of metric size, seen from several poses, with exact labels.

Conventions: see ``toolkit.geometry.camera``; the world frame is that of ``toolkit.data.synthetic.raycast``. A view
depends on the settings, the number of the room and the number of the view alone, not on what was drawn before
(``toolkit.data.synthetic.drawing``).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from toolkit.data.frames.frame import DepthGrid, Frame, Picture
from toolkit.data.sources.overview import Overview, WordColumn
from toolkit.data.synthetic.drawing import LICENSE, add_noise, draw_camera, make_generator, settings_digest
from toolkit.data.synthetic.furniture import RoomSpace, furnish
from toolkit.data.synthetic.raycast import FACES, RayHits, RoomScene, Triple, cast_rays, pose_from_angles
from toolkit.data.synthetic.settings import CLEARANCE, WHITE, RoomSettings
from toolkit.data.synthetic.shading import RoomLook, scale_textures, shade
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Pixels

_ROUNDING = 1e-9  # [m] by which the clearance may be missed, through rounding
_ATTEMPTS = 64  # places that are drawn for a view; the first that fits is taken
_TARGETS = 2  # points that are drawn in a room; the first view looks towards the farthest of them
_PITCH_SHARE = 1 / 3  # how much a view pitches away from the first one, as a share of how much it turns
_CLIMB = 0.2  # greatest change of a view's height, as a share of the way moved
_ROOM_STREAM, _POSE_STREAM, _NOISE_STREAM = range(3)


class Rooms:
    """A source of Frames: several views of each room, room after room.

    Args:
        settings: Which rooms are drawn, and how they are seen.
    """

    alike = True

    def __init__(self, settings: RoomSettings) -> None:
        self.settings = settings

    def __len__(self) -> int:
        return self.settings.rooms * self.settings.views

    def frame(self, index: int) -> Frame:
        """The Frame of an index.

        Raises:
            IndexError: If the index is not in 0 ... len - 1.
        """
        key = self._key(index)
        return Frame(
            picture=RoomPicture(key),
            camera=_room(key.settings, key.room).camera,
            labels=RoomDepth(key),
            world_from_camera=_pose(key),
            sequence=key.name,
            license=LICENSE,
        )

    def partners(self, index: int) -> Sequence[int]:
        """The other views of the same room."""
        view = self._key(index).view
        return [index - view + other for other in range(self.settings.views) if other != view]

    def pictures(self, indices: Iterable[int]) -> Iterator[Picture]:
        """The pictures of some Frames; this furnishes no room."""
        return (RoomPicture(self._key(index)) for index in indices)

    def overview(self) -> Overview:
        """What is known of all Frames, without drawing any: each room has a camera, unless all have the same one."""
        count, rooms, views = len(self), self.settings.rooms, self.settings.views
        room = np.repeat(np.arange(rooms, dtype=np.uint32), views)
        ranges = (self.settings.width, self.settings.height, self.settings.fov)
        one_camera = self.settings.principal_shift == 0 and all(low == high for low, high in ranges)
        yes = np.ones(count, dtype=bool)
        return Overview(
            sequences=WordColumn(room + np.uint32(1), self._sequence_names),
            licenses=WordColumn.of([LICENSE] * count),
            attributions=WordColumn.of([""] * count),
            cameras=np.zeros_like(room) if one_camera else room,
            posed=yes,
            labelled=yes,
            objects=~yes,
        )

    def _sequence_names(self) -> list[str]:
        return ["", *(self._key(index).name for index in range(0, len(self), self.settings.views))]

    def _key(self, index: int) -> "ViewKey":
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        number, view = divmod(int(index), self.settings.views)
        return ViewKey(self.settings, self.settings.first + number, view)


@dataclass(frozen=True)
class ViewKey:
    """Which view of which room: all that is needed to render it.

    Attributes:
        settings: How rooms are drawn.
        room: The number of the room.
        view: The number of the view in the room.
    """

    settings: RoomSettings
    room: int
    view: int

    @property
    def name(self) -> str:
        """A name that no other room has: it is made of how rooms are drawn, and of the number of the room."""
        return f"rooms-{settings_digest(self.settings, first=0, rooms=1, views=1)}/room-{self.room:06d}"


@dataclass(frozen=True)
class RoomPicture:
    """The picture of a view, rendered on demand."""

    key: ViewKey

    @property
    def name(self) -> str:
        """The room's name and the view's number."""
        return f"{self.key.name}/view-{self.key.view}"

    def read(self) -> Pixels:
        """The picture (height, width, 3) as 8-bit RGB."""
        key = self.key
        room, hits = _room(key.settings, key.room), _hits(key)
        picture = shade(room.look, room.scene, hits, _pose(key)[:3, 3])
        rng = make_generator(key.settings.seed, key.room, _NOISE_STREAM, key.view)
        return add_noise(picture * WHITE, key.settings.noise, rng)


@dataclass(frozen=True)
class RoomDepth:
    """The depth of every pixel of a view, exact at the pixel's centre."""

    key: ViewKey

    def read(self, camera: Camera) -> tuple[Array, Array]:
        """All pixels (H * W, 2), row after row, and their z-depth (H * W,) [m]."""
        depth_z = _hits(self.key).depth_z
        rows, columns = np.indices(depth_z.shape, dtype=np.float64)
        return np.stack([columns.ravel(), rows.ravel()], axis=-1), depth_z.flatten()

    def grid(self, camera: Camera) -> DepthGrid:
        """The depth map, in which every pixel is valid."""
        depth_z = _hits(self.key).depth_z
        return DepthGrid(depth_z, np.ones(depth_z.shape, dtype=bool), 1.0, "z")


@dataclass(frozen=True, eq=False)
class _Room:
    """A room that was drawn.

    Attributes:
        scene: The geometry of the room.
        look: How the room looks.
        camera: The camera of all its views.
        eye: The camera centre (3,) of the first view [m, world frame].
        angles: The yaw, pitch and roll of the first view [deg].
    """

    scene: RoomScene
    look: RoomLook
    camera: Camera
    eye: Array
    angles: tuple[float, float, float]


@lru_cache(maxsize=64)
def _room(settings: RoomSettings, number: int) -> _Room:
    rng = make_generator(settings.seed, number, _ROOM_STREAM)
    camera = _draw_camera(rng, settings)
    width, depth = (
        float(np.exp(rng.uniform(*np.log(extent)))) for extent in (settings.room_width, settings.room_depth)
    )
    size = (width, float(rng.uniform(*settings.room_height)), depth)
    away = CLEARANCE + settings.move[0]
    eye = _draw_eye(rng, settings, size, away)
    targets = rng.uniform(-0.5, 0.5, (_TARGETS, 2)) * (width, depth) - eye[::2]
    towards = targets[np.argmax(np.hypot(*targets.T))]
    yaw = float(np.degrees(np.arctan2(*towards)))
    angles = (yaw, float(rng.uniform(*settings.pitch)), float(rng.uniform(*settings.roll)))
    scene, look = furnish(rng, RoomSpace(size, (float(eye[0]), float(eye[2])), away), settings.objects)
    look = scale_textures(look, FACES, float(rng.uniform(*settings.texture_scale)))
    return _Room(scene, look, camera, eye, angles)


def _draw_camera(rng: np.random.Generator, settings: RoomSettings) -> Camera:
    """A camera with square pixels and a principal point near the centre."""
    camera = draw_camera(rng, settings.width, settings.height, settings.fov)
    shift = rng.uniform(-settings.principal_shift, settings.principal_shift, 2) * (camera.width, camera.height)
    return replace(camera, cx=camera.cx + float(shift[0]), cy=camera.cy + float(shift[1]))


def _draw_eye(rng: np.random.Generator, settings: RoomSettings, size: Triple, away: float) -> Array:
    """The camera centre (3,) of the first view [m, world frame], ``away`` [m] or more from walls, floor and ceiling."""
    x, z = rng.uniform(-1, 1, 2) * (size[0] / 2 - away, size[2] / 2 - away)
    return np.array([x, -min(float(rng.uniform(*settings.camera_height)), size[1] - away), z])


@lru_cache(maxsize=256)
def _pose(key: ViewKey) -> Array:
    """The pose ``world_from_camera`` (4, 4) of a view: of the first one, or of one that moved and turned from it."""
    room, settings = _room(key.settings, key.room), key.settings
    yaw, pitch, roll = room.angles
    if key.view == 0:
        return _read_only(pose_from_angles(yaw, pitch, roll, room.eye))
    rng = make_generator(settings.seed, key.room, _POSE_STREAM, key.view)
    turn = rng.uniform(-settings.turn, settings.turn, 2) * (1, _PITCH_SHARE)
    pitch = float(np.clip(pitch + turn[1], *settings.pitch))
    roll = float(rng.uniform(*settings.roll))
    return _read_only(pose_from_angles(yaw + turn[0], pitch, roll, _draw_place(rng, settings, room)))


def _draw_place(rng: np.random.Generator, settings: RoomSettings, room: _Room) -> Array:
    """A camera centre (3,) [m, world frame] within ``move`` of the first view's that keeps clear of everything."""
    lengths = rng.uniform(*settings.move, _ATTEMPTS)
    lengths[-1] = settings.move[0]  # as far as this, the space around the first view is free
    heading = rng.uniform(0, 2 * np.pi, _ATTEMPTS)
    climb = rng.uniform(-_CLIMB, _CLIMB, _ATTEMPTS)
    level = np.sqrt(1 - climb**2)
    ways = np.stack([level * np.sin(heading), climb, level * np.cos(heading)], axis=-1)
    places = room.eye + lengths[:, None] * ways
    return places[np.argmax(_clearance(room.scene, places) >= CLEARANCE - _ROUNDING)]


def _clearance(scene: RoomScene, places: Array) -> Array:
    """The distance (N,) [m] from places (N, 3) [m, world frame] to the nearest wall, floor, ceiling or solid.

    The distance to a solid is the horizontal one.
    """
    x, y, z = places.T
    width, height, depth = scene.size
    walls = [width / 2 - np.abs(x), depth / 2 - np.abs(z), -y, height + y]
    return np.min(walls + [solid.clearance(x, z) for solid in scene.solids], axis=0)


@lru_cache(maxsize=8)
def _hits(key: ViewKey) -> RayHits:
    room = _room(key.settings, key.room)
    return cast_rays(room.scene, room.camera, _pose(key))


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array
