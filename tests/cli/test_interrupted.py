"""Tests of ``toolkit.cli.interrupted``: what the user reads when a signal stops a command."""

import os
import random
import shlex
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.command import Run
from tests.support.paths import ROOT
from toolkit.evaluation import evaluate
from toolkit.utils.interruption import SIGNALS

COMMANDS = {
    ("train", "quick.yaml", "--output", "out"): "toolkit.training.train.train",
    ("train", "quick.yaml", "--dry-run"): "toolkit.training.dry_run.preview.preview",
    ("eval", "-", "quick.yaml", "--output", "out"): "toolkit.evaluation.evaluate.evaluate_recipe",
    ("ask", "a.png", "how far is it"): "toolkit.inference.scene.open_scene",
    ("cloud", "a.png", "-o", "a.ply"): "toolkit.inference.scene.open_scene",
    ("export", "run", "out"): "toolkit.training.export.export",
    ("compare", "one", "two"): "toolkit.evaluation.reports.compare.compare",
    ("rescore", "one"): "toolkit.evaluation.rescore.rescore",
    ("data", "preview", "quick.yaml"): "toolkit.training.dry_run.preview.preview",
    ("data", "validate", "a.jsonl"): "toolkit.config.validate.validate",
    ("data", "audit", "a.jsonl"): "toolkit.data.audit.audit.audit",
    ("data", "stats", "a.jsonl"): "toolkit.cli.data.collect_statistics",
    ("data", "split", "a.jsonl", "--output", "out"): "toolkit.data.manifest.split.split_manifest",
    ("data", "mix", "quick.yaml"): "toolkit.config.build.make_plan",
    ("data", "convert", "folder", "set", "out"): "toolkit.data.convert.convert.convert",
    ("data", "merge", "out"): "toolkit.data.convert.parallel.merge.merge",
}
GO_ON = ("train", "eval", "convert")


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_one_line_says_what_is_kept_and_how_to_go_on(
    words: tuple[str, ...], run: Run, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(quick.parent)
    number = SIGNALS[len(" ".join(words)) % len(SIGNALS)]

    def interrupted(*_: object, **__: object) -> None:
        os.kill(os.getpid(), number)
        time.sleep(10)
        pytest.fail("the signal did nothing")

    for module in ("inference.cloud.build_cloud", "training.train"):  # what is imported later would keep the function
        import_module(f"toolkit.{module}")
    monkeypatch.setattr(COMMANDS[words], interrupted)
    if words[0] == "compare":
        monkeypatch.setattr("toolkit.evaluation.reports.compare.read_evaluation", lambda path, tasks: None)
    monkeypatch.setattr(sys, "argv", ["toolkit", *words])
    code, out, err = run(*words)
    name = " ".join(words[: 2 if words[0] == "data" else 1])
    goes_on = any(each in words for each in GO_ON) and "--dry-run" not in words
    assert (code, out) == (128 + number, "")
    last = err.splitlines()[-1]
    assert last.startswith(f"interrupted by {number.name}: toolkit {name}; ")
    assert last.endswith(f"; to {'go on' if goes_on else 'begin again'}: {shlex.join(['toolkit', *words])}")
    assert "Traceback" not in err


def test_an_error_after_a_signal_is_its_consequence(
    run: Run, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worker_died(*_: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        except BaseException:
            raise RuntimeError("DataLoader worker exited unexpectedly") from None

    monkeypatch.setattr("toolkit.training.train.train", worker_died)
    code, _, err = run("train", quick, "--output", tmp_path / "out", "--resume", "never")
    assert code == 143
    assert "no step is saved yet" in err and err.endswith(" --resume never --resume auto\n")
    assert "unexpectedly" not in err


def test_what_an_evaluation_has_kept_is_counted(
    run: Run, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    whole = evaluate.FixedPredictor.answer

    def interrupted(self: evaluate.FixedPredictor, samples: list[object]) -> object:
        if asked:
            os.kill(os.getpid(), signal.SIGINT)
        asked.append(len(samples))
        return whole(self, samples)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluate.FixedPredictor, "answer", interrupted)
    words = ("eval", "-", quick, "--predictor", "constant:2 m", "--output", tmp_path / "out")
    code, _, err = run(*words)
    assert code == 130
    assert f"; {asked[0]} answers are kept in {tmp_path / 'out'}; " in err.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_signals_while_everything_is_imported(seed: int, quick: Path, tmp_path: Path) -> None:
    chance = random.Random(seed)
    words = [sys.executable, "-m", "toolkit", "train", str(quick), "--output", str(tmp_path / "out")]
    running = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(chance.uniform(0.15, 1.5))
    number = chance.choice(SIGNALS)
    running.send_signal(number)
    out, err = running.communicate()
    assert (running.returncode, out) == (128 + number, "")
    assert err.startswith(f"interrupted by {number.name}: toolkit train; ") and err.count("\n") == 1
