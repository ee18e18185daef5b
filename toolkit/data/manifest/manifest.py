"""Manifests: JSON lines that name pictures, cameras and depth; DepthLM's files load unchanged.

Keys of a line: ``image`` and ``intrinsics`` [fx, fy, cx, cy, width, height]; labels as ``pixel_coords`` with ``depth``,
or as ``depth_map`` with ``depth_scale`` [m per unit], which wins where both are given; ``depth_type`` ("z" or
"euclidean"); optionally ``distortion``, ``world_from_camera``, ``sequence``, ``license`` and ``attribution`` (whom to
name). Paths are relative to the manifest; a key that is null counts as left out. Intrinsics and ``pixel_coords`` are
those of the upright picture, or of the stored one where its size tells them apart. Conventions: see
``toolkit.geometry.camera``.

Every line is checked once, when the manifest's index is built (``toolkit.data.manifest.index``). Later, a Frame is
one line read from the file. A manifest of fewer than ``KEPT_FROM`` lines is checked anew each time it is opened.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO

from toolkit.data.frames.frame import DepthType, Frame, ImageFile, Picture
from toolkit.data.manifest.build_index import build_index, written_lines
from toolkit.data.manifest.index import Index, Stamp, keep, kept_index
from toolkit.data.manifest.parse_line import ManifestLine
from toolkit.data.sources.overview import Overview
from toolkit.errors import UserError, raise_all

KEPT_FROM = 10_000
"""Lines from which on the index of a manifest is kept."""


_REMEMBERED = 64  # Frames


class Manifest:
    """A checked manifest, whose Frames are read when they are asked for.

    Args:
        path: The JSON-lines file.
        depth_type: What the depths of lines without ``depth_type`` are.
        index: What is known of its lines.
    """

    alike = False

    def __init__(self, path: Path, depth_type: DepthType | None, index: Index) -> None:
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
    def frames(self) -> "Frames":
        """All its Frames, each read when it is taken."""
        return Frames(self)

    def frame(self, index: int) -> Frame:
        """The Frame of that line.

        Raises:
            UserError: If the manifest was changed since it was opened.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        return self._remembered(int(index))

    def partners(self, index: int) -> Sequence[int]:
        """Other Frames of the same sequence, where both have poses."""
        row = self._index.rows[index]
        posed = self._index.posed[row["first"] : row["last"]]
        return list(posed[posed != index].tolist())

    def overview(self) -> Overview:
        """What is known of all its Frames."""
        return self._index.overview()

    def pictures(self, indices: Iterable[int]) -> Iterator[Picture]:
        """The pictures of some of its Frames; no more of a line is looked at."""
        for index in indices:
            yield ImageFile(self.path.parent / json.loads(self.text(index))["image"])

    def text(self, index: int) -> str:
        """The line itself."""
        rows, stamp = self._index.rows, self._index.stamp
        start = int(rows["offset"][index])
        end = int(rows["offset"][index + 1]) if index + 1 < len(rows) else stamp.size
        if Stamp.of(self._file).state[:2] != stamp.state[:2]:
            raise UserError(f"{self.path}: the manifest was changed while it was in use", remedy="start again")
        # Not seek and read: forked processes share the place in the file.
        return os.pread(self._file.fileno(), end - start, start).decode("utf-8")

    @property
    def _key(self) -> tuple[object, ...]:
        return self.path, self._depth_type, self._index.stamp.sha256

    @cached_property
    def _file(self) -> BinaryIO:
        return _opened(self.path)

    @cached_property
    def _remembered(self) -> Callable[[int], Frame]:
        return lru_cache(_REMEMBERED)(self._read)

    def _read(self, index: int) -> Frame:
        row = self._index.rows[index]
        where = f"{self.path}, line {row['line']}"
        line = ManifestLine(where, self.path.parent, self._depth_type, int(row["orientation"]))
        frame = line.frame(self.text(index), decode=False)
        raise_all(str(self.path), line.faults)
        assert frame is not None, where
        return frame


class Frames(Sequence[Frame]):
    """The Frames of a manifest as a sequence."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def __len__(self) -> int:
        return len(self._manifest)

    def __getitem__(self, index: int) -> Frame:  # type: ignore[override]
        return self._manifest.frame(index if index >= 0 else len(self) + index)


def load_manifest(path: Path, depth_type: DepthType | None = None, decode: bool = False) -> Manifest:
    """Open a manifest; if no index of it was kept, every line is checked and every fault of the file reported.

    Args:
        path: The JSON-lines file.
        depth_type: What the depths of lines without ``depth_type`` are.
        decode: Whether every line is checked in any case, and pictures and depth maps are read whole, which finds
            damaged ones and takes time; else only the pictures' sizes are read.

    Raises:
        UserError: If there is no such file or it holds no line.
        UserErrors: If lines are faulty.
    """
    with _opened(path) as file:
        index = None if decode else kept_index(path, file)
        if index is None or not index.serves(depth_type is not None):
            index = build_index(path, file, depth_type, decode)
            if len(index.rows) >= KEPT_FROM:
                index = keep(index, path)
        return Manifest(path, depth_type, index)


def manifest_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line of a manifest that is not blank.

    Raises:
        UserError: If it cannot be read.
    """
    with _opened(path) as file:
        for number, _, text in written_lines(path, file):
            yield number, text


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError:
        raise UserError(f"{path}: there is no such manifest", remedy="check the path in the recipe") from None
