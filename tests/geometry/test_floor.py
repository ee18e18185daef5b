"""The floor that a camera sees, in a box whose measures are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toolkit.geometry.floor import find_floor
from toolkit.utils.arrays import Array

HEIGHT = 1.5  # m from the camera down to the floor


def hall(table: float = 0.0, pitch: float = 0.0, noise: float = 0.0) -> Array:
    """Points (N, 3) of a floor, a back wall and a table top of this share, seen by a camera pitched down [deg]."""
    rng = np.random.default_rng(1)
    x, z = rng.uniform(-2, 2, 300), rng.uniform(1.5, 5, 300)
    floor = np.stack([x, np.full(300, HEIGHT), z], axis=-1)
    wall = np.stack([x, rng.uniform(-1, HEIGHT, 300), np.full(300, 5.0)], axis=-1)
    top = np.stack([x, np.full(300, 0.7), z / 2 + 1], axis=-1)[: int(300 * table)]
    points = np.concatenate([floor, wall, top])
    points = Rotation.from_euler("x", pitch, degrees=True).apply(points)
    return points * np.exp(noise * rng.standard_normal((len(points), 1)))


@pytest.mark.parametrize("pitch", [-20.0, 0.0, 35.0])
def test_the_height_is_that_above_the_floor(pitch: float) -> None:
    floor = find_floor(hall(pitch=pitch), np.random.default_rng(0))
    assert floor is not None
    assert floor.height == pytest.approx(HEIGHT, rel=2e-3)
    assert floor.spread < 0.05
    assert floor.count >= 300


def test_a_table_is_no_floor() -> None:
    floor = find_floor(np.concatenate([hall(table=1.0)[:120], hall(table=1.0)[300:]]), np.random.default_rng(0))
    assert floor is not None
    assert floor.height == pytest.approx(HEIGHT, rel=0.02)


def test_the_errors_of_a_model_are_borne() -> None:
    floor = find_floor(hall(noise=0.05), np.random.default_rng(0))
    assert floor is not None
    assert floor.height == pytest.approx(HEIGHT, rel=0.05)
    assert 0.03 < floor.spread < 0.08


@pytest.mark.parametrize(
    "points",
    [
        np.empty((0, 3)),
        hall()[300:600],  # a wall alone
        hall() * (1, -1, 1),  # the floor is a ceiling
        np.random.default_rng(0).uniform((-2, -2, 1), (2, 2, 9), (400, 3)),
    ],
    ids=["nothing", "a wall", "a ceiling", "a cloud"],
)
def test_where_there_is_no_floor_none_is_found(points: Array) -> None:
    assert find_floor(points, np.random.default_rng(0)) is None
