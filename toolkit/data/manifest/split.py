"""Splits a manifest into two files that share no sequence, by the rule that training uses."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.data.manifest.manifest import Manifest, load_manifest
from toolkit.data.sources.source import SourcePart, split
from toolkit.errors import UserError
from toolkit.foreign_text import one_line
from toolkit.utils.files import make_folder, write_lines, write_text, written_together
from toolkit.utils.json import dump_json
from toolkit.utils.overwrite import check_overwrite, has_mark, mark_of

TRAIN, HELD_OUT = "train.jsonl", "held_out.jsonl"
"""The names of the two files."""

_RECORD = "split.json"
"""The file beside them that says that this command wrote them."""

_COMMAND = "data split"

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
        return f"wrote {one_line(self.path)}: {self.pictures} pictures; sequences: {self.sequences}"


def split_manifest(
    path: Path, share: float, folder: Path, seed: int = 0, by_picture: bool = False, force: bool = False
) -> tuple[SplitFile, SplitFile]:
    """Write ``train.jsonl`` and ``held_out.jsonl``, with paths that lead to the same files as those of the manifest.

    Args:
        path: The manifest.
        share: The approximate share of the pictures that is held out, between 0 and 1.
        folder: The folder for the two files.
        seed: The seed by which sequences are drawn.
        by_picture: Whether a picture that states no sequence counts as a sequence of its own.
        force: Whether files of another origin may be written over, other than the manifest.

    Returns:
        The file to train on, and the held-out file.

    Raises:
        UserError: If the manifest is faulty, a picture states no sequence, no whole sequence can be held out, or one of
            the files may not be written over.
    """
    if not 0 < share < 1:
        raise UserError(f"a share of {share:g} splits nothing", remedy="give a share between 0 and 1, such as 0.2")
    files = [folder / TRAIN, folder / HELD_OUT]
    check_overwrite([folder / _RECORD], _COMMAND, force, [path])
    check_overwrite(files, _COMMAND, force, [path], own=_wrote(folder, files))
    make_folder(folder)
    # Lines are copied as they are, so the depth type that is assumed where a line states none makes no difference.
    manifest = load_manifest(path, depth_type="z")
    _check_sequences(manifest, by_picture)
    train, held = split(manifest, share, seed)
    _check_apart(manifest, train, held, share)
    sides = {files[0]: train, files[1]: held}
    with written_together():
        for file, side in sides.items():
            write_lines(file, _lines_for(manifest, side, folder))
    record = {"about": mark_of(_COMMAND), "bytes": _sizes(files), "manifest": str(path), "share": share, "seed": seed}
    write_text(folder / _RECORD, dump_json(record, indent=2) + "\n")
    return _about(train, files[0]), _about(held, files[1])


def _wrote(folder: Path, files: Sequence[Path]) -> bool:
    """Whether the two files are as this command wrote them; a file that was changed since is the user's own."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return has_mark(folder / _RECORD, _COMMAND) and bool(record["bytes"] == _sizes(files))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _sizes(files: Sequence[Path]) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in files}


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


def _about(part: SourcePart, path: Path) -> SplitFile:
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
        yield dump_json(row)
