"""Rolling shutters: the lines of a picture are exposed one after the other, while the vehicle moves.

At 15 m/s and 40 ms a picture, the first and the last line are seen from places 0.6 m apart.
Source: Waymo Open Dataset (Sun et al. 2020), dataset.proto, CameraImage; solved here by iteration.
"""

from dataclasses import dataclass

import numpy as np

from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse, transform
from toolkit.utils.arrays import Array

_MARGIN = 300.0  # px beyond the border in which points may lie that the motion moves into the picture


_ROUNDS = 8  # each divides the error by five or more, while what moves past does so within fifty pictures' time


@dataclass(frozen=True)
class Shutter:
    """When the lines of a picture are exposed, and how the vehicle moves meanwhile.

    Attributes:
        first: Middle of the exposure of the first line, after the moment of the pose [s].
        duration: From the first line to the last [s]; 0 for a global shutter.
        columns: Whether the lines are columns; else rows.
        backward: Whether the last column or row is exposed first.
        velocity: (3,) [m/s, vehicle frame].
        turning: Angular velocity (3,) [rad/s, vehicle frame].
    """

    first: float
    duration: float
    columns: bool
    backward: bool
    velocity: Array
    turning: Array

    def moments(self, camera: Camera, pixels: Array) -> Array:
        """When pixels (N, 2) are exposed (N,), after the moment of the pose [s]."""
        place = (pixels[:, 0] + 0.5) / camera.width if self.columns else (pixels[:, 1] + 0.5) / camera.height
        return self.first + self.duration * (1 - place if self.backward else place)


def at_exposure(camera: Camera, vehicle_from_camera: Array, points: Array, shutter: Shutter) -> Array:
    """Points (M, 3) [m, camera frame at the moment that exposes each] out of points (N, 3) [m, vehicle frame].

    Args:
        camera: Of the picture.
        vehicle_from_camera: (4, 4).
        points: In the vehicle's frame at the moment of the pose; those that stay outside of the picture are left out.
        shutter: Of the picture.
    """
    camera_from_vehicle = inverse(vehicle_from_camera)
    xyz = transform(camera_from_vehicle, points)
    kept = camera.contains(camera.project(xyz), -_MARGIN)
    points, xyz = points[kept], xyz[kept]
    for _ in range(_ROUNDS):
        moments = shutter.moments(camera, camera.project(xyz))
        kept = np.isfinite(moments)
        points, moments = points[kept], moments[kept, None]
        seen = _turned(points - moments * shutter.velocity, shutter.turning, -moments)
        xyz = transform(camera_from_vehicle, seen)
    return xyz


def _turned(xyz: Array, turning: Array, moments: Array) -> Array:
    """Points (N, 3) turned for moments (N, 1) [s] at an angular velocity (3,) [rad/s]. Source: Rodrigues 1840."""
    speed = float(np.linalg.norm(turning))
    axis = turning / speed if speed else turning
    sine, cosine = np.sin(speed * moments), np.cos(speed * moments)
    return np.asarray(xyz * cosine + np.cross(axis, xyz) * sine + (xyz @ axis)[:, None] * (1 - cosine) * axis)
