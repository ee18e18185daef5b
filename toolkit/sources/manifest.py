"""Manifests: JSON lines that name pictures, cameras and depth; DepthLM's files load unchanged.

Keys of a line: ``image`` and ``intrinsics`` [fx, fy, cx, cy, width, height]; labels as ``pixel_coords``
with ``depth``, or as ``depth_map`` with ``depth_scale`` [m per unit]; ``depth_type`` ("z" or "euclidean");
optionally ``distortion``, ``world_from_camera``, ``sequence`` and ``license``. Paths are relative to the
manifest. Conventions: see ``toolkit.camera``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.camera import Array, Camera, checked_pose, turn_pixels, turn_pose
from toolkit.errors import UserError, did_you_mean, raise_all
from toolkit.frame import DepthFile, DepthType, Frame, ImageFile, Labels, SparseDepth

KEYS = (
    "image",
    "intrinsics",
    "pixel_coords",
    "depth",
    "depth_type",
    "depth_map",
    "depth_scale",
    "distortion",
    "world_from_camera",
    "sequence",
    "license",
)
DEPTH_TYPES = ("z", "euclidean")


@dataclass(frozen=True)
class Manifest:
    """A checked manifest.

    Attributes:
        path: The JSON-lines file.
        frames: Its Frames.
    """

    path: Path
    frames: tuple[Frame, ...]

    def __len__(self) -> int:
        return len(self.frames)

    def frame(self, index: int) -> Frame:
        """The Frame of that line."""
        return self.frames[index]

    def partners(self, index: int) -> Sequence[int]:
        """Other Frames of the same sequence, where both have poses."""
        frame = self.frames[index]
        if frame.world_from_camera is None or not frame.sequence:
            return ()
        return [other for other in self._posed[frame.sequence] if other != index]

    @cached_property
    def _posed(self) -> dict[str, list[int]]:
        groups: dict[str, list[int]] = {}
        for index, frame in enumerate(self.frames):
            if frame.world_from_camera is not None:
                groups.setdefault(frame.sequence, []).append(index)
        return groups


def load_manifest(path: Path, depth_type: DepthType | None = None, check_files: bool = True) -> Manifest:
    """Read and check a manifest; every fault of the file is reported.

    Args:
        path: The JSON-lines file.
        depth_type: What the depths of lines without ``depth_type`` are.
        check_files: Whether each picture's size is compared with its intrinsics, which opens it.

    Raises:
        UserError: If there is no such file or it holds no line.
        UserErrors: If lines are faulty.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        raise UserError(f"{path}: there is no such manifest", remedy="check the path in the recipe") from None
    except UnicodeDecodeError:
        raise UserError(
            f"{path}: this is not a manifest", cause="it is not UTF-8 text", remedy="give a .jsonl file"
        ) from None
    frames, faults = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            frames.append(_Line(path, _parsed(line), depth_type).frame(check_files))
        except UserError as fault:
            faults.append(UserError(f"{path}, line {number}: {fault.problem}", fault.cause, fault.remedy))
    raise_all(str(path), faults)
    if not frames:
        raise UserError(f"{path}: the manifest is empty", remedy="it needs one JSON object a line, one a picture")
    return Manifest(path, tuple(frames))


def _parsed(line: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(
            f"malformed JSON at column {error.colno}: {error.msg}", remedy="each line must be one whole JSON object"
        ) from None
    if not isinstance(row, dict):
        raise UserError("the line is not a JSON object", remedy='write {"image": …, "intrinsics": […], …}')
    return row


@dataclass(frozen=True)
class _Line:
    """One parsed line."""

    path: Path
    row: Mapping[str, Any]
    default_depth_type: DepthType | None

    def frame(self, check_files: bool) -> Frame:
        for key in self.row:
            if key not in KEYS:
                raise UserError(f"unknown key {key!r}", remedy=did_you_mean(key, KEYS))
        image = ImageFile(self._file("image"))
        camera = self._camera()
        orientation = _orientation(image, camera) if check_files else 1
        pose = self._pose()
        return Frame(
            picture=image,
            camera=camera.turned(orientation) if orientation != 1 else camera,
            labels=self._labels(camera, orientation),
            world_from_camera=turn_pose(pose, orientation) if pose is not None and orientation != 1 else pose,
            sequence=str(self.row.get("sequence", "")),
            license=str(self.row.get("license", "")),
        )

    def _file(self, key: str) -> Path:
        value = self.row.get(key)
        if not isinstance(value, str) or not value:
            raise UserError(f"{key!r} is missing or is no path", remedy="paths are relative to the manifest")
        return self.path.parent / value

    def _camera(self) -> Camera:
        values = self.row.get("intrinsics")
        if not isinstance(values, list):
            raise UserError("'intrinsics' is missing", remedy="give [fx, fy, cx, cy, width, height] in pixels")
        return Camera.from_intrinsics(
            _numbers("intrinsics", values), _numbers("distortion", self.row.get("distortion") or [])
        )

    def _pose(self) -> Array | None:
        values = self.row.get("world_from_camera")
        return None if values is None else checked_pose(values)

    def _labels(self, camera: Camera, orientation: int) -> Labels:
        if "depth_map" in self.row:
            if orientation != 1:
                raise UserError(
                    "the picture has an EXIF orientation and a depth map", remedy="store both upright, without the tag"
                )
            return self._depth_file()
        if "pixel_coords" in self.row:
            sparse = self._sparse(camera)
            if orientation == 1:
                return sparse
            turned = turn_pixels(sparse.pixels, (camera.width, camera.height), orientation)
            return SparseDepth(turned, sparse.depth, sparse.depth_type)
        raise UserError(
            "there are no labels", remedy="give 'pixel_coords' with 'depth', or 'depth_map' with 'depth_scale'"
        )

    def _depth_file(self) -> DepthFile:
        scale = self.row.get("depth_scale")
        if not isinstance(scale, int | float) or isinstance(scale, bool) or not 0 < scale < np.inf:
            raise UserError(
                f"'depth_scale' is {scale!r}",
                remedy="give metres per stored unit: 0.001 for millimetres",
            )
        path = self._file("depth_map")
        if not path.is_file():
            raise UserError(f"{path}: there is no such depth map", remedy="paths are relative to the manifest")
        return DepthFile(path, float(scale), self._depth_type())

    def _sparse(self, camera: Camera) -> SparseDepth:
        pixels, depth = self.row["pixel_coords"], self.row.get("depth")
        if not isinstance(pixels, list) or not isinstance(depth, list) or len(pixels) != len(depth) or not pixels:
            raise UserError("'pixel_coords' and 'depth' are not lists of the same, positive length")
        places = np.array(
            [_numbers("pixel_coords", pair) for pair in pixels if isinstance(pair, list) and len(pair) == 2]
        )
        if len(places) != len(pixels):
            raise UserError("an entry of 'pixel_coords' is not a pair [u, v]")
        metres = np.array(_numbers("depth", depth))
        self._check_points(camera, places, metres)
        return SparseDepth(places, metres, self._depth_type())

    @staticmethod
    def _check_points(camera: Camera, places: Array, metres: Array) -> None:
        outside = np.flatnonzero(~camera.contains(places))
        if outside.size:
            u, v = places[outside[0]]
            raise UserError(
                f"{outside.size} of {len(places)} 'pixel_coords' lie outside the {camera.width} x {camera.height} "
                f"picture, the first is number {outside[0]}: ({u:g}, {v:g})",
                cause="the labels belong to another size, or u and v are exchanged",
                remedy="give (u, v) = (column, row) of this picture",
            )
        invalid = np.flatnonzero(~(np.isfinite(metres) & (metres > 0)))
        if invalid.size:
            raise UserError(
                f"{invalid.size} of {len(metres)} depths are not positive numbers, "
                f"the first is number {invalid[0]}: {metres[invalid[0]]:g}",
                remedy="leave out points without depth",
            )

    def _depth_type(self) -> DepthType:
        value = self.row.get("depth_type", self.default_depth_type)
        if value is None:
            raise UserError(
                "'depth_type' is missing",
                cause='depth along the principal axis ("z") and distance from the camera ("euclidean") differ',
                remedy='add "depth_type": "z" or "euclidean" to the line, or depth_type to the source in the recipe; '
                "`toolkit data audit` finds out which it is",
            )
        if value not in DEPTH_TYPES:
            raise UserError(f"'depth_type' is {value!r}", remedy=did_you_mean(str(value), DEPTH_TYPES))
        return value


def _numbers(key: str, values: Any) -> list[float]:
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError):
        raise UserError(f"{key!r} holds something that is not a number") from None


def _orientation(image: ImageFile, camera: Camera) -> int:
    """The EXIF turn that the camera and its labels still need: 1 where the intrinsics are upright already.

    Raises:
        UserError: If the picture is missing, or its size is not the intrinsics'.
    """
    width, height, orientation = image.stored_size()
    upright = (height, width) if orientation >= 5 else (width, height)
    if (camera.width, camera.height) == upright:
        return 1
    if (camera.width, camera.height) == (width, height):
        return orientation
    raise UserError(
        f"{image.path}: the picture is {upright[0]} x {upright[1]} px, its intrinsics are for "
        f"{camera.width} x {camera.height}",
        remedy="give the intrinsics of this size: fx and cx scale with the width, fy and cy with the height",
    )
