"""Tests of ``toolkit.qa.query``: points and relative poses by hand."""

from pathlib import Path

import numpy as np
import pytest

from toolkit.data.frames.frame import Frame, ImageFile
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.qa.canonical_view import View
from toolkit.qa.query import Query, point_in
from toolkit.utils.arrays import Array

CAMERA = Camera(100.0, 100.0, 50.0, 40.0, 101, 81)


def view(pose: Array | None = None) -> View:
    return View(Frame(ImageFile(Path("a.png")), CAMERA, None, pose), np.zeros((81, 101, 3), np.uint8), CAMERA)


def moved(x: float, y: float, z: float) -> Array:
    pose = np.eye(4)
    pose[:3, 3] = (x, y, z)
    return pose


def test_a_point_by_hand() -> None:
    point = point_in(view(), "red", [350, 440], 2.0, index=1)
    assert point.xyz.tolist() == [6.0, 8.0, 2.0]
    assert (point.name, point.depth_z, point.view) == ("red", 2.0, 1)
    assert point.distance == pytest.approx(104**0.5)
    assert point.pixel.tolist() == [350.0, 440.0]


def test_a_point_without_depth_is_nan() -> None:
    point = point_in(view(), "red", [3, 4])
    assert np.isnan([point.depth_z, point.distance, *point.xyz]).all()


def test_the_second_camera_in_the_first_ones_frame_by_hand() -> None:
    # The first camera looks along world x (its z), its x is world -y; the second stands 3 m along world x.
    first = np.array([[0, 0, 1, 1], [-1, 0, 0, 2], [0, -1, 0, 0], [0, 0, 0, 1]], float)
    second = first.copy()
    second[0, 3] = 4
    relative = Query((view(first), view(second))).first_from_second
    np.testing.assert_allclose(relative, moved(0, 0, 3), atol=1e-12)


def test_it_does_not_change_with_the_world_frame() -> None:
    world = np.array([[0, -1, 0, 5], [1, 0, 0, -7], [0, 0, 1, 2], [0, 0, 0, 1]], float)
    one, two = moved(1, 2, 3), moved(-1, 0, 2)
    plain = Query((view(one), view(two))).first_from_second
    np.testing.assert_allclose(Query((view(world @ one), view(world @ two))).first_from_second, plain, atol=1e-12)
    assert plain[:3, 3].tolist() == [-2, -2, -1]


@pytest.mark.parametrize("poses", [[], [np.eye(4)], [np.eye(4), None], [None, np.eye(4)], [np.eye(4)] * 3])
def test_a_relative_pose_needs_two_poses(poses: list[Array | None]) -> None:
    with pytest.raises(UserError, match="two pictures with poses"):
        _ = Query(tuple(view(pose) for pose in poses)).first_from_second


def test_points_are_placed_at_other_depths() -> None:
    query = Query(
        (view(),), (point_in(view(), "red", [150, 40], 7.0), point_in(view(), "blue", [50, 140])), {"time": 2}
    )
    placed = query.placed([3.0, 4.0])
    assert [point.xyz.tolist() for point in placed.points] == [[3.0, 0.0, 3.0], [0.0, 4.0, 4.0]]
    assert [point.name for point in placed.points] == ["red", "blue"]
    assert placed.given == {"time": 2}
    assert query.points[0].depth_z == 7.0
