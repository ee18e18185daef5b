"""COLMAP's THIN_PRISM_FISHEYE camera, which ETH3D's original photographs need.

Source: COLMAP documentation, "Camera Models", and https://github.com/ETH3D/camera-model-implementations: an equidistant
fisheye whose coordinates are then bent by radial (k1 to k4), tangential (p1, p2) and thin-prism (sx1, sy1) terms.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.data.convert.readers.read_files import read_lines, reading
from toolkit.errors import UserError
from toolkit.utils.arrays import Array

MODEL = "THIN_PRISM_FISHEYE"
_ROUNDS = 30  # steps of Newton's method, at most
_CLOSE = 1e-10  # Newton's method has converged where a step on the plane z = 1 is smaller
_TOLERANCE = 1e-6  # the distortion was not undone where the error on the plane z = 1 is larger


@dataclass(frozen=True)
class ThinPrismCamera:
    """A camera with COLMAP's model THIN_PRISM_FISHEYE.

    Attributes:
        pinhole: fx, fy, cx, cy [px]; (0, 0) is the centre of the top-left pixel.
        coefficients: k1, k2, p1, p2, k3, k4, sx1, sy1, in COLMAP's order.
        size: The width and height of its pictures [px].
    """

    pinhole: tuple[float, float, float, float]
    coefficients: tuple[float, ...]
    size: tuple[int, int]

    def pixels(self, plane: Array) -> Array:
        """The pixels (N, 2) of coordinates (N, 2) on the plane z = 1 of the camera frame."""
        radius = np.linalg.norm(plane, axis=-1, keepdims=True)
        fisheye = plane * np.divide(np.arctan(radius), radius, out=np.ones_like(radius), where=radius > 0)
        fx, fy, cx, cy = self.pinhole
        return (fisheye + self._shift(fisheye)) * (fx, fy) + (cx, cy)

    def plane(self, pixels: Array) -> Array:
        """The coordinates (N, 2) of pixels (N, 2) on the plane z = 1; NaN where the distortion cannot be undone."""
        fx, fy, cx, cy = self.pinhole
        bent = (pixels - (cx, cy)) / (fx, fy)
        fisheye = bent
        with np.errstate(all="ignore"):
            for _ in range(_ROUNDS):  # Newton's method
                step = self._step(fisheye, fisheye + self._shift(fisheye) - bent)
                fisheye = fisheye - step
                if not np.any(np.abs(step) > _CLOSE):
                    break
            found = np.abs(fisheye + self._shift(fisheye) - bent).max(axis=-1, keepdims=True) < _TOLERANCE
            angle = np.linalg.norm(fisheye, axis=-1, keepdims=True)
            scale = np.divide(np.tan(angle), angle, out=np.ones_like(angle), where=angle > 0)
            found &= (fisheye * bent).sum(axis=-1, keepdims=True) >= 0  # roots on the other side lie beyond the fold
            return np.where(found & (angle < np.pi / 2), fisheye * scale, np.nan)

    def _shift(self, fisheye: Array) -> Array:
        """How far (N, 2) the distortion moves fisheye coordinates (N, 2)."""
        k1, k2, p1, p2, k3, k4, sx1, sy1 = self.coefficients
        u, v = fisheye[..., 0], fisheye[..., 1]
        r2 = u * u + v * v
        radial = r2 * (k1 + r2 * (k2 + r2 * (k3 + r2 * k4)))
        return np.stack(
            [
                u * radial + 2 * p1 * u * v + p2 * (r2 + 2 * u * u) + sx1 * r2,
                v * radial + 2 * p2 * u * v + p1 * (r2 + 2 * v * v) + sy1 * r2,
            ],
            axis=-1,
        )

    def _step(self, fisheye: Array, error: Array) -> Array:
        """One step of Newton's method: how far (N, 2) fisheye coordinates (N, 2) are off, to first order.

        Args:
            fisheye: The fisheye coordinates (N, 2).
            error: How far (N, 2) their distorted coordinates are off.
        """
        k1, k2, p1, p2, k3, k4, sx1, sy1 = self.coefficients
        u, v = fisheye[..., 0], fisheye[..., 1]
        r2 = u * u + v * v
        radial = r2 * (k1 + r2 * (k2 + r2 * (k3 + r2 * k4)))
        slope = k1 + r2 * (2 * k2 + r2 * (3 * k3 + r2 * 4 * k4))  # derivative of radial with respect to r2
        cross = 2 * (u * v * slope + p1 * u + p2 * v)
        u_by_u = 1 + radial + 2 * u * u * slope + 2 * p1 * v + 6 * p2 * u + 2 * sx1 * u
        v_by_v = 1 + radial + 2 * v * v * slope + 2 * p2 * u + 6 * p1 * v + 2 * sy1 * v
        u_by_v, v_by_u = cross + 2 * sx1 * v, cross + 2 * sy1 * u
        du, dv = error[..., 0], error[..., 1]
        steps = np.stack([v_by_v * du - u_by_v * dv, u_by_u * dv - v_by_u * du], axis=-1)
        return np.asarray(steps / (u_by_u * v_by_v - u_by_v * v_by_u)[..., None])


def read_thin_prisms(path: Path) -> dict[int, ThinPrismCamera]:
    """The cameras of a COLMAP cameras.txt by their number.

    Raises:
        UserError: If the file is missing or damaged, or a camera has another model.
    """
    found = {}
    for line in read_lines(path):
        if line.startswith("#"):
            continue
        with reading(path, ValueError):
            number, model, width, height, *words = line.split()
            if model != MODEL:
                raise UserError(f"{path}: the camera model is {model}, not {MODEL}", remedy="get this file again")
            fx, fy, cx, cy, *coefficients = (float(word) for word in words)
            if len(coefficients) != 8:
                raise ValueError(f"{4 + len(coefficients)} parameters, not 12")
            pinhole = (fx, fy, cx - 0.5, cy - 0.5)  # COLMAP puts the centre of the top-left pixel at (0.5, 0.5)
            found[int(number)] = ThinPrismCamera(pinhole, tuple(coefficients), (int(width), int(height)))
    return found
