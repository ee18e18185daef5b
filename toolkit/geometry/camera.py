"""The pinhole camera of one image.

Conventions, to which the docstrings of the whole toolkit refer:

- Units are metres, degrees and seconds.
- The camera frame is OpenCV's: x right, y down, z forward, origin at the camera centre.
- A pixel is (u, v), u right, v down; integer coordinates are pixel centres, so the centre of the
  top-left pixel is (0, 0) and the picture spans [-0.5, width - 0.5] x [-0.5, height - 0.5].
- ``depth_z`` (z-depth) is the depth along the principal axis; ``distance`` is the Euclidean distance from
  the camera centre. Invalid depth is NaN.
- Transforms are 4x4 and named ``b_from_a``, so that ``c_from_a = c_from_b @ b_from_a``. A pose is
  ``world_from_camera``.
- Distortion is (k1, k2, p1, p2, k3), the Brown-Conrady model in OpenCV's order (Brown 1966; OpenCV
  manual, "Camera Calibration and 3D Reconstruction").
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.errors import UserError
from toolkit.utils.arrays import Array
from toolkit.utils.bounded_file import LONGEST_SIDE
from toolkit.utils.json import shown

# OpenCV 4 has a separate function that takes criteria; in OpenCV 5, undistortPoints takes them.
_undistort_points = getattr(cv2, "undistortPointsIter", None) or cv2.undistortPoints
_UNDISTORT_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)
_FOCAL_IN_SIDES = (1e-10, 1e5)  # the focal length in longest sides of the picture; beyond, numbers overflow
_LARGEST_COEFFICIENT = 1e6  # of the distortion; those of narrow lenses reach some thousands
_NO_COEFFICIENT = 1e-12  # smaller coefficients make no difference, and roots of such polynomials overflow
_UNDISTORT_TOLERANCE = 0.05  # px; a larger error means that undoing the distortion has not converged

EXIF_TURNS: dict[int, tuple[tuple[int, int], tuple[int, int]]] = {
    1: ((1, 0), (0, 1)),
    2: ((-1, 0), (0, 1)),
    3: ((-1, 0), (0, -1)),
    4: ((1, 0), (0, -1)),
    5: ((0, 1), (1, 0)),
    6: ((0, -1), (1, 0)),
    7: ((0, -1), (-1, 0)),
    8: ((0, 1), (-1, 0)),
}
"""The matrix ``upright_from_stored`` (2, 2) on (x right, y down) for each EXIF orientation (TIFF 6.0, tag 274)."""


@dataclass(frozen=True)
class Camera:
    """Intrinsics of one image, in pixels of that image.

    Attributes:
        fx: Focal length along u [px].
        fy: Focal length along v [px].
        cx: The u coordinate of the principal point [px].
        cy: The v coordinate of the principal point [px].
        width: Picture width [px].
        height: Picture height [px].
        distortion: (k1, k2, p1, p2, k3), or () for a camera without distortion.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    distortion: tuple[float, ...] = ()

    @classmethod
    def from_intrinsics(cls, values: Sequence[float], distortion: Sequence[float] = ()) -> "Camera":
        """A camera from intrinsics, which are checked.

        Args:
            values: fx, fy, cx, cy, width and height in pixels.
            distortion: k1, k2, p1, p2 and k3; empty for a camera without distortion.

        Raises:
            UserError: If a value is missing, not finite or impossible.
        """
        numbers = [float(value) for value in values]
        shape = "[fx, fy, cx, cy, width, height] in pixels"
        if len(numbers) != 6 or not np.all(np.isfinite(numbers)):
            raise UserError(f"intrinsics {shown(list(values))} are not six finite numbers", remedy=f"give {shape}")
        fx, fy, cx, cy, width, height = numbers
        if min(fx, fy, width, height) <= 0:
            raise UserError(
                f"intrinsics {shown(list(values))} hold a focal length or size that is not positive",
                remedy=f"give {shape}",
            )
        if width != int(width) or height != int(height):
            raise UserError(f"picture size {width} x {height} is not whole", remedy=f"give {shape}")
        if max(width, height) > LONGEST_SIDE:
            raise UserError(
                f"picture size {width:.6g} x {height:.6g} is too large",
                cause=f"pictures have at most {LONGEST_SIDE} px a side",
                remedy=f"give {shape}",
            )
        shortest, longest = (factor * max(width, height) for factor in _FOCAL_IN_SIDES)
        if not shortest <= min(fx, fy) <= max(fx, fy) <= longest:
            raise UserError(
                f"focal lengths of {fx:.6g} and {fy:.6g} px are impossible",
                cause=f"those of a {width:g} x {height:g} picture lie between {shortest:.4g} and {longest:.4g} px",
                remedy=f"give {shape}",
            )
        if not (0 <= cx < width and 0 <= cy < height):
            raise UserError(
                f"principal point ({cx:g}, {cy:g}) lies outside the {width:g} x {height:g} picture",
                cause="the intrinsics belong to another size, or their order differs",
                remedy=f"give {shape}",
            )
        remedy = "give [k1, k2, p1, p2, k3], or leave it out"
        bends = [float(value) for value in distortion]
        if len(bends) not in (0, 5) or not np.all(np.isfinite(bends)):
            raise UserError(f"distortion {shown(list(distortion))} is not five finite numbers", remedy=remedy)
        if max(map(abs, bends), default=0.0) > _LARGEST_COEFFICIENT:
            raise UserError(
                f"distortion {shown(list(distortion))} is impossible",
                cause=f"its numbers lie between {-_LARGEST_COEFFICIENT:g} and {_LARGEST_COEFFICIENT:g}",
                remedy=remedy,
            )
        coefficients = tuple(float(value) for value in distortion)
        return cls(fx, fy, cx, cy, int(width), int(height), coefficients if any(coefficients) else ())

    @classmethod
    def from_fov(cls, width: int, height: int, fov: float) -> "Camera":
        """A camera with square pixels, a centred principal point and a horizontal field of view [deg]."""
        with np.errstate(divide="ignore", over="ignore"):  # infinity is refused
            focal = 0.5 * width / np.tan(np.radians(fov) / 2)
        return cls.from_focal(width, height, focal)

    @classmethod
    def from_focal(cls, width: int, height: int, focal: float) -> "Camera":
        """A camera with square pixels, a centred principal point and this focal length [px]."""
        return cls.from_intrinsics([focal, focal, (width - 1) / 2, (height - 1) / 2, width, height])

    @property
    def intrinsics(self) -> list[float]:
        """[fx, fy, cx, cy, width, height], as in a manifest."""
        return [self.fx, self.fy, self.cx, self.cy, self.width, self.height]

    @property
    def matrix(self) -> Array:
        """The camera matrix K (3, 3) [px]."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=np.float64)

    @property
    def fov(self) -> tuple[float, float]:
        """The horizontal and the vertical field of view [deg], as if there were no distortion."""
        return (
            float(2 * np.degrees(np.arctan(0.5 * self.width / self.fx))),
            float(2 * np.degrees(np.arctan(0.5 * self.height / self.fy))),
        )

    def rays(self, pixels: ArrayLike) -> Array:
        """The viewing rays (..., 3) of pixels (..., 2), in the camera frame and with z = 1.

        A ray is NaN if the distortion cannot be undone: if the pixel lies beyond the radius at which the distortion
        polynomial stops growing.
        """
        points = np.asarray(pixels, dtype=np.float64)
        if self.distortion and points.size:
            flat = _undistort_points(
                points.reshape(-1, 1, 2),
                self.matrix,
                np.array(self.distortion),
                R=None,
                P=None,
                criteria=_UNDISTORT_CRITERIA,
            )
            plane = flat.reshape(points.shape).astype(np.float64)
            error = np.abs(self._pixels(plane) - points).max(axis=-1)
            plane[~(error <= _UNDISTORT_TOLERANCE)] = np.nan
        else:
            plane = (points - (self.cx, self.cy)) / (self.fx, self.fy)
        return np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1)

    def unproject(self, pixels: ArrayLike, depth_z: ArrayLike) -> Array:
        """The points (..., 3) [m, camera frame] at pixels (..., 2) with depth_z (...) [m]."""
        return self.rays(pixels) * np.asarray(depth_z, dtype=np.float64)[..., None]

    def project(self, xyz: ArrayLike) -> Array:
        """The pixels (..., 2) of points (..., 3) [m, camera frame].

        A pixel is NaN if the point lies behind the camera, or so far out that the distortion would fold it back into
        the picture.
        """
        points = np.asarray(xyz, dtype=np.float64)
        z = points[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = np.where(z > 0, points[..., :2] / z, np.nan)
        return self._pixels(plane)

    def _pixels(self, plane: Array) -> Array:
        """The pixels (..., 2) of coordinates (..., 2) on the plane z = 1."""
        return self._distort(plane) * (self.fx, self.fy) + (self.cx, self.cy)

    def _distort(self, plane: Array) -> Array:
        """The distorted coordinates (..., 2) of coordinates (..., 2) on the plane z = 1 (OpenCV manual, calib3d)."""
        if not self.distortion:
            return plane
        k1, k2, p1, p2, k3 = self.distortion
        x, y = plane[..., 0], plane[..., 1]
        r2 = x * x + y * y
        r2 = np.where(r2 < self._fold_radius_squared, r2, np.nan)
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        return np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
            ],
            axis=-1,
        )

    @property
    def _fold_radius_squared(self) -> float:
        """The squared radius at which the distorted radius r (1 + k1 r^2 + k2 r^4 + k3 r^6) stops growing."""
        k1, k2, _, _, k3 = self.distortion
        k1, k2, k3 = (0.0 if abs(value) < _NO_COEFFICIENT else value for value in (k1, k2, k3))
        roots = np.roots([7 * k3, 5 * k2, 3 * k1, 1.0])
        turning = roots.real[(np.abs(roots.imag) < 1e-9) & (roots.real > 0)]
        return float(turning.min()) if turning.size else np.inf

    def distance_from_z(self, pixels: ArrayLike, depth_z: ArrayLike) -> Array:
        """The Euclidean distance (...) [m] of pixels (..., 2) with depth_z (...) [m]."""
        return np.asarray(depth_z, dtype=np.float64) * np.linalg.norm(self.rays(pixels), axis=-1)

    def z_from_distance(self, pixels: ArrayLike, distance: ArrayLike) -> Array:
        """The depth_z (...) [m] of pixels (..., 2) with Euclidean distance (...) [m]."""
        return np.asarray(distance, dtype=np.float64) / np.linalg.norm(self.rays(pixels), axis=-1)

    def contains(self, pixels: ArrayLike, margin: float = 0.0) -> NDArray[np.bool_]:
        """Which pixels (..., 2) lie in the picture, at least ``margin`` px from its border."""
        points = np.asarray(pixels, dtype=np.float64)
        lower = margin - 0.5
        upper = np.array([self.width, self.height]) - 0.5 - margin
        return np.all((points >= lower) & (points <= upper), axis=-1)

    def resized(self, width: int, height: int) -> "Camera":
        """The camera of the same picture resampled to another size [px]; scaling by s maps u to (u + 0.5) s - 0.5."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
            width=width,
            height=height,
        )

    def window(self, left: float, top: float, width: int, height: int) -> "Camera":
        """The camera of a window of the picture. The window may reach beyond the picture.

        Args:
            left: The u coordinate [px] of the window's top-left pixel.
            top: The v coordinate [px] of the window's top-left pixel.
            width: The width of the window [px].
            height: The height of the window [px].
        """
        return replace(self, cx=self.cx - left, cy=self.cy - top, width=width, height=height)

    def turned(self, orientation: int) -> "Camera":
        """The camera of the upright picture, if this is the camera of the stored picture with an EXIF orientation."""
        if orientation == 1:
            return self
        cx, cy = turn_pixels([self.cx, self.cy], (self.width, self.height), orientation).tolist()
        fx, fy, width, height = self.fx, self.fy, self.width, self.height
        if orientation >= 5:
            fx, fy, width, height = fy, fx, height, width
        return Camera(fx, fy, cx, cy, width, height, self._turned_distortion(orientation))

    def _turned_distortion(self, orientation: int) -> tuple[float, ...]:
        if not self.distortion:
            return ()
        k1, k2, p1, p2, k3 = self.distortion
        # The tangential shift is r^2 d + 2 (d . x) x with d = (p2, p1), so d turns like a vector.
        p2, p1 = np.array(EXIF_TURNS[orientation]) @ (p2, p1)
        return (k1, k2, float(p1), float(p2), k3)


def turn_pixels(pixels: ArrayLike, size: tuple[int, int], orientation: int) -> Array:
    """The pixels (..., 2) of the upright picture, from pixels (..., 2) of the stored picture.

    Args:
        pixels: Pixels (..., 2) of the stored picture.
        size: The width and the height of the stored picture [px].
        orientation: The EXIF orientation of the stored picture, 1 to 8.
    """
    if orientation == 1:
        return np.array(pixels, dtype=np.float64)
    centre = (np.array(size) - 1) / 2
    turn = np.array(EXIF_TURNS[orientation])
    return (np.asarray(pixels, dtype=np.float64) - centre) @ turn.T + np.abs(turn) @ centre
