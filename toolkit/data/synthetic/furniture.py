"""Furnishes a room: solids of household sizes, doors, windows, skirting boards, and how all of it looks.

Conventions: see ``toolkit.geometry.camera`` and ``toolkit.data.synthetic.raycast``. Colours are of moderate saturation,
so that no surface is taken for a marker.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from toolkit.data.synthetic.raycast import CEILING, FACES, FLOOR, Patch, Scene, Solid, Triple
from toolkit.data.synthetic.shading import Light, Look, Texture

Range = tuple[float, float]


SATURATION = 0.38  # of a solid's colour, at most (HSV)


_CALM = 0.2  # the same for the faces of the room


_PALE = 0.06  # the same for ceilings and windows


_ATTEMPTS = 3  # places drawn per solid that is wanted


_GAP = 0.1  # [m] between the circles around two solids


_DOOR = (0.85, 2.03)  # [m] width, height


_WINDOW = (1.2, 1.2, 0.9)  # [m] width, height, sill above the floor


_ENDLESS = 100.0  # [m] a cell that shows no joint


_BULB_DROP = 0.3  # [m] of the bulb below the ceiling


_BULB_SPREAD = 0.7  # share of the room's extent over which the bulb may hang


_SKIRTING = 0.1  # [m] height of the skirting board


@dataclass(frozen=True)
class Kind:
    """A kind of furniture.

    Attributes:
        shape: Its solid.
        width: Range of its extent along its own x [m]; the diameter of a cylinder or a ball.
        height: Range [m]; ignored for a ball.
        depth: Range of its extent along its own z [m]; ignored for a cylinder or a ball.
        rows: How many rows of drawers, shelves or slats its sides show.
        at_wall: Whether it stands with its back to a wall.
    """

    shape: Literal["box", "cylinder", "ball"]
    width: Range
    height: Range
    depth: Range = (0.0, 0.0)
    rows: int = 1
    at_wall: bool = False


KINDS = (
    Kind("box", (0.8, 1.2), (1.8, 2.1), (0.45, 0.6), rows=1, at_wall=True),  # wardrobe
    Kind("box", (0.8, 1.0), (1.6, 2.0), (0.3, 0.35), rows=5, at_wall=True),  # shelf
    Kind("box", (0.8, 1.2), (0.75, 0.95), (0.42, 0.5), rows=3, at_wall=True),  # chest of drawers
    Kind("box", (0.6, 0.6), (0.85, 0.85), (0.6, 0.6), rows=1, at_wall=True),  # washing machine
    Kind("box", (1.2, 1.8), (0.72, 0.76), (0.7, 0.9)),  # table
    Kind("box", (1.5, 2.2), (0.4, 0.48), (0.8, 0.95)),  # sofa, bed
    Kind("box", (0.3, 0.6), (0.25, 0.5), (0.3, 0.45), rows=4),  # crate
    Kind("box", (0.4, 0.5), (0.42, 0.48), (0.4, 0.5)),  # stool
    Kind("cylinder", (0.25, 0.35), (0.3, 0.6)),  # bin
    Kind("cylinder", (0.45, 0.8), (0.42, 0.55)),  # side table
    Kind("cylinder", (0.5, 0.6), (0.85, 0.9), rows=3),  # barrel
    Kind("cylinder", (0.25, 0.35), (1.6, 2.1)),  # post
    Kind("ball", (0.22, 0.75), (0.0, 0.0), rows=2),  # ball
)


@dataclass(frozen=True)
class Space:
    """A room to be furnished.

    Attributes:
        size: Extent along world x, y, z [m].
        eye: Where the first view is taken from, world x and z [m].
        away: Space in plan that is left free around it [m].
    """

    size: Triple
    eye: tuple[float, float]
    away: float


def furnish(rng: np.random.Generator, space: Space, objects: tuple[int, int]) -> tuple[Scene, Look]:
    """A room with solids in it, and how it looks.

    Args:
        rng: Draws everything.
        space: The room.
        objects: Range of the number of solids wanted; fewer stand where there is no space for more.
    """
    accent, wall = _wall(rng), _wall(rng)
    textures = [accent] + [wall] * (FACES - 1)
    textures[CEILING], textures[FLOOR] = _ceiling(rng), _floor(rng)
    patches = _patches(rng, space.size, textures)
    solids = _solids(rng, space, objects, textures)
    table = np.array(textures, dtype=np.float32).T.copy()
    return Scene(space.size, tuple(solids), tuple(patches)), Look(table, _light(rng, space.size))


def _pick(rng: np.random.Generator, choices: tuple[float, ...]) -> float:
    return choices[rng.integers(len(choices))]


def _colour(rng: np.random.Generator, brightness: Range, saturation: float) -> Triple:
    """A colour of moderate saturation (HSV; Smith 1978, "Color gamut transform pairs")."""
    hue, strength, level = rng.random(3).tolist()
    value = brightness[0] + level * (brightness[1] - brightness[0])
    k = [(n + 6 * hue) % 6 for n in (5, 3, 1)]
    red, green, blue = (value * (1 - saturation * strength * max(0.0, min(x, 4 - x, 1.0))) for x in k)
    return red, green, blue


def _floor(rng: np.random.Generator) -> Texture:
    """Tiles, chequered or not, or planks."""
    colour = _colour(rng, (0.45, 0.9), _CALM)
    if rng.random() < 0.35:
        width = _pick(rng, (0.1, 0.14, 0.19))
        return Texture(*colour, joint=0.5, cell_u=1.2, cell_v=width, stagger=0.37, joint_width=0.008, tone=0.16)
    cell = _pick(rng, (0.2, 0.3, 0.45, 0.6))
    checker = _pick(rng, (0.0, 0.0, 0.12, 0.2))
    joint = _pick(rng, (0.5, 1.35))
    return Texture(*colour, joint, cell, cell, joint_width=0.012, tone=0.06, checker=checker)


def _wall(rng: np.random.Generator) -> Texture:
    """Bricks, tiles, wallpaper stripes, panels or plain paint."""
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
    """Panels of 0.6 m, or plain paint."""
    colour = _colour(rng, (0.8, 1.0), _PALE)
    if rng.random() < 0.5:
        return Texture(*colour, 0.7, cell_u=0.6, cell_v=0.6, joint_width=0.02)
    return Texture(*colour)


def _patches(rng: np.random.Generator, size: Triple, textures: list[Texture]) -> list[Patch]:
    """Skirting boards, and on each wall a door, a window or neither; appends to ``textures``."""
    textures.append(Texture(*_colour(rng, (0.3, 0.95), _CALM)))
    skirting = len(textures) - 1
    patches = []
    for face in (0, 1, 4, 5):
        half = size[2 if face < 2 else 0] / 2
        patches.append(Patch(face, (-half, half), (-_SKIRTING, 0.0), skirting))
        style = rng.integers(3)
        width, bottom, height = (_DOOR[0], 0.0, _DOOR[1]) if style == 0 else (_WINDOW[0], -_WINDOW[2], _WINDOW[1])
        if style == 2 or 2 * half < width + 2 * _GAP:
            continue
        left = rng.uniform(-half + _GAP, half - _GAP - width)
        textures.append((_door if style == 0 else _window)(rng, left, bottom))
        patches.append(Patch(face, (left, left + width), (bottom - height, bottom), len(textures) - 1))
    return patches


def _door(rng: np.random.Generator, left: float, bottom: float) -> Texture:
    colour = _colour(rng, (0.4, 0.9), SATURATION)
    return Texture(*colour, 0.6, *_DOOR, left, bottom, joint_width=0.12)


def _window(rng: np.random.Generator, left: float, bottom: float) -> Texture:
    colour = _colour(rng, (0.8, 0.95), _PALE)
    width, height, _ = _WINDOW
    return Texture(*colour, 0.55, width / 2, height / 2, left, bottom, joint_width=0.08, glow=0.5)


def _solids(rng: np.random.Generator, space: Space, objects: tuple[int, int], textures: list[Texture]) -> list[Solid]:
    """Solids that stand apart from each other and leave ``space`` free; appends to ``textures``."""
    wanted = int(rng.integers(objects[0], objects[1] + 1))
    solids: list[Solid] = []
    for _ in range(_ATTEMPTS * wanted):
        kind = KINDS[rng.integers(len(KINDS))]
        solid = _placed(rng, kind, space.size, len(textures))
        if _fits(solid, space, solids):
            solids.append(solid)
            textures += _faces(rng, solid, kind.rows)
        if len(solids) == wanted:
            break
    return solids


def _placed(rng: np.random.Generator, kind: Kind, size: Triple, texture: int) -> Solid:
    """A solid of that kind somewhere in the room; ``texture`` is the row of the first of its three."""
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


def _fits(solid: Solid, space: Space, others: list[Solid]) -> bool:
    """Whether a solid fits into the room, apart from the others, and leaves the space around the eye."""
    here = _radius(solid.size)
    if 2 * here > min(space.size[0], space.size[2]):
        return False
    for other in others:
        if math.hypot(solid.x - other.x, solid.z - other.z) < here + _radius(other.size) + _GAP:
            return False
    x, z = np.array(space.eye)
    return bool(solid.clearance(x, z) >= space.away)


def _radius(size: Triple) -> float:
    """Of a circle in plan that a solid of that size fits into, however it is turned [m]."""
    return math.hypot(size[0], size[2]) / 2


def _faces(rng: np.random.Generator, solid: Solid, rows: int) -> list[Texture]:
    """Textures for the faces across a solid's own x, y and z, with joints along its edges."""
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


def _light(rng: np.random.Generator, size: Triple) -> Light:
    """A bulb below the ceiling, a weak lamp on the camera, and a sky that favours faces at random."""
    x, z, bulb, lamp, ambient, sky_x, sky_z = rng.random(7).tolist()
    return Light(
        bulb=((x - 0.5) * size[0] * _BULB_SPREAD, -size[1] + _BULB_DROP, (z - 0.5) * size[2] * _BULB_SPREAD),
        bulb_power=0.4 + 0.4 * bulb,
        lamp_power=0.2 + 0.25 * lamp,
        ambient=0.35 + 0.2 * ambient,
        sky=(0.2 * sky_x - 0.1, -0.1, 0.2 * sky_z - 0.1),
    )
