"""Hostile text in every foreign place, given to every command: nothing that is printed steers a terminal."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.command import Run
from tests.support.hostile_text import HOSTILE, hidden_in
from tests.support.server import Answer, Server
from tests.support.training import TINY
from tests.support.walls import line, wall
from toolkit.config.load import load_recipe
from toolkit.training.train import train

NAME = HOSTILE[:90]
WORDS = HOSTILE.replace("\udc80", "")  # a manifest with half a character is refused
"""Hostile text that is short enough for the name of a file."""

_AT_ONCE = {"retry-after-ms": "1"}
_MAKE, _MODEL, _SOFTWARE, _EXIF, _FOCAL_35_MM = 0x010F, 0x0110, 0x0131, 0x8769, 0xA405

RECIPE = (
    TINY.split("sources:")[0]
    + r"""
sources: {"a[red]\x1b[31m": {kind: manifest, path: manifest.jsonl, held_out: 0.5}}
trainer: {steps: 1, batch_size: 2}
evaluation: {samples: 2, max_new_tokens: 4}
"""
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with hostile names: a manifest, recipes, a run, damaged runs and evaluations that hold hostile words."""
    folder = tmp_path_factory.mktemp("hostile") / NAME
    folder.mkdir()
    _write_data(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toolkit.evaluation.reports.report.can_draw", lambda: True)
        train(load_recipe(folder / f"{NAME}.yaml"), folder / "run")
    for changed, key in (("config.json", "model_type"), ("toolkit.json", "marker"), ("recipe.yaml", "canonical")):
        shutil.copytree(folder / "run", folder / f"bad {changed}", ignore=shutil.ignore_patterns("training"))
        (folder / f"bad {changed}" / changed).write_text(json.dumps({key: HOSTILE, HOSTILE: HOSTILE}))
    shutil.copytree(folder / "run" / "evaluation", folder / "stranger")
    report = json.loads((folder / "stranger" / "report.json").read_text())
    report.update(predictor=HOSTILE, notes=[HOSTILE], recipe=HOSTILE)
    (folder / "stranger" / "report.json").write_text(json.dumps(report))
    return folder


def _write_data(folder: Path) -> None:
    rows = [
        line(index, image=f"{index}{NAME}.png", sequence=f"{index // 4}{WORDS}", license=WORDS, attribution=WORDS)
        for index in range(8)
    ]
    exif = Image.Exif()
    exif[_MAKE] = exif[_MODEL] = exif[_SOFTWARE] = "\x1b[31m\x07evil\n"
    exif.get_ifd(_EXIF)[_FOCAL_35_MM] = 28
    for index, row in enumerate(rows):
        Image.fromarray(wall(index)).save(folder / str(row["image"]), exif=exif)
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    damaged = [{**rows[0], "image": HOSTILE}, {**rows[1], HOSTILE: 1}, {**rows[2], "depth_type": HOSTILE}]
    (folder / "damaged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in damaged) + HOSTILE[:60] + "\n")
    (folder / f"{NAME}.yaml").write_text(RECIPE)
    (folder / "damaged.yaml").write_text(json.dumps({HOSTILE[:-8]: 1, "tasks": {HOSTILE[:-8]: HOSTILE[:-8]}}))
    (folder / "points.txt").write_text(f"1,{HOSTILE[:60]}\n")
    (folder / "own.py").write_text(f"raise ValueError({HOSTILE!r})\n")
    (folder / "answers.jsonl").write_text(json.dumps({"sample_sha256": HOSTILE, "answer": HOSTILE}) + "\n")
    Image.fromarray(np.full((90, 120), 2500, np.uint16)).save(folder / f"{NAME}.depth.png")
    for part in ("images", "points"):
        (folder / "plain" / part).mkdir(parents=True)
    shutil.copyfile(folder / str(rows[0]["image"]), folder / "plain" / "images" / f"{NAME}.png")
    (folder / "plain" / "points" / f"{NAME}.txt").write_text("10 10 2.5\n")
    (folder / "plain" / "camera.json").write_text(
        json.dumps({"intrinsics": [100, 100, 59.5, 44.5, 120, 90], "depth_type": "z"})
    )


COMMANDS = {
    "validate": "data validate manifest.jsonl",
    "validate, damaged": "data validate damaged.jsonl",
    "validate, a recipe": "data validate RECIPE",
    "validate, a damaged recipe": "data validate damaged.yaml",
    "stats": "data stats manifest.jsonl --output stats.png",
    "stats, JSON": "data stats manifest.jsonl --json",
    "audit": "data audit HOME/manifest.jsonl --output audit --frames 2",
    "split": "data split manifest.jsonl --share 0.5 --output NAME",
    "mix": "data mix RECIPE --count 2",
    "preview": "data preview RECIPE --output preview --count 2",
    "convert": "data convert folder plain HOME/converted --license HOSTILE --workers 1",
    "convert, unknown": "data convert HOSTILE plain converted",
    "formats": "data formats HOSTILE",
    "train": "train RECIPE --output HOME/run",
    "train, overridden": "train RECIPE HOSTILE=1",
    "train, a hostile value": "train RECIPE model.name=HOSTILE",
    "eval": "eval HOME/run RECIPE --output HOME/evaluated",
    "eval, another's report": "eval run RECIPE --output stranger",
    "eval, JSON": "eval run RECIPE --output HOME/evaluated --json",
    "eval, answers": "eval run RECIPE --predictor file:answers.jsonl --output other",
    "eval, unknown predictor": "eval run RECIPE --predictor HOSTILE --output other",
    "rescore": "rescore stranger",
    "compare": "compare stranger run/evaluation",
    "compare, JSON": "compare stranger run/evaluation --json",
    "compare, unknown": "compare stranger run/evaluation --number HOSTILE",
    "export": "export run HOME/exported",
    "recipes": "recipes RECIPE",
    "recipes, unknown": "recipes HOSTILE",
    "tasks, unknown": "tasks HOSTILE",
    "tasks, own": "tasks --include own.py",
    "ask": "ask 0NAME.png QUESTION --point red=50,50 --model HOME/run --save HOME/saved.png",
    "ask, EXIF and words": "ask 0NAME.png HOSTILE --raw --point red=50,50 --model run",
    "ask, JSON": "ask 0NAME.png HOSTILE --raw --point red=50,50 --model run --json",
    "ask, a missing picture": "ask missingNAME.png QUESTION --model run",
    "ask, points": "ask 0NAME.png QUESTION --points points.txt --model run",
    "ask, a hostile point": "ask 0NAME.png QUESTION --point HOSTILE --model run",
    "ask, a hostile task": "ask 0NAME.png QUESTION --point red=50,50 --task HOSTILE --model run",
    "ask, a hostile option": "ask 0NAME.png QUESTION --HOSTILE",
    "ask, a hostile number": "ask 0NAME.png QUESTION --focal HOSTILE",
    "ask, no model": "ask 0NAME.png QUESTION --model HOSTILE",
    "ask, a damaged configuration": ["ask", "0NAME.png", "QUESTION", "--model", "bad config.json"],
    "ask, a damaged contract": ["ask", "0NAME.png", "QUESTION", "--model", "bad toolkit.json"],
    "ask, a damaged recipe": ["ask", "0NAME.png", "QUESTION", "--model", "bad recipe.yaml"],
    "cloud": "cloud 0NAME.png --output NAME.ply --focal 100 --depth NAME.depth.png --depth-type z",
    "cloud, a missing depth map": "cloud 0NAME.png --output NAME.ply --depth HOSTILE --depth-type z",
    "unknown": "HOSTILE",
}


_SILENT = ("ask, a damaged contract",)
"""The commands that repeat nothing of what is hostile."""


@pytest.mark.parametrize("case", COMMANDS)
def test_no_command_prints_what_a_terminal_obeys(
    case: str, home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    given = COMMANDS[case]
    words = given if isinstance(given, list) else given.split()
    code, out, err = run(*(_filled(word).replace("HOME", str(home)) for word in words))
    assert code in (0, 2)
    assert not hidden_in(out + err)
    assert "x1b[31m" in out + err or "u001b[31m" in out or case in _SILENT
    if "--json" in words and code == 0:
        json.loads(out)
    assert not any(text.startswith("  try:     evil") for text in (out + err).splitlines())


def _filled(word: str) -> str:
    """A word of a command with what it stands for."""
    for name, text in (
        ("RECIPE", f"{NAME}.yaml"),
        ("QUESTION", "how far is the red point"),
        ("HOSTILE", HOSTILE),
        ("NAME", NAME),
    ):
        word = word.replace(name, text)
    return word


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"choices": [{"message": {"content": HOSTILE}, "finish_reason": "stop"}]}),
        Answer({"error": {"message": HOSTILE, "code": HOSTILE}}, 400),
        Answer({"error": HOSTILE}, 404),
        Answer(f"<html>{HOSTILE[:60]}", 500, _AT_ONCE),
        Answer({"choices": [{"message": {"content": None, "refusal": HOSTILE}, "finish_reason": HOSTILE}]}),
    ],
)
def test_what_a_server_says_is_harmless(answer: Answer, home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    monkeypatch.chdir(home)
    server = Server(lambda body, index: answer)
    model = f"openai:tiny@{server.remote.url}"
    for words in (["how far is it"], [HOSTILE, "--raw"], ["how far is it", "--json"]):
        code, out, err = run(
            "ask",
            f"0{NAME}.png",
            *words,
            "--task",
            "metric_depth",
            "--point",
            "red=50,50",
            "--model",
            model,
            "--like",
            "run",
        )
        assert code in (0, 2)
        assert not hidden_in(out + err)
    server.close()


def test_the_model_card_and_reports_hold_words_alone(home: Path, run: Run) -> None:
    assert run("rescore", home / "stranger")[0] == 0
    for page, words in ((home / "run" / "README.md", 1), (home / "stranger" / "report.md", 2)):
        text = page.read_text()
        assert not hidden_in(text)
        assert text.count("evil \\| &lt;script&gt;alert") == words
        assert "<script>" not in text and "\n# x" not in text
