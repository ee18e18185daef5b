"""Every command that writes: it writes again what it wrote, and files of another origin only with ``--force``."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.command import Run
from tests.support.training import TINY
from tests.support.walls import line, wall, write_manifest
from toolkit.config.load import load_recipe
from toolkit.training.train import train


@dataclass(frozen=True)
class Writing:
    """A command that writes, as words; OUT is where it writes.

    Attributes:
        words: The words of the command.
        files: The files that it writes and that may be there already, below OUT; "" is OUT itself.
    """

    words: str
    files: tuple[str, ...]


WRITING = {
    "ask": Writing("ask 0.png QUESTION --point red=50,50 --focal 100 --model run --save OUT.png", (".png",)),
    "cloud": Writing(
        "cloud 0.png -o OUT.ply --focal 100 --depth depth.png --depth-type z",
        (".ply", "_depth_z_mm.png", "_depth_z.png"),
    ),
    "data preview": Writing("data preview quick.yaml --count 1 --output OUT", ("/preview.png", "/preview.txt")),
    "train --dry-run": Writing(
        "train quick.yaml --dry-run --output OUT", ("/preview/preview.png", "/preview/preview.txt")
    ),
    "data audit": Writing("data audit faulty.jsonl --frames 8 --output OUT", ("/faulty.png",)),
    "data stats": Writing("data stats manifest.jsonl --output OUT.png", (".png",)),
    "data split": Writing(
        "data split manifest.jsonl --share 0.5 --output OUT", ("/train.jsonl", "/held_out.jsonl", "/split.json")
    ),
    "data convert": Writing(
        "data convert folder plain OUT --workers 1 --images copy",
        ("/manifest.jsonl", "/conversion.json", "/overlay.png", "/files/images/0.png"),
    ),
    "eval": Writing(
        "eval - quick.yaml --predictor constant --output OUT", ("/report.json", "/report.md", "/samples.jsonl")
    ),
    "export": Writing("export run OUT", ("/config.json",)),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, a manifest, a faulty one, a recipe, a plain folder of pictures and a run."""
    folder = tmp_path_factory.mktemp("home")
    write_manifest(folder, [line(index) for index in range(8)])
    rows = [line(index, image=f"{index % 4}.png", depth=[2.5 + index] * 35) for index in range(8)]
    (folder / "faulty.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "quick.yaml").write_text(TINY.replace("samples: 8", "samples: 2"))
    Image.fromarray(np.full((90, 120), 2500, np.uint16)).save(folder / "depth.png")
    for part in ("images", "points"):
        (folder / "plain" / part).mkdir(parents=True)
    Image.fromarray(wall(0)).save(folder / "plain" / "images" / "0.png")
    (folder / "plain" / "points" / "0.txt").write_text("10 10 2.5\n")
    camera = {"intrinsics": [100, 100, 59.5, 44.5, 120, 90], "depth_type": "z"}
    (folder / "plain" / "camera.json").write_text(json.dumps(camera))
    train(load_recipe(folder / "quick.yaml", ["trainer.steps=1", "evaluation.samples=0"]), folder / "run")
    return folder


@pytest.mark.parametrize("name", WRITING)
def test_a_command_writes_over_its_own_files_alone(
    name: str, home: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    writing = WRITING[name]
    first, second = tmp_path / "first", tmp_path / "second"
    for _ in range(2):
        code, _, err = run(*_words(writing, first))
        assert code == 0, err
    for file in writing.files:
        assert Path(f"{first}{file}").is_file()
        target = Path(f"{second}{file}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("mine")
        code, _, err = run(*_words(writing, second))
        assert code == 2 and target.read_text() == "mine"
        assert str(target if name != "export" else second) in err and "--force" in err
        _remove(target.parent, tmp_path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("mine")
    code, _, err = run(*_words(writing, second), "--force")
    assert code == 0, err
    assert target.read_bytes() != b"mine"


def _words(writing: Writing, output: Path) -> list[str]:
    words = writing.words.replace("OUT", str(output)).split()
    return [word.replace("QUESTION", "how far is the red point") for word in words]


def _remove(folder: Path, home: Path) -> None:
    """Remove a folder that a test made, or in the test's own folder what is second."""
    if folder != home:
        shutil.rmtree(folder)
        return
    for path in home.glob("second*"):
        path.unlink()


@pytest.mark.parametrize(
    "words",
    [
        "ask 0.png QUESTION --point red=50,50 --focal 100 --model run --save LINK.png",
        "cloud 0.png -o OUT.ply --focal 100 --depth OUT_depth_z_mm.png --depth-type z",
        "data split OUT/train.jsonl --share 0.5 --output OUT",
        "eval - quick.yaml --predictor file:OUT/samples.jsonl --output OUT",
    ],
)
def test_what_a_command_reads_is_never_written_over(
    words: str, home: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    output = tmp_path / "out"
    output.mkdir()
    (tmp_path / "link.png").hardlink_to(home / "0.png")
    shutil.copyfile(home / "depth.png", tmp_path / "out_depth_z_mm.png")
    assert run("eval", "-", "quick.yaml", "--predictor", "constant", "--output", output)[0] == 0
    for picture in home.glob("?.png"):
        shutil.copyfile(picture, output / picture.name)
    shutil.copyfile(home / "manifest.jsonl", output / "train.jsonl")
    before = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    given = words.replace("OUT", str(output)).replace("LINK", str(tmp_path / "link")).split()
    code, _, err = run(*(word.replace("QUESTION", "how far is the red point") for word in given), "--force")
    assert code == 2 and ("the same command reads this file" in err or "the picture that is asked about" in err), err
    assert {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()} == before


def test_a_manifest_that_was_edited_is_the_users_own(
    home: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    for words, name in ((WRITING["data split"], "train.jsonl"), (WRITING["data convert"], "manifest.jsonl")):
        folder = tmp_path / name
        assert run(*_words(words, folder))[0] == 0
        with (folder / name).open("a") as file:
            file.write("\n")
        code, _, err = run(*_words(words, folder))
        assert code == 2 and f"{folder / name}: this file is there already" in err


def test_the_folder_of_anothers_model_stays_as_it_is(
    home: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(home / "run", tmp_path / "their model!", ignore=shutil.ignore_patterns("training", "evaluation"))
    for name in ("toolkit.json", "recipe.yaml", "README.md", "trained_on.npz"):
        (tmp_path / "their model!" / name).unlink(missing_ok=True)
    before = sorted(path.name for path in (tmp_path / "their model!").iterdir())
    monkeypatch.chdir(tmp_path)
    code, _, err = run("eval", "their model!", home / "quick.yaml", "--limit", "1")
    assert code == 0, err
    assert "wrote evaluations/their-model/first-1-quick-vlm" in err
    assert (tmp_path / "evaluations" / "their-model" / "first-1-quick-vlm" / "report.json").is_file()
    assert sorted(path.name for path in (tmp_path / "their model!").iterdir()) == before
