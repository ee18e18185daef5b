"""Pictures that were trained on are known again, under any name, and so are their recordings."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.walls import line, write_manifest
from toolkit.data.manifest.manifest import load_manifest
from toolkit.data.sources.source import SourcePart
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.errors import UserError
from toolkit.evaluation.contamination import TRAINED_ON_FILE, find_contamination, hash_sources, read_trained_on


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
    found = find_contamination(hash_sources([SourcePart(first, (1, 2))]), [second])
    assert found.seen == (str(tmp_path / "b" / "other.png"),)
    assert not find_contamination(hash_sources([SourcePart(first, (0, 2))]), [second]).seen


def test_recordings_are_known_again(tmp_path: Path) -> None:
    whole = load_manifest(walks(tmp_path / "a", "kitchen", "kitchen", "hall", None, None))
    found = find_contamination(hash_sources([SourcePart(whole, (0, 3))]), [SourcePart(whole, (1, 2, 4))])
    assert (found.pictures, found.seen) == (3, ())
    assert found.related == (str(tmp_path / "a" / "1.png"),)
    assert "1 of 3 pictures belong to recordings" in found.to_text()


def test_rooms_are_known_again_however_they_are_counted() -> None:
    settings = RoomSettings(rooms=6, views=2)
    seen = hash_sources([Rooms(settings)])
    assert len(find_contamination(seen, [Rooms(replace(settings, first=3))]).seen) == 6  # rooms 3, 4, 5
    assert find_contamination(seen, [Rooms(replace(settings, first=6))]).to_text() == ""
    assert find_contamination(seen, [Rooms(replace(settings, seed=settings.seed + 1))]).to_text() == ""


def test_it_is_kept_with_the_checkpoint(tmp_path: Path) -> None:
    seen = hash_sources([Rooms(RoomSettings(rooms=3, views=2))])
    seen.save(tmp_path / TRAINED_ON_FILE)
    again = read_trained_on(tmp_path)
    assert again is not None
    assert np.array_equal(again.pictures, seen.pictures) and np.array_equal(again.sequences, seen.sequences)
    assert read_trained_on(tmp_path / "elsewhere") is None
    (tmp_path / TRAINED_ON_FILE).write_bytes(b"PK")
    with pytest.raises(UserError, match="damaged"):
        read_trained_on(tmp_path)
