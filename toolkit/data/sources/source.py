"""Sources: what yields Frames. A manifest on disk, synthetic rooms, or drawn shapes."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from math import ceil
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.data.frames.frame import Frame, Picture
from toolkit.data.sources.overview import Column, Overview

_OVERSHOOT = 1.5
"""A held-out part may be this many times as large as wanted, so that sequences stay whole."""


class Source(Protocol):
    """Frames by index. Everything depends on the index alone, so that workers agree."""

    @property
    def alike(self) -> bool:
        """Whether all Frames have the same kinds of labels and one licence, as those of one generator have."""

    def __len__(self) -> int:
        """How many Frames there are."""

    def frame(self, index: int) -> Frame:
        """The Frame of that index."""

    def partners(self, index: int) -> Sequence[int]:
        """Other Frames of the same sequence, where both have poses."""


@runtime_checkable
class Surveyed(Protocol):
    """A Source that knows of all its Frames without making them; what else it is, it need not be."""

    def overview(self) -> Overview:
        """What is known of all Frames."""

    def pictures(self, indices: Iterable[int]) -> Iterator[Picture]:
        """The pictures of some Frames."""


def overview(source: Source) -> Overview:
    """What is to be known of all Frames of a source; where it does not keep that, they are made one by one."""
    if isinstance(source, Surveyed):
        return source.overview()
    frames = [source.frame(index) for index in range(len(source))]
    return Overview(
        sequences=Column.of(frame.sequence for frame in frames),
        licenses=Column.of(frame.license for frame in frames),
        attributions=Column.of("" for _ in frames),
        cameras=Column.of(repr(frame.camera) for frame in frames).numbers,
        posed=np.array([frame.world_from_camera is not None for frame in frames], dtype=bool),
        labelled=np.array([frame.labels is not None for frame in frames], dtype=bool),
        objects=np.array([frame.objects is not None for frame in frames], dtype=bool),
    )


def pictures(source: Source) -> Iterator[Picture]:
    """The pictures of all Frames of a source."""
    if isinstance(source, Surveyed):
        return source.pictures(range(len(source)))
    return (source.frame(index).picture for index in range(len(source)))


class Part:
    """Some Frames of a source, so that training and evaluation share none.

    Args:
        source: The whole.
        indices: Which Frames of it, each once.
    """

    def __init__(self, source: Source, indices: ArrayLike) -> None:
        self.source = source
        self._indices: NDArray[np.int64] = np.array(indices, dtype=np.int64).reshape(-1)
        self._indices.setflags(write=False)

    @property
    def indices(self) -> tuple[int, ...]:
        """Which Frames of the whole it has."""
        return tuple(self._indices.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Part):
            return NotImplemented
        return self.source == other.source and np.array_equal(self._indices, other._indices)

    def __hash__(self) -> int:
        return hash((self.source, self._indices.tobytes()))

    @property
    def alike(self) -> bool:
        """Whether those of the whole are."""
        return self.source.alike

    def __len__(self) -> int:
        return len(self._indices)

    def frame(self, index: int) -> Frame:
        """The Frame of that index within the part."""
        return self.source.frame(int(self._indices[index]))

    def partners(self, index: int) -> Sequence[int]:
        """Partners within the part."""
        others = np.asarray(self.source.partners(int(self._indices[index])), dtype=np.int64)
        if not len(others):
            return []
        order, ordered = self._ordered
        places = np.minimum(np.searchsorted(ordered, others), len(ordered) - 1)
        own = places[ordered[places] == others]
        return list((own if order is None else order[own]).tolist())

    def overview(self) -> Overview:
        """What is known of its Frames."""
        return overview(self.source).part(self._indices)

    def pictures(self, indices: Iterable[int]) -> Iterator[Picture]:
        """The pictures of some of its Frames."""
        whole = (int(self._indices[index]) for index in indices)
        if isinstance(self.source, Surveyed):
            return self.source.pictures(whole)
        return (self.source.frame(index).picture for index in whole)

    @cached_property
    def _ordered(self) -> tuple[NDArray[np.intp] | None, NDArray[np.int64]]:
        """Its indices in ascending order, and how they were put there; None if they were."""
        if (np.diff(self._indices) > 0).all():
            return None, self._indices
        order = np.argsort(self._indices)
        return order, self._indices[order]


def examples(source: Source, most: int = 1) -> Iterator[Frame]:
    """Frames that show what a source has.

    Of Frames that are alike these are about ``most``, evenly spaced; of others one of each camera with each licence
    and each kind of labels.
    """
    if source.alike:
        return (source.frame(index) for index in range(0, len(source), max(1, len(source) // most)))
    return (source.frame(index) for index in overview(source).one_of_each().tolist())


def split(source: Source, share: float, seed: int) -> tuple[Part, Part]:
    """A training and a held-out part that share no sequence.

    Whole sequences are drawn by ``seed``, passing over those that would make the held-out part more than
    half as large again as wanted. Where no sequence fits, the last Frames of the longest are held out. A
    Frame without a sequence counts as a sequence of its own.

    Args:
        source: What is split.
        share: Share of the Frames that is held out, about; 0 holds none out.
        seed: Draws the sequences.
    """
    if share >= 1:
        return Part(source, ()), Part(source, range(len(source)))
    groups = overview(source).groups()
    sizes = np.bincount(groups)
    order = np.arange(len(sizes))
    np.random.default_rng(seed).shuffle(order)
    wanted = share * len(source)
    drawn = _drawn(sizes, order, wanted)
    held = np.isin(groups, drawn)
    if not drawn and share > 0 and len(source):
        longest = np.flatnonzero(groups == order[np.argmax(sizes[order])])
        held[longest[len(longest) - min(ceil(wanted), len(longest) - 1) :]] = True
    return Part(source, np.flatnonzero(~held)), Part(source, np.flatnonzero(held))


def _drawn(sizes: NDArray[np.intp], order: NDArray[np.intp], wanted: float) -> list[int]:
    """The groups that are held out, taken in order while they fit."""
    drawn: list[int] = []
    count, most = 0, max(1, _OVERSHOOT * wanted)
    for group in order.tolist():
        if count >= wanted:
            break
        size = int(sizes[group])
        if count + size <= most:
            drawn.append(group)
            count += size
    return drawn
