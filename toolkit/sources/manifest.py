"""Manifests: JSON lines that name pictures, cameras and depth; DepthLM's files load unchanged.

Keys of a line: ``image`` and ``intrinsics`` [fx, fy, cx, cy, width, height]; labels as ``pixel_coords`` with ``depth``,
or as ``depth_map`` with ``depth_scale`` [m per unit], which wins where both are given; ``depth_type`` ("z" or
"euclidean"); optionally ``distortion``, ``world_from_camera``, ``sequence``, ``license`` and ``attribution`` (whom to
name). Paths are relative to the manifest; a key that is null counts as left out. Intrinsics and ``pixel_coords`` are
those of the upright picture, or of the stored one where its size tells them apart. Conventions: see ``toolkit.camera``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from toolkit.errors import UserError, raise_all
from toolkit.frame import DepthType, Frame
from toolkit.sources.manifest_line import ManifestLine


@dataclass(frozen=True)
class Manifest:
    """A checked manifest.

    Attributes:
        path: The JSON-lines file.
        frames: Its Frames.
    """

    path: Path
    frames: tuple[Frame, ...]
    alike: ClassVar[bool] = False

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


def load_manifest(path: Path, depth_type: DepthType | None = None, decode: bool = False) -> Manifest:
    """Read and check a manifest; every fault of the file is reported.

    Args:
        path: The JSON-lines file.
        depth_type: What the depths of lines without ``depth_type`` are.
        decode: Whether pictures and depth maps are read whole, which finds damaged ones and takes time;
            else only the pictures' sizes are read.

    Raises:
        UserError: If there is no such file or it holds no line.
        UserErrors: If lines are faulty.
    """
    frames, faults = [], []
    for number, text in enumerate(manifest_lines(path), start=1):
        if not text.strip():
            continue
        line = ManifestLine(f"{path}, line {number}", path.parent, depth_type)
        frame = line.frame(text, decode)
        faults += line.faults
        if frame is not None:
            frames.append(frame)
    raise_all(str(path), faults)
    if not frames:
        raise UserError(f"{path}: the manifest is empty", remedy="it needs one JSON object a line, one a picture")
    return Manifest(path, tuple(frames))


def manifest_lines(path: Path) -> list[str]:
    """The lines of a manifest, blank ones too.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        # Not splitlines: JSON strings may hold U+2028 and its like, which end no line.
        return path.read_text(encoding="utf-8-sig").split("\n")
    except OSError:
        raise UserError(f"{path}: there is no such manifest", remedy="check the path in the recipe") from None
    except UnicodeDecodeError:
        raise UserError(
            f"{path}: this is not a manifest", cause="it is not UTF-8 text", remedy="give a .jsonl file"
        ) from None
