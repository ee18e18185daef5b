"""Splits a manifest into two files that share no sequence, by the rule that training uses."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.data.manifest.manifest import Manifest, load_manifest
from toolkit.data.sources.source import SourcePart, split
from toolkit.errors import UserError
from toolkit.utils.files import make_folder, write_lines, written_together

TRAIN, HELD_OUT = "train.jsonl", "held_out.jsonl"
"""The names of the two files."""

_PATHS = ("image", "depth_map")  # keys whose values are paths


@dataclass(frozen=True)
class SplitFile:
    """One of the two files into which a manifest was split.

    Attributes:
        path: The path of the file.
        pictures: The number of pictures that it names.
        sequences: The number of recordings to which they belong.
    """

    path: Path
    pictures: int
    sequences: int

    def to_text(self) -> str:
        """The line that the command prints."""
        return f"wrote {self.path}: {self.pictures} pictures; sequences: {self.sequences}"


def split_manifest(
    path: Path, share: float, folder: Path, seed: int = 0, by_picture: bool = False
) -> tuple[SplitFile, SplitFile]:
    """Write ``train.jsonl`` and ``held_out.jsonl``, with paths that lead to the same files as those of the manifest.

    Args:
        path: The manifest.
        share: The approximate share of the pictures that is held out, between 0 and 1.
        folder: The folder for the two files.
        seed: The seed by which sequences are drawn.
        by_picture: Whether a picture that states no sequence counts as a sequence of its own.

    Returns:
        The file to train on, and the held-out file.

    Raises:
        UserError: If the manifest is faulty, a picture states no sequence, no whole sequence can be held out, or one of
            the files exists already.
    """
    if not 0 < share < 1:
        raise UserError(f"a share of {share:g} splits nothing", remedy="give a share between 0 and 1, such as 0.2")
    for name in (TRAIN, HELD_OUT):
        if (folder / name).exists():
            raise UserError(
                f"{folder / name}: this file exists already", remedy="choose another --output, or remove the file"
            )
    make_folder(folder)
    # Lines are copied as they are, so the depth type that is assumed where a line states none makes no difference.
    manifest = load_manifest(path, depth_type="z")
    _check_sequences(manifest, by_picture)
    train, held = split(manifest, share, seed)
    _check_apart(manifest, train, held, share)
    with written_together():
        return _write(manifest, train, folder / TRAIN), _write(manifest, held, folder / HELD_OUT)


def _check_sequences(manifest: Manifest, by_picture: bool) -> None:
    without = int((manifest.overview().sequences.numbers == 0).sum())
    if without and not by_picture:
        raise UserError(
            f"{manifest.path}: {without} of {len(manifest)} pictures state no sequence",
            cause="neighbouring pictures of one recording on both sides would make results look better than they are",
            remedy='add "sequence" to the lines; or, if no two pictures show the same place, give --by-picture',
        )


def _check_apart(manifest: Manifest, train: SourcePart, held: SourcePart, share: float) -> None:
    groups = manifest.overview().groups()
    sides = [set(groups[list(part.indices)].tolist()) for part in (train, held)]
    if sides[0] & sides[1] or not all(sides):
        raise UserError(
            f"{manifest.path}: no whole sequence can be held out at a share of {share:g}",
            cause=f"{len(manifest)} pictures are of {groups.max() + 1} sequences, and none is short enough",
            remedy="give a larger --share, or more sequences",
        )


def _write(manifest: Manifest, part: SourcePart, path: Path) -> SplitFile:
    write_lines(path, _lines_for(manifest, part, path.parent))
    groups = part.overview().groups()
    return SplitFile(path, len(part), int(groups.max()) + 1)


def _lines_for(manifest: Manifest, part: SourcePart, folder: Path) -> Iterator[str]:
    """The lines of a part, with paths relative to the folder of the new manifest."""
    before, after = manifest.path.parent.resolve(), folder.resolve()
    for index in part.indices:
        row: dict[str, Any] = json.loads(manifest.text(index))
        for key in _PATHS:
            if row.get(key) is not None and not Path(row[key]).is_absolute():
                row[key] = Path(os.path.relpath(before / row[key], after)).as_posix()
        yield json.dumps(row, ensure_ascii=False)
