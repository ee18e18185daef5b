"""Splitting a manifest into two files that share no sequence, by the rule that training uses."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.data.manifest.manifest import Manifest, load_manifest
from toolkit.data.sources.source import Part, split
from toolkit.errors import UserError
from toolkit.utils.files import make_folder, write_lines

TRAIN, HELD_OUT = "train.jsonl", "held_out.jsonl"


_PATHS = ("image", "depth_map")


@dataclass(frozen=True)
class Side:
    """One of the two files.

    Attributes:
        path: Where it is.
        pictures: How many it names.
        sequences: How many recordings they are of.
    """

    path: Path
    pictures: int
    sequences: int

    def said(self) -> str:
        """It in words."""
        return f"wrote {self.path}: {self.pictures} pictures; sequences: {self.sequences}"


def split_manifest(
    path: Path, share: float, folder: Path, seed: int = 0, by_picture: bool = False
) -> tuple[Side, Side]:
    """Write ``train.jsonl`` and ``held_out.jsonl``; their paths lead to the same pictures.

    Args:
        path: The manifest.
        share: Share of the pictures that is held out, about; between 0 and 1.
        folder: Where they go.
        seed: Draws the sequences.
        by_picture: Whether a picture that states no sequence counts as one of its own.

    Raises:
        UserError: If the manifest is faulty, a picture states no sequence, no whole sequence can be held out, or the
            files are there already.
    """
    if not 0 < share < 1:
        raise UserError(f"a share of {share:g} splits nothing", remedy="give one between 0 and 1, such as 0.2")
    for name in (TRAIN, HELD_OUT):
        if (folder / name).exists():
            raise UserError(f"{folder / name}: it is there already", remedy="choose another --output, or remove it")
    make_folder(folder)
    # Lines are copied as they are, so what depth is where a line does not say it makes no difference.
    manifest = load_manifest(path, depth_type="z")
    _check_sequences(manifest, by_picture)
    train, held = split(manifest, share, seed)
    _check_apart(manifest, train, held, share)
    return _write(manifest, train, folder / TRAIN), _write(manifest, held, folder / HELD_OUT)


def _check_sequences(manifest: Manifest, by_picture: bool) -> None:
    without = int((manifest.overview().sequences.numbers == 0).sum())
    if without and not by_picture:
        raise UserError(
            f"{manifest.path}: {without} of {len(manifest)} pictures state no sequence",
            cause="neighbouring pictures of one recording on both sides would make results look better than they are",
            remedy='add "sequence" to the lines; or, if no two pictures show the same place, give --by-picture',
        )


def _check_apart(manifest: Manifest, train: Part, held: Part, share: float) -> None:
    groups = manifest.overview().groups()
    sides = [set(groups[list(part.indices)].tolist()) for part in (train, held)]
    if sides[0] & sides[1] or not all(sides):
        raise UserError(
            f"{manifest.path}: no whole sequence can be held out at a share of {share:g}",
            cause=f"{len(manifest)} pictures are of {groups.max() + 1} sequences, and none is short enough",
            remedy="give a larger --share, or more sequences",
        )


def _write(manifest: Manifest, part: Part, path: Path) -> Side:
    write_lines(path, _lines(manifest, part, path.parent))
    groups = part.overview().groups()
    return Side(path, len(part), int(groups.max()) + 1)


def _lines(manifest: Manifest, part: Part, folder: Path) -> Iterator[str]:
    before, after = manifest.path.parent.resolve(), folder.resolve()
    for index in part.indices:
        row: dict[str, Any] = json.loads(manifest.text(index))
        for key in _PATHS:
            if row.get(key) is not None and not Path(row[key]).is_absolute():
                row[key] = Path(os.path.relpath(before / row[key], after)).as_posix()
        yield json.dumps(row, ensure_ascii=False)
