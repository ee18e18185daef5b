"""The steps that a run has saved, each in a folder ``training/checkpoint-N``: which are whole, and which may go.

A step that was saved only in part, because the run was ended meanwhile, has no ``trainer_state.json``, which is written
last. A step that has one, but not all of the rest, is damaged: it is told, and it is never deleted.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from toolkit.errors import UserError
from toolkit.training.saved_state import STATE_FILE
from toolkit.utils.bounded_file import MOST_BYTES
from toolkit.utils.json import read_json_file
from toolkit.utils.progress import processes

_INDEX = "*.safetensors.index.json"
_SHARDS = ("pytorch_model_fsdp*", "global_step*")  # what sharded runs save instead of weights


@dataclass(frozen=True)
class SavedStep:
    """A saved step, and what is wrong with it.

    Attributes:
        folder: Its folder, ``checkpoint-N``.
        ended: Whether it was saved to its end.
        faults: One error for each of its files that is missing or damaged. Weights are checked for their length alone.
    """

    folder: Path
    ended: bool
    faults: tuple[UserError, ...]

    @property
    def number(self) -> int:
        """The number of steps after which it was saved."""
        return step_of(self.folder)

    @property
    def whole(self) -> bool:
        """Whether training can go on from it."""
        return self.ended and not self.faults


def step_of(checkpoint: Path) -> int:
    """The number of steps after which a ``checkpoint-N`` was saved."""
    number = re.search(r"checkpoint-(\d+)$", checkpoint.name)
    return int(number.group(1)) if number else 0


def saved_steps(training: Path) -> list[SavedStep]:
    """The steps that a run has saved, in their order, whatever the clock said when they were saved.

    Args:
        training: The run's training folder.
    """
    return sorted((saved_step(path) for path in training.glob("checkpoint-*")), key=lambda step: step.number)


def saved_step(folder: Path) -> SavedStep:
    """Look at a ``checkpoint-N``. If there is no such folder, it was not saved to its end."""
    ended = (folder / STATE_FILE).exists()
    return SavedStep(folder, ended, tuple(_faults(folder)) if ended else ())


def set_damaged_aside(training: Path, start: int) -> list[Path]:
    """Rename the damaged steps that training would write over: ``checkpoint-N`` becomes ``damaged-checkpoint-N``.

    Args:
        training: The run's training folder.
        start: The number of the step that training goes on from.

    Returns:
        Their new folders.
    """
    damaged = [step.folder for step in saved_steps(training) if step.faults and step.number > start]
    return [folder.rename(_free_name(folder.with_name(f"damaged-{folder.name}"))) for folder in damaged]


def _free_name(wanted: Path) -> Path:
    """The wanted path, or the first of ``wanted-2``, ``wanted-3``, ... at which there is nothing."""
    names = chain([wanted], (wanted.with_name(f"{wanted.name}-{number}") for number in count(2)))
    return next(path for path in names if not path.exists())


def begin_saving(folder: Path) -> None:
    """Prepare to save a ``checkpoint-N`` over one that may be there: it must not pass for whole with files of both."""
    (folder / STATE_FILE).unlink(missing_ok=True)


def remove_older(folder: Path) -> None:
    """Remove the steps that were saved before a fresh one. The last whole one of them stays, and so do damaged ones."""
    older = [step for step in saved_steps(folder.parent) if step.number < step_of(folder)]
    spare = max((step.number for step in older if step.whole), default=None)
    for step in older:
        if not step.faults and step.number != spare:
            (step.folder / STATE_FILE).unlink(missing_ok=True)  # if this is interrupted, the rest is no whole step
            shutil.rmtree(step.folder, ignore_errors=True)


def _faults(folder: Path) -> Iterator[UserError]:
    """What is missing or damaged in a step that was saved to its end."""
    for file in sorted(folder.glob("*.json")):
        if fault := _json_fault(file):
            yield UserError(f"{file}: {fault}")
    states = len(list(folder.glob("rng_state*.pth")))
    if states < processes():
        yield UserError(
            f"{folder}: it holds the random state of {states} processes, not of {processes()}",
            remedy="start as many processes as before",
        )
    sharded = [path for pattern in _SHARDS for path in folder.glob(pattern)]  # these are not looked into
    if not sharded:
        yield from _faults_of_states(folder)


def _json_fault(file: Path) -> str:
    """What is wrong with a JSON file; "" if it holds an object, and the trainer's state names its step."""
    try:
        content = read_json_file(file, MOST_BYTES)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except UserError as fault:
        return f"it is cut short or damaged: {fault.cause}"
    if not isinstance(content, dict) or (file.name == STATE_FILE and "global_step" not in content):
        return "it does not hold what training wrote"
    return ""


def _faults_of_states(folder: Path) -> Iterator[UserError]:
    """What is missing or damaged among the weights and the states of the optimiser and the schedule."""
    weights = sorted({*folder.glob("*.safetensors"), *_listed_weights(folder)})
    if not weights:
        yield UserError(f"{folder}: it holds no weights")
    for file in weights:
        if fault := _weights_fault(file):
            yield UserError(f"{file}: {fault}")
    for file in (folder / "optimizer.pt", folder / "scheduler.pt"):
        if not file.is_file() or not file.stat().st_size:
            yield UserError(f"{file}: it is missing or empty")


def _listed_weights(folder: Path) -> set[Path]:
    """The files of weights that an index names. An index that cannot be read is a fault of its own."""
    found: set[Path] = set()
    for file in folder.glob(_INDEX):
        if not _json_fault(file):
            listed = read_json_file(file, MOST_BYTES).get("weight_map")
            found |= {folder / str(name) for name in listed.values()} if isinstance(listed, dict) else set()
    return found


def _weights_fault(file: Path) -> str:
    """What is wrong with a file of weights; "" if its length is right."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt"):
            return ""
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
    except SafetensorError:
        return "it is cut short or damaged"
