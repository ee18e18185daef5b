"""Synthetic rooms: furnished boxes with textures of metric size, seen from several poses; labels are exact.

Conventions: see ``toolkit.geometry.camera``; the world frame is that of ``toolkit.data.synthetic.raycast``. Everything
depends on the settings, the room's number and the view's alone, through a counter-based generator (Philox:
Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), not on what was drawn before.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from toolkit.data.frames.frame import Frame, Picture
from toolkit.data.sources.overview import Column, Overview
from toolkit.data.synthetic.furniture import Space, furnish
from toolkit.data.synthetic.ranges import MANY, Range, check_bounds, check_ranges, make_tuples
from toolkit.data.synthetic.raycast import FACES, Hits, Scene, Triple, cast, pose
from toolkit.data.synthetic.shading import Look, scaled, shade
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Pixels

LICENSE = "CC0-1.0 (synthetic)"


_CLEARANCE = 0.3  # [m] between a camera and any wall or solid


_ROUNDING = 1e-9  # [m] by which that may be missed


_WHITE = 255.0


_LEAST_TEXTURE = 0.1  # a tenth of the usual size


_ATTEMPTS = 64  # poses drawn for a view; the first that fits is taken


_TARGETS = 2  # points drawn in a room; the first view looks towards the farthest of them


_PITCH_SHARE = 1 / 3  # how far a view pitches away from the first one, as a share of how far it turns


_CLIMB = 0.2  # greatest change of a view's height, as a share of the way moved


_ROOM_STREAM, _POSE_STREAM, _NOISE_STREAM = range(3)


@dataclass(frozen=True)
class RoomSettings:
    """Which rooms are drawn, and how they are seen. A range is (least, greatest), drawn evenly between.

    Attributes:
        rooms: How many different rooms.
        views: Views of each room; together they are one sequence.
        seed: Of all that is drawn.
        first: Number of the first room; ranges of numbers that do not overlap hold different rooms.
        width: Range of the picture's width [px].
        height: Range of the picture's height [px].
        fov: Range of the horizontal field of view [deg].
        principal_shift: Greatest shift of the principal point off the centre, in picture sizes.
        camera_height: Range of the camera's height above the floor [m].
        pitch: Range of the turn upwards [deg]; negative looks down.
        roll: Range of the turn about the viewing axis [deg].
        move: Range of the way from a room's first view to another one [m].
        turn: Greatest turn from a room's first view to another one, about the vertical [deg].
        room_width: Range of the room's extent along world x [m]; its logarithm is drawn evenly.
        room_depth: Range of its extent along world z [m]; its logarithm is drawn evenly.
        room_height: Range of the room's height [m].
        objects: Range of the number of solids that are tried to be put into a room.
        texture_scale: Range of the factor by which tiles, bricks and planks of the room itself are larger than usual.
        noise: Standard deviation of the sensor noise, in grey levels of 255.
    """

    rooms: int = 1000
    views: int = 4
    seed: int = 0
    first: int = 0
    width: tuple[int, int] = (96, 96)
    height: tuple[int, int] = (96, 96)
    fov: Range = (50.0, 75.0)
    principal_shift: float = 0.03
    camera_height: Range = (0.9, 1.8)
    pitch: Range = (-35.0, 8.0)
    roll: Range = (-4.0, 4.0)
    move: Range = (0.1, 1.5)
    turn: float = 25.0
    room_width: Range = (2.2, 9.0)
    room_depth: Range = (3.0, 16.0)
    room_height: Range = (2.3, 3.6)
    objects: tuple[int, int] = (3, 10)
    texture_scale: Range = (1.0, 1.0)
    noise: float = 2.0

    def __post_init__(self) -> None:
        make_tuples(self)
        check_ranges("rooms", self)
        space = 2 * (_CLEARANCE + self.move[0])
        bounds = [
            ("rooms", self.rooms, 0, MANY),
            ("views", self.views, 1, MANY),
            ("seed", self.seed, 0, MANY),
            ("first", self.first, 0, MANY),
            ("width", self.width[0], 2, MANY),
            ("height", self.height[0], 2, MANY),
            ("fov", self.fov[0], 1, 179),
            ("fov", self.fov[1], 1, 179),
            ("principal_shift", self.principal_shift, 0, 0.25),
            ("objects", self.objects[0], 0, MANY),
            ("texture_scale", self.texture_scale[0], _LEAST_TEXTURE, MANY),
            ("noise", self.noise, 0, _WHITE),
            ("move", self.move[0], 0, MANY),
            ("turn", self.turn, 0, 180),
            ("room_width", self.room_width[0], space, MANY),
            ("room_depth", self.room_depth[0], space, MANY),
            ("camera_height", self.camera_height[0], space / 2, self.room_height[0] - space / 2),
        ]
        check_bounds("rooms", bounds)


class Rooms:
    """A source of Frames: ``views`` pictures of each of ``rooms`` rooms, room after room."""

    alike = True

    def __init__(self, settings: RoomSettings) -> None:
        self.settings = settings

    def __len__(self) -> int:
        return self.settings.rooms * self.settings.views

    def frame(self, index: int) -> Frame:
        """The Frame of that index.

        Raises:
            IndexError: If it is not in 0 ... len - 1.
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
        """The pictures of some Frames; no room is furnished for it."""
        return (RoomPicture(self._key(index)) for index in indices)

    def overview(self) -> Overview:
        """What is known of its Frames, without drawing any: cameras are those of the rooms, unless all are one."""
        count, rooms, views = len(self), self.settings.rooms, self.settings.views
        room = np.repeat(np.arange(rooms, dtype=np.uint32), views)
        ranges = (self.settings.width, self.settings.height, self.settings.fov)
        one_camera = self.settings.principal_shift == 0 and all(low == high for low, high in ranges)
        yes = np.ones(count, dtype=bool)
        return Overview(
            sequences=Column(room + np.uint32(1), self._sequences),
            licenses=Column.of([LICENSE] * count),
            attributions=Column.of([""] * count),
            cameras=np.zeros_like(room) if one_camera else room,
            posed=yes,
            labelled=yes,
            objects=~yes,
        )

    def _sequences(self) -> list[str]:
        return ["", *(self._key(index).name for index in range(0, len(self), self.settings.views))]

    def _key(self, index: int) -> "ViewKey":
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        number, view = divmod(int(index), self.settings.views)
        return ViewKey(self.settings, self.settings.first + number, view)


@dataclass(frozen=True)
class ViewKey:
    """Which view of which room; all there is to know to render it.

    Attributes:
        settings: How rooms are drawn.
        room: Number of the room.
        view: Number of the view in the room.
    """

    settings: RoomSettings
    room: int
    view: int

    @property
    def name(self) -> str:
        """What tells this room from all others: how rooms are drawn, whichever of them a source has, and its number."""
        return f"rooms-{_digest(self.settings)}/room-{self.room:06d}"


@lru_cache(maxsize=64)
def _digest(settings: RoomSettings) -> str:
    drawn = replace(settings, first=0, rooms=1, views=1)
    return hashlib.sha256(repr(drawn).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class RoomPicture:
    """The picture of a view, rendered on demand."""

    key: ViewKey

    @property
    def name(self) -> str:
        """The room's name and the view's number."""
        return f"{self.key.name}/view-{self.key.view}"

    def read(self) -> Pixels:
        """The picture, (height, width, 3) uint8 RGB."""
        key = self.key
        room, hits = _room(key.settings, key.room), _hits(key)
        picture = shade(room.look, room.scene, hits, _pose(key)[:3, 3])
        rng = _generator(key.settings.seed, key.room, _NOISE_STREAM, key.view)
        noise = rng.standard_normal(hits.depth_z.shape, dtype=np.float32) * float(key.settings.noise)
        grey = np.clip(picture * _WHITE + noise, 0, _WHITE) + 0.5
        return np.ascontiguousarray(np.moveaxis(grey.astype(np.uint8), 0, -1))


@dataclass(frozen=True)
class RoomDepth:
    """The depth of every pixel of a view, exact at the pixel's centre."""

    key: ViewKey

    def read(self, camera: Camera) -> tuple[Array, Array]:
        """All pixels (H * W, 2), row after row, and their depth_z (H * W,) [m]."""
        depth_z = _hits(self.key).depth_z
        rows, columns = np.indices(depth_z.shape, dtype=np.float64)
        return np.stack([columns.ravel(), rows.ravel()], axis=-1), depth_z.flatten()


@dataclass(frozen=True, eq=False)
class _Room:
    """A room as drawn.

    Attributes:
        scene: Its geometry.
        look: How it looks.
        camera: What it is seen with.
        eye: Where the first view is taken from, world frame (3,) [m].
        angles: Yaw, pitch and roll of the first view [deg].
    """

    scene: Scene
    look: Look
    camera: Camera
    eye: Array
    angles: tuple[float, float, float]


def _generator(seed: int, room: int, stream: int, view: int = 0) -> np.random.Generator:
    """A generator of its own for each purpose; the upper words of the counter tell them apart."""
    return np.random.Generator(np.random.Philox(key=[seed, room], counter=[0, 0, stream, view]))


@lru_cache(maxsize=64)
def _room(settings: RoomSettings, number: int) -> _Room:
    rng = _generator(settings.seed, number, _ROOM_STREAM)
    camera = _camera(rng, settings)
    width, depth = (
        float(np.exp(rng.uniform(*np.log(extent)))) for extent in (settings.room_width, settings.room_depth)
    )
    size = (width, float(rng.uniform(*settings.room_height)), depth)
    away = _CLEARANCE + settings.move[0]
    eye = _eye(rng, settings, size, away)
    targets = rng.uniform(-0.5, 0.5, (_TARGETS, 2)) * (width, depth) - eye[::2]
    towards = targets[np.argmax(np.hypot(*targets.T))]
    yaw = float(np.degrees(np.arctan2(*towards)))
    angles = (yaw, float(rng.uniform(*settings.pitch)), float(rng.uniform(*settings.roll)))
    scene, look = furnish(rng, Space(size, (float(eye[0]), float(eye[2])), away), settings.objects)
    look = scaled(look, FACES, float(rng.uniform(*settings.texture_scale)))
    return _Room(scene, look, camera, eye, angles)


def _camera(rng: np.random.Generator, settings: RoomSettings) -> Camera:
    """A camera with square pixels and a principal point near the centre."""
    width, height = (int(rng.integers(low, high + 1)) for low, high in (settings.width, settings.height))
    camera = Camera.from_fov(width, height, float(rng.uniform(*settings.fov)))
    shift = rng.uniform(-settings.principal_shift, settings.principal_shift, 2) * (width, height)
    return replace(camera, cx=camera.cx + float(shift[0]), cy=camera.cy + float(shift[1]))


def _eye(rng: np.random.Generator, settings: RoomSettings, size: Triple, away: float) -> Array:
    """Where the first view is taken from, (3,) [m]: at least ``away`` from walls, floor and ceiling."""
    x, z = rng.uniform(-1, 1, 2) * (size[0] / 2 - away, size[2] / 2 - away)
    return np.array([x, -min(float(rng.uniform(*settings.camera_height)), size[1] - away), z])


@lru_cache(maxsize=256)
def _pose(key: ViewKey) -> Array:
    """``world_from_camera`` (4, 4) of a view: the room's first one, or one that moved and turned from it."""
    room, settings = _room(key.settings, key.room), key.settings
    yaw, pitch, roll = room.angles
    if key.view == 0:
        return _frozen(pose(yaw, pitch, roll, room.eye))
    rng = _generator(settings.seed, key.room, _POSE_STREAM, key.view)
    turn = rng.uniform(-settings.turn, settings.turn, 2) * (1, _PITCH_SHARE)
    pitch = float(np.clip(pitch + turn[1], *settings.pitch))
    return _frozen(pose(yaw + turn[0], pitch, float(rng.uniform(*settings.roll)), _moved(rng, settings, room)))


def _moved(rng: np.random.Generator, settings: RoomSettings, room: _Room) -> Array:
    """A place (3,) [m] within the range of ``move`` of the first view's that keeps clear of everything."""
    lengths = rng.uniform(*settings.move, _ATTEMPTS)
    lengths[-1] = settings.move[0]  # the space around the first view is free as far as this
    heading = rng.uniform(0, 2 * np.pi, _ATTEMPTS)
    climb = rng.uniform(-_CLIMB, _CLIMB, _ATTEMPTS)
    level = np.sqrt(1 - climb**2)
    ways = np.stack([level * np.sin(heading), climb, level * np.cos(heading)], axis=-1)
    places = room.eye + lengths[:, None] * ways
    return places[np.argmax(_clearance(room.scene, places) >= _CLEARANCE - _ROUNDING)]


def _clearance(scene: Scene, places: Array) -> Array:
    """Distance (N,) [m] from places (N, 3) to the nearest wall, floor, ceiling, or solid in plan."""
    x, y, z = places.T
    width, height, depth = scene.size
    walls = [width / 2 - np.abs(x), depth / 2 - np.abs(z), -y, height + y]
    return np.min(walls + [solid.clearance(x, z) for solid in scene.solids], axis=0)


@lru_cache(maxsize=8)
def _hits(key: ViewKey) -> Hits:
    room = _room(key.settings, key.room)
    return cast(room.scene, room.camera, _pose(key))


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array
