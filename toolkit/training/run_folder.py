"""The folder of a run: what it holds, where an interrupted run goes on, and whether it belongs to the same recipe."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import torch

from toolkit.config.load import differences, load_recipe
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError, UserErrors
from toolkit.modeling.checkpoint_contract import CONTRACT, RECIPE
from toolkit.qa.tasks.trust import check_run
from toolkit.training.saved_state import check_state
from toolkit.training.saved_steps import SavedStep, saved_step, saved_steps, step_of
from toolkit.utils.progress import err, is_first_process

TRAINING = "training"
"""The subfolder of a run that holds what an interrupted run resumes from."""

PREVIEW = "preview"
"""The subfolder of a run that holds what a dry run shows."""

ADAPTER = "adapter"
"""The subfolder that holds the adapter of a LoRA run. The checkpoint itself holds the merged model."""

_PICKLES = ("*.pt", "*.pth", "pytorch_model*.bin", "adapter_model*.bin", "optimizer*.bin")
"""The files of a ``checkpoint-N`` that torch reads as pickles."""

_UNCHECKED = ("*/.metadata", "global_step*")
"""What sharded runs of FSDP and DeepSpeed resume from: pickles that these libraries read whatever is in them."""

_FREE_TO_CHANGE = (
    "evaluation.",
    "model.save_dtype",
    "output",
    "trainer.workers",
    "trainer.log_every",
    "trainer.save_every",
    "trainer.report_to",
)
"""How the keys begin of settings that may change when a run is resumed, because they do not change what is learnt."""


def find_start(recipe: Recipe, output: Path, resume: str, force: bool = False) -> Path | None:
    """Find the ``checkpoint-N`` to go on from.

    Args:
        recipe: The recipe of the run.
        output: The folder of the run.
        resume: ``auto``, ``never`` or the folder of a checkpoint, as in ``train``.
        force: Whether ``output`` may hold something that is not a run.

    Returns:
        The folder of the checkpoint; None if the run starts from the beginning.

    Raises:
        UserError: If ``output`` holds another run, a finished run, or something that is not a run; if the folder that
            ``resume`` names holds no complete checkpoint of the same recipe; if all that was saved is damaged; or if
            the checkpoint to go on from holds a file that is not plain data.
    """
    given = None if resume in ("auto", "never") else Path(resume)
    if given is not None:
        _check_given(given, recipe)
    steps = saved_steps(output / TRAINING)
    whole = [step.folder for step in steps if step.whole]
    if is_first_process():  # it makes the folder, which other processes may find half made
        _check_output(recipe, output, resume, any(step.ended for step in steps), force)
    start = given or (whole[-1] if whole else None)
    if given is None:
        _tell_passed_over(output, steps, start)
    if start is not None:
        _check_plain(start, [folder for folder in whole if step_of(folder) < step_of(start)])
        check_state(start, step_of(start), recipe.trainer.batch_size)
    return start


def _tell_passed_over(output: Path, steps: Sequence[SavedStep], start: Path | None) -> None:
    """Say which saved steps training does not go on from, although they are newer than the one it goes on from.

    Raises:
        UserErrors: If steps are damaged and none is whole: training would begin anew where much was learnt.
    """
    newer = [step for step in steps if start is None or step.number > step_of(start)]
    faults = [fault for step in newer for fault in step.faults]
    if start is None and faults:
        raise UserErrors(
            f"{output}: training cannot go on, because no saved step is whole; mend them, or choose another --output; "
            f"to begin anew at step 1 here, move {output / TRAINING} away",
            faults,
        )
    if newer and is_first_process():
        causes = [fault.problem for fault in faults] or [f"{step.folder}: not saved to its end" for step in newer]
        goes_on = f"goes on from {start}" if start else "begins at step 1"
        err.note(f"{'; '.join(causes)}; training {goes_on}")


def _check_plain(start: Path, older: Sequence[Path]) -> None:
    """Check that the pickles of a ``checkpoint-N`` hold numbers alone. Others can hold code, which never runs.

    Args:
        start: The checkpoint to go on from. Only the structure of its pickles is read, not the numbers.
        older: Checkpoints of fewer steps, which the error names as a way out.
    """
    if any(path for pattern in _UNCHECKED for path in start.glob(pattern)):
        check_run(start.parent.parent)
    faults = [
        UserError(f"{file}: {fault}")
        for file in sorted(path for pattern in _PICKLES for path in start.glob(pattern))
        if (fault := _fault_of_pickle(file))
    ]
    if faults:
        way_out = f"go on from an older one: --resume {max(older, key=step_of)}; or " if older else ""
        raise UserErrors(f"{start}: training cannot go on from here; {way_out}choose another --output", faults)


def _fault_of_pickle(file: Path) -> str:
    """Why a pickle is not what training wrote; "" if it is."""
    from transformers.trainer_pt_utils import safe_globals

    try:
        with safe_globals():
            torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError:
        return "it holds more than numbers; that could be code, and it was not run"
    except PermissionError:
        return "it may not be read"
    except Exception:  # torch raises many kinds of errors for files that are not its own
        return "it is cut short, or training did not write it"
    return ""


def _check_output(recipe: Recipe, output: Path, resume: str, begun: bool, force: bool) -> None:
    """Check that ``output`` is empty, or holds an unfinished run of the same recipe; or anything else, by ``force``."""
    inside = [path.name for path in output.iterdir()] if output.is_dir() else []
    if output.exists() and not output.is_dir():
        raise UserError(f"{output}: this is a file, not a folder", remedy="choose another --output")
    if not [name for name in inside if name != PREVIEW and not name.startswith(".")]:
        return
    if RECIPE not in inside and force:
        return
    if RECIPE not in inside:
        raise UserError(
            f"{output}: this folder holds something that is not a run",
            remedy="choose another --output, or write into it with --force",
        )
    if resume == "never":
        raise UserError(f"{output}: there is a run here already", remedy="choose another --output, or --resume auto")
    finished = CONTRACT in inside
    if begun or finished:
        _check_same_recipe(output, recipe)
    if finished:
        raise UserError(
            f"{output}: this run is finished, no steps remain",
            remedy=f"choose another --output to train again, or ask it: toolkit ask IMAGE QUESTION --model {output}",
        )


def _check_given(path: Path, recipe: Recipe) -> None:
    """Check a ``checkpoint-N`` that the user named."""
    run = path.parent.parent
    step = saved_step(path)
    if not step.whole or not (run / RECIPE).is_file():
        raise UserError(
            f"{path}: this is nothing to resume from",
            cause="; ".join(str(fault) for fault in step.faults),
            remedy="give a folder like runs/NAME/training/checkpoint-200, or --resume auto",
        )
    _check_same_recipe(run, recipe)


def _check_same_recipe(run: Path, recipe: Recipe) -> None:
    found = differences(load_recipe(run / RECIPE), recipe)
    changed = [each for each in found if not each.key.startswith(_FREE_TO_CHANGE)]
    if changed:
        raise UserErrors(
            f"{run}: another run is here; choose another --output. What differs in the recipe (there -> now)",
            [UserError(each.to_text()) for each in changed],
        )
