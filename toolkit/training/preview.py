"""Preview: what the model will see and learn, before anything is trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from toolkit.config.build import make_plan, make_questions
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError
from toolkit.modeling.checkpoint_contract import based
from toolkit.modeling.vlm.load_vlm import prepare_training
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.qa.sample import Sample
from toolkit.training.collator import IGNORED, Collator, TokenLengths, row_of
from toolkit.training.estimate import Estimate, estimate
from toolkit.training.train import open_base
from toolkit.utils.contact_sheet import Cell, save_sheet
from toolkit.utils.files import write_text
from toolkit.utils.progress import processes


@dataclass(frozen=True)
class Seen:
    """One Sample as the trainer feeds it.

    Attributes:
        sample: The Sample.
        learnt: The tokens that carry loss, decoded.
        lengths: How many tokens it takes.
    """

    sample: Sample
    learnt: str
    lengths: TokenLengths


@dataclass(frozen=True)
class Preview:
    """What a recipe will train on, or measure a model by.

    Attributes:
        seen: Its first Samples.
        needs: Works out what the run will need; None of what models are measured by.
    """

    seen: tuple[Seen, ...]
    needs: Callable[[], Estimate] | None = None

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Write the contact sheet and the prompts; their paths."""
        sheet, words = folder / "preview.png", folder / "preview.txt"
        save_sheet([_cell(seen) for seen in self.seen], sheet)
        write_text(words, "\n".join(describe(index, seen) for index, seen in enumerate(self.seen)))
        return sheet, words


def preview(recipe: Recipe, count: int, held_out: bool = False) -> Preview:
    """The first ``count`` Samples of a recipe, as its model takes them.

    Args:
        recipe: Says what is asked.
        count: Of the Samples.
        held_out: Show what models are measured by, of each task in turn, and not what is trained on.

    Raises:
        UserError: If the recipe cannot be run.
    """
    recipe = based(recipe)
    vlm = open_base(recipe)
    if held_out:
        questions = make_questions(recipe, vlm.geometry.canvas)
        mixtures = questions.held_out.values()
        asked = (mixture[index] for index in range(count) for mixture in mixtures if index < len(mixture))
        seen = tuple(look(vlm, list(islice(asked, count))))
        if not seen:
            raise UserError("there is no question to show", "; ".join(questions.notes), "raise evaluation.samples")
        return Preview(seen)
    plan = make_plan(recipe, vlm.geometry.canvas)
    seen = tuple(look(vlm, [plan.train[index] for index in range(count)]))
    return Preview(seen, lambda: estimate(prepare_training(vlm, recipe.model), plan, recipe, processes()))


def look(vlm: Vlm, samples: Sequence[Sample]) -> list[Seen]:
    """Samples through the very collator that training uses."""
    collate, side = Collator(vlm), vlm.geometry.side
    seen = []
    for sample in samples:
        labels = collate([row_of(sample, side)])["labels"][0]
        learnt = vlm.processor.tokenizer.decode(labels[labels != IGNORED])
        seen.append(Seen(sample, learnt, collate.lengths(row_of(sample))))
    return seen


def describe(index: int, seen: Seen) -> str:
    """A Sample in words."""
    sample, lengths = seen.sample, seen.lengths
    sizes = ", ".join(f"{image.shape[1]} x {image.shape[0]}" for image in sample.images)
    turns = [
        f"    {turn.task}\n      prompt:     {turn.prompt}\n      completion: {turn.completion}\n"
        for turn in sample.turns
    ]
    return (
        f"[{index}] from {sample.source}: {', '.join(sample.frames)} ({sizes} px)\n"
        + "".join(turns)
        + f"    with loss:  {seen.learnt!r}\n"
        f"    tokens:     {lengths.image} image + {lengths.prompt} prompt + {lengths.answer} answer\n"
    )


def _cell(seen: Seen) -> Cell:
    lengths, turns = seen.lengths, seen.sample.turns
    footnote = f"loss on {seen.learnt.strip()!r}; {lengths.image} + {lengths.prompt} + {lengths.answer} tokens"
    title = ", ".join(dict.fromkeys(turn.task for turn in turns))
    questions = " / ".join(turn.prompt for turn in turns)
    return Cell(title, seen.sample.images, questions, " / ".join(turn.completion for turn in turns), footnote)
