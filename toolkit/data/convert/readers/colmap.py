"""Reads COLMAP's text models: cameras.txt and images.txt.

Source: COLMAP documentation, "Output Format" and "Camera Models". COLMAP puts the centre of the top-left pixel at
(0.5, 0.5), so principal points move by half a pixel. Its poses are camera_from_world, in OpenCV's axes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.convert.readers.pose_files import from_quaternion
from toolkit.data.convert.readers.read_files import read_lines, reading
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array
from toolkit.utils.bounded_file import read_bounded

# The places of fx, fy, cx, cy, and of k1, k2, p1, p2, among the parameters of each camera model.
_MODELS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "SIMPLE_PINHOLE": ((0, 0, 1, 2), ()),
    "PINHOLE": ((0, 1, 2, 3), ()),
    "SIMPLE_RADIAL": ((0, 0, 1, 2), (3,)),
    "RADIAL": ((0, 0, 1, 2), (3, 4)),
    "OPENCV": ((0, 1, 2, 3), (4, 5, 6, 7)),
}


@dataclass(frozen=True)
class ColmapImage:
    """One line of images.txt.

    Attributes:
        name: The path of the picture, as COLMAP was given it.
        camera_id: The number of its camera in cameras.txt.
        world_from_camera: The pose (4, 4) of the camera, in the unit of the model.
    """

    name: str
    camera_id: int
    world_from_camera: Array


def read_cameras(path: Path) -> dict[int, Camera]:
    """The cameras of a cameras.txt by their number.

    Raises:
        UserError: If the file is missing or damaged, or a camera has a model that the toolkit does not know.
    """
    found = {}
    for line in read_lines(path):
        if not line.startswith("#"):
            with reading(path, ValueError, IndexError):
                number, model, width, height, *words = line.split()
                found[int(number)] = _camera(model, [float(word) for word in words], (int(width), int(height)), path)
    return found


def _camera(model: str, values: list[float], size: tuple[int, int], path: Path) -> Camera:
    if model not in _MODELS:
        raise UserError(
            f"{path}: the camera model {model} is not known here (known: {', '.join(_MODELS)})",
            remedy="use the set's undistorted pictures, or COLMAP's image_undistorter",
        )
    pinhole, distortion = _MODELS[model]
    fx, fy, cx, cy = (values[place] for place in pinhole)
    coefficients = [*(values[place] for place in distortion), 0.0, 0.0, 0.0, 0.0, 0.0][:5] if distortion else ()
    return Camera.from_intrinsics([fx, fy, cx - 0.5, cy - 0.5, *size], coefficients)


def read_images(path: Path) -> list[ColmapImage]:
    """The pictures of an images.txt, in the order of their names.

    Raises:
        UserError: If the file is missing or damaged.
    """
    found = []
    # Every second line lists a picture's keypoints, and is blank where it has none.
    with reading(path, ValueError):
        lines = [line for line in read_bounded(path).decode("utf-8").splitlines() if not line.startswith("#")]
        for line in lines[::2]:
            if line.strip():
                _, *numbers, camera_id, name = line.split(maxsplit=9)
                w, x, y, z, *translation = (float(number) for number in numbers)
                pose = inverse(from_quaternion((w, x, y, z), translation))
                found.append(ColmapImage(name, int(camera_id), pose))
    return sorted(found, key=lambda image: image.name)
