"""Settings of synthetic rooms and shapes, which are also sections of recipes; and their checks.

A range is a pair (least, greatest).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from toolkit.data.frames.objects import NAMES
from toolkit.errors import SettingError, UserErrors

Range = tuple[float, float]
"""The least and the greatest value of a number that is drawn at random."""

CLEARANCE = 0.3
"""The least distance [m] between a camera and any wall or solid of a room."""

WHITE = 255.0
"""The brightness of white in a picture of 8 bits."""

_MANY = 2**63  # an upper bound that no sensible setting reaches
_LEAST_TEXTURE = 0.1  # least texture_scale: a tenth of the usual size

_Bound = tuple[str, float, float, float]
"""A setting's name, its value, and the least and the greatest value that it may have."""


@dataclass(frozen=True)
class RoomSettings:
    """Which rooms are drawn, and how they are seen.

    A range is a pair (least, greatest); values are drawn evenly between the two.

    Attributes:
        rooms: The number of different rooms.
        views: The number of views of each room; together they are one sequence.
        seed: The seed of everything that is drawn.
        first: The number of the first room. Two sources whose numbers do not overlap have different rooms.
        width: The range of the picture's width [px].
        height: The range of the picture's height [px].
        fov: The range of the horizontal field of view [deg].
        principal_shift: The greatest shift of the principal point off the centre, in picture sizes.
        camera_height: The range of the camera's height above the floor [m].
        pitch: The range of the camera's turn upwards [deg]; a negative pitch looks down.
        roll: The range of the camera's turn about the viewing axis [deg].
        move: The range of the distance from a room's first view to another one [m].
        turn: The greatest turn about the vertical axis from a room's first view to another one [deg].
        room_width: The range of the room's extent along world x [m]; its logarithm is drawn evenly.
        room_depth: The range of the room's extent along world z [m]; its logarithm is drawn evenly.
        room_height: The range of the room's height [m].
        objects: The range of the number of solids that a room is meant to have.
        texture_scale: The range of the factor by which the tiles, bricks and planks of the room itself are larger than
            usual.
        noise: The standard deviation of the sensor noise, in grey levels of 255.
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
        _make_tuples(self)
        space = 2 * (CLEARANCE + self.move[0])
        bounds = [
            ("rooms", self.rooms, 0, _MANY),
            ("views", self.views, 1, _MANY),
            ("seed", self.seed, 0, _MANY),
            ("first", self.first, 0, _MANY),
            ("width", self.width[0], 2, _MANY),
            ("height", self.height[0], 2, _MANY),
            ("fov", self.fov[0], 1, 179),
            ("fov", self.fov[1], 1, 179),
            ("principal_shift", self.principal_shift, 0, 0.25),
            ("objects", self.objects[0], 0, _MANY),
            ("texture_scale", self.texture_scale[0], _LEAST_TEXTURE, _MANY),
            ("noise", self.noise, 0, WHITE),
            ("move", self.move[0], 0, _MANY),
            ("turn", self.turn, 0, 180),
            ("room_width", self.room_width[0], space, _MANY),
            ("room_depth", self.room_depth[0], space, _MANY),
            ("camera_height", self.camera_height[0], space / 2, self.room_height[0] - space / 2),
        ]
        _check("rooms", self, bounds)


@dataclass(frozen=True)
class ShapeSettings:
    """Which shapes are drawn, and how they are seen.

    A range is a pair (least, greatest); values are drawn evenly between the two.

    Attributes:
        pictures: The number of different pictures.
        seed: The seed of everything that is drawn.
        first: The number of the first picture. Two sources whose numbers do not overlap have different pictures.
        width: The range of the picture's width [px].
        height: The range of the picture's height [px].
        fov: The range of the horizontal field of view [deg] that the pictures state.
        size: The range of a shape's radius, as a share of the picture's shorter side.
        single: The range of the number of kinds of which there is one shape, each in a colour of its own.
        group: The range of the number of shapes of one further kind.
        noise: The standard deviation of the sensor noise, in grey levels of 255.
    """

    pictures: int = 10000
    seed: int = 0
    first: int = 0
    width: tuple[int, int] = (600, 760)
    height: tuple[int, int] = (460, 570)
    fov: Range = (50.0, 60.0)
    size: Range = (0.08, 0.12)
    single: tuple[int, int] = (2, 3)
    group: tuple[int, int] = (1, 5)
    noise: float = 2.0

    def __post_init__(self) -> None:
        _make_tuples(self)
        bounds = [
            ("pictures", self.pictures, 0, _MANY),
            ("seed", self.seed, 0, _MANY),
            ("first", self.first, 0, _MANY),
            ("width", self.width[0], 16, _MANY),
            ("height", self.height[0], 16, _MANY),
            ("fov", self.fov[0], 1, 179),
            ("fov", self.fov[1], 1, 179),
            ("size", self.size[0], 0.04, 0.25),
            ("size", self.size[1], 0.04, 0.25),
            ("single", self.single[0], 0, len(NAMES) - 1),
            ("single", self.single[1], 0, len(NAMES) - 1),
            ("group", self.group[0], 1, _MANY),
            ("noise", self.noise, 0, WHITE),
        ]
        _check("shapes", self, bounds)


def _make_tuples(settings: Any) -> None:
    """Replace the lists that YAML gives by tuples, in place, since settings must be hashable."""
    for item in fields(settings):
        value = getattr(settings, item.name)
        if isinstance(value, list):
            object.__setattr__(settings, item.name, tuple(value))


def _check(where: str, settings: Any, bounds: Sequence[_Bound]) -> None:
    """Check that every field whose default is a range holds one, then that values lie within their bounds.

    Raises:
        UserErrors: If some do not; all of them.
    """
    ranges = {item.name: getattr(settings, item.name) for item in fields(settings) if isinstance(item.default, tuple)}
    faults = [
        SettingError(name, f"{value} is no range", remedy="give [least, greatest]")
        for name, value in ranges.items()
        if not (isinstance(value, tuple) and len(value) == 2 and value[0] <= value[1])
    ] or [
        SettingError(name, f"{value} is out of bounds", remedy=f"give {least:g} to {greatest:g}")
        for name, value, least, greatest in bounds
        if not least <= value <= greatest
    ]
    if faults:
        raise UserErrors(where, faults)
