"""Pictures that were trained on are known again, under any name, and so are their recordings."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.walls import line, write_manifest
from toolkit.data.manifest.manifest import load_manifest
from toolkit.data.sources.source import Part
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.errors import UserError
from toolkit.evaluation.contamination import FILE, overlap, read_trained_on, trained_on


def walks(folder: Path, *sequences: str | None) -> Path:
    folder.mkdir(exist_ok=True)
    return write_manifest(folder, [line(index, sequence=name) for index, name in enumerate(sequences)])


def test_copies_under_other_names_are_known_again(tmp_path: Path) -> None:
    first = load_manifest(walks(tmp_path / "a", None, None, None))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "1.png").rename(tmp_path / "b" / "other.png")
    write = line(0, image="other.png", sequence=None)
    import json

    (tmp_path / "b" / "manifest.jsonl").write_text(json.dumps(write))
    second = load_manifest(tmp_path / "b" / "manifest.jsonl")
    found = overlap(trained_on([Part(first, (1, 2))]), [second])
    assert found.seen == (str(tmp_path / "b" / "other.png"),)
    assert not overlap(trained_on([Part(first, (0, 2))]), [second]).seen


def test_recordings_are_known_again(tmp_path: Path) -> None:
    whole = load_manifest(walks(tmp_path / "a", "kitchen", "kitchen", "hall", None, None))
    found = overlap(trained_on([Part(whole, (0, 3))]), [Part(whole, (1, 2, 4))])
    assert (found.pictures, found.seen) == (3, ())
    assert found.related == (str(tmp_path / "a" / "1.png"),)
    assert "1 of 3 pictures belong to recordings" in found.said()


def test_rooms_are_known_again_however_they_are_counted() -> None:
    settings = RoomSettings(rooms=6, views=2)
    seen = trained_on([Rooms(settings)])
    assert len(overlap(seen, [Rooms(replace(settings, first=3))]).seen) == 6  # rooms 3, 4, 5
    assert overlap(seen, [Rooms(replace(settings, first=6))]).said() == ""
    assert overlap(seen, [Rooms(replace(settings, seed=settings.seed + 1))]).said() == ""


def test_it_is_kept_with_the_checkpoint(tmp_path: Path) -> None:
    seen = trained_on([Rooms(RoomSettings(rooms=3, views=2))])
    seen.save(tmp_path / FILE)
    again = read_trained_on(tmp_path)
    assert again is not None
    assert np.array_equal(again.pictures, seen.pictures) and np.array_equal(again.sequences, seen.sequences)
    assert read_trained_on(tmp_path / "elsewhere") is None
    (tmp_path / FILE).write_bytes(b"PK")
    with pytest.raises(UserError, match="damaged"):
        read_trained_on(tmp_path)
