"""Which scenes of a data set are converted: all that are there, or those of the chosen splits."""

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from toolkit.data.convert.base_format import ConvertOptions, select_names
from toolkit.data.convert.readers.read_files import read_lines, reading
from toolkit.errors import UserError


def split_scenes(
    source: Path, options: ConvertOptions, lists: Mapping[str, Sequence[str]], there: Collection[str]
) -> tuple[list[str], list[UserError]]:
    """The scenes to convert, sorted, and one fault for each scene of a chosen split that is not there.

    Args:
        source: The folder that holds the data set.
        options: The options that the user chose.
        lists: The scenes of each split, as files of the data set list them.
        there: The scenes that were downloaded.

    Raises:
        UserError: If a split is chosen that no file lists.
    """
    if not options.splits:
        return sorted(there), []
    names = select_names(options.splits, sorted(lists), "split", source)
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


def read_scene_list(path: Path) -> list[str]:
    """The scenes that a text file lists, one in each line.

    Raises:
        UserError: If the file is missing.
    """
    return [line.strip() for line in read_lines(path)]


def read_split_table(path: Path) -> dict[str, list[str]]:
    """The scenes of each split, from a CSV table with the columns id, train, val and test; a 1 marks membership.

    Raises:
        UserError: If the file is missing, or is another table.
    """
    with reading(path, csv.Error, KeyError), path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
        return {split: [row["id"] for row in rows if row[split] == "1"] for split in ("train", "val", "test")}
