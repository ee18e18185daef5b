"""Checking the ``trainer_state.json`` of a ``checkpoint-N``, whose numbers transformers takes at their word."""

import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from transformers import TrainerState

from toolkit.errors import UserError, raise_all
from toolkit.utils.json import read_object

STATE_FILE = "trainer_state.json"
"""The file of a ``checkpoint-N`` that the trainer writes last."""

_COUNTS = ("global_step", "max_steps", "num_train_epochs", "num_input_tokens_seen", "train_batch_size")
_INTERVALS = ("logging_steps", "eval_steps", "save_steps")
_NUMBERS = ("epoch", "total_flos")
_OBJECTS = ("stateful_callbacks", "trial_params")
_DEVICES = 65  # one process drives fewer devices
_MOST = 1 << 53  # all integers up to it are exact as floating-point numbers


def check_state(checkpoint: Path, step: int, batch_size: int) -> None:
    """Check that the state of a ``checkpoint-N`` is what the trainer wrote.

    Args:
        checkpoint: The folder of the checkpoint.
        step: The step that its name says.
        batch_size: The samples of one step on one device. One process may drive several devices.

    Raises:
        UserErrors: If it is not; all faults are named.
    """
    file = checkpoint / STATE_FILE
    state = read_object(file, "choose an older checkpoint with --resume, or another --output")
    known = {field.name for field in fields(TrainerState)}
    faults = [f"{key} is no key that the trainer writes" for key in sorted(state.keys() - known)]
    faults += _faults_of_kinds(state)
    if not faults and state.get("global_step") != step:
        faults.append(f"global_step is {state.get('global_step')}, but the folder is of step {step}")
    if not faults and state.get("train_batch_size") not in (
        None,
        *range(batch_size, batch_size * _DEVICES, batch_size),
    ):
        faults.append(f"train_batch_size is {state['train_batch_size']}, but the recipe has {batch_size}")
    where = f"{file}: training cannot go on from here; choose an older one with --resume, or another --output"
    raise_all(where, [UserError(fault) for fault in faults])


def _faults_of_kinds(state: Mapping[str, Any]) -> list[str]:
    """What is wrong with the kinds of the values."""
    given = {key: value for key, value in state.items() if value is not None}
    faults = [f"{key} must be a whole number" for key in _COUNTS if key in given and not _is_count(given[key])]
    faults += [f"{key} must be a number" for key in _INTERVALS if key in given and not _is_number(given[key])]
    faults += [f"{key} must be a number" for key in _NUMBERS if key in given and not _is_number(given[key])]
    faults += [f"{key} must be an object" for key in _OBJECTS if not isinstance(given.get(key, {}), dict)]
    callbacks = given.get("stateful_callbacks", {})
    if isinstance(callbacks, dict) and not all(isinstance(part, dict | list) for part in callbacks.values()):
        faults.append("stateful_callbacks must hold objects")
    log = given.get("log_history", [])
    if not isinstance(log, list) or not all(isinstance(entry, dict) for entry in log):
        faults.append("log_history must be a list of objects")
    return faults


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= _MOST if isinstance(value, int) else value >= 0 and math.isfinite(value)
