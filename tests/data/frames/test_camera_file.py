"""Tests of ``toolkit.data.frames.camera_file``: what a file about a camera may say."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.any_json import ANY_JSON
from toolkit.data.frames.camera_file import parse_camera
from toolkit.errors import UserError

INTRINSICS = [300, 310, 199.5, 149.5, 400, 300]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"distortion": None},
        {"depth_type": "z", "depth_scale": 0.001},
        {"model": "pinhole"},
        {"model": "Brown-Conrady"},
        {"model": None},
    ],
    ids=str,
)
def test_a_camera(more: dict[str, Any]) -> None:
    assert parse_camera({"intrinsics": INTRINSICS, **more}).intrinsics == INTRINSICS


def test_distortion_is_kept() -> None:
    bent = parse_camera({"intrinsics": INTRINSICS, "distortion": [-0.1, 0.02, 0, 0, 0], "model": "OPENCV"})
    assert bent.distortion == (-0.1, 0.02, 0, 0, 0)


@pytest.mark.parametrize(
    ("more", "problem", "remedy"),
    [
        ({"distorsion": [-0.3, 0.1, 0, 0, 0]}, "the key 'distorsion' cannot be used", "did you mean distortion"),
        ({"Distortion": [], "k1": 0.1}, "the keys 'Distortion', 'k1' cannot be used", "k1: use one of"),
        ({"depth_unit": "mm"}, "'depth_unit'", "did you mean depth_"),
        ({"model": "fisheye"}, "the camera model 'fisheye' is not supported", "undistort the pictures"),
        ({"model": "kannala-brandt"}, "'kannala-brandt' is not supported", "undistort the pictures"),
        ({"model": 4}, "4 is not supported", "undistort the pictures"),
        ({"distortion": [0.1, 0.2]}, "not five finite numbers", "k1, k2, p1, p2, k3"),
        ({"distortion": 0.1}, "there is no camera in it", ""),
        ({"intrinsics": [True, *INTRINSICS[1:]]}, "there is no camera in it", ""),
        ({"intrinsics": [10**400, *INTRINSICS[1:]]}, "there is no camera in it", ""),
        ({"intrinsics": None}, "there is no camera in it", ""),
    ],
    ids=str,
)
def test_what_would_be_passed_over_is_refused(more: dict[str, Any], problem: str, remedy: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_camera({"intrinsics": INTRINSICS, **more})
    assert problem in caught.value.problem and remedy in caught.value.remedy


CONTENTS = st.fixed_dictionaries(
    {"intrinsics": ANY_JSON | st.lists(st.floats() | st.integers(-9, 10**20), min_size=5, max_size=7)},
    optional={"distortion": ANY_JSON | st.lists(st.floats(), max_size=6), "model": ANY_JSON},
)


@given(ANY_JSON | CONTENTS)
def test_everything_is_a_camera_or_a_users_mistake(content: Any) -> None:
    try:
        camera = parse_camera(content)
    except UserError:
        return
    assert np.isfinite(camera.intrinsics).all()
    assert min(camera.fx, camera.fy, camera.width, camera.height) > 0
