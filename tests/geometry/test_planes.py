"""Planes among points that a camera sees."""

import numpy as np
import pytest

from toolkit.geometry.camera import Camera
from toolkit.geometry.planes import find_planes, largest_plane

CAMERA = Camera(100.0, 100.0, 79.5, 59.5, 160, 120)


def test_a_wall_among_clutter_is_found() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.uniform((0, 0), (159, 119), (300, 2))
    rays = CAMERA.rays(pixels)
    normal = np.array([0.1, -0.2, 0.4])
    depth_z = 1 / (rays @ normal)
    depth_z[200:] = rng.uniform(1, 9, 100)
    plane = find_planes(rays, depth_z, rng, tolerance=1e-3, count=1)[0]
    np.testing.assert_allclose(plane.normal, normal, rtol=1e-6)
    assert plane.members[:200].all()
    assert plane.members[200:].sum() <= 3
    assert plane.distance == pytest.approx(1 / np.sqrt(0.21))


def test_points_that_are_unknown_are_on_no_plane() -> None:
    rays = CAMERA.rays(np.random.default_rng(0).uniform(0, 100, (40, 2)))
    depth_z = np.full(40, 2.0)
    depth_z[:10] = np.nan
    plane = find_planes(rays, depth_z, np.random.default_rng(0))[0]
    np.testing.assert_array_equal(plane.members, np.arange(40) >= 10)
    assert find_planes(rays[:5], depth_z[:5], np.random.default_rng(0)) == []


def test_only_wanted_planes_are_found() -> None:
    rng = np.random.default_rng(0)
    rays = CAMERA.rays(rng.uniform((0, 0), (159, 119), (200, 2)))
    wall, slope = np.array([0.0, 0.0, 0.25]), np.array([0.0, 0.3, 0.25])
    points = np.concatenate([rays[:150] / (rays[:150] @ wall)[:, None], rays[150:] / (rays[150:] @ slope)[:, None]])
    np.testing.assert_allclose(largest_plane(points, rng, 1e-3), wall, atol=1e-9)
    found = largest_plane(points, rng, 1e-3, lambda normals: normals[:, 1] > 0.2)
    np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-9)
    assert not largest_plane(points, rng, 1e-3, lambda normals: np.zeros(len(normals), dtype=bool)).any()
