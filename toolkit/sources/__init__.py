"""Sources: what yields Frames. A manifest on disk, synthetic rooms, or drawn shapes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Protocol

import numpy as np

from toolkit.frame import Frame

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


@dataclass(frozen=True)
class Part:
    """Some Frames of a source, so that training and evaluation share none.

    Attributes:
        source: The whole.
        indices: Which Frames of it.
    """

    source: Source
    indices: tuple[int, ...]

    @property
    def alike(self) -> bool:
        """Whether those of the whole are."""
        return self.source.alike

    def __len__(self) -> int:
        return len(self.indices)

    def frame(self, index: int) -> Frame:
        """The Frame of that index within the part."""
        return self.source.frame(self.indices[index])

    def partners(self, index: int) -> Sequence[int]:
        """Partners within the part."""
        own = self._own
        return [own[other] for other in self.source.partners(self.indices[index]) if other in own]

    @cached_property
    def _own(self) -> dict[int, int]:
        return {whole: part for part, whole in enumerate(self.indices)}


def examples(source: Source, most: int = 1) -> Iterator[Frame]:
    """Frames that show what a source has: all of them, or of those that are alike about ``most``, evenly spaced."""
    step = max(1, len(source) // most) if source.alike else 1
    return (source.frame(index) for index in range(0, len(source), step))


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
        return Part(source, ()), Part(source, tuple(range(len(source))))
    groups: dict[str | int, list[int]] = {}
    for index in range(len(source)):
        groups.setdefault(source.frame(index).sequence or index, []).append(index)
    order = list(groups.values())
    np.random.default_rng(seed).shuffle(order)
    wanted = share * len(source)
    held: list[int] = []
    for group in order:
        if len(held) < wanted and len(held) + len(group) <= max(1, _OVERSHOOT * wanted):
            held += group
    if not held and share > 0:
        longest = max(order, key=len)
        held = longest[len(longest) - min(ceil(wanted), len(longest) - 1) :]
    kept = sorted(set(range(len(source))) - set(held))
    return Part(source, tuple(kept)), Part(source, tuple(sorted(held)))
