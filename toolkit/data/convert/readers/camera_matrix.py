"""Cameras from 3 x 3 matrices K; conventions: see ``toolkit.geometry.camera``."""

from collections.abc import Iterable
from pathlib import Path

from toolkit.data.convert.readers.read_files import read_numbers
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array


def camera_from_matrix(k: Array, size: Iterable[float]) -> Camera:
    """The camera without distortion that has a matrix K (3, 3) [px].

    Args:
        k: The matrix; its skew is ignored.
        size: The width and height of the picture [px].

    Raises:
        UserError: If the intrinsics are impossible.
    """
    return Camera.from_intrinsics([k[0, 0], k[1, 1], k[0, 2], k[1, 2], *size])


def read_camera_matrix(path: Path) -> Array:
    """The matrix K (3, 3) [px] that a text file holds by rows.

    Raises:
        UserError: If the file is missing, or does not hold nine numbers.
    """
    numbers = read_numbers(path)
    if numbers.size != 9:
        raise UserError(f"{path}: there are {numbers.size} numbers, not 3 x 3", remedy="get this file again")
    return numbers.reshape(3, 3)
