"""What ends a run from outside is told in plain words; other errors stay as they are."""

import errno
from pathlib import Path

import pytest
from safetensors import SafetensorError
from transformers import PreTrainedModel

from tests.support.command import Run
from toolkit.errors import UserError
from toolkit.training.run_errors import clear_run_errors

ENDED = {
    "a worker that was killed": (
        RuntimeError("DataLoader worker (pid 61) is killed by signal: Killed. "),
        "a worker process that makes batches was ended",
    ),
    "workers that are gone": (
        RuntimeError("DataLoader worker (pid(s) 61, 62) exited unexpectedly"),
        "a worker process that makes batches was ended",
    ),
    "full shared memory": (
        RuntimeError("unable to write to file </torch_61_7_0>: No space left on device (28)"),
        "cannot hand over their batches",
    ),
    "too many open files": (RuntimeError("received 0 items of ancdata"), "cannot hand over their batches"),
    "a full disk": (OSError(errno.ENOSPC, "No space left on device"), "run: cannot be written"),
    "a picture that may not be read": (
        OSError(errno.EACCES, "Permission denied", "a.png"),
        "a.png: cannot be used",
    ),
}


@pytest.mark.parametrize("name", ENDED)
def test_what_ends_a_run_from_outside(name: str) -> None:
    error, words = ENDED[name]
    with pytest.raises(UserError, match=words) as caught, clear_run_errors(Path("run")):
        raise error
    assert caught.value.remedy


def test_faults_of_the_program_stay_what_they_are() -> None:
    bug = RuntimeError("The size of tensor a (4) must match the size of tensor b (5)")
    with pytest.raises(RuntimeError) as caught, clear_run_errors(Path("run")):
        raise bug
    assert caught.value is bug


@pytest.mark.slow
def test_a_full_disk_loses_no_saved_step(
    run: Run, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    command = ("train", quick, "trainer.steps=4", "trainer.save_every=2", "--output", tmp_path / "run")
    training = tmp_path / "run" / "training"
    with monkeypatch.context() as later:
        genuine = PreTrainedModel.save_pretrained

        def save(self: PreTrainedModel, folder: str, *args: object, **more: object) -> None:
            if "checkpoint-4" in str(folder):
                (Path(folder) / "half").mkdir(parents=True)
                full()
            genuine(self, folder, *args, **more)  # type: ignore[arg-type]

        later.setattr(PreTrainedModel, "save_pretrained", save)
        code, _, err = run(*command)
    assert (code, "Traceback" in err) == (2, False)
    assert f"{tmp_path / 'run'}: cannot be written" in err
    assert [path.name for path in training.glob("*checkpoint-*")] == ["checkpoint-2"]
    assert run(*command)[0] == 0
    assert (tmp_path / "run" / "toolkit.json").is_file()
