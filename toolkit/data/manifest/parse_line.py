"""Reads one line of a manifest, and finds all its faults.

Conventions: see ``toolkit.geometry.camera``; the keys: see ``toolkit.data.manifest.manifest``.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.frames.exif_turn import UPRIGHT, ExifTurn
from toolkit.data.frames.frame import (
    FARTHEST,
    NEAREST,
    DepthFile,
    DepthType,
    Frame,
    ImageFile,
    Labels,
    SparseDepth,
    check_unit,
)
from toolkit.errors import UserError, did_you_mean
from toolkit.geometry.camera import Camera, turn_pixels
from toolkit.geometry.plausibility import check_distortion
from toolkit.geometry.pose import checked_pose, turn_pose
from toolkit.utils.arrays import Array
from toolkit.utils.json import from_json, shown

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
    "attribution",
)

POSSIBLE_FOV = (0.5, 165.0)
"""The smallest and the largest field of view of a camera [deg]; beyond these, the intrinsics must be wrong."""

DEPTH_TYPES = ("z", "euclidean")

LONGEST_WORD = 10_000
"""The greatest number of characters of a sequence, a licence or an attribution."""

_LONGEST_PATH = 4096  # characters; file systems take no longer paths
_MOST_UNKNOWN = 5  # unknown keys of a line that are told


@dataclass
class ManifestLine:
    """One line while it is read; its faults are gathered, each with the key that has it.

    Attributes:
        where: The file and the number of the line, for messages.
        folder: The folder to which paths are relative.
        default_depth_type: The depth type of a line that states none, or None.
        turn: How the picture, the camera and the labels are turned upright; known once the picture file was read.
        row: The parsed line.
        faults: The faults that were found.
    """

    where: str
    folder: Path
    default_depth_type: DepthType | None
    turn: ExifTurn = UPRIGHT
    row: Mapping[str, Any] = field(default_factory=dict)
    faults: list[UserError] = field(default_factory=list)

    @contextmanager
    def _gather_faults(self, key: str) -> Iterator[None]:
        """Keep a UserError as a fault of this key, and go on after the block."""
        try:
            yield
        except UserError as fault:
            self.faults.append(UserError(f"{self.where}, {key}: {fault.problem}", fault.cause, fault.remedy))

    def frame(self, text: str, decode: bool) -> Frame | None:
        """The Frame of the line, or None if it cannot be made because of faults.

        Args:
            text: The text of the line.
            decode: Whether the picture and the depth map are read whole, to find damaged files.
        """
        with self._gather_faults("the whole line"):
            self.row = _parsed(text)
        if self.faults:
            return None
        self._check_keys()
        image = self._image()
        camera = self._camera()
        self.turn = self._find_turn(image, camera) if image and camera else UPRIGHT
        labels = self._labels(camera) if camera else None
        pose = self._pose(self.turn.line)
        self._check_words()
        if self.faults or image is None or camera is None:
            return None
        frame = Frame(image, camera.turned(self.turn.line), labels, pose, self.word("sequence"), self.word("license"))
        if decode:
            self.decode(frame)
        return frame

    def decode(self, frame: Frame) -> None:
        """Read the picture and the labels of the line's Frame whole, to find damaged files."""
        with self._gather_faults("image"):
            frame.picture.read()
        with self._gather_faults("depth_map"):
            if frame.labels is not None:
                frame.labels.read(frame.camera)

    def _check_keys(self) -> None:
        unknown = [key for key in self.row if key not in KEYS]
        for key in unknown[:_MOST_UNKNOWN]:
            with self._gather_faults(shown(key, str)):
                raise UserError("this key is unknown", remedy=did_you_mean(key, KEYS))
        with self._gather_faults("the whole line"):
            if len(unknown) > _MOST_UNKNOWN:
                raise UserError(
                    f"{len(unknown) - _MOST_UNKNOWN} more keys are unknown", remedy=f"use {', '.join(KEYS)}"
                )

    def _check_words(self) -> None:
        for key in ("sequence", "license", "attribution"):
            with self._gather_faults(key):
                value = self.row.get(key)
                numbered = key == "sequence" and type(value) is int
                if not numbered and not isinstance(value, str | None):
                    raise UserError(f"{shown(value, json.dumps)} is no text", remedy="give text, or leave it out")
                _check_text(self.word(key), LONGEST_WORD)

    def has(self, key: str) -> bool:
        """Whether the line states a key; null counts as left out."""
        return self.row.get(key) is not None

    def word(self, key: str) -> str:
        """The value of a key as text, or "" if it is left out."""
        return str(self.row[key]) if self.has(key) else ""

    def _path(self, key: str) -> Path:
        value = self.row.get(key)
        if not isinstance(value, str) or not value:
            raise UserError(
                f"{shown(value)} is no path" if self.has(key) else "it is missing",
                remedy="give a path relative to the manifest",
            )
        _check_text(value, _LONGEST_PATH)
        if "\0" in value:
            raise UserError("it holds the character NUL", remedy="give a path relative to the manifest")
        return self.folder / value

    def _image(self) -> ImageFile | None:
        with self._gather_faults("image"):
            return ImageFile(self._path("image"))
        return None

    def _camera(self) -> Camera | None:
        camera = None
        with self._gather_faults("intrinsics"):
            intrinsics = _numbers(self.row.get("intrinsics"), "give [fx, fy, cx, cy, width, height] in pixels")
            camera = Camera.from_intrinsics(intrinsics)
            check_fov(camera)
        if camera is not None and self.has("distortion"):
            with self._gather_faults("distortion"):
                distortion = _numbers(self.row["distortion"], "give [k1, k2, p1, p2, k3], or leave it out")
                camera = Camera.from_intrinsics(intrinsics, distortion)
                check_distortion(camera)
        return camera

    def _find_turn(self, image: ImageFile, camera: Camera) -> ExifTurn:
        """How the picture is turned, and what the line says of it."""
        width, height, orientation = 0, 0, 0
        with self._gather_faults("image"):
            width, height, orientation = image.stored_size()
        if not orientation:
            return UPRIGHT
        turn = ExifTurn.of(camera, width, height, orientation)
        if turn is not None:
            return turn
        upright = (height, width) if orientation >= 5 else (width, height)
        with self._gather_faults("intrinsics"):
            raise UserError(
                f"they are for {camera.width} x {camera.height} px, the picture is {upright[0]} x {upright[1]}",
                remedy="give the intrinsics of this size: fx and cx scale with the width, fy and cy with the height",
            )
        return UPRIGHT

    def _pose(self, orientation: int) -> Array | None:
        if not self.has("world_from_camera"):
            return None
        with self._gather_faults("world_from_camera"):
            rows = self.row["world_from_camera"]
            remedy = "give 4 rows of 4 numbers, or leave it out"
            if not isinstance(rows, list):
                raise UserError("it is not a list of rows", remedy=remedy)
            return turn_pose(checked_pose([_numbers(row, remedy) for row in rows]), orientation)
        return None

    def _labels(self, camera: Camera) -> Labels | None:
        if self.has("depth_map"):
            return self._depth_file()
        if self.has("pixel_coords"):
            return self._sparse(camera)
        with self._gather_faults("pixel_coords"):
            raise UserError(
                "there are no labels", remedy="give 'pixel_coords' with 'depth', or 'depth_map' with 'depth_scale'"
            )
        return None

    def _depth_file(self) -> DepthFile | None:
        path, scale, depth_type = None, None, self._depth_type()
        with self._gather_faults("depth_map"):
            path = self._path("depth_map")
            if not os.path.isfile(path):  # Path.is_file raises an error if the name is too long
                raise UserError(f"{path}: there is no such depth map", remedy="paths are relative to the manifest")
        with self._gather_faults("depth_scale"):
            remedy = "give metres per stored unit: 0.001 for millimetres"
            scale = _numbers([self.row.get("depth_scale")], remedy)[0]
            if not 0 < scale < np.inf:
                raise UserError(f"{scale:g} is not a positive number", remedy=remedy)
            check_unit(scale, whole=holds_whole_numbers(str(self.row.get("depth_map"))))
        return DepthFile(path, scale, depth_type, self.turn.picture) if path and scale and depth_type else None

    def _sparse(self, camera: Camera) -> SparseDepth | None:
        places, metres, depth_type = None, None, self._depth_type()
        with self._gather_faults("pixel_coords"):
            places = _places(self.row["pixel_coords"], camera)
        with self._gather_faults("depth"):
            metres = _metres(self.row.get("depth"))
            if places is not None and len(metres) != len(places):
                raise UserError(
                    f"{len(metres)} depths for {len(places)} pixels", remedy="give one depth for each of pixel_coords"
                )
        if places is None or metres is None or depth_type is None:
            return None
        return SparseDepth(turn_pixels(places, (camera.width, camera.height), self.turn.line), metres, depth_type)

    def _depth_type(self) -> DepthType | None:
        value = self.row["depth_type"] if self.has("depth_type") else self.default_depth_type
        with self._gather_faults("depth_type"):
            if value is None:
                raise UserError(
                    "it is missing",
                    cause='depth along the principal axis ("z") and distance from the camera ("euclidean") differ',
                    remedy='add "depth_type": "z" or "euclidean" to the line, or depth_type to the source in the '
                    "recipe; to find out which, run `toolkit data audit`, read the data's documentation, or look at a "
                    "flat wall seen head-on: its z is the same everywhere, its distance grows towards the edges",
                )
            if value not in DEPTH_TYPES:
                raise UserError(
                    f'{shown(value)} is neither "z" nor "euclidean"', remedy=did_you_mean(str(value), DEPTH_TYPES)
                )
            return value
        return None


def holds_whole_numbers(depth_map: str) -> bool:
    """Whether a depth map surely holds whole numbers; its file is not opened."""
    return depth_map.lower().endswith(".png")


def look_normalised(pixels: Array, size: tuple[int, int]) -> bool:
    """Whether labelled pixels (N, 2) are surely shares of the picture's size (width, height), and not pixels of it.

    One point alone may be that of the first pixel. Different points that share one pixel's width are no labels.
    """
    inside = bool(np.all((pixels >= 0) & (pixels <= 1)))
    return inside and min(size) > 2 and bool(np.any(pixels != np.rint(pixels)) and np.any(pixels != pixels[0]))


def frame_of_checked_line(text: str, folder: Path, default_depth_type: DepthType | None, turn: ExifTurn) -> Frame:
    """The Frame of a line that ``ManifestLine`` found sound before; it is not checked again.

    Args:
        text: The text of the line.
        folder: The folder to which paths are relative.
        default_depth_type: The depth type of a line that states none.
        turn: How the picture, the camera and the labels are turned upright.
    """
    row = {key: value for key, value in json.loads(text).items() if value is not None}
    camera = Camera.from_intrinsics(row["intrinsics"], row.get("distortion", ()))
    depth_type: Any = row.get("depth_type", default_depth_type)
    places = np.array(row["pixel_coords"], dtype=np.float64) if "depth_map" not in row else None
    pose = np.array(row["world_from_camera"], dtype=np.float64) if "world_from_camera" in row else None
    if turn.line != 1:
        places = None if places is None else turn_pixels(places, (camera.width, camera.height), turn.line)
        pose = None if pose is None else turn_pose(pose, turn.line)
        camera = camera.turned(turn.line)
    labels: Labels = (
        DepthFile(folder / row["depth_map"], float(row["depth_scale"]), depth_type, turn.picture)
        if places is None
        else SparseDepth(places, np.array(row["depth"], dtype=np.float64), depth_type)
    )
    image = ImageFile(folder / row["image"])
    return Frame(image, camera, labels, pose, str(row.get("sequence", "")), str(row.get("license", "")))


def _check_text(text: str, longest: int) -> None:
    """Raise a UserError if text is too long, or holds half of a surrogate pair, which no file can hold."""
    if len(text) > longest:
        raise UserError(f"it has {len(text)} characters, and may have {longest}", remedy="give its name alone")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise UserError(f"{shown(text)} is no Unicode text", "it holds half of a surrogate pair", "write it in UTF-8")


def _parsed(line: str) -> Mapping[str, Any]:
    try:
        row = from_json(line)
    except UserError as fault:
        raise UserError(fault.problem, remedy="each line must be one whole JSON object") from None
    if not isinstance(row, dict):
        raise UserError("it is not a JSON object", remedy='write {"image": …, "intrinsics": […], …}')
    return row


def check_fov(camera: Camera) -> None:
    """Check that the field of view of a camera is possible.

    Raises:
        UserError: If it is not.
    """
    low, high = POSSIBLE_FOV
    if not all(low <= angle <= high for angle in camera.fov):
        raise UserError(
            f"the field of view would be {camera.fov[0]:.3g} x {camera.fov[1]:.3g} degrees",
            cause="focal lengths are in pixels of this picture, not in millimetres",
            remedy="give [fx, fy, cx, cy, width, height] in pixels",
        )


def _numbers(values: Any, remedy: str) -> list[float]:
    """A list of JSON numbers; true, "1" and null are not numbers.

    Raises:
        UserError: If the values are not such a list.
    """
    if not isinstance(values, list):
        raise UserError("it is missing" if values is None else f"{shown(values)} is not a list", remedy=remedy)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"{shown(value, json.dumps)} is not a number", remedy=remedy)
    try:
        return [float(value) for value in values]
    except OverflowError:
        raise UserError("it holds a number of more than 300 digits", remedy=remedy) from None


def _places(pairs: Any, camera: Camera) -> Array:
    """The labelled pixels (N, 2), all inside the picture.

    Raises:
        UserError: If they are not a list of pairs, or lie outside the picture.
    """
    remedy = "give a list of pairs [u, v], u = column, v = row, of this picture"
    if not isinstance(pairs, list) or not pairs:
        raise UserError("it is not a list of pairs", remedy=remedy)
    rows = [_numbers(pair, remedy) for pair in pairs]
    if any(len(row) != 2 for row in rows):
        raise UserError("an entry is not a pair", remedy=remedy)
    places = np.array(rows)
    outside = np.flatnonzero(~camera.contains(places))
    if outside.size:
        u, v = places[outside[0]]
        raise UserError(
            f"{outside.size} of {len(places)} lie outside the {camera.width} x {camera.height} picture, "
            f"the first is number {outside[0]}: ({u:g}, {v:g})",
            cause="the labels belong to another size, or u and v are exchanged",
            remedy=remedy,
        )
    if look_normalised(places, (camera.width, camera.height)):
        raise UserError(
            f"all {len(places)} lie between 0 and 1, within one pixel",
            cause="they look like shares of the width and the height",
            remedy=f"multiply u by the width, {camera.width}, and v by the height, {camera.height}, "
            "and subtract 0.5 from both: whole numbers are pixel centres",
        )
    return places


def _metres(values: Any) -> Array:
    """The depths (N,) [m], all positive.

    Raises:
        UserError: If they are not a list of positive numbers.
    """
    remedy = "give metres, one for each of pixel_coords; leave out points without depth"
    metres = np.array(_numbers(values, remedy))
    invalid = np.flatnonzero(~(np.isfinite(metres) & (metres > 0)))
    if invalid.size:
        raise UserError(
            f"{invalid.size} of {len(metres)} are not positive numbers, "
            f"the first is number {invalid[0]}: {metres[invalid[0]]:g}",
            remedy=remedy,
        )
    near = np.flatnonzero(metres < NEAREST)
    if near.size:
        raise UserError(
            f"{near.size} of {len(metres)} are shorter than {1000 * NEAREST:g} mm, "
            f"the first is number {near[0]}: {metres[near[0]]:g}",
            cause="they are not in metres, or a small number stands for unknown depth",
            remedy=remedy,
        )
    far = np.flatnonzero(metres >= FARTHEST)
    if far.size:
        raise UserError(
            f"{far.size} of {len(metres)} are {FARTHEST / 1000:g} km or more, "
            f"the first is number {far[0]}: {metres[far[0]]:g}",
            cause="they are not in metres, or a large number stands for unknown depth",
            remedy=remedy,
        )
    return metres
