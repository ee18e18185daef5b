"""The data collator of training: loss on the answers only, and pictures that reach the vision tower unresized."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from toolkit.errors import UserError
from toolkit.modeling.vlm.architectures import check_geometry, check_pictures
from toolkit.modeling.vlm.vlm import Vlm, chat_text, conversation
from toolkit.qa.sample import Sample
from toolkit.training.auxiliary_words import patch_words, point_words

IGNORED = -100
"""The label of tokens that carry no loss (the default of PyTorch's cross entropy)."""

FAULT = "fault"
"""The key under which a row that could not be rendered, or a batch that could not be made, holds its error."""

PATCHES = "patches"
"""The key under which a row holds the words that its image tokens are taught; None if they are taught nothing."""

POINTS = "points"
"""The key under which a row holds the words that the names of marks are taught, by name; None for no words."""

_SHARED_MEMORY = Path("/dev/shm")
"""Where worker processes put the tensors of their batches."""


@dataclass(frozen=True)
class TokenLengths:
    """How many tokens one sample has.

    Attributes:
        image: The tokens of its pictures.
        prompt: The tokens of its questions, with all that the chat template adds around them.
        answer: The tokens of its answers, with the tokens that end them.
    """

    image: int
    prompt: int
    answer: int

    @property
    def total(self) -> int:
        """The length of the sequence that the model is trained on."""
        return self.image + self.prompt + self.answer


def make_row(sample: Sample, side: int | None = None) -> dict[str, Any]:
    """A Sample as a row of the trainer's data set. It is made anew each time, because collators change rows.

    Args:
        sample: The questions and answers that are taught.
        side: The side length [px] of the patch that one image token stands for. With it, the row also holds the
            Sample's auxiliary words; with None it does not.
    """
    first, *rest = sample.turns
    more = [(turn.prompt, turn.completion) for turn in rest]
    row = conversation(first.prompt, sample.images, first.completion, more)
    if side is None:
        return row
    hints = sample.hints
    return {
        **row,
        PATCHES: _patch_words(sample, side) if hints.patches else None,
        POINTS: _point_words(sample) if hints.points else None,
    }


def _patch_words(sample: Sample, side: int) -> list[str]:
    """The patch word of each image token, picture after picture."""
    hints, words = sample.hints, []
    points = [point for turn in sample.turns for point in turn.query.points] if hints.marked else []
    for index, view in enumerate(sample.query.views):
        marked = [point for point in points if point.view == index]
        first_from_view = sample.query.first_from_second if index else None
        words += patch_words(view, marked, side, replace(hints, seed=hints.seed + index), first_from_view)
    return words


def _point_words(sample: Sample) -> dict[str, tuple[str, ...]]:
    """The point words of each point, by its name."""
    points = [point for turn in sample.turns for point in turn.query.points]
    return {point.name: point_words(sample.query.views[point.view], point) for point in points}


class Collator:
    """TRL's data collator for pictures, with checks of picture sizes, masked later questions and auxiliary words.

    TRL puts loss on everything after the first question. If a row holds several questions, this class takes the loss
    off the later ones again.
    """

    def __init__(self, vlm: Vlm, max_tokens: int | None = None) -> None:
        """Prepare to collate rows.

        Args:
            vlm: The model that is trained.
            max_tokens: The longest sequence that is allowed; None for any length.
        """
        self._vlm = vlm
        self._max_tokens = max_tokens
        self._geometry = vlm.geometry
        self._collate = DataCollatorForVisionLanguageModeling(vlm.processor, max_length=None, completion_only_loss=True)

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The batch of some rows (see ``make_row``).

        In a worker process, an error is not raised but returned in a batch: if it were raised there, the main process
        would get it wrapped in a traceback. ``toolkit.training.trainer`` raises it in the main process.

        Raises:
            PictureSizeError: If a picture would reach the vision tower at another size.
            UserError: If a row is longer than ``max_tokens``, if it could not be rendered, or if the chat template
                makes it impossible to tell answers from questions.
        """
        if torch.utils.data.get_worker_info() is None:
            return self._batch(rows)
        try:
            batch = self._batch(rows)
            _check_shared_memory(batch)
            return batch
        except UserError as error:
            return {FAULT: error, "labels": torch.empty((1, 0))}  # what is empty takes no shared memory

    def _batch(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        for row in rows:
            if FAULT in row:
                raise row[FAULT]
        messages = [[message["content"] for message in (*row["prompt"], *row["completion"])] for row in rows]
        images = [row["images"] for row in rows]
        check_pictures(self._geometry, images)
        batch = self._collate([dict(row) for row in rows])
        check_geometry(self._geometry, batch, images)
        longest = batch["input_ids"].shape[1]
        if self._max_tokens is not None and longest > self._max_tokens:
            raise UserError(
                f"a sample has {longest} tokens; trainer.max_tokens is {self._max_tokens}",
                remedy="raise trainer.max_tokens if model and memory allow, or crop to smaller pictures",
            )
        for labels, spoken, pictures in zip(batch["labels"], messages, images, strict=True):
            if len(spoken) > 2:
                self._mask_questions(labels, spoken, len(pictures))
        for row, tokens, labels in zip(rows, batch["input_ids"], batch["labels"], strict=True):
            if row.get(PATCHES) is not None:
                self._teach_patches(labels, tokens, row[PATCHES])
            if row.get(POINTS) is not None:
                self._teach_points(labels, tokens, row[POINTS])
        return batch

    def lengths(self, row: Mapping[str, Any]) -> TokenLengths:
        """How many tokens a row has."""
        batch = self([row])
        image = int((batch["input_ids"][0] == self._vlm.model.config.image_token_id).sum())
        answer = int((batch["labels"][0] != IGNORED).sum())
        return TokenLengths(image, batch["input_ids"].shape[1] - image - answer, answer)

    def _teach_patches(self, labels: torch.Tensor, tokens: torch.Tensor, words: Sequence[str]) -> None:
        """Set the labels of image tokens to their words, in place. As for any token, the label stands one place later.

        Args:
            labels: The target token ids (length,).
            tokens: The token ids that the model reads (length,).
            words: The word for each image token; "" teaches nothing.
        """
        places = torch.nonzero(tokens == self._vlm.model.config.image_token_id).flatten().tolist()
        if len(places) != len(words):
            raise UserError(
                f"{len(words)} patches and {len(places)} image tokens: they do not match",
                remedy="leave patch_words out of the curriculum: this architecture has no image token per patch",
            )
        for place, word in zip(places, words, strict=True):
            if word:
                labels[place + 1] = self._token(word)

    def _teach_points(self, labels: torch.Tensor, tokens: torch.Tensor, points: Mapping[str, Sequence[str]]) -> None:
        """Teach words at the last token of a point's name and at the tokens after it, in place; answers stay untouched.

        Args:
            labels: The target token ids (length,).
            tokens: The token ids that the model reads (length,).
            points: The words of each point, by its name.
        """
        for name, words in points.items():
            spelt = torch.tensor(self._spelling(f" {name}"))
            named = torch.nonzero((tokens.unfold(0, len(spelt), 1) == spelt).all(dim=1)).flatten()
            if not len(named):
                raise UserError(
                    f"the question does not name its point {name!r} as a word of its own",
                    remedy="leave point_words out of the curriculum, or correct the task's template",
                )
            for place, word in enumerate(words, start=int(named[0]) + len(spelt)):
                if place < len(labels) and labels[place] == IGNORED:
                    labels[place] = self._token(word)

    @cache  # noqa: B019 - as many words as there are letters, digits and colours; it lives as long as the run
    def _spelling(self, word: str) -> list[int]:
        """The tokens of a word."""
        return list(self._vlm.processor.tokenizer(word, add_special_tokens=False)["input_ids"])

    def _token(self, word: str) -> int:
        """The first token of a word."""
        return self._spelling(word)[0]

    def _mask_questions(self, labels: torch.Tensor, messages: Sequence[str], pictures: int) -> None:
        """Take the loss off the questions after the first, in place.

        Args:
            labels: The target token ids (length,): token ids from the first answer on, ``IGNORED`` before.
            messages: What the user and the assistant say in turn.
            pictures: How many pictures come before the first question.
        """
        prefixes = [chat_text(self._vlm, messages[: index + 1], pictures) for index in range(len(messages))]
        begin = len(prefixes[0])
        tokens = self._vlm.processor.tokenizer(
            prefixes[-1][begin:], add_special_tokens=False, return_offsets_mapping=True
        )
        trained = torch.nonzero(labels != IGNORED).flatten()
        same = labels[trained].tolist() == tokens["input_ids"]
        if not same or any(not prefixes[-1].startswith(prefix) for prefix in prefixes):
            raise UserError(
                f"the chat template of {self._vlm.architecture.name} does not keep questions and answers apart",
                cause="it rewrites earlier turns when later ones are added",
                remedy="set questions_per_image: 1",
            )
        ends = [len(prefix) - begin for prefix in prefixes]
        answers = list(zip(ends[::2], ends[1::2], strict=True))
        for position, (start, _) in zip(trained.tolist(), tokens["offset_mapping"], strict=True):
            if not any(first <= start < last for first, last in answers):
                labels[position] = IGNORED


def _check_shared_memory(batch: Mapping[str, Any]) -> None:
    """Check that a worker process can hand over a batch. If it cannot, torch only prints it, and waits for ever.

    Raises:
        UserError: If there is not enough shared memory for the batch.
    """
    if not _SHARED_MEMORY.is_dir():  # as on macOS
        return
    needed = sum(value.nbytes for value in batch.values() if isinstance(value, torch.Tensor))
    free = shutil.disk_usage(_SHARED_MEMORY).free
    if needed > free:
        raise UserError(
            f"a batch of {needed:,} bytes cannot be handed over by a worker process",
            cause=f"{_SHARED_MEMORY} has {free:,} bytes left",
            remedy="make room there (docker run --shm-size 8g), or set trainer.workers to 0; then give the same "
            "command again, which goes on from the last saved step",
        )
