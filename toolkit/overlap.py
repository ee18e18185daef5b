"""Whether pictures that a model is measured on were in its training: by fingerprint, and by recording.

A checkpoint keeps the fingerprints of all pictures that it was trained on (``toolkit.identity``), 8 bytes each.
"""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import UserError
from toolkit.frame import Frame
from toolkit.identity import picture_id
from toolkit.sources import Source
from toolkit.storage import write_bytes

FILE = "trained_on.npz"
"""Name of the file in a checkpoint."""

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class TrainedOn:
    """What a model was trained on.

    Attributes:
        pictures: Sorted hashes of the pictures.
        sequences: Sorted hashes of the recordings that they belong to.
    """

    pictures: Hashes
    sequences: Hashes

    def save(self, path: Path) -> None:
        """Write it as a compressed NumPy archive."""
        held = io.BytesIO()
        np.savez_compressed(held, pictures=self.pictures, sequences=self.sequences)
        write_bytes(path, held.getvalue())


@dataclass(frozen=True)
class Overlap:
    """How far held-out pictures were in training.

    Attributes:
        pictures: How many there are.
        seen: Names of those that were trained on themselves.
        related: Names of others that belong to a recording of which pictures were trained on.
    """

    pictures: int
    seen: tuple[str, ...]
    related: tuple[str, ...]

    def said(self) -> str:
        """It in words; "" if there is none."""
        parts = []
        if self.seen:
            parts.append(f"{len(self.seen)} of {self.pictures} pictures were trained on, such as {self.seen[0]}")
        if self.related:
            same = f"{len(self.related)} of {self.pictures} pictures belong to recordings that were trained on"
            parts.append(f"{same}, such as {self.related[0]}")
        return "; ".join(parts)


def trained_on(sources: Iterable[Source]) -> TrainedOn:
    """The pictures of some sources, by hash."""
    pictures: set[int] = set()
    sequences: set[int] = set()
    for frame in _frames(sources):
        pictures.add(_hash(picture_id(frame)))
        if frame.sequence:
            sequences.add(_hash(frame.sequence))
    return TrainedOn(*(np.array(sorted(found), dtype=np.uint64) for found in (pictures, sequences)))


def read_trained_on(folder: Path) -> TrainedOn | None:
    """What a checkpoint was trained on; None if it does not say.

    Raises:
        UserError: If its file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with np.load(path) as saved:
            return TrainedOn(saved["pictures"], saved["sequences"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise UserError(f"{path}: it is damaged", cause=str(error), remedy="copy the checkpoint again") from None


def overlap(seen: TrainedOn, sources: Iterable[Source]) -> Overlap:
    """How far the pictures of some sources are among those that a model was trained on."""
    frames = list(_frames(sources))
    pictures = _members([picture_id(frame) for frame in frames], seen.pictures)
    sequences = _members([frame.sequence for frame in frames], seen.sequences)
    return Overlap(
        pictures=len(frames),
        seen=tuple(frame.name for frame, same in zip(frames, pictures, strict=True) if same),
        related=tuple(
            frame.name
            for frame, same, related in zip(frames, pictures, sequences, strict=True)
            if frame.sequence and related and not same
        ),
    )


def _frames(sources: Iterable[Source]) -> Iterable[Frame]:
    return (source.frame(index) for source in sources for index in range(len(source)))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _members(texts: Iterable[str], among: Hashes) -> NDArray[np.bool_]:
    hashes = np.array([_hash(text) for text in texts], dtype=np.uint64)
    return np.isin(hashes, among)
