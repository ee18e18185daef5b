"""Which scenes of a set are converted: all that are there, or those of the chosen splits."""

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from toolkit.data.convert.base_format import Options, chosen
from toolkit.data.convert.readers.read_files import read_lines, reading
from toolkit.errors import UserError


def split_scenes(
    source: Path, options: Options, lists: Mapping[str, Sequence[str]], there: Collection[str]
) -> tuple[list[str], list[UserError]]:
    """Scenes to convert, sorted, and one fault for each scene of a chosen split that is not there.

    Args:
        source: The set.
        options: What the user chose.
        lists: The scenes of each split, as the set's files say.
        there: The scenes that were downloaded.

    Raises:
        UserError: If a split is chosen that no list describes.
    """
    if not options.splits:
        return sorted(there), []
    names = chosen(options.splits, sorted(lists), "split", source)
    wanted = sorted({scene for name in names for scene in lists[name]})
    faults = [
        UserError(
            f"{source}: the scene {scene} is not there",
            cause=f"it is in a split that was chosen ({', '.join(names)})",
            remedy="download it, or leave it out with --skip-bad",
        )
        for scene in wanted
        if scene not in there
    ]
    return [scene for scene in wanted if scene in there], faults


def read_list(path: Path) -> list[str]:
    """The scenes that a text file names, one a line.

    Raises:
        UserError: If it is missing.
    """
    return [line.strip() for line in read_lines(path)]


def read_table(path: Path) -> dict[str, list[str]]:
    """The scenes of each split in a table with the columns id, train, val and test, marked by 1.

    Raises:
        UserError: If it is missing or another table.
    """
    with reading(path, csv.Error, KeyError), path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
        return {split: [row["id"] for row in rows if row[split] == "1"] for split in ("train", "val", "test")}
