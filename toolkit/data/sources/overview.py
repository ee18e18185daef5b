"""What is known of all Frames of a source at once, as columns of numbers, without making a Frame."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Numbers = NDArray[np.uint32]


@dataclass(frozen=True)
class WordColumn:
    """One word for each Frame, such as its licence; many Frames have the same word.

    Attributes:
        numbers: The number (N,) of the word of each Frame; 0 stands for the empty word.
        read: Reads the words in the order of their numbers, so that the empty word comes first. It is called only when
            the words are needed, since there may be a million of them.
    """

    numbers: _Numbers
    read: Callable[[], Sequence[str]]

    @classmethod
    def of(cls, words: Iterable[str]) -> "WordColumn":
        """The column of the words of all Frames."""
        known = {"": 0}
        numbers = np.array([known.setdefault(word, len(known)) for word in words], dtype=np.uint32)
        names = list(known)
        return cls(numbers, lambda: names)

    def part(self, indices: ArrayLike) -> "WordColumn":
        """The column of the Frames with these indices (M,)."""
        return WordColumn(self.numbers[np.asarray(indices, dtype=np.int64)], self.read)

    def distinct(self) -> list[str]:
        """The words that Frames have, each once; the empty word too, if some Frame has it."""
        names = self.read()
        return [names[number] for number in np.unique(self.numbers)]

    def counts(self) -> dict[str, int]:
        """The number of Frames that have each word."""
        names = self.read()
        numbers, counts = np.unique(self.numbers, return_counts=True)
        return {names[number]: int(count) for number, count in zip(numbers, counts, strict=True)}


@dataclass(frozen=True)
class Overview:
    """What is known of all N Frames of a source.

    Attributes:
        sequences: The recording that each Frame belongs to.
        licenses: The licence of each Frame.
        attributions: The name that must be credited for each Frame.
        cameras: A number (N,) for the camera of each Frame; Frames with the same camera have the same number.
        posed: For each Frame (N,), whether it has a pose.
        labelled: For each Frame (N,), whether it has depth labels.
        objects: For each Frame (N,), whether the objects in it are known.
    """

    sequences: WordColumn
    licenses: WordColumn
    attributions: WordColumn
    cameras: _Numbers
    posed: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    objects: NDArray[np.bool_]

    def part(self, indices: ArrayLike) -> "Overview":
        """What is known of the Frames with these indices (M,)."""
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
        """The number (N,) of each Frame's sequence, counted in the order in which sequences first appear.

        A Frame without a sequence counts as a sequence of its own.
        """
        sequences = self.sequences.numbers.astype(np.int64)
        keys = np.where(sequences > 0, sequences, -1 - np.arange(len(sequences)))
        _, first, groups = np.unique(keys, return_index=True, return_inverse=True)
        ranks = np.empty(len(first), dtype=np.intp)
        ranks[np.argsort(first)] = np.arange(len(first))
        return ranks[groups]

    def has_pairs(self) -> bool:
        """Whether there is a sequence in which two Frames have poses."""
        numbers = self.sequences.numbers[self.posed]
        return bool((np.bincount(numbers[numbers > 0]) > 1).any())

    def one_of_each_camera(self) -> NDArray[np.intp]:
        """For each of the C cameras, the index (C,) of one Frame that has it."""
        return np.unique(self.cameras, return_index=True)[1]

    def one_of_each(self) -> NDArray[np.intp]:
        """The index (M,) of one Frame for each combination of camera, licence, labels or none, and objects or none."""
        kinds = self.cameras.astype(np.int64)
        for column in (self.licenses.numbers, self.labelled, self.objects):
            kinds = kinds * (int(column.max(initial=0)) + 1) + column
        return np.unique(kinds, return_index=True)[1]
