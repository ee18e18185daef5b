"""Whether pictures that a model is measured on were in its training: by fingerprint, and by recording.

A checkpoint keeps the fingerprints of all pictures that it was trained on (``toolkit.data.frames.fingerprint``), 8
bytes each.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.data.frames.fingerprint import fingerprint
from toolkit.data.sources.overview import Column
from toolkit.data.sources.source import Source, overview, pictures
from toolkit.errors import UserError
from toolkit.utils.files import write_bytes

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


def trained_on(sources: Sequence[Source]) -> TrainedOn:
    """The pictures of some sources, by hash."""
    seen = {_hash(fingerprint(picture)) for source in sources for picture in pictures(source)}
    recordings = {_hash(name) for source in sources for name in overview(source).sequences.distinct() if name}
    return TrainedOn(*(np.array(sorted(found), dtype=np.uint64) for found in (seen, recordings)))


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


def overlap(seen: TrainedOn, sources: Sequence[Source]) -> Overlap:
    """How far the pictures of some sources are among those that a model was trained on."""
    names, hashes = [], []
    for picture in (picture for source in sources for picture in pictures(source)):
        names.append(picture.name)
        hashes.append(_hash(fingerprint(picture)))
    same = np.isin(np.array(hashes, dtype=np.uint64), seen.pictures)
    known = [_of_known_recordings(overview(source).sequences, seen) for source in sources]
    related = np.concatenate([np.zeros(0, dtype=bool), *known]) & ~same
    return Overlap(
        pictures=len(names),
        seen=tuple(names[index] for index in np.flatnonzero(same)),
        related=tuple(names[index] for index in np.flatnonzero(related)),
    )


def _of_known_recordings(sequences: Column, seen: TrainedOn) -> NDArray[np.bool_]:
    """(N,) whether a Frame's recording was trained on."""
    hashes = np.array([_hash(name) for name in sequences.read()], dtype=np.uint64)
    known = np.isin(hashes, seen.sequences)
    known[0] = False  # no recording
    return known[sequences.numbers]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
