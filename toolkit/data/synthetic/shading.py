"""Shades what rays hit in a room: textures of metric size, a bulb, a lamp on the camera, contact shadows.

Conventions: see ``toolkit.geometry.camera`` and ``toolkit.data.synthetic.raycast``. Every surface is drawn by one kind
of texture, a grid of cells with joints between them: tiles, planks, bricks, drawers, panes and plain paint.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.data.synthetic.raycast import Floats, Hits, Scene, Solid, Triple, Window
from toolkit.utils.arrays import Array

_SHADOW_REACH = 0.12  # [m] over which a solid's contact shadow fades by e


_SHADOW = 0.55  # share of the light that is lost where a solid touches the floor


_CORNER_REACH = 0.25  # [m] over which the darkening towards the room's edges fades by e


_CORNER = 0.22  # share of the light that is lost in an edge of the room


_BULB_REACH = 3.5  # [m] from the bulb, where its light has halved


_LAMP_REACH = 2.0  # [m] from the camera's lamp, where its light has halved


_BALL_CONTACT = 0.6  # share of a ball's radius by which its contact shadow is smaller than its outline


_FLOOR_TOLERANCE = 1e-3  # [m] above the floor, still taken for the floor


_LEAST_FOOTPRINT = 1e-4  # [m] that a pixel covers at least


_PRIMES = np.array([73856093, 19349663, 83492791], dtype=np.uint32)


class Texture(NamedTuple):
    """How a surface looks: cells of cell_u x cell_v with joints between them.

    Attributes:
        red: Reflectance, 0 to 1; so are green and blue.
        joint: Brightness of the joints, relative to the cells.
        cell_u: Cell size along u [m]; cell_v along v.
        origin_u: Where a joint lies [m]; origin_v along v.
        stagger: Shift of each row of cells against the one before, in cells.
        joint_width: Width of a joint [m]; 0 for none.
        tone: Amplitude of the random brightness of each cell, relative.
        checker: Amplitude of the alternation of neighbouring cells, relative.
        glow: Light of its own, added to what falls on it.
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
class Light:
    """What lights a room; intensities are relative to 1, which shows a white surface as white.

    Attributes:
        bulb: Where it hangs, world frame [m].
        bulb_power: Light of the bulb on a surface close by that faces it.
        lamp_power: Light of a lamp on the camera, likewise.
        ambient: Light that falls everywhere.
        sky: (3,) added per unit of a surface's normal, so that faces of a solid differ.
    """

    bulb: Triple
    bulb_power: float
    lamp_power: float
    ambient: float
    sky: Triple


@dataclass(frozen=True, eq=False)
class Look:
    """How a scene looks.

    Attributes:
        textures: (13, T), one column a Texture; the first six belong to the room's faces.
        light: What lights it.
    """

    textures: Floats
    light: Light


def scaled(look: Look, surfaces: int, factor: float) -> Look:
    """The same look, with the cells and joints of the first ``surfaces`` textures ``factor`` times as large."""
    textures = look.textures.copy()
    for field in ("cell_u", "cell_v", "joint_width"):
        textures[Texture._fields.index(field), :surfaces] *= factor
    return replace(look, textures=textures)


def shade(look: Look, scene: Scene, hits: Hits, eye: Array) -> Floats:
    """The picture (3, H, W), seen from ``eye`` (3,) [m, world frame]; 1 is white, brighter is not cut off."""
    texture = dict(zip(Texture._fields, np.take(look.textures, hits.surface, axis=1), strict=True))
    light = _lit(look.light, scene, hits, eye)
    for solid, window in zip(scene.solids, hits.windows, strict=True):
        _shade_contact(light, hits, solid, window)
    light += texture["glow"]
    light *= _pattern(texture, hits)
    return np.stack([texture["red"], texture["green"], texture["blue"]]) * light


def _lit(light: Light, scene: Scene, hits: Hits, eye: Array) -> Floats:
    """Light (H, W) on what is hit: Lambert's cosine law, with inverse squares that saturate close by."""
    total = np.tensordot(np.array(light.sky, dtype=np.float32), hits.normal, axes=1)
    total += light.ambient
    total += _shine(hits, np.array(light.bulb), light.bulb_power, _BULB_REACH)
    total += _shine(hits, eye, light.lamp_power, _LAMP_REACH)
    for axis, (low, high) in enumerate(_bounds(scene.size)):
        across = hits.point[axis]
        nearest = np.minimum(across - low, high - across)
        beside = 1 - np.abs(hits.normal[axis])  # a face is not darkened by itself
        total *= 1 - _CORNER * beside * np.exp(nearest / -_CORNER_REACH)
    return total


def _bounds(size: Triple) -> list[tuple[float, float]]:
    """From, to [m] of a room along world x, y, z."""
    width, height, depth = size
    return [(-width / 2, width / 2), (-height, 0.0), (-depth / 2, depth / 2)]


def _shine(hits: Hits, where: Array, power: float, reach: float) -> Floats:
    """Light (H, W) of a point source at ``where`` (3,) [m, world frame] that halves at ``reach`` [m]."""
    towards = where.astype(np.float32)[:, None, None] - hits.point
    squared = (towards * towards).sum(axis=0)
    cosine = (towards * hits.normal).sum(axis=0) / np.sqrt(squared)
    return np.maximum(cosine, 0) * (power / (1 + squared / reach**2))


def _shade_contact(light: Floats, hits: Hits, solid: Solid, window: Window) -> None:
    """Darken the floor around a solid within a window of the picture."""
    x, y, z = hits.point[:, *window]
    floor = y > -_FLOOR_TOLERANCE
    if not floor.any():
        return
    away = solid.clearance(x[floor], z[floor])
    if solid.kind == "ball":
        away = away + solid.size[0] / 2 * _BALL_CONTACT
    light[window][floor] *= 1 - _SHADOW * np.exp(np.maximum(away, 0) / -_SHADOW_REACH)


def _pattern(texture: dict[str, Floats], hits: Hits) -> Floats:
    """Brightness (H, W) of the cells and joints, relative to the surface's colour, averaged over a pixel."""
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


def _joints(place: Floats, cell: Floats, width: Floats, coordinate: Floats) -> tuple[Floats, Floats]:
    """Share (H, W) of each pixel that a joint covers, and how far single cells are seen, 0 to 1.

    Args:
        place: Where in its cell the pixel's centre is, 0 to 1.
        cell: Cell size [m].
        width: Joint width [m].
        coordinate: u or v [m]; its step from pixel to pixel is the width that a pixel averages over.
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


def _noise(i: NDArray[np.int32], j: NDArray[np.int32], k: NDArray[np.intp]) -> Floats:
    """A number from -1 to 1 that looks random, for each triple; the same on every machine.

    Source: Teschner et al. 2003, "Optimized Spatial Hashing", section 4 (the three primes); the
    multiplication and shift after it spread the low bits.
    """
    mixed = i.view(np.uint32) * _PRIMES[0] ^ j.view(np.uint32) * _PRIMES[1] ^ k.astype(np.uint32) * _PRIMES[2]
    mixed = (mixed ^ mixed >> np.uint32(15)) * _PRIMES[0]
    return (mixed >> np.uint32(8)).astype(np.float32) * np.float32(2**-23) - 1
