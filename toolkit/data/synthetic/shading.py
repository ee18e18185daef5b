"""Shades what rays hit in a room, with textures of metric size, a bulb, a lamp on the camera, and contact shadows.

Conventions: see ``toolkit.geometry.camera`` and ``toolkit.data.synthetic.raycast``. Every surface has one kind of
texture, a grid of cells with joints between them: it draws tiles, planks, bricks, drawers, panes and plain paint.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.data.synthetic.raycast import PixelWindow, RayHits, RoomScene, Solid, Triple
from toolkit.utils.arrays import Array, Array32

_SHADOW_REACH = 0.12  # [m] distance over which a solid's contact shadow fades by a factor of e
_SHADOW = 0.55  # the share of the light that is lost where a solid touches the floor
_CORNER_REACH = 0.25  # [m] distance over which the darkening towards the room's edges fades by a factor of e
_CORNER = 0.22  # the share of the light that is lost in an edge of the room
_BULB_REACH = 3.5  # [m] distance from the bulb at which its light has halved
_LAMP_REACH = 2.0  # [m] distance from the camera's lamp at which its light has halved
_BALL_CONTACT = 0.6  # the share of a ball's radius by which its contact shadow is smaller than its outline
_FLOOR_TOLERANCE = 1e-3  # [m] height up to which a point counts as on the floor
_LEAST_FOOTPRINT = 1e-4  # [m] least width of surface that a pixel covers
_PRIMES = np.array([73856093, 19349663, 83492791], dtype=np.uint32)


class Texture(NamedTuple):
    """How a surface looks: cells with joints between them.

    Attributes:
        red: The share of red light that the cells reflect, 0 to 1.
        green: The share of green light.
        blue: The share of blue light.
        joint: The brightness of the joints, relative to that of the cells.
        cell_u: The size of a cell along u [m].
        cell_v: The size of a cell along v [m].
        origin_u: The u coordinate of a joint [m].
        origin_v: The v coordinate of a joint [m].
        stagger: The shift of each row of cells against the row before, in cells.
        joint_width: The width of a joint [m]; 0 for no joints.
        tone: The amplitude of the random brightness of each cell, relative.
        checker: The amplitude by which neighbouring cells are brighter and darker in turn, relative.
        glow: The light that the surface itself sends out, added to the light that falls on it.
    """

    red: float
    green: float
    blue: float
    joint: float = 1.0
    cell_u: float = 1.0
    cell_v: float = 1.0
    origin_u: float = 0.0
    origin_v: float = 0.0
    stagger: float = 0.0
    joint_width: float = 0.0
    tone: float = 0.0
    checker: float = 0.0
    glow: float = 0.0


@dataclass(frozen=True)
class RoomLight:
    """What lights a room; under light of intensity 1, a white surface looks white.

    Attributes:
        bulb: Where the bulb hangs [m, world frame].
        bulb_power: The light of the bulb on a surface close by that faces it.
        lamp_power: The light of the lamp on the camera on a surface close by that faces it.
        ambient: The light that falls everywhere.
        sky: The vector (3,) whose dot product with a surface's normal (world frame) is added to the light, so that the
            faces of a solid differ.
    """

    bulb: Triple
    bulb_power: float
    lamp_power: float
    ambient: float
    sky: Triple


@dataclass(frozen=True, eq=False)
class RoomLook:
    """How a room looks.

    Attributes:
        textures: The texture table (13, T): the fields of one Texture in each column. The first six are the faces of
            the room.
        light: The light that falls on the room's surfaces.
    """

    textures: Array32
    light: RoomLight


def scale_textures(look: RoomLook, surfaces: int, factor: float) -> RoomLook:
    """The same look, with the cells and joints of some textures enlarged.

    Args:
        look: How the room looks.
        surfaces: The number of textures that are changed, from the first one on.
        factor: How many times as large their cells and joints become.
    """
    textures = look.textures.copy()
    for field in ("cell_u", "cell_v", "joint_width"):
        textures[Texture._fields.index(field), :surfaces] *= factor
    return replace(look, textures=textures)


def shade(look: RoomLook, scene: RoomScene, hits: RayHits, eye: Array) -> Array32:
    """The picture (3, H, W), RGB, of what the rays of a camera hit; 1 is white, and brighter values are kept.

    Args:
        look: How the room looks.
        scene: The geometry of the room.
        hits: What the rays of the camera hit.
        eye: The camera centre (3,) [m, world frame].
    """
    texture = dict(zip(Texture._fields, np.take(look.textures, hits.surface, axis=1), strict=True))
    light = _light_on(look.light, scene, hits, eye)
    for solid, window in zip(scene.solids, hits.windows, strict=True):
        _shade_contact(light, hits, solid, window)
    light += texture["glow"]
    light *= _pattern(texture, hits)
    return np.stack([texture["red"], texture["green"], texture["blue"]]) * light


def _light_on(light: RoomLight, scene: RoomScene, hits: RayHits, eye: Array) -> Array32:
    """The light (H, W) that falls on what is hit, by Lambert's cosine law and a damped inverse-square law."""
    total = np.tensordot(np.array(light.sky, dtype=np.float32), hits.normal, axes=1)
    total += light.ambient
    total += _shine(hits, np.array(light.bulb), light.bulb_power, _BULB_REACH)
    total += _shine(hits, eye, light.lamp_power, _LAMP_REACH)
    for axis, (low, high) in enumerate(scene.bounds):
        across = hits.point[axis]
        nearest = np.minimum(across - low, high - across)
        beside = 1 - np.abs(hits.normal[axis])  # a face does not darken itself
        total *= 1 - _CORNER * beside * np.exp(nearest / -_CORNER_REACH)
    return total


def _shine(hits: RayHits, where: Array, power: float, reach: float) -> Array32:
    """The light (H, W) of a point source on what is hit, by Lambert's cosine law.

    Args:
        hits: The surfaces that the rays hit.
        where: The place of the source (3,) [m, world frame].
        power: The light on a surface close by that faces the source.
        reach: The distance at which the light has halved [m].
    """
    towards = where.astype(np.float32)[:, None, None] - hits.point
    squared = (towards * towards).sum(axis=0)
    cosine = (towards * hits.normal).sum(axis=0) / np.sqrt(squared)
    return np.maximum(cosine, 0) * (power / (1 + squared / reach**2))


def _shade_contact(light: Array32, hits: RayHits, solid: Solid, window: PixelWindow) -> None:
    """Darken the light (H, W) on the floor around a solid, within a window of the picture."""
    x, y, z = hits.point[:, *window]
    floor = y > -_FLOOR_TOLERANCE
    if not floor.any():
        return
    away = solid.clearance(x[floor], z[floor])
    if solid.kind == "ball":
        away = away + solid.size[0] / 2 * _BALL_CONTACT
    light[window][floor] *= 1 - _SHADOW * np.exp(np.maximum(away, 0) / -_SHADOW_REACH)


def _pattern(texture: dict[str, Array32], hits: RayHits) -> Array32:
    """The brightness (H, W) of cells and joints relative to the surface's colour, averaged over each pixel.

    Args:
        texture: The fields of the Texture (H, W) that each pixel sees, by name.
        hits: The surfaces that the rays hit.
    """
    row = (hits.v - texture["origin_v"]) / texture["cell_v"]
    row_number = np.floor(row)
    column = (hits.u - texture["origin_u"]) / texture["cell_u"] + texture["stagger"] * row_number
    column_number = np.floor(column)
    joint_u, seen_u = _joints(column - column_number, texture["cell_u"], texture["joint_width"], hits.u)
    joint_v, seen_v = _joints(row - row_number, texture["cell_v"], texture["joint_width"], hits.v)
    i, j = column_number.astype(np.int32), row_number.astype(np.int32)
    tone = texture["tone"] * _noise(i, j, hits.surface) + texture["checker"] * (((i + j) & 1) * 2 - 1)
    cells = 1 + tone * (seen_u * seen_v)
    return cells + (texture["joint"] - cells) * (1 - (1 - joint_u) * (1 - joint_v))


def _joints(place: Array32, cell: Array32, width: Array32, coordinate: Array32) -> tuple[Array32, Array32]:
    """The share (H, W) of each pixel that joints cover, and how well single cells can be seen (H, W), 0 to 1.

    Args:
        place: The place (H, W) of the pixel's centre in its cell, 0 to 1.
        cell: The size (H, W) of a cell [m].
        width: The width (H, W) of a joint [m].
        coordinate: u or v (H, W) [m]; its step from pixel to pixel is the width over which a pixel averages.
    """
    footprint = np.full_like(coordinate, _LEAST_FOOTPRINT)
    step = np.abs(np.diff(coordinate, axis=1))
    footprint[:, :-1] += step
    footprint[:, -1] += step[:, -1]
    step = np.abs(np.diff(coordinate, axis=0))
    footprint[:-1] += step
    footprint[-1] += step[-1]
    nearest = np.minimum(place, 1 - place) * cell
    covered = np.clip((width + footprint) / 2 - nearest, 0, np.minimum(width, footprint)) / footprint
    seen = np.clip(2 - 2 * footprint / cell, 0, 1)
    return covered * seen + width / cell * (1 - seen), seen


def _noise(i: NDArray[np.int32], j: NDArray[np.int32], k: NDArray[np.intp]) -> Array32:
    """For each triple of numbers (H, W), a number from -1 to 1 that looks random and is the same on every machine.

    Source: Teschner et al. 2003, "Optimized Spatial Hashing", section 4 (the three primes); the
    multiplication and shift after it spread the low bits.
    """
    mixed = i.view(np.uint32) * _PRIMES[0] ^ j.view(np.uint32) * _PRIMES[1] ^ k.astype(np.uint32) * _PRIMES[2]
    mixed = (mixed ^ mixed >> np.uint32(15)) * _PRIMES[0]
    return (mixed >> np.uint32(8)).astype(np.float32) * np.float32(2**-23) - 1
