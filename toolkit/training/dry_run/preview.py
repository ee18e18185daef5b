"""A preview of a recipe: what the model will see and learn, before anything is trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from toolkit.config.build import check_trainable, make_plan, make_questions
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError
from toolkit.foreign_text import one_line, visible
from toolkit.modeling.checkpoint_contract import adopt_base_contract
from toolkit.modeling.vlm.load_vlm import prepare_training
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.qa.sample import Sample
from toolkit.training.collator import IGNORED, Collator, TokenLengths, make_row
from toolkit.training.dry_run.estimate import RunEstimate, estimate_run
from toolkit.training.open_run_model import open_base
from toolkit.utils.contact_sheet import Cell, save_sheet
from toolkit.utils.files import write_text, written_together
from toolkit.utils.overwrite import check_overwrite, mark_of
from toolkit.utils.progress import processes

_COMMAND = "data preview"


@dataclass(frozen=True)
class PreviewedSample:
    """One Sample as the trainer passes it to the model.

    Attributes:
        sample: The Sample.
        learnt: The tokens that carry loss, decoded.
        lengths: How many tokens the Sample has.
    """

    sample: Sample
    learnt: str
    lengths: TokenLengths

    def to_text(self, index: int) -> str:
        """The Sample for people: its pictures, its questions and answers, and its tokens.

        Args:
            index: The number of the Sample in its preview.
        """
        sample, lengths = self.sample, self.lengths
        sizes = ", ".join(f"{image.shape[1]} x {image.shape[0]}" for image in sample.images)
        turns = [
            f"    {turn.task}\n      prompt:     {turn.prompt}\n      completion: {turn.completion}\n"
            for turn in sample.turns
        ]
        return (
            f"[{index}] from {one_line(sample.source)}: {one_line(', '.join(sample.frames))} ({sizes} px)\n"
            + "".join(turns)
            + f"    with loss:  {self.learnt!r}\n"
            f"    tokens:     {lengths.image} image + {lengths.prompt} prompt + {lengths.answer} answer\n"
        )


@dataclass(frozen=True)
class Preview:
    """What a recipe will train on, or what it will evaluate a model on.

    Attributes:
        samples: The first Samples.
        estimate: A function that estimates what the run will need; None for a preview of held-out questions.
    """

    samples: tuple[PreviewedSample, ...]
    estimate: Callable[[], RunEstimate] | None = None

    def to_text(self) -> str:
        """The Samples for people, one after the other."""
        return "\n".join(visible(each.to_text(index)) for index, each in enumerate(self.samples))

    def save(self, folder: Path, force: bool = False) -> tuple[Path, Path]:
        """Write a contact sheet of the pictures and a text file of the questions.

        Args:
            folder: The folder that the files are written into.
            force: Whether files of another origin may be written over, other than the pictures that are shown.

        Returns:
            The paths of the contact sheet and of the text file.

        Raises:
            UserError: If a file may not be written over, or cannot be written.
        """
        sheet, words = check_preview_files(folder, force, [each.sample for each in self.samples])
        with written_together():
            save_sheet([_contact_cell(each) for each in self.samples], sheet, _COMMAND)
            write_text(words, f"{mark_of(_COMMAND)}\n\n{self.to_text()}")
        return sheet, words


def check_preview_files(folder: Path, force: bool = False, samples: Sequence[Sample] = ()) -> tuple[Path, Path]:
    """The files of a preview, which may be written.

    Args:
        folder: The folder of the preview.
        force: Whether files of another origin may be written over.
        samples: The Samples, whose pictures are never written over.

    Raises:
        UserError: If one of them may not be written over.
    """
    files = folder / "preview.png", folder / "preview.txt"
    check_overwrite(files, _COMMAND, force, [Path(name) for sample in samples for name in sample.frames])
    return files


def preview(recipe: Recipe, count: int, held_out: bool = False) -> Preview:
    """The first Samples of a recipe, as its model gets them.

    Args:
        recipe: The recipe.
        count: How many Samples to show.
        held_out: Whether to show held-out questions, of each task in turn, and not what is trained on.

    Raises:
        UserError: If the recipe cannot be run.
    """
    recipe = adopt_base_contract(recipe)
    if not held_out:
        check_trainable(recipe)
    vlm = open_base(recipe)
    if held_out:
        questions = make_questions(recipe, vlm.geometry.canvas)
        mixtures = questions.held_out.values()
        asked = (mixture[index] for index in range(count) for mixture in mixtures if index < len(mixture))
        shown = preview_samples(vlm, list(islice(asked, count)))
        if not shown:
            raise UserError("there is no question to show", "; ".join(questions.notes), "raise evaluation.samples")
        return Preview(tuple(shown))
    plan = make_plan(recipe, vlm.geometry.canvas)
    shown = preview_samples(vlm, [plan.train[index] for index in range(count)])
    return Preview(tuple(shown), lambda: estimate_run(prepare_training(vlm, recipe.model), plan, recipe, processes()))


def preview_samples(vlm: Vlm, samples: Sequence[Sample]) -> list[PreviewedSample]:
    """Pass Samples through the same data collator that training uses.

    Args:
        vlm: The model that would be trained.
        samples: The Samples.
    """
    collate, side = Collator(vlm), vlm.geometry.side
    shown = []
    for sample in samples:
        labels = collate([make_row(sample, side)])["labels"][0]
        learnt = vlm.processor.tokenizer.decode(labels[labels != IGNORED])
        shown.append(PreviewedSample(sample, learnt, collate.lengths(make_row(sample))))
    return shown


def _contact_cell(shown: PreviewedSample) -> Cell:
    lengths, turns = shown.lengths, shown.sample.turns
    footnote = f"loss on {shown.learnt.strip()!r}; {lengths.image} + {lengths.prompt} + {lengths.answer} tokens"
    title = ", ".join(dict.fromkeys(turn.task for turn in turns))
    questions = " / ".join(turn.prompt for turn in turns)
    return Cell(title, shown.sample.images, questions, " / ".join(turn.completion for turn in turns), footnote)
