"""Furnishes a room with solids of household sizes, doors, windows and skirting boards, and draws how all of it looks.

Conventions: see ``toolkit.geometry.camera`` and ``toolkit.data.synthetic.raycast``. Colours have a moderate saturation,
so that no surface can be taken for a marker.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from toolkit.data.synthetic.raycast import CEILING, FACES, FLOOR, FacePatch, RoomScene, Solid, Triple
from toolkit.data.synthetic.settings import Range
from toolkit.data.synthetic.shading import RoomLight, RoomLook, Texture

SATURATION = 0.38
"""The greatest saturation of a solid's colour (HSV)."""

_CALM = 0.2  # the greatest saturation of the faces of the room
_PALE = 0.06  # the greatest saturation of ceilings and windows
_ATTEMPTS = 3  # places that are tried for each solid that is wanted
_GAP = 0.1  # [m] least gap between the circles around two solids
_DOOR = (0.85, 2.03)  # [m] width, height
_WINDOW = (1.2, 1.2, 0.9)  # [m] width, height, sill above the floor
_ENDLESS = 100.0  # [m] size of a cell that is so large that no joint is seen
_BULB_DROP = 0.3  # [m] distance of the bulb below the ceiling
_BULB_SPREAD = 0.7  # share of the room's width and depth over which the bulb may hang
_SKIRTING = 0.1  # [m] height of the skirting boards


@dataclass(frozen=True)
class FurnitureKind:
    """A kind of furniture.

    Attributes:
        shape: The shape of its solid.
        width: The range of its extent along its own x axis [m]; for a cylinder or a ball, of its diameter.
        height: The range of its height [m]; not used for a ball.
        depth: The range of its extent along its own z axis [m]; not used for a cylinder or a ball.
        rows: The number of rows of drawers, shelves or slats that its sides show.
        at_wall: Whether it stands with its back to a wall.
    """

    shape: Literal["box", "cylinder", "ball"]
    width: Range
    height: Range
    depth: Range = (0.0, 0.0)
    rows: int = 1
    at_wall: bool = False


FURNITURE = (
    FurnitureKind("box", (0.8, 1.2), (1.8, 2.1), (0.45, 0.6), rows=1, at_wall=True),  # wardrobe
    FurnitureKind("box", (0.8, 1.0), (1.6, 2.0), (0.3, 0.35), rows=5, at_wall=True),  # shelf
    FurnitureKind("box", (0.8, 1.2), (0.75, 0.95), (0.42, 0.5), rows=3, at_wall=True),  # chest of drawers
    FurnitureKind("box", (0.6, 0.6), (0.85, 0.85), (0.6, 0.6), rows=1, at_wall=True),  # washing machine
    FurnitureKind("box", (1.2, 1.8), (0.72, 0.76), (0.7, 0.9)),  # table
    FurnitureKind("box", (1.5, 2.2), (0.4, 0.48), (0.8, 0.95)),  # sofa, bed
    FurnitureKind("box", (0.3, 0.6), (0.25, 0.5), (0.3, 0.45), rows=4),  # crate
    FurnitureKind("box", (0.4, 0.5), (0.42, 0.48), (0.4, 0.5)),  # stool
    FurnitureKind("cylinder", (0.25, 0.35), (0.3, 0.6)),  # bin
    FurnitureKind("cylinder", (0.45, 0.8), (0.42, 0.55)),  # side table
    FurnitureKind("cylinder", (0.5, 0.6), (0.85, 0.9), rows=3),  # barrel
    FurnitureKind("cylinder", (0.25, 0.35), (1.6, 2.1)),  # post
    FurnitureKind("ball", (0.22, 0.75), (0.0, 0.0), rows=2),  # ball
)


@dataclass(frozen=True)
class RoomSpace:
    """A room to be furnished.

    Attributes:
        size: The extent of the room along world x, y, z [m].
        eye: World x and z [m] of the place from which the first view is taken.
        away: The horizontal distance [m] around this place that is left free.
    """

    size: Triple
    eye: tuple[float, float]
    away: float


def furnish(rng: np.random.Generator, space: RoomSpace, objects: tuple[int, int]) -> tuple[RoomScene, RoomLook]:
    """A room with solids in it, and how it looks.

    Args:
        rng: Draws everything.
        space: The room.
        objects: The range of the number of solids that are wanted; there are fewer if there is no space for more.

    Returns:
        The geometry of the furnished room, and how it looks.
    """
    accent, wall = _wall(rng), _wall(rng)
    textures = [accent] + [wall] * (FACES - 1)
    textures[CEILING], textures[FLOOR] = _ceiling(rng), _floor(rng)
    patches = _patches(rng, space.size, textures)
    solids = _solids(rng, space, objects, textures)
    table = np.array(textures, dtype=np.float32).T.copy()
    return RoomScene(space.size, tuple(solids), tuple(patches)), RoomLook(table, _light(rng, space.size))


def _pick(rng: np.random.Generator, choices: tuple[float, ...]) -> float:
    return choices[rng.integers(len(choices))]


def _colour(rng: np.random.Generator, brightness: Range, saturation: float) -> Triple:
    """A random colour (red, green, blue), each from 0 to 1 (HSV: Smith 1978, "Color gamut transform pairs").

    Args:
        rng: Draws hue, saturation and brightness.
        brightness: The range of the brightness (the V of HSV), 0 to 1.
        saturation: The greatest saturation (the S of HSV), 0 to 1.
    """
    hue, strength, level = rng.random(3).tolist()
    value = brightness[0] + level * (brightness[1] - brightness[0])
    k = [(n + 6 * hue) % 6 for n in (5, 3, 1)]
    red, green, blue = (value * (1 - saturation * strength * max(0.0, min(x, 4 - x, 1.0))) for x in k)
    return red, green, blue


def _floor(rng: np.random.Generator) -> Texture:
    """The texture of a floor: planks, or tiles that may be chequered."""
    colour = _colour(rng, (0.45, 0.9), _CALM)
    if rng.random() < 0.35:
        width = _pick(rng, (0.1, 0.14, 0.19))
        return Texture(*colour, joint=0.5, cell_u=1.2, cell_v=width, stagger=0.37, joint_width=0.008, tone=0.16)
    cell = _pick(rng, (0.2, 0.3, 0.45, 0.6))
    checker = _pick(rng, (0.0, 0.0, 0.12, 0.2))
    joint = _pick(rng, (0.5, 1.35))
    return Texture(*colour, joint, cell, cell, joint_width=0.012, tone=0.06, checker=checker)


def _wall(rng: np.random.Generator) -> Texture:
    """The texture of a wall: bricks, tiles, wallpaper stripes, panels or plain paint."""
    colour = _colour(rng, (0.55, 0.95), _CALM)
    style = rng.integers(5)
    if style == 0:
        return Texture(*colour, 1.25, cell_u=0.25, cell_v=0.083, stagger=0.5, joint_width=0.012, tone=0.14)
    if style == 1:
        return Texture(*colour, 0.75, cell_u=0.2, cell_v=0.2, joint_width=0.006, tone=0.04)
    if style == 2:
        return Texture(*colour, cell_u=0.26, cell_v=_ENDLESS, checker=0.07)
    if style == 3:
        return Texture(*colour, 0.7, cell_u=0.9, cell_v=_ENDLESS, joint_width=0.015)
    return Texture(*colour)


def _ceiling(rng: np.random.Generator) -> Texture:
    """The texture of a ceiling: panels of 0.6 m, or plain paint."""
    colour = _colour(rng, (0.8, 1.0), _PALE)
    if rng.random() < 0.5:
        return Texture(*colour, 0.7, cell_u=0.6, cell_v=0.6, joint_width=0.02)
    return Texture(*colour)


def _patches(rng: np.random.Generator, size: Triple, textures: list[Texture]) -> list[FacePatch]:
    """A skirting board on each wall, and a door, a window or neither; their textures are appended to ``textures``."""
    textures.append(Texture(*_colour(rng, (0.3, 0.95), _CALM)))
    skirting = len(textures) - 1
    patches = []
    for face in (0, 1, 4, 5):
        half = size[2 if face < 2 else 0] / 2
        patches.append(FacePatch(face, (-half, half), (-_SKIRTING, 0.0), skirting))
        style = rng.integers(3)
        width, bottom, height = (_DOOR[0], 0.0, _DOOR[1]) if style == 0 else (_WINDOW[0], -_WINDOW[2], _WINDOW[1])
        if style == 2 or 2 * half < width + 2 * _GAP:
            continue
        left = rng.uniform(-half + _GAP, half - _GAP - width)
        textures.append((_door if style == 0 else _window)(rng, left, bottom))
        patches.append(FacePatch(face, (left, left + width), (bottom - height, bottom), len(textures) - 1))
    return patches


def _door(rng: np.random.Generator, left: float, bottom: float) -> Texture:
    colour = _colour(rng, (0.4, 0.9), SATURATION)
    return Texture(*colour, 0.6, *_DOOR, left, bottom, joint_width=0.12)


def _window(rng: np.random.Generator, left: float, bottom: float) -> Texture:
    colour = _colour(rng, (0.8, 0.95), _PALE)
    width, height, _ = _WINDOW
    return Texture(*colour, 0.55, width / 2, height / 2, left, bottom, joint_width=0.08, glow=0.5)


def _solids(
    rng: np.random.Generator, space: RoomSpace, objects: tuple[int, int], textures: list[Texture]
) -> list[Solid]:
    """Solids that stand apart and leave the place of the first view free; adds their textures to ``textures``."""
    wanted = int(rng.integers(objects[0], objects[1] + 1))
    solids: list[Solid] = []
    for _ in range(_ATTEMPTS * wanted):
        kind = FURNITURE[rng.integers(len(FURNITURE))]
        solid = _place_solid(rng, kind, space.size, len(textures))
        if _fits(solid, space, solids):
            solids.append(solid)
            textures += _solid_textures(rng, solid, kind.rows)
        if len(solids) == wanted:
            break
    return solids


def _place_solid(rng: np.random.Generator, kind: FurnitureKind, size: Triple, texture: int) -> Solid:
    """A solid of this kind somewhere in a room.

    Args:
        rng: Draws its size and its place.
        kind: The kind of furniture.
        size: The extent of the room along world x, y, z [m].
        texture: The row of the texture table for the first of the solid's three textures.
    """
    draws = rng.random(7).tolist()
    width, height, depth = (
        low + draw * (high - low)
        for draw, (low, high) in zip(draws, (kind.width, kind.height, kind.depth), strict=False)
    )
    extent = {
        "box": (width, min(height, size[1]), depth),
        "cylinder": (width, min(height, size[1]), width),
        "ball": (width, width, width),
    }[kind.shape]
    across, along, side = 2 * draws[3] - 1, 2 * draws[4] - 1, 1 if draws[5] < 0.5 else -1
    half_x, half_z = size[0] / 2, size[2] / 2
    rows = (texture, texture + 1, texture + 2)
    if not kind.at_wall:
        edge = _radius(extent)
        return Solid(kind.shape, across * (half_x - edge), along * (half_z - edge), 360 * draws[6], extent, rows)
    if draws[6] < half_x / (half_x + half_z):
        return Solid(kind.shape, across * (half_x - width / 2), side * (half_z - depth / 2), 0.0, extent, rows)
    return Solid(kind.shape, side * (half_x - depth / 2), along * (half_z - width / 2), 90.0, extent, rows)


def _fits(solid: Solid, space: RoomSpace, others: list[Solid]) -> bool:
    """Whether a solid fits into the room, apart from the others, and leaves the place of the first view free."""
    here = _radius(solid.size)
    if 2 * here > min(space.size[0], space.size[2]):
        return False
    for other in others:
        if math.hypot(solid.x - other.x, solid.z - other.z) < here + _radius(other.size) + _GAP:
            return False
    x, z = np.array(space.eye)
    return bool(solid.clearance(x, z) >= space.away)


def _radius(size: Triple) -> float:
    """The radius [m] of the horizontal circle that holds a solid of this size, however the solid is turned."""
    return math.hypot(size[0], size[2]) / 2


def _solid_textures(rng: np.random.Generator, solid: Solid, rows: int) -> list[Texture]:
    """The textures of the faces across a solid's own x, y and z axes, with joints along its edges."""
    red, green, blue = _colour(rng, (0.35, 0.95), SATURATION)
    width, height, depth = solid.size
    if solid.kind == "ball":
        side = Texture(red, green, blue, cell_u=math.pi * width / 6, cell_v=height / rows, checker=0.15)
        return [side, side, side]
    plain = Texture(red, green, blue, 0.55, joint_width=0.03, origin_v=height / 2, cell_v=height / rows)
    if solid.kind == "cylinder":
        side = plain._replace(cell_u=_ENDLESS, origin_u=_ENDLESS / 2)
        return [side, Texture(red, green, blue), side]
    top = Texture(red, green, blue, 0.8, width, depth, width / 2, depth / 2, joint_width=0.03)
    ends = plain._replace(cell_u=depth, origin_u=depth / 2, cell_v=height)
    return [ends, top, plain._replace(cell_u=width, origin_u=width / 2)]


def _light(rng: np.random.Generator, size: Triple) -> RoomLight:
    """A bulb below the ceiling, a weak lamp on the camera, and a light from above that favours some faces at random."""
    x, z, bulb, lamp, ambient, sky_x, sky_z = rng.random(7).tolist()
    return RoomLight(
        bulb=((x - 0.5) * size[0] * _BULB_SPREAD, -size[1] + _BULB_DROP, (z - 0.5) * size[2] * _BULB_SPREAD),
        bulb_power=0.4 + 0.4 * bulb,
        lamp_power=0.2 + 0.25 * lamp,
        ambient=0.35 + 0.2 * ambient,
        sky=(0.2 * sky_x - 0.1, -0.1, 0.2 * sky_z - 0.1),
    )
