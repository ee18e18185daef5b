"""Sources of Frames: manifests on disk, synthetic rooms and drawn shapes; and how a source is split in two."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from math import ceil
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.data.frames.frame import Frame, Picture
from toolkit.data.sources.overview import Overview, WordColumn

_OVERSHOOT = 1.5
"""A held-out part may be this many times as large as wanted, so that sequences stay whole."""


class Source(Protocol):
    """Frames by index. A Frame depends on its index alone, so that all workers see the same Frames."""

    @property
    def alike(self) -> bool:
        """Whether all Frames have the same kinds of labels and the same licence, as those of a generator have."""

    def __len__(self) -> int:
        """The number of Frames."""

    def frame(self, index: int) -> Frame:
        """The Frame of an index."""

    def partners(self, index: int) -> Sequence[int]:
        """Other Frames of the same sequence, where both have poses."""


@runtime_checkable
class SourceWithOverview(Protocol):
    """An object that knows its overview without making Frames.

    Sources may have these methods in addition to those of ``Source``.
    """

    def overview(self) -> Overview:
        """What is known of all Frames at once."""

    def pictures(self, indices: Iterable[int]) -> Iterator[Picture]:
        """The pictures of the Frames with these indices."""


def overview(source: Source) -> Overview:
    """What is known of all Frames of a source at once; if the source keeps no overview, each Frame is made once."""
    if isinstance(source, SourceWithOverview):
        return source.overview()
    frames = [source.frame(index) for index in range(len(source))]
    return Overview(
        sequences=WordColumn.of(frame.sequence for frame in frames),
        licenses=WordColumn.of(frame.license for frame in frames),
        attributions=WordColumn.of("" for _ in frames),
        cameras=WordColumn.of(repr(frame.camera) for frame in frames).numbers,
        posed=np.array([frame.world_from_camera is not None for frame in frames], dtype=bool),
        labelled=np.array([frame.labels is not None for frame in frames], dtype=bool),
        objects=np.array([frame.objects is not None for frame in frames], dtype=bool),
    )


def pictures(source: Source) -> Iterator[Picture]:
    """The pictures of all Frames of a source."""
    if isinstance(source, SourceWithOverview):
        return source.pictures(range(len(source)))
    return (source.frame(index).picture for index in range(len(source)))


class SourcePart:
    """A part of a source, so that training and evaluation share no Frames.

    Args:
        source: The whole source.
        indices: The indices of the Frames of this part, each once.
    """

    def __init__(self, source: Source, indices: ArrayLike) -> None:
        self.source = source
        self._indices: NDArray[np.int64] = np.array(indices, dtype=np.int64).reshape(-1)
        self._indices.setflags(write=False)

    @property
    def indices(self) -> tuple[int, ...]:
        """The indices of its Frames in the whole source."""
        return tuple(self._indices.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SourcePart):
            return NotImplemented
        return self.source == other.source and np.array_equal(self._indices, other._indices)

    def __hash__(self) -> int:
        return hash((self.source, self._indices.tobytes()))

    @property
    def alike(self) -> bool:
        """Whether all Frames of the whole source have the same kinds of labels and the same licence."""
        return self.source.alike

    def __len__(self) -> int:
        return len(self._indices)

    def frame(self, index: int) -> Frame:
        """The Frame of an index within the part."""
        return self.source.frame(int(self._indices[index]))

    def partners(self, index: int) -> Sequence[int]:
        """Other Frames of the part that are of the same sequence, where both have poses; indices within the part."""
        others = np.asarray(self.source.partners(int(self._indices[index])), dtype=np.int64)
        if not len(others):
            return []
        order, ordered = self._ordered
        places = np.minimum(np.searchsorted(ordered, others), len(ordered) - 1)
        own = places[ordered[places] == others]
        return list((own if order is None else order[own]).tolist())

    def overview(self) -> Overview:
        """What is known of the Frames of this part."""
        return overview(self.source).part(self._indices)

    def pictures(self, indices: Iterable[int]) -> Iterator[Picture]:
        """The pictures of the Frames with these indices within the part."""
        whole = (int(self._indices[index]) for index in indices)
        if isinstance(self.source, SourceWithOverview):
            return self.source.pictures(whole)
        return (self.source.frame(index).picture for index in whole)

    @cached_property
    def _ordered(self) -> tuple[NDArray[np.intp] | None, NDArray[np.int64]]:
        """The order that sorts its indices, or None if they are ascending already; and the sorted indices."""
        if (np.diff(self._indices) > 0).all():
            return None, self._indices
        order = np.argsort(self._indices)
        return order, self._indices[order]


def examples(source: Source, most: int = 1) -> Iterator[Frame]:
    """Frames that show what a source has.

    Args:
        source: The source.
        most: If all Frames are alike, about how many evenly spaced Frames are taken. If not, it has no effect: one
            Frame is taken for each combination of camera, licence and kinds of labels.
    """
    if source.alike:
        return (source.frame(index) for index in range(0, len(source), max(1, len(source) // most)))
    return (source.frame(index) for index in overview(source).one_of_each().tolist())


def split(source: Source, share: float, seed: int) -> tuple[SourcePart, SourcePart]:
    """Split a source into a training part and a held-out part that share no sequence.

    Whole sequences are drawn at random for the held-out part; a sequence that would make it more than half as large
    again as wanted is skipped. If no sequence fits, the last Frames of the longest one are held out. A Frame without a
    sequence counts as a sequence of its own.

    Args:
        source: The source.
        share: The approximate share of the Frames that is held out; with 0, none is.
        seed: The seed by which sequences are drawn.

    Returns:
        The training part and the held-out part.
    """
    if share >= 1:
        return SourcePart(source, ()), SourcePart(source, range(len(source)))
    groups = overview(source).groups()
    sizes = np.bincount(groups)
    order = np.arange(len(sizes))
    np.random.default_rng(seed).shuffle(order)
    wanted = share * len(source)
    drawn = _draw_groups(sizes, order, wanted)
    held = np.isin(groups, drawn)
    if not drawn and share > 0 and len(source):
        longest = np.flatnonzero(groups == order[np.argmax(sizes[order])])
        held[longest[len(longest) - min(ceil(wanted), len(longest) - 1) :]] = True
    return SourcePart(source, np.flatnonzero(~held)), SourcePart(source, np.flatnonzero(held))


def _draw_groups(sizes: NDArray[np.intp], order: NDArray[np.intp], wanted: float) -> list[int]:
    """The numbers of the groups that are held out: in this order, those that fit.

    Args:
        sizes: The number of Frames of each group.
        order: The order in which groups are tried.
        wanted: About how many Frames are held out.
    """
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
