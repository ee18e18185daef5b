"""The state that training goes on from is checked before transformers takes it at its word."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerState

from toolkit.errors import UserError
from toolkit.training.saved_state import STATE_FILE, check_state


def write(folder: Path, **changes: Any) -> Path:
    """Write the state after four steps with some other values."""
    TrainerState(global_step=4, max_steps=6, train_batch_size=8, log_history=[]).save_to_json(str(folder / STATE_FILE))
    state = json.loads((folder / STATE_FILE).read_text())
    (folder / STATE_FILE).write_text(json.dumps({**state, **changes}))
    return folder


def test_what_the_trainer_wrote_passes(tmp_path: Path) -> None:
    check_state(write(tmp_path, eval_steps=0.5, epoch=0.2, stateful_callbacks={"TrainerControl": {}}), 4, 4)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("global_step", 10**12),
        ("global_step", "4"),
        ("global_step", True),
        ("train_batch_size", 7),
        ("train_batch_size", 4 * 10**8),
        ("train_batch_size", 10**400),
        ("logging_steps", [None]),
        ("epoch", float("nan")),
        ("log_history", {}),
        ("log_history", [1]),
        ("stateful_callbacks", 1e300),
        ("stateful_callbacks", {"TrainerControl": 1}),
        ("strange", 1),
    ],
)
def test_a_value_that_it_did_not_write_is_named(key: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=key):
        check_state(write(tmp_path, **{key: value}), 4, 4)
