"""Settings of synthetic rooms and shapes, which are also sections of recipes; and their checks.

A range is a pair (least, greatest).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from toolkit.data.frames.objects import NAMES
from toolkit.errors import SettingError, UserErrors
from toolkit.utils.setting_types import Real, Whole

Range = tuple[Real, Real]
"""The least and the greatest value of a number that is drawn at random."""

WholeRange = tuple[Whole, Whole]
"""The least and the greatest value of a whole number that is drawn at random."""

CLEARANCE = 0.3
"""The least distance [m] between a camera and any wall or solid of a room."""

WHITE = 255.0
"""The brightness of white in a picture of 8 bits."""

_LEAST_TEXTURE = 0.1  # least texture_scale: a tenth of the usual size
_MOST_PICTURES = 10_000_000  # of one source; what is known of each is kept in memory
_LARGEST_NUMBER = 2**53  # a larger one is no longer exact in files that programs exchange
_LONGEST_SIDE = 4096  # px; a room is drawn in memory, ray by ray
_LONGEST_WALL = 1000.0  # m

_Bounds = Mapping[str, tuple[float, float]]
"""The least and the greatest value of settings, by their names. Both ends of a range must lie between them."""


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

    rooms: Whole = 1000
    views: Whole = 4
    seed: Whole = 0
    first: Whole = 0
    width: WholeRange = (96, 96)
    height: WholeRange = (96, 96)
    fov: Range = (50.0, 75.0)
    principal_shift: Real = 0.03
    camera_height: Range = (0.9, 1.8)
    pitch: Range = (-35.0, 8.0)
    roll: Range = (-4.0, 4.0)
    move: Range = (0.1, 1.5)
    turn: Real = 25.0
    room_width: Range = (2.2, 9.0)
    room_depth: Range = (3.0, 16.0)
    room_height: Range = (2.3, 3.6)
    objects: WholeRange = (3, 10)
    texture_scale: Range = (1.0, 1.0)
    noise: Real = 2.0

    def __post_init__(self) -> None:
        _make_tuples(self)
        space = 2 * (CLEARANCE + self.move[0])
        _check(
            "rooms",
            self,
            {
                "rooms": (0, _MOST_PICTURES),
                "views": (1, _MOST_PICTURES / max(self.rooms, 1)),
                "seed": (0, _LARGEST_NUMBER),
                "first": (0, _LARGEST_NUMBER),
                "width": (2, _LONGEST_SIDE),
                "height": (2, _LONGEST_SIDE),
                "fov": (1, 179),
                "principal_shift": (0, 0.25),
                "pitch": (-90, 90),
                "roll": (-180, 180),
                "move": (0, _LONGEST_WALL),
                "turn": (0, 180),
                "room_width": (space, _LONGEST_WALL),
                "room_depth": (space, _LONGEST_WALL),
                "room_height": (space, _LONGEST_WALL),
                "camera_height": (space / 2, self.room_height[0] - space / 2),
                "objects": (0, 1000),
                "texture_scale": (_LEAST_TEXTURE, 100),
                "noise": (0, WHITE),
            },
        )


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

    pictures: Whole = 10000
    seed: Whole = 0
    first: Whole = 0
    width: WholeRange = (600, 760)
    height: WholeRange = (460, 570)
    fov: Range = (50.0, 60.0)
    size: Range = (0.08, 0.12)
    single: WholeRange = (2, 3)
    group: WholeRange = (1, 5)
    noise: Real = 2.0

    def __post_init__(self) -> None:
        _make_tuples(self)
        _check(
            "shapes",
            self,
            {
                "pictures": (0, _MOST_PICTURES),
                "seed": (0, _LARGEST_NUMBER),
                "first": (0, _LARGEST_NUMBER),
                "width": (16, _LONGEST_SIDE),
                "height": (16, _LONGEST_SIDE),
                "fov": (1, 179),
                "size": (0.04, 0.25),
                "single": (0, len(NAMES) - 1),
                "group": (1, 1000),
                "noise": (0, WHITE),
            },
        )


def _make_tuples(settings: Any) -> None:
    """Replace the lists that YAML gives by tuples, in place, since settings must be hashable."""
    for item in fields(settings):
        value = getattr(settings, item.name)
        if isinstance(value, list):
            object.__setattr__(settings, item.name, tuple(value))


def _check(where: str, settings: Any, bounds: _Bounds) -> None:
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
        for name, (least, greatest) in bounds.items()
        for value in _values(getattr(settings, name))
        if not least <= value <= greatest
    ]
    if faults:
        raise UserErrors(where, faults)


def _values(setting: float | Range) -> Range | tuple[float]:
    """The ends of a range, or the one value of a setting that is no range."""
    return setting if isinstance(setting, tuple) else (setting,)
