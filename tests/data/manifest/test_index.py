"""Tests of ``toolkit.data.manifest.index``: kept once, used again, never for another manifest than its own."""

import json
import multiprocessing
import os
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.walls import line, write_manifest
from toolkit.data.manifest import index as manifest_index
from toolkit.data.manifest import manifest as manifests
from toolkit.data.manifest.index import ManifestStamp, index_places
from toolkit.data.manifest.manifest import Manifest, load_manifest
from toolkit.data.sources.overview import Overview, WordColumn
from toolkit.data.sources.source import SourcePart, examples, overview, pictures, split
from toolkit.errors import UserError, UserErrors

COUNT = 12
LONG_AGO = 10**18  # ns


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every index is kept, however few the lines."""
    monkeypatch.setattr(manifests, "KEPT_FROM", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The manifests that were indexed."""
    built: list[Path] = []
    whole = manifests.build_index
    monkeypatch.setattr(manifests, "build_index", lambda path, *rest: (built.append(path), whole(path, *rest))[1])
    return built


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Twelve pictures: three sequences of four, one picture without a pose, one without a sequence."""
    rows = [line(index, license=f"L{index % 2}", attribution="A. Body") for index in range(COUNT)]
    del rows[5]["world_from_camera"], rows[6]["sequence"]
    return write_manifest(tmp_path, rows)


def says(frame: object) -> str:
    """All that a Frame is, as text."""
    return repr(frame)


def test_an_index_is_built_once_and_tells_the_same(path: Path, builds: list[Path]) -> None:
    first, second = load_manifest(path), load_manifest(path)
    assert builds == [path] and next(index_places(path)).is_file()
    assert first == second and hash(first) == hash(second)
    assert [says(frame) for frame in second.frames] == [says(frame) for frame in first.frames]
    known = second.overview()
    assert known.posed.tolist() == [index != 5 for index in range(COUNT)] and known.labelled.all()
    assert known.sequences.counts() == {"walk 0": 4, "walk 1": 3, "": 1, "walk 2": 4}
    assert known.licenses.counts() == {"L0": 6, "L1": 6} and known.attributions.distinct() == ["A. Body"]
    assert len(known.one_of_each_camera()) == 1
    assert [list(second.partners(index)) for index in (0, 4, 5, 6, 7)] == [[1, 2, 3], [7], [], [], [4]]
    assert [picture.name for picture in second.pictures([3, 1])] == [str(path.parent / f"{i}.png") for i in (3, 1)]


def test_examples_are_one_of_each_kind_and_only_these_lines_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [line(index, license=f"L{index % 2}") for index in range(COUNT)]
    focal, *others = rows[7]["intrinsics"]  # type: ignore[misc]
    rows[7]["intrinsics"] = [2 * focal, *others]
    source = load_manifest(write_manifest(tmp_path, rows))
    read: list[int] = []
    text = Manifest.text
    monkeypatch.setattr(Manifest, "text", lambda self, index: (read.append(index), text(self, index))[1])
    kinds = {(frame.license, frame.camera.fx) for frame in examples(source)}
    assert kinds == {("L0", focal), ("L1", focal), ("L1", 2 * focal)} and sorted(read) == [0, 1, 7]
    assert [frame.name for frame in examples(SourcePart(source, (9, 7)))] == [source.frame(i).name for i in (9, 7)]


def test_small_manifests_leave_no_files(path: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "KEPT_FROM", COUNT + 1)
    assert load_manifest(path) == load_manifest(path)
    assert builds == [path, path] and not any(place.exists() for place in index_places(path))


def same_size_rewritten(path: Path) -> None:
    """Change a licence, the length and all times that a program can set staying as they were."""
    times = os.stat(path)
    path.write_text(path.read_text().replace('"license": "L0"', '"license": "M0"'))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_rewritten_manifest_is_indexed_anew_even_with_size_and_time_alike(path: Path, builds: list[Path]) -> None:
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    load_manifest(path)
    same_size_rewritten(path)
    assert load_manifest(path).frame(0).license == "M0"
    assert len(builds) == 2


def test_a_manifest_that_rested_is_not_read_again(
    path: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    whole = ManifestStamp.read
    monkeypatch.setattr(ManifestStamp, "read", lambda stamp, file: (read.append(1), whole(stamp, file))[1])
    monkeypatch.setattr(manifest_index, "_REST_NS", 0)
    time.sleep(0.05)  # a file system's clock ticks
    load_manifest(path)
    load_manifest(path)
    assert (len(builds), len(read)) == (1, 1), "read whole once, to be indexed"
    same_size_rewritten(path)
    assert load_manifest(path).frame(0).license == "M0" and len(builds) == 2


def test_a_touched_or_moved_manifest_keeps_its_index(path: Path, builds: list[Path]) -> None:
    load_manifest(path)
    os.utime(path)
    load_manifest(path)
    moved = path.with_name("moved.jsonl")
    path.rename(moved)
    next(index_places(path)).rename(next(index_places(moved)))
    load_manifest(moved)
    assert len(builds) == 1


@pytest.mark.parametrize("damage", [b"", b"{}", b"x" * 5000, None])
def test_a_damaged_index_is_built_again(path: Path, builds: list[Path], damage: bytes | None) -> None:
    load_manifest(path)
    kept = next(index_places(path))
    kept.write_bytes(kept.read_bytes()[:-1] if damage is None else damage)
    assert len(load_manifest(path)) == COUNT and len(builds) == 2


def test_what_the_caller_says_of_depth_is_no_part_of_the_index(tmp_path: Path, builds: list[Path]) -> None:
    path = write_manifest(tmp_path, [line(0, depth_type=None), line(1)])
    for depth_type in ("z", "euclidean", "z"):
        labels = [frame.labels for frame in load_manifest(path, depth_type).frames]  # type: ignore[arg-type]
        assert [each.depth_type for each in labels] == [depth_type, "z"]  # type: ignore[union-attr]
    assert len(builds) == 1
    with pytest.raises(UserErrors, match="line 1, depth_type: it is missing"):
        load_manifest(path)


def test_faulty_manifests_leave_no_index(path: Path) -> None:
    path.write_text(path.read_text() + json.dumps(line(0, depth=[1])) + "\n")
    for _ in range(2):
        with pytest.raises(UserErrors, match="1 depths for 35 pixels"):
            load_manifest(path)
    assert not any(place.exists() for place in index_places(path))


def test_beside_a_read_only_manifest_the_cache_folder_serves(
    path: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, cached = index_places(path)
    beside.mkdir()  # nothing can be renamed to a folder; the tests may run as root, whom permissions do not stop
    assert says(load_manifest(path).frame(3)) == says(load_manifest(path).frame(3))
    assert builds == [path] and cached.is_file()
    cached.unlink()
    cached.mkdir()
    sent = pickle.loads(pickle.dumps(load_manifest(path)))
    assert says(sent.frame(3)) == says(load_manifest(path).frame(3)), "it stays in memory where it cannot be kept"


def test_a_change_while_in_use_is_an_error(path: Path) -> None:
    opened = load_manifest(path)
    opened.frame(0)
    sent = pickle.dumps(opened)
    path.write_text(path.read_text()[1:])
    with pytest.raises(UserError, match="the manifest was changed while it was in use"):
        opened.frame(1)
    with pytest.raises(UserErrors):
        load_manifest(path)
    next(index_places(path)).unlink()
    with pytest.raises(UserError, match="the index was changed while it was in use"):
        pickle.loads(sent)


def test_pictures_are_not_opened_again(path: Path) -> None:
    load_manifest(path)
    (path.parent / "3.png").unlink()
    frame = load_manifest(path).frame(3)
    with pytest.raises(UserError, match="there is no such picture"):
        frame.picture.read()
    with pytest.raises(UserErrors, match=r"line 4, image: .*there is no such picture"):
        load_manifest(path, decode=True)


def names_of(job: tuple[Manifest | SourcePart, list[int]]) -> list[str]:
    return [job[0].frame(index).name for index in job[1]]


def test_workers_read_for_themselves(path: Path) -> None:
    manifest = load_manifest(path)
    expected = [frame.name for frame in manifest.frames]  # the file is open before the workers are forked
    order = np.random.default_rng(0).permutation(COUNT).tolist()
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        for names in pool.map(names_of, [(SourcePart(manifest, range(COUNT)), order)] * 8):
            assert names == [expected[index] for index in order]
    sent = pickle.dumps(manifest)
    assert len(sent) < 2000 and names_of((pickle.loads(sent), order)) == [expected[index] for index in order]


def load(path: Path) -> int:
    manifests.KEPT_FROM = 1
    return sum(len(frame.name) for frame in load_manifest(path).frames)


def test_two_processes_may_build_at_once(path: Path) -> None:
    with ProcessPoolExecutor(4, multiprocessing.get_context("fork")) as pool:
        assert len(set(pool.map(load, [path] * 12))) == 1
    assert [file.name for file in path.parent.glob(".*")] == [next(index_places(path)).name], "no scraps are left"


def test_an_index_beyond_the_manifest(path: Path) -> None:
    manifest = load_manifest(path)
    for index in (-1, COUNT):
        with pytest.raises(IndexError):
            manifest.frame(index)


def test_a_part_knows_its_own(path: Path) -> None:
    part = SourcePart(load_manifest(path), (9, 6, 2, 0))
    assert overview(part).sequences.counts() == {"walk 0": 2, "walk 2": 1, "": 1}
    assert [picture.name for picture in pictures(part)] == [part.frame(index).name for index in range(4)]
    assert [list(part.partners(index)) for index in range(4)] == [[], [], [3], [2]]


@given(names=st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=1, max_size=30), seed=st.integers(0, 9))
def test_sequences_are_drawn_as_lists_of_frames_would_be(names: list[str], seed: int) -> None:
    """The plain rule, Frame by Frame: a model's held-out pictures must not change with how they are found."""
    groups: dict[str | int, list[int]] = {}
    for index, name in enumerate(names):
        groups.setdefault(name or index, []).append(index)
    order = list(groups.values())
    np.random.default_rng(seed).shuffle(order)  # type: ignore[arg-type]
    wanted, held = 0.3 * len(names), []
    for group in order:
        if len(held) < wanted and len(held) + len(group) <= max(1, 1.5 * wanted):
            held += group
    if not held:
        longest = max(order, key=len)
        held = longest[len(longest) - min(int(np.ceil(wanted)), len(longest) - 1) :]
    assert list(split(Named(names), 0.3, seed)[1].indices) == sorted(held)


class Named:
    """Frames of which only the sequences matter."""

    alike = False

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    def overview(self) -> Overview:
        column, none = WordColumn.of(self._names), np.zeros(len(self._names), dtype=bool)
        return Overview(column, column, column, column.numbers, none, none, none)

    def pictures(self, indices: object) -> Iterator[object]:
        return iter(())

    frame = partners = None
