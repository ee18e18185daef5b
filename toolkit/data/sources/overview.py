"""What is known of all Frames of a source at once, as columns of numbers: no Frame is made to know it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.uint32]


@dataclass(frozen=True)
class Column:
    """One word a Frame, most words being those of many.

    Attributes:
        numbers: (N,), which of the names each Frame has; 0 is the empty one.
        read: Reads the names, the empty one first; only where they are asked for, since there may be a million.
    """

    numbers: Numbers
    read: Callable[[], Sequence[str]]

    @classmethod
    def of(cls, words: Iterable[str]) -> "Column":
        """The column of some words."""
        known = {"": 0}
        numbers = np.array([known.setdefault(word, len(known)) for word in words], dtype=np.uint32)
        names = list(known)
        return cls(numbers, lambda: names)

    def part(self, indices: ArrayLike) -> "Column":
        """The column of some of the Frames."""
        return Column(self.numbers[np.asarray(indices, dtype=np.int64)], self.read)

    def distinct(self) -> list[str]:
        """The words that are there, each once, the empty one too if some Frame has it."""
        names = self.read()
        return [names[number] for number in np.unique(self.numbers)]

    def counts(self) -> dict[str, int]:
        """How many Frames have each word that is there."""
        names = self.read()
        numbers, counts = np.unique(self.numbers, return_counts=True)
        return {names[number]: int(count) for number, count in zip(numbers, counts, strict=True)}


@dataclass(frozen=True)
class Overview:
    """What is known of all N Frames of a source.

    Attributes:
        sequences: The recording that each belongs to.
        licenses: The licence of each.
        attributions: Whom to name for each.
        cameras: (N,), the same number for the same camera.
        posed: (N,), whether it has a pose.
        labelled: (N,), whether it has labels.
        objects: (N,), whether the objects in it are known.
    """

    sequences: Column
    licenses: Column
    attributions: Column
    cameras: Numbers
    posed: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    objects: NDArray[np.bool_]

    def part(self, indices: ArrayLike) -> "Overview":
        """What is known of some of the Frames."""
        places = np.asarray(indices, dtype=np.int64)
        return Overview(
            self.sequences.part(places),
            self.licenses.part(places),
            self.attributions.part(places),
            self.cameras[places],
            self.posed[places],
            self.labelled[places],
            self.objects[places],
        )

    def groups(self) -> NDArray[np.intp]:
        """(N,) the number of each Frame's sequence, in the order of first appearance.

        A Frame without a sequence counts as a sequence of its own.
        """
        sequences = self.sequences.numbers.astype(np.int64)
        keys = np.where(sequences > 0, sequences, -1 - np.arange(len(sequences)))
        _, first, groups = np.unique(keys, return_index=True, return_inverse=True)
        ranks = np.empty(len(first), dtype=np.intp)
        ranks[np.argsort(first)] = np.arange(len(first))
        return ranks[groups]

    def has_pairs(self) -> bool:
        """Whether two Frames of one sequence have poses."""
        numbers = self.sequences.numbers[self.posed]
        return bool((np.bincount(numbers[numbers > 0]) > 1).any())

    def one_of_each_camera(self) -> NDArray[np.intp]:
        """An index of a Frame for each camera."""
        return np.unique(self.cameras, return_index=True)[1]

    def one_of_each(self) -> NDArray[np.intp]:
        """An index of a Frame for each camera with each licence, with labels or objects and without."""
        kinds = self.cameras.astype(np.int64)
        for column in (self.licenses.numbers, self.labelled, self.objects):
            kinds = kinds * (int(column.max(initial=0)) + 1) + column
        return np.unique(kinds, return_index=True)[1]
