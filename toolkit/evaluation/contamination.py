"""Contamination: held-out pictures that were in a model's training data, by fingerprint and by recording.

A checkpoint keeps the fingerprints of all pictures that it was trained on (``toolkit.data.frames.fingerprint``), with
8 bytes for each picture.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.data.frames.fingerprint import fingerprint
from toolkit.data.sources.overview import WordColumn
from toolkit.data.sources.source import Source, overview, pictures
from toolkit.errors import UserError
from toolkit.utils.array_file import read_named_arrays
from toolkit.utils.files import write_bytes

TRAINED_ON_FILE = "trained_on.npz"
"""The name of the file in a checkpoint that holds the fingerprints."""

_Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class TrainedOn:
    """The data that a model was trained on, as hashes.

    Attributes:
        pictures: The sorted hashes of the pictures.
        sequences: The sorted hashes of the recordings that the pictures belong to.
    """

    pictures: _Hashes
    sequences: _Hashes

    def save(self, path: Path) -> None:
        """Write the hashes as a compressed NumPy archive."""
        archive = io.BytesIO()
        np.savez_compressed(archive, pictures=self.pictures, sequences=self.sequences)
        write_bytes(path, archive.getvalue())


@dataclass(frozen=True)
class Contamination:
    """Which held-out pictures overlap with the training data.

    Attributes:
        pictures: The number of held-out pictures.
        seen: The names of the pictures that the model was trained on.
        related: The names of the other pictures whose recording the model was trained on.
    """

    pictures: int
    seen: tuple[str, ...]
    related: tuple[str, ...]

    def to_text(self) -> str:
        """The contamination in words; an empty string if there is none."""
        parts = []
        if self.seen:
            parts.append(f"{len(self.seen)} of {self.pictures} pictures were trained on, such as {self.seen[0]}")
        if self.related:
            same = f"{len(self.related)} of {self.pictures} pictures belong to recordings that were trained on"
            parts.append(f"{same}, such as {self.related[0]}")
        return "; ".join(parts)


def hash_sources(sources: Sequence[Source]) -> TrainedOn:
    """Hash the pictures and the recordings of the sources that a model is trained on."""
    seen = {_hash_to_integer(fingerprint(picture)) for source in sources for picture in pictures(source)}
    recordings = {
        _hash_to_integer(name) for source in sources for name in overview(source).sequences.distinct() if name
    }
    return TrainedOn(*(np.array(sorted(found), dtype=np.uint64) for found in (seen, recordings)))


def read_trained_on(folder: Path) -> TrainedOn | None:
    """Read what a checkpoint was trained on.

    Args:
        folder: The folder of the checkpoint.

    Returns:
        The hashes of its training data; None if the checkpoint has no such file.

    Raises:
        UserError: If the file is damaged.
    """
    path = folder / TRAINED_ON_FILE
    if not path.is_file():
        return None
    try:
        saved = read_named_arrays(path)
        return TrainedOn(saved["pictures"], saved["sequences"])
    except (OSError, KeyError, UserError) as error:
        cause = error.cause if isinstance(error, UserError) else str(error)
        raise UserError(f"{path}: it is damaged", cause, "copy the checkpoint again") from None


def find_contamination(seen: TrainedOn, sources: Sequence[Source]) -> Contamination:
    """Find the held-out pictures that overlap with the training data of a model.

    Args:
        seen: What the model was trained on.
        sources: The sources of the held-out pictures.
    """
    names, hashes = [], []
    for picture in (picture for source in sources for picture in pictures(source)):
        names.append(picture.name)
        hashes.append(_hash_to_integer(fingerprint(picture)))
    same = np.isin(np.array(hashes, dtype=np.uint64), seen.pictures)
    known = [_of_known_recordings(overview(source).sequences, seen) for source in sources]
    related = np.concatenate([np.zeros(0, dtype=bool), *known]) & ~same
    return Contamination(
        pictures=len(names),
        seen=tuple(names[index] for index in np.flatnonzero(same)),
        related=tuple(names[index] for index in np.flatnonzero(related)),
    )


def _of_known_recordings(sequences: WordColumn, seen: TrainedOn) -> NDArray[np.bool_]:
    """Whether the recording of each of the N Frames was trained on, (N,)."""
    hashes = np.array([_hash_to_integer(name) for name in sequences.read()], dtype=np.uint64)
    known = np.isin(hashes, seen.sequences)
    known[0] = False  # the first name is that of Frames without a recording
    return known[sequences.numbers]


def _hash_to_integer(text: str) -> int:
    """The first 8 bytes of the SHA-256 of a text, as an integer."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "little")
