"""Finds the lines of a manifest that are surely sound, many lines at once.

Arrow parses a batch of lines into columns of the types that manifests should have, and NumPy checks the columns. This
takes a tenth of the time of ``toolkit.data.manifest.parse_line.ManifestLine``, which still judges every line that is in
any way unusual, and alone says what is wrong with it. Conventions: see ``toolkit.geometry.camera``.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from toolkit.data.frames.exif_turn import UPRIGHT, ExifTurn
from toolkit.data.frames.frame import FARTHEST, NEAREST, SHORTEST_UNIT, DepthType, Frame, ImageFile, longest_unit
from toolkit.data.frames.plain_head import plain_size
from toolkit.data.manifest.index import NAMED
from toolkit.data.manifest.parse_line import (
    DEPTH_TYPES,
    KEYS,
    LONGEST_WORD,
    ManifestLine,
    check_fov,
    holds_whole_numbers,
)
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.plausibility import check_distortion
from toolkit.geometry.pose import surely_poses
from toolkit.utils.arrays import Array

if TYPE_CHECKING:
    import pyarrow as pa

_ALONE = 16  # lines; in fewer of them, the one that Arrow cannot parse is not looked for
_REMEMBERED = 4096  # the number of sizes of pictures, and of cameras, that are kept in memory
_MOST_BYTES = 1 << 30  # Arrow counts bytes with 32 bits
_NUMBERS = ("intrinsics", "depth", "distortion")
_TABLES = ("pixel_coords", "world_from_camera")

_Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LineFacts:
    """What the index keeps of a line.

    Attributes:
        words: The words of the line, in the order of ``NAMED``; "" for those that it does not state.
        camera: The camera of the upright picture.
        posed: Whether it has a pose.
        typed: Whether it states its depth type.
        turn: How the picture, the camera and the labels are turned upright.
    """

    words: tuple[str, ...]
    camera: Camera
    posed: bool
    typed: bool
    turn: ExifTurn = UPRIGHT

    @classmethod
    def of(cls, line: ManifestLine, frame: Frame) -> "LineFacts":
        """What is kept of a line that was read, and of its Frame."""
        words = tuple(line.word(key) for key in NAMED)
        posed = frame.world_from_camera is not None
        return cls(words, frame.camera, posed, line.has("depth_type"), line.turn)


@dataclass(frozen=True)
class ParsedLines:
    """Some lines of a manifest that follow each other.

    Attributes:
        count: The number of lines.
        columns: Their values, one column for each key, one row for each line; None if they cannot be parsed together.
    """

    count: int
    columns: "pa.Table | None"


class PlainLines:
    """Knows lines that are surely sound.

    Args:
        folder: The folder to which paths are relative.
        default_depth_type: The depth type of a line that states none, or None.
    """

    def __init__(self, folder: Path, default_depth_type: DepthType | None) -> None:
        self._folder = str(folder)
        self._typed = default_depth_type is not None
        self._size: Callable[[str], tuple[int, int, int] | None] = lru_cache(_REMEMBERED)(_stored_size)
        self._camera: Callable[..., Camera | None] = lru_cache(_REMEMBERED)(_sound_camera)

    def facts(self, parts: Iterable[ParsedLines]) -> Iterator[LineFacts | None]:
        """What the index keeps of each line that is surely sound; None for lines that ``ManifestLine`` must judge.

        Args:
            parts: Lines, as ``parse_lines`` returns them.
        """
        for part in parts:
            yield from repeat(None, part.count) if part.columns is None else self._facts_of_columns(part.columns)

    def _facts_of_columns(self, columns: "pa.Table") -> Iterator[LineFacts | None]:
        cameras = [self._camera(*each) for each in zip(*_camera_numbers(columns), strict=True)]
        sizes = np.array([(camera.width, camera.height) if camera else (0, 0) for camera in cameras], dtype=np.float64)
        typed, stated = _are_typed(columns)
        posed, sound = _have_poses(columns)
        sound &= _have_short_words(columns)
        sound &= stated | (self._typed & ~typed)
        sound &= self._have_depth_maps(columns) | _have_sparse_depth(columns, sizes)
        images = columns["image"].to_pylist()
        words = zip(*([word or "" for word in columns[key].to_pylist()] for key in NAMED), strict=True)
        rows = zip(sound.tolist(), images, cameras, words, posed.tolist(), typed.tolist(), strict=True)
        for fine, image, camera, named, has_pose, has_type in rows:
            turn = self._turn(image, camera) if fine and image and camera else None
            if turn is None or camera is None or (turn.line != 1 and has_pose):
                yield None
            else:
                yield LineFacts(named, camera.turned(turn.line), has_pose, has_type, turn)

    def _turn(self, image: str, camera: Camera) -> ExifTurn | None:
        """How a picture is turned; None if it cannot be opened, is of another size, or has its sides exchanged."""
        stored = self._size(os.path.join(self._folder, image))
        turn = ExifTurn.of(camera, *stored) if stored else None
        return turn if turn is not None and turn.line < 5 else None

    def _have_depth_maps(self, columns: "pa.Table") -> _Flags:
        """Which lines have a depth map that exists, with its scale."""
        scales = _values(columns["depth_scale"].chunk(0))
        paths = columns["depth_map"].to_pylist()
        there = [bool(path) and os.path.isfile(os.path.join(self._folder, path)) for path in paths]
        bounds = [longest_unit(holds_whole_numbers(path or "")) for path in paths]
        return np.array(there) & (scales >= SHORTEST_UNIT) & (scales < np.array(bounds))


def parse_lines(texts: Sequence[str]) -> list[ParsedLines]:
    """Parse lines together. Those that cannot be are parted in halves until the unusual ones are nearly alone.

    Args:
        texts: The texts of lines that are not blank.
    """
    columns = _parse(texts)
    if columns is not None or len(texts) <= _ALONE:
        return [ParsedLines(len(texts), columns)]
    half = len(texts) // 2
    return parse_lines(texts[:half]) + parse_lines(texts[half:])


def _parse(texts: Sequence[str]) -> "pa.Table | None":
    """Lines as columns with one row for each line; None if a value is of another type, or braces are unusual.

    Arrow itself would take two objects in one line for two lines, take one object in two lines for one line, and crash
    on a first line that is "null".
    """
    import pyarrow as pa
    from pyarrow import json

    data = "\n".join(texts).encode()
    if len(data) > _MOST_BYTES or not all(map(_is_one_object, texts)):
        return None
    try:
        columns = json.read_json(
            pa.BufferReader(data),
            read_options=json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=json.ParseOptions(explicit_schema=_schema(), unexpected_field_behavior="error"),
        )
    except pa.ArrowException:
        return None
    return columns.combine_chunks() if len(columns) == len(texts) else None


def _is_one_object(text: str) -> bool:
    """Whether the only braces of a line are its first and its last character, so that nothing follows its object."""
    object_text = text.strip()
    return object_text.startswith("{") and object_text.endswith("}") and text.count("{") == text.count("}") == 1


@lru_cache(1)
def _schema() -> "pa.Schema":
    """The types of all keys of a line."""
    import pyarrow as pa

    number, numbers = pa.float64(), pa.list_(pa.float64())
    types = dict.fromkeys(KEYS, pa.string()) | dict.fromkeys(_NUMBERS, numbers) | {"depth_scale": number}
    return pa.schema(types | dict.fromkeys(_TABLES, pa.list_(numbers)))


def _values(column: "pa.Array") -> Array:
    """The numbers (N,) of a column; NaN for null."""
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _bounds(lists: "pa.Array") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each of N lists begins (N,) among the values of all lists, and its length (N,)."""
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return offsets[:-1], np.diff(offsets)


def _rows_of(values: Array, lists: "pa.Array", length: int) -> Array:
    """The values (N, length, …) of N lists; NaN for lists of another length.

    Args:
        values: The values (M, …) of all lists, one after another.
        lists: The lists.
        length: The length of the lists that are wanted.
    """
    begins, lengths = _bounds(lists)
    rows = np.full((len(begins), length, *values.shape[1:]), np.nan)
    fitting = lengths == length
    rows[fitting] = values[begins[fitting, None] + np.arange(length)]
    return rows


def _camera_numbers(columns: "pa.Table") -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
    """The intrinsics and the distortion of each line, NaN where they are unusual."""
    intrinsics = columns["intrinsics"].chunk(0)
    numbers = _rows_of(_values(intrinsics.values), intrinsics, 6)
    distortion = columns["distortion"].chunk(0)
    begins, lengths = _bounds(distortion)
    stated = _values(distortion.values)
    bends = [tuple(stated[begin : begin + length].tolist()) for begin, length in zip(begins, lengths, strict=True)]
    return [tuple(row) for row in numbers.tolist()], bends


def _sound_camera(intrinsics: tuple[float, ...], distortion: tuple[float, ...]) -> Camera | None:
    """The camera with these numbers, or None if they are faulty."""
    try:
        camera = Camera.from_intrinsics(intrinsics, distortion)
        check_fov(camera)
        check_distortion(camera)
    except UserError:
        return None
    return camera


def _have_short_words(columns: "pa.Table") -> _Flags:
    """Which lines (N,) have no word that is too long."""
    from pyarrow import compute

    lengths = [_values(compute.utf8_length(columns[key].chunk(0))) for key in NAMED]
    return ~np.any(np.array(lengths) > LONGEST_WORD, axis=0)


def _are_typed(columns: "pa.Table") -> tuple[_Flags, _Flags]:
    """Which lines (N,) state a depth type, and which of them a known one."""
    types = columns["depth_type"].to_pylist()
    return np.array([each is not None for each in types]), np.array([each in DEPTH_TYPES for each in types])


def _have_poses(columns: "pa.Table") -> tuple[_Flags, _Flags]:
    """Which lines (N,) state a pose, and which of them state none or a sound one."""
    matrices = columns["world_from_camera"].chunk(0)
    posed = np.asarray(matrices.is_valid().to_numpy(zero_copy_only=False))
    rows = matrices.values
    return posed, ~posed | surely_poses(_rows_of(_rows_of(_values(rows.values), rows, 4), matrices, 4))


def _have_sparse_depth(columns: "pa.Table", sizes: Array) -> _Flags:
    """Which lines (N,) have labelled pixels in their pictures and a possible depth for each, and no depth map.

    Pixels that all lie between 0 and 1 may be shares of the picture's size.

    Args:
        columns: The lines.
        sizes: The width and the height (N, 2) [px] of their pictures.
    """
    places, depth = columns["pixel_coords"].chunk(0), columns["depth"].chunk(0)
    pairs = places.values
    pixels, metres = _rows_of(_values(pairs.values), pairs, 2), _values(depth.values)
    begins, counts = _bounds(places)
    first, others = _bounds(depth)
    highest = np.repeat(sizes - 0.5, counts, axis=0)  # as in Camera.contains
    outside = np.logical_not(((pixels >= -0.5) & (pixels <= highest)).all(axis=1))
    elsewhere = np.logical_not(((pixels >= 0) & (pixels <= 1)).all(axis=1))
    no_depth = np.logical_not((metres >= NEAREST) & (metres < FARTHEST))
    mapped = np.asarray(columns["depth_map"].chunk(0).is_valid().to_numpy(zero_copy_only=False))
    faulty = _any_within(outside, begins, counts) | _any_within(no_depth, first, others)
    return np.asarray((counts == others) & _any_within(elsewhere, begins, counts) & ~faulty & ~mapped)


def _any_within(flags: _Flags, begins: NDArray[np.int64], lengths: NDArray[np.int64]) -> _Flags:
    """Whether any flag (M,) is set within each of N ranges."""
    sums = np.concatenate([[0], np.cumsum(flags)])
    return np.asarray(sums[begins + lengths] > sums[begins])


def _stored_size(path: str) -> tuple[int, int, int] | None:
    """The stored width and height [px] of a picture file, and its EXIF orientation; None if it cannot be opened."""
    size = plain_size(path)
    if size is not None:
        return *size, 1
    try:
        return ImageFile(Path(path)).stored_size()
    except UserError:
        return None
