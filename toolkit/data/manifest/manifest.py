"""Manifests: JSON lines that name pictures, cameras and depth; DepthLM's files load unchanged.

A line has these keys: ``image`` and ``intrinsics`` [fx, fy, cx, cy, width, height]; the labels, as ``pixel_coords``
with ``depth``, or as ``depth_map`` with ``depth_scale`` [m per unit], which is used if both are given; ``depth_type``
("z" or "euclidean"); and, if they are known, ``distortion``, ``world_from_camera``, ``sequence``, ``license`` and
``attribution`` (the name that must be credited). Paths are relative to the manifest. A key whose value is null counts
as left out. Intrinsics, ``pixel_coords`` and the pose belong to the picture as it is stored, before its EXIF
orientation turns it, or to the upright one if the size in the intrinsics shows it; so does the depth map, by its own
size. Conventions: see ``toolkit.geometry.camera``.

Every line is checked once, when the index of the manifest is built (``toolkit.data.manifest.index``). After that, each
Frame is made from one line that is read from the file. A manifest of fewer than ``KEPT_FROM`` lines is checked anew
each time it is opened.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO

from toolkit.data.frames.exif_turn import ExifTurn
from toolkit.data.frames.frame import DepthType, Frame, ImageFile, Picture
from toolkit.data.manifest.build_index import build_index, nonblank_lines
from toolkit.data.manifest.index import ManifestIndex, find_index, keep_index
from toolkit.data.manifest.parse_line import frame_of_checked_line
from toolkit.data.sources.overview import Overview
from toolkit.errors import UserError
from toolkit.utils.bounded_file import open_bounded

KEPT_FROM = 10_000
"""The number of lines from which on the index of a manifest is kept in a file."""

_REMEMBERED = 64  # the number of Frames that are kept in memory


class Manifest:
    """A checked manifest, whose Frames are read when they are needed.

    Args:
        path: The JSON-lines file.
        depth_type: The depth type of lines that state none, or None if every line states it.
        index: What is known of its lines.
    """

    alike = False

    def __init__(self, path: Path, depth_type: DepthType | None, index: ManifestIndex) -> None:
        self.path = path
        self._depth_type = depth_type
        self._index = index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Manifest) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __getstate__(self) -> dict[str, object]:
        """Pickled without its open file: each process opens its own."""
        return {"path": self.path, "_depth_type": self._depth_type, "_index": self._index}

    def __len__(self) -> int:
        return len(self._index.rows)

    @property
    def frames(self) -> "ManifestFrames":
        """All Frames, each of which is read when it is taken."""
        return ManifestFrames(self)

    def frame(self, index: int) -> Frame:
        """The Frame of an index.

        Raises:
            IndexError: If the index is not in 0 ... len - 1.
            UserError: If the manifest was changed after it was opened.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        return self._remembered(int(index))

    def partners(self, index: int) -> Sequence[int]:
        """Other Frames of the same sequence, where both have poses."""
        row = self._index.rows[index]
        posed = self._index.posed[row["first"] : row["last"]]
        return list(posed[posed != index].tolist())

    def turn(self, index: int) -> ExifTurn:
        """How the picture, the camera and the labels of an index are turned upright."""
        row = self._index.rows[index]
        return ExifTurn(int(row["orientation"]), int(row["turn"]))

    def overview(self) -> Overview:
        """What is known of all Frames at once."""
        return self._index.overview()

    def pictures(self, indices: Iterable[int]) -> Iterator[Picture]:
        """The pictures of the Frames with these indices; the other keys of their lines are not checked."""
        for index in indices:
            yield ImageFile(self.path.parent / json.loads(self.text(index))["image"])

    def text(self, index: int) -> str:
        """The text of the line of an index.

        Raises:
            UserError: If the manifest was changed after it was opened.
        """
        rows, stamp = self._index.rows, self._index.stamp
        start = int(rows["offset"][index])
        end = int(rows["offset"][index + 1]) if index + 1 < len(rows) else stamp.size
        now = os.fstat(self._file.fileno())
        if (now.st_size, now.st_mtime_ns) != (stamp.size, stamp.modified):
            raise UserError(
                f"{self.path}: the manifest was changed while it was in use", remedy="start the command again"
            )
        # This does not seek and read, because forked processes share the position in the file.
        return os.pread(self._file.fileno(), end - start, start).decode("utf-8")

    @property
    def _key(self) -> tuple[object, ...]:
        return self.path, self._depth_type, self._index.stamp.sha256

    @cached_property
    def _file(self) -> BinaryIO:
        return _open_manifest(self.path)

    @cached_property
    def _remembered(self) -> Callable[[int], Frame]:
        return lru_cache(_REMEMBERED)(self._read)

    def _read(self, index: int) -> Frame:
        return frame_of_checked_line(self.text(index), self.path.parent, self._depth_type, self.turn(index))


class ManifestFrames(Sequence[Frame]):
    """The Frames of a manifest as a sequence.

    Args:
        manifest: The manifest.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def __len__(self) -> int:
        return len(self._manifest)

    def __getitem__(self, index: int) -> Frame:  # type: ignore[override]
        return self._manifest.frame(index if index >= 0 else len(self) + index)


def load_manifest(path: Path, depth_type: DepthType | None = None, decode: bool = False) -> Manifest:
    """Open a manifest. If no index of it was kept, every line is checked, and all faults are reported together.

    Args:
        path: The JSON-lines file.
        depth_type: The depth type of lines that state none. If it is None, every line must state it.
        decode: Whether to check every line in any case, and to read pictures and depth maps whole. This finds damaged
            files, and takes time. Without it, only the sizes of the pictures are read.

    Raises:
        UserError: If there is no such file, or it holds no line.
        UserErrors: If lines are faulty.
    """
    with _open_manifest(path) as file:
        index = None if decode else find_index(path, file)
        if index is None or not index.serves(depth_type is not None):
            index = build_index(path, file, depth_type, decode)
            if len(index.rows) >= KEPT_FROM:
                index = keep_index(index, path)
        return Manifest(path, depth_type, index)


def manifest_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The number and the text of each line of a manifest that is not blank.

    Raises:
        UserError: If the manifest cannot be read.
    """
    with _open_manifest(path) as file:
        for line in nonblank_lines(path, file):
            yield line.number, line.text


def _open_manifest(path: Path) -> BinaryIO:
    try:
        return open_bounded(path, None)
    except OSError:
        raise UserError(f"{path}: there is no such manifest", remedy="check the path in the recipe") from None
    except UserError as fault:
        raise UserError(f"{path}: there is no such manifest", fault.cause, "give a .jsonl file") from None
