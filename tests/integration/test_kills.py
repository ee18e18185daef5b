"""Commands that signals stop at random moments: nothing is half written, and the same command goes on."""

import random
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.killable import KillableCommand
from tests.support.paths import ROOT
from tests.support.training import TINY

pytestmark = pytest.mark.slow

_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}
_COMMANDS = {
    "eval": (
        *("eval", "run", "quick.yaml", "evaluation.samples=8", "evaluation.batch_size=2", "--output", "out"),
        *("--allow-overlap",),
    ),
    "export": ("export", "run", "out"),
    "cloud": ("cloud", "hall.png", "-o", "out/hall.ply", "--focal", "289", "--columns", "8", "--questions", "60"),
    "ask": (
        "ask",
        "hall.png",
        "how far is the red point",
        "--point",
        "red=118,112",
        "--focal",
        "289",
        "--save",
        "out.png",
    ),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, a picture and a trained run."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "quick.yaml").write_text(TINY)
    (folder / "hall.png").write_bytes((ROOT / "docs" / "hall.png").read_bytes())
    words = ("train", "quick.yaml", "trainer.steps=2", "evaluation.samples=0", "--output", "run")
    trained = KillableCommand(*words, folder=folder).end()
    assert trained.code == 0, trained.err
    return folder


def written(folder: Path) -> Mapping[str, bytes]:
    """What is in a folder that a command has written, by the names of the files."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", _COMMANDS)
def test_the_same_command_goes_on(name: str, home: Path, tmp_path: Path) -> None:
    for entry in home.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    chance = random.Random(name)
    for number in chance.sample(sorted(_CODES), 2):
        command = KillableCommand(*_COMMANDS[name], folder=tmp_path)
        if not command.ends_within(chance.uniform(0.05, 0.6)):
            command.send(number)
        ended = command.end()
        assert ended.code in (0, _CODES[number])
        assert "Traceback" not in ended.err and "ignored" not in ended.err
        if ended.code not in (0, -9):
            assert f"interrupted by {number.name}: toolkit " in ended.err
            assert not list(tmp_path.rglob(".*"))
        if ended.code == 0:
            break
    else:
        assert KillableCommand(*_COMMANDS[name], folder=tmp_path).end().code == 0
    whole = tmp_path / "whole"
    whole.mkdir()
    for entry in home.iterdir():
        (whole / entry.name).symlink_to(entry)
    assert KillableCommand(*_COMMANDS[name], folder=whole).end().code == 0
    expected = written(whole)
    assert expected.keys() - {entry.name for entry in home.iterdir()}
    assert {path: data for path, data in written(tmp_path).items() if not path.startswith("whole/")} == expected
