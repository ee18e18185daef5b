"""Evaluation while training: it changes nothing that is learnt, and the best weights are those at the end."""

import math
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerControl, TrainerState

from tests.support.training import interrupt_at
from toolkit.config.load import load_recipe
from toolkit.errors import UserError, UserErrors
from toolkit.evaluation.reports.report import Report
from toolkit.modeling.vlm.load_vlm import open_saved
from toolkit.modeling.vlm.lora_targets import merge_adapters
from toolkit.training import train as train_module
from toolkit.training.callbacks import BestEvaluation, ExplosionCallback, StopCallback, read_best, score_of
from toolkit.training.open_run_model import open_adapted, open_base
from toolkit.training.train import evaluate_held_out, train
from toolkit.utils.interruption import Interrupted, stoppable

pytestmark = pytest.mark.slow

WATCHED = ["evaluation.every=2", "evaluation.samples=4", "evaluation.max_new_tokens=4"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_it_changes_nothing_that_is_learnt(quick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(load_recipe(quick, ["evaluation.samples=0"]), tmp_path / "plain")
    train(load_recipe(quick, WATCHED), tmp_path / "watched")
    assert same(weights(tmp_path / "plain"), weights(tmp_path / "watched"))
    said = capsys.readouterr().err
    assert [f"step      {step} of 6  metric_depth delta1" in said for step in (0, 2, 4, 6)] == [True] * 4
    steps = sorted(path.name for path in (tmp_path / "watched" / "training" / "evaluation").iterdir())
    assert steps == ["step-0", "step-2", "step-4", "step-6"]


def tell(monkeypatch: pytest.MonkeyPatch, first: list[float]) -> None:
    """Let the first evaluations find these numbers, and later ones what is right."""
    scores: Iterator[float] = iter(first)

    def told(*args: Any, **named: Any) -> Report:
        report = evaluate_held_out(*args, **named)
        score = next(scores, None)
        if score is None:
            return report
        return replace(
            report, tasks=tuple(replace(task, metrics={**task.metrics, "delta1": score}) for task in report.tasks)
        )

    monkeypatch.setattr("toolkit.training.train.evaluate_held_out", told)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are best after four of six steps."""
    tell(monkeypatch, [0.1, 0.2, 0.9, 0.5])


@pytest.fixture
def worsened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base is best."""
    tell(monkeypatch, [0.9, 0.2, 0.1, 0.5])


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize("lora", [[], ["model.lora.rank=4"]], ids=["full", "lora"])
def test_the_best_weights_are_the_ones_at_the_end(lora: list[str], quick: Path, tmp_path: Path) -> None:
    recipe = load_recipe(quick, [*WATCHED, *lora, "evaluation.keep=best", "trainer.save_every=4"])
    train(recipe, tmp_path / "run")
    saved = tmp_path / "run" / "training" / "checkpoint-4"
    vlm = merge_adapters(open_adapted(recipe, saved)) if lora else open_saved(recipe.model, saved)
    at_four = vlm.model.state_dict()
    final = open_saved(recipe.model, tmp_path / "run").model.state_dict()
    assert same(at_four, final)
    best = read_best(tmp_path / "run" / "training")
    assert best is not None
    assert (best.step, best.score) == (4, 0.9)


def test_best_needs_evaluations_to_choose_from(quick: Path) -> None:
    with pytest.raises(UserErrors, match="keep: best needs"):
        load_recipe(quick, ["evaluation.keep=best"])


def test_a_number_is_chosen_by_its_name() -> None:
    tasks = [
        SimpleNamespace(task="metric_depth", headline="delta1", metrics={"delta1": 0.4, "abs_rel": 0.3}),
        SimpleNamespace(task="relative_depth", headline="accuracy", metrics={"accuracy": 0.8}),
    ]
    records = [
        SimpleNamespace(task="metric_depth", truth=2.0),
        SimpleNamespace(task="relative_depth", truth="red"),
    ]
    report: Any = SimpleNamespace(tasks=tasks, records=records)
    assert score_of(report, "") == pytest.approx(0.6)
    assert score_of(report, "metric_depth.delta1") == 0.4
    with pytest.raises(UserError, match="not measured") as caught:
        score_of(report, "metric_depth.delta")
    assert "metric_depth.delta1" in caught.value.remedy
    with pytest.raises(UserError, match="does not say which weights are the best") as caught:
        score_of(report, "metric_depth.abs_rel")  # lower is better, and unanswered questions have none
    assert "metric_depth.mra" in caught.value.remedy and "relative_depth.accuracy" in caught.value.remedy
    assert "unparsed" not in caught.value.remedy and "answered" not in caught.value.remedy


def test_nothing_is_watched_where_nothing_is_asked(quick: Path, tmp_path: Path) -> None:
    train(load_recipe(quick, ["evaluation.every=2", "evaluation.samples=0", "trainer.steps=2"]), tmp_path / "run")
    assert not (tmp_path / "run" / "training" / "evaluation").exists()


def test_what_another_run_left_is_not_the_best(quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, [0.9, 0.1, 0.2, 0.3, 0.4])  # the first run ends after its first evaluation
    whole = interrupt_at(0, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(load_recipe(quick, [*WATCHED, "evaluation.keep=best"]), tmp_path / "run")
    assert read_best(tmp_path / "run" / "training") == BestEvaluation(0, 0.9, "mean of headlines")
    whole()
    train(load_recipe(quick, [*WATCHED, "evaluation.keep=best", "trainer.learning_rate=0.02"]), tmp_path / "run")
    assert read_best(tmp_path / "run" / "training") == BestEvaluation(6, 0.4, "mean of headlines")


@pytest.mark.parametrize("first", [math.nan, -math.inf])
def test_what_could_not_be_measured_is_not_the_best(
    quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: float
) -> None:
    tell(monkeypatch, [first, 0.1, 0.2, 0.1])
    train(load_recipe(quick, [*WATCHED, "evaluation.keep=best"]), tmp_path / "run")
    best = read_best(tmp_path / "run" / "training")
    assert best is not None and best.step == 4


@pytest.mark.usefixtures("worsened")
def test_a_base_that_training_worsens_is_kept(quick: Path, tmp_path: Path) -> None:
    recipe = load_recipe(quick, [*WATCHED, "evaluation.keep=best"])
    base = {name: weight.clone() for name, weight in open_base(recipe).model.state_dict().items()}
    train(recipe, tmp_path / "run")
    best = read_best(tmp_path / "run" / "training")
    assert best is not None and best.step == 0
    assert same(base, open_saved(recipe.model, tmp_path / "run").model.state_dict())


def test_a_run_that_a_signal_stops_in_an_evaluation_goes_on_with_it(
    quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(quick, [*WATCHED, "evaluation.keep=best", "trainer.save_every=100"])
    tell(monkeypatch, [0.1, 0.2, 0.9, 0.5])
    train(recipe, tmp_path / "whole")
    tell(monkeypatch, [0.1, 0.2])
    told, evaluations = train_module.evaluate_held_out, iter(range(3))

    def stopped(*args: Any, **named: Any) -> Report:
        if next(evaluations) == 2:
            signal.raise_signal(signal.SIGTERM)
        return told(*args, **named)

    with monkeypatch.context() as patched:
        patched.setattr("toolkit.training.train.evaluate_held_out", stopped)
        with pytest.raises(Interrupted), stoppable(lambda number: None):
            train(recipe, tmp_path / "broken")
    assert [path.name for path in (tmp_path / "broken" / "training").glob("checkpoint-*")] == ["checkpoint-4"]
    tell(monkeypatch, [0.9, 0.5])
    train(recipe, tmp_path / "broken")
    best = [read_best(tmp_path / name / "training") for name in ("whole", "broken")]
    assert best[0] == best[1] == BestEvaluation(4, 0.9, "mean of headlines")
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))


def test_processes_stop_after_the_same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def other_was_asked(flag: torch.Tensor) -> None:
        flag += 1

    args: Any = SimpleNamespace(world_size=2, device="cpu")
    controls = [TrainerControl(), TrainerControl()]
    monkeypatch.setattr("torch.distributed.all_reduce", lambda flag: None)
    StopCallback().on_step_end(args, TrainerState(), controls[0])
    monkeypatch.setattr("torch.distributed.all_reduce", other_was_asked)
    StopCallback().on_step_end(args, TrainerState(), controls[1])
    assert [each.should_save for each in controls] == [False, True]
    assert [each.should_training_stop for each in controls] == [False, True]


def logged(callback: ExplosionCallback, *logs: dict[str, float]) -> None:
    state = TrainerState(global_step=7)
    for each in logs:
        callback.on_log(None, state, None, each)  # type: ignore[arg-type]
    callback.on_train_end(None, state, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("logs", [{"loss": 26.0}, {"train_loss": 26.0}])
def test_a_loss_far_above_that_of_a_blind_guess_ends_the_run(logs: dict[str, float]) -> None:
    guess = ExplosionCallback(148)  # log(148) is 5.0
    with pytest.raises(UserError, match="the loss has exploded: 26 at step 7, where a blind guess has 5"):
        logged(guess, {"loss": 6.0}, logs)


def test_a_last_loss_worse_than_a_blind_guess_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    logged(ExplosionCallback(148), {"loss": 9.0}, {"loss": 5.0}, {"train_loss": 7.0})
    assert not capsys.readouterr().err
    logged(ExplosionCallback(148), {"loss": 5.0}, {"loss": 9.0})
    assert "the model has learnt nothing" in " ".join(capsys.readouterr().err.split())
