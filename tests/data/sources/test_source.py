"""Tests of ``toolkit.data.sources.source``: parts of a source that share nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.data.frames.frame import Frame, ImageFile
from toolkit.data.sources.source import SourcePart, split
from toolkit.geometry.camera import Camera

CAMERA = Camera(10.0, 10.0, 1.0, 1.0, 4, 3)


@dataclass(frozen=True)
class Walks:
    """Frames of the given sequences; every Frame of a sequence is a partner of every other."""

    sequences: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.sequences)

    def frame(self, index: int) -> Frame:
        return Frame(ImageFile(Path(f"{index}.png")), CAMERA, sequence=self.sequences[index])

    def partners(self, index: int) -> Sequence[int]:
        own = self.sequences[index]
        return [other for other in range(len(self)) if own and other != index and self.sequences[other] == own]


MIXED = Walks(("a", "b", "a", "", "c", "b", "a", "", "frame 3", "c"))


def test_a_part_counts_its_own_frames() -> None:
    part = SourcePart(MIXED, (2, 4, 6))
    assert len(part) == 3
    assert [part.frame(index).name for index in range(3)] == ["2.png", "4.png", "6.png"]
    assert [list(part.partners(index)) for index in range(3)] == [[2], [], [0]]


def test_parts_are_their_values() -> None:
    part = SourcePart(MIXED, (2, 4))
    part.partners(0)
    assert part == SourcePart(MIXED, (2, 4)) and hash(part) == hash(SourcePart(MIXED, (2, 4)))


names = st.lists(st.sampled_from(["", "a", "b", "c", "d", "frame 0"]), min_size=1, max_size=30)


@given(names=names, share=st.floats(0, 1), seed=st.integers(0, 99))
def test_parts_are_disjoint_whole_and_share_no_sequence(names: list[str], share: float, seed: int) -> None:
    walks = Walks(tuple(names))
    train, held = split(walks, share, seed)
    assert sorted(train.indices + held.indices) == list(range(len(walks)))
    assert list(train.indices) == sorted(train.indices) and list(held.indices) == sorted(held.indices)
    most = max(1.0, 1.5 * share * len(walks))
    assert len(held) <= max(most, ceil(share * len(walks)))
    assert len(held) or not share or len(walks) == 1
    sizes = Counter(name or index for index, name in enumerate(names))
    if min(sizes.values()) <= most:
        shared = {walks.sequences[i] for i in train.indices} & {walks.sequences[i] for i in held.indices}
        assert shared <= {""}
    assert (train, held) == split(walks, share, seed)
    assert share or not len(held)


def test_sequences_are_drawn_by_the_seed() -> None:
    walks = Walks(tuple("abcdefghij"))
    drawn = {split(walks, 0.2, seed)[1].indices for seed in range(30)}
    assert len(drawn) > 10 and all(len(indices) == 2 for indices in drawn)


def test_a_frame_without_a_sequence_is_one_of_its_own() -> None:
    drawn = {split(Walks(("",) * 10), 0.2, seed)[1].indices for seed in range(30)}
    assert len(drawn) > 10 and all(len(indices) == 2 for indices in drawn)


def test_no_more_sequences_than_needed_are_held_out() -> None:
    walks = Walks(tuple("aabbccddee"))
    assert {len(split(walks, share, 0)[1]) for share in (0.15, 0.2)} == {2}
    assert len(split(walks, 0.3, 0)[1]) == 4


@pytest.mark.parametrize("names", ["a" * 95 + "b" * 5, "b" * 5 + "a" * 95])
def test_a_long_sequence_does_not_swallow_the_training_part(names: str) -> None:
    for seed in range(10):
        train, held = split(Walks(tuple(names)), 0.2, seed)
        assert (len(train), len(held)) == (95, 5)


def test_where_no_sequence_fits_the_end_of_the_longest_is_held_out() -> None:
    train, held = split(Walks(("a",) * 40 + ("b",) * 60), 0.2, 0)
    assert list(held.indices) == list(range(80, 100))
    assert len(train) == 80


@pytest.mark.parametrize(("share", "held"), [(0.0, []), (0.1, [9]), (0.25, [7, 8, 9]), (1.0, list(range(10)))])
def test_of_one_sequence_the_last_frames_are_held_out(share: float, held: list[int]) -> None:
    train, rest = split(Walks(("walk",) * 10), share, seed=3)
    assert list(rest.indices) == held
    assert list(train.indices) == [index for index in range(10) if index not in held]


def test_a_sequence_is_not_taken_for_a_frame_without_one() -> None:
    # Frame 0 has no sequence; frame 1 belongs to one called "frame 0".
    walks = Walks(("", "frame 0", "x", "x"))
    held = {split(walks, 0.25, seed)[1].indices for seed in range(30)}
    assert held == {(0,), (1,)}
