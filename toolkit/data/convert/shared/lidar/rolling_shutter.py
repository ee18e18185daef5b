"""Rolling shutters: the lines of a picture are exposed one after the other, while the vehicle moves.

At 15 m/s, and with 40 ms for a picture, the first and the last line are seen from places 0.6 m apart.
Source: Waymo Open Dataset (Sun et al. 2020), dataset.proto, CameraImage; solved here by iteration.
"""

from dataclasses import dataclass

import numpy as np

from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse, transform
from toolkit.utils.arrays import Array

_MARGIN = 300.0  # px beyond the border; the motion may move points into the picture that lie within this margin
_ROUNDS = 8  # each divides the error by five or more, where a point needs five shutter durations to cross the picture


@dataclass(frozen=True)
class Shutter:
    """When the lines of a picture are exposed, and how the vehicle moves meanwhile.

    Attributes:
        first: The time from the moment of the pose to the middle of the exposure of the first line [s].
        duration: The time from the first line to the last [s]; 0 for a global shutter.
        columns: Whether the lines are columns; otherwise they are rows.
        backward: Whether the last column or row is exposed first.
        velocity: The velocity (3,) of the vehicle in the vehicle frame [m/s].
        turning: The angular velocity (3,) of the vehicle in the vehicle frame [rad/s].
    """

    first: float
    duration: float
    columns: bool
    backward: bool
    velocity: Array
    turning: Array

    def moments(self, camera: Camera, pixels: Array) -> Array:
        """The time (N,) [s] from the moment of the pose to the exposure of each pixel (N, 2)."""
        place = (pixels[:, 0] + 0.5) / camera.width if self.columns else (pixels[:, 1] + 0.5) / camera.height
        return self.first + self.duration * (1 - place if self.backward else place)


def points_at_exposure(camera: Camera, vehicle_from_camera: Array, points: Array, shutter: Shutter) -> Array:
    """Points as the camera sees them at the moment at which each of them is exposed.

    Args:
        camera: The camera of the picture.
        vehicle_from_camera: The transform (4, 4) from the camera frame to the vehicle frame [m].
        points: Points (N, 3) in the vehicle frame at the moment of the pose [m].
        shutter: The shutter of the picture.

    Returns:
        The points (M, 3) in the camera frame [m]; those that stay far outside the picture are left out.
    """
    camera_from_vehicle = inverse(vehicle_from_camera)
    xyz = transform(camera_from_vehicle, points)
    kept = camera.contains(camera.project(xyz), -_MARGIN)
    points, xyz = points[kept], xyz[kept]
    for _ in range(_ROUNDS):
        moments = shutter.moments(camera, camera.project(xyz))
        kept = np.isfinite(moments)
        points, moments = points[kept], moments[kept, None]
        seen = _rotate(points - moments * shutter.velocity, shutter.turning, -moments)
        xyz = transform(camera_from_vehicle, seen)
    return xyz


def _rotate(xyz: Array, turning: Array, moments: Array) -> Array:
    """Points (N, 3), each rotated for a time (N, 1) [s] at an angular velocity (3,) [rad/s]. Source: Rodrigues 1840."""
    speed = float(np.linalg.norm(turning))
    axis = turning / speed if speed else turning
    sine, cosine = np.sin(speed * moments), np.cos(speed * moments)
    return np.asarray(xyz * cosine + np.cross(axis, xyz) * sine + (xyz @ axis)[:, None] * (1 - cosine) * axis)
