"""Tests of ``toolkit.geometry.pose``: by hand, and properties of random poses."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from tests.support.cameras import CAMERAS
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera, turn_pixels
from toolkit.geometry.pose import checked_pose, inverse, rotation_angle, surely_poses, transform, turn_pose
from toolkit.utils.arrays import Array

RIGID_TURNS = [1, 3, 6, 8]

vectors = arrays(np.float64, 3, elements=st.floats(-3, 3))


def pose_of(turn: Array, shift: Array) -> Array:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    pose[:3, 3] = shift
    return pose


@pytest.mark.parametrize("orientation", RIGID_TURNS)
@pytest.mark.parametrize("camera", CAMERAS)
def test_a_world_point_projects_to_the_turned_pixel_through_the_turned_pose(camera: Camera, orientation: int) -> None:
    world_from_stored = pose_of(np.array([0.3, -1.1, 0.4]), np.array([1.0, 2.0, 3.0]))
    world = transform(world_from_stored, np.random.default_rng(1).uniform((-1, -0.8, 2), (1, 0.8, 4), (50, 3)))
    stored = camera.project(transform(inverse(world_from_stored), world))
    world_from_upright = checked_pose(turn_pose(world_from_stored, orientation))
    upright = camera.turned(orientation).project(transform(inverse(world_from_upright), world))
    np.testing.assert_allclose(upright, turn_pixels(stored, (camera.width, camera.height), orientation), atol=1e-9)
    np.testing.assert_array_equal(world_from_upright[:3, 3], world_from_stored[:3, 3])


@pytest.mark.parametrize("orientation", [2, 4, 5, 7])
def test_no_pose_describes_a_mirrored_picture(orientation: int) -> None:
    with pytest.raises(UserError, match=f"mirroring EXIF orientation {orientation}") as caught:
        turn_pose(np.eye(4), orientation)
    assert "upright" in caught.value.remedy


def changed(row: int, column: int, value: float) -> Array:
    pose = pose_of(np.array([0.1, 0.2, 0.3]), np.ones(3))
    pose[row, column] = value
    return pose


@pytest.mark.parametrize(
    ("pose", "words"),
    [
        (np.zeros((4, 4)), "singular"),
        (np.diag([1.0, 1.0, 0.0, 1.0]), "singular"),
        (np.diag([2.0, 2.0, 2.0, 1.0]), "not a rigid transform"),
        (np.diag([0.001, 0.001, 0.001, 1.0]), "not a rigid transform"),
        (np.diag([1.0, 1.0, -1.0, 1.0]), "not a rigid transform"),
        (changed(0, 1, 0.9), "not a rigid transform"),
        (changed(3, 0, 0.5), "not a rigid transform"),
        (changed(3, 3, 2.0), "not a rigid transform"),
        (changed(0, 3, np.nan), "not a finite 4 x 4"),
        (changed(0, 0, np.inf), "not a finite 4 x 4"),
        (np.eye(3), "not a finite 4 x 4"),
        (np.eye(4)[:3], "not a finite 4 x 4"),
        (np.eye(4).ravel(), "not a finite 4 x 4"),
        ([[1, 0], [0]], "not a 4 x 4 matrix of numbers"),
        ([["a"] * 4] * 4, "not a 4 x 4 matrix of numbers"),
        (None, "not a finite 4 x 4"),
    ],
)
def test_impossible_poses_are_refused(pose: Any, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        checked_pose(pose)
    assert "world_from_camera" in caught.value.remedy


@given(turn=vectors, shift=vectors)
def test_every_rigid_transform_is_a_pose(turn: Array, shift: Array) -> None:
    pose = pose_of(turn, shift)
    np.testing.assert_array_equal(checked_pose(pose.tolist()), pose)
    np.testing.assert_allclose(inverse(pose) @ pose, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(transform(inverse(pose), transform(pose, shift)), shift, atol=1e-12)


def test_transform_by_hand() -> None:
    # A quarter turn about z takes x to y; then one metre along x.
    pose = np.array([[0, -1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], float)
    np.testing.assert_allclose(transform(pose, [[1, 0, 0], [0, 2, 5]]), [[1, 1, 0], [-1, 0, 5]])
    np.testing.assert_allclose(inverse(pose)[:3, 3], [0, 1, 0])


@given(first=vectors, second=vectors, world=vectors)
def test_relative_poses_do_not_change_with_the_world_frame(first: Array, second: Array, world: Array) -> None:
    one, two, new_from_world = pose_of(first, second), pose_of(second, world), pose_of(world, first)
    relative = inverse(one) @ two
    moved = inverse(new_from_world @ one) @ (new_from_world @ two)
    np.testing.assert_allclose(moved, relative, atol=1e-10)
    assert rotation_angle(moved[:3, :3]) == pytest.approx(rotation_angle(relative[:3, :3]), abs=1e-6)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-6, 1e-3, 0.5, 45.0, 90.0, 179.0, 179.999, 179.9999999, 180.0])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 0, 1), (0.6, -0.48, 0.64)])
def test_rotation_angle_keeps_its_digits_at_both_ends(angle: float, axis: tuple[float, float, float]) -> None:
    rotation = Rotation.from_rotvec(np.radians(angle) * np.array(axis)).as_matrix()
    assert rotation_angle(rotation) == pytest.approx(angle, rel=1e-6, abs=1e-12)


@given(
    changes=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 3),
            st.floats(-2e-3, 2e-3) | st.sampled_from([-2.0, 1e200, np.inf, np.nan]),
        ),
        max_size=3,
    ),
    turn=vectors,
)
def test_what_surely_is_a_pose_is_accepted(changes: list[tuple[int, int, float]], turn: Array) -> None:
    sound = pose_of(turn, np.ones(3))
    other = sound.copy()
    for row, column, more in changes:
        other[row, column] += more
    first, second = surely_poses(np.stack([sound, other]))
    assert first
    if second:
        checked_pose(other)


def test_a_mirroring_is_surely_no_pose() -> None:
    assert surely_poses(np.diag([1.0, 1, -1, 1])[None]).tolist() == [False]
    assert surely_poses(np.empty((0, 4, 4))).tolist() == []


@given(first=vectors, second=vectors, shift=vectors)
def test_the_inverse_of_a_composition_is_that_of_its_parts(first: Array, second: Array, shift: Array) -> None:
    b_from_a, c_from_b = pose_of(first, shift), pose_of(second, first)
    a_from_c = inverse(c_from_b @ b_from_a)
    np.testing.assert_allclose(a_from_c, inverse(b_from_a) @ inverse(c_from_b), atol=1e-12)
    np.testing.assert_array_equal(inverse(inverse(b_from_a))[3], [0, 0, 0, 1])
    np.testing.assert_allclose(inverse(inverse(b_from_a)), b_from_a, atol=1e-12)
