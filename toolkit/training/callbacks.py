"""Callbacks of a run: evaluate the model while it trains, keep the best weights, and stop when the loss explodes.

Runs also stop, with their last step saved, when a signal asks for it.
"""

import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from toolkit.config.recipe import Recipe
from toolkit.errors import UserError, did_you_mean
from toolkit.evaluation.reports.report import REPORT, Report
from toolkit.modeling.vlm.vlm import Vlm, save_vlm
from toolkit.qa.tasks.registry import get_task
from toolkit.utils.files import write_text
from toolkit.utils.interruption import Interrupted, asked_to_stop, prompt
from toolkit.utils.json import read_object, to_json
from toolkit.utils.progress import err

BEST = "best"
"""The subfolder of a run's training folder that holds the best weights so far."""

EXPLODED = 5.0
"""How many times the loss of a blind guess the loss must be for the run to end; no run comes back from there."""

_WORSE = 1.5  # how many times the loss of a blind guess the last loss must be for a warning
_BEST_FILE = "best.json"
_EVALUATIONS = "evaluation"
_COUNTS = ("answered",)  # these rise with every answer, right or wrong


@dataclass(frozen=True)
class BestEvaluation:
    """The best evaluation of a run so far.

    Attributes:
        step: The number of steps after which the model was evaluated.
        score: The number that evaluations are compared by.
        by: The name of that number.
    """

    step: int
    score: float
    by: str


def read_best(training: Path) -> BestEvaluation | None:
    """The best evaluation of a run; None before the first evaluation.

    Args:
        training: The run's training folder.
    """
    try:
        saved = read_object(training / _BEST_FILE, "")
        return BestEvaluation(int(saved["step"]), float(saved["score"]), str(saved["by"]))
    except (OSError, UserError, ValueError, OverflowError, KeyError, TypeError):
        return None


def forget_best(training: Path) -> None:
    """Remove the evaluations and the best weights of an earlier run in the same folder, when a run starts anew.

    Args:
        training: The run's training folder.
    """
    (training / _BEST_FILE).unlink(missing_ok=True)
    for folder in (BEST, _EVALUATIONS):
        shutil.rmtree(training / folder, ignore_errors=True)


def score_of(report: Report, by: str) -> float:
    """The number that evaluations of a run are compared by.

    Args:
        report: The results of one evaluation.
        by: The task and the number, such as ``metric_depth.delta1``; "" for the mean of all tasks' headline numbers.

    Raises:
        UserError: If the report has no such number, or if a higher number does not mean better weights.
    """
    if not by:
        return fmean(task.metrics[task.headline] for task in report.tasks)
    numbers = {f"{task.task}.{key}": value for task in report.tasks for key, value in task.metrics.items()}
    shares = _shares_of_right_answers(report)
    if by in numbers and by not in shares:
        raise UserError(
            f"evaluation.best_by: {by} does not say which weights are the best",
            cause="it is a count, or an error over the answered questions only: answering fewer would look better",
            remedy=f"name a share of right answers: {', '.join(sorted(shares))}",
        )
    if by not in numbers:
        raise UserError(f"evaluation.best_by: {by!r} is not measured", remedy=did_you_mean(by, shares))
    return numbers[by]


def _shares_of_right_answers(report: Report) -> set[str]:
    """The names of all numbers that are higher for a right answer than for one that cannot be read."""
    found = set()
    for name, truth in {record.task: record.truth for record in report.records}.items():
        metric = get_task(name).metric
        right, unread = metric.score(truth, truth), metric.score(truth, None)
        found |= {f"{name}.{key}" for key in right if right[key] > unread[key] and key not in _COUNTS}
    return found


class EvaluationCallback(TrainerCallback):
    """Evaluates the model before the first step and at regular steps, and keeps the best weights."""

    def __init__(self, recipe: Recipe, vlm: Vlm, training: Path, evaluate: Callable[[Vlm], Report]) -> None:
        """Prepare to watch a run.

        Args:
            recipe: The recipe of the run; its ``evaluation`` says how often to evaluate and which weights to keep.
            vlm: The model that is trained.
            training: The run's training folder.
            evaluate: A function that evaluates a model on the held-out pictures.
        """
        self._settings = recipe.evaluation
        self._steps = recipe.trainer.steps
        self._vlm = vlm
        self._training = training
        self._evaluate = evaluate

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Evaluate the base model, so that later evaluations can be compared with it.

        A run that was stopped while it was evaluated, and was saved then, is evaluated now.
        """
        step = state.global_step
        if state.is_world_process_zero and self._is_due(step) and (step == 0 or not self._report_of(step).exists()):
            with prompt():
                self._evaluate_at(step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Evaluate the model if it is time to; only the first process does. If a signal comes, it is left for later."""
        if self._is_due(state.global_step) and state.is_world_process_zero:
            try:
                with prompt():
                    self._evaluate_at(state.global_step)
            except Interrupted:
                return  # StopCallback saves the step, and ends the run

    def _is_due(self, step: int) -> bool:
        """Whether the model is to be evaluated after so many steps."""
        every = self._settings.every
        return every is not None and self._settings.samples > 0 and (step % every == 0 or step == self._steps)

    def _report_of(self, step: int) -> Path:
        """The file that is written last when the model is evaluated after so many steps."""
        return self._training / _EVALUATIONS / f"step-{step}" / REPORT

    def _evaluate_at(self, step: int) -> None:
        report = self._evaluate(self._vlm)
        score = score_of(report, self._settings.best_by)
        best = read_best(self._training)
        by = self._settings.best_by or "mean of headlines"
        leads = math.isfinite(score) and (best is None or best.by != by or score > best.score)
        if self._settings.keep == "best" and leads:
            self._save(BestEvaluation(step, score, by))
        report.save(self._report_of(step).parent)
        for task in report.tasks:
            low, high = task.intervals[task.headline]
            err.print(
                f"step {step:>6} of {self._steps}  {task.task} {task.headline} {task.metrics[task.headline]:.3f} "
                f"[{low:.3f}, {high:.3f}], best constant {task.constant.metrics[task.headline]:.3f}",
            )

    def _save(self, best: BestEvaluation) -> None:
        """Save the weights first, and then the file that says that they are the best."""
        folder = self._training / BEST
        if hasattr(self._vlm.model, "peft_config"):
            self._vlm.model.save_pretrained(str(folder))
        else:
            save_vlm(self._vlm, folder)
        write_text(self._training / _BEST_FILE, json.dumps(to_json(best)))


class StopCallback(TrainerCallback):
    """Ends a run that a signal has asked to stop after the present step, which is saved.

    All processes of the run stop after the same step. This callback comes after the one that evaluates.
    """

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Save the step and stop, if one of the processes has been asked to."""
        asked = asked_to_stop() is not None
        if args.world_size > 1:
            any_asked = torch.tensor(int(asked), device=args.device)
            torch.distributed.all_reduce(any_asked)
            asked = bool(any_asked)
        control.should_save |= asked
        control.should_training_stop |= asked


class ExplosionCallback(TrainerCallback):
    """Ends a run whose loss has exploded, so that its weights are never saved as a finished checkpoint.

    The measure is the loss of a blind guess: the logarithm of the number of tokens, which is the cross entropy of equal
    probabilities for all of them.
    """

    def __init__(self, tokens: int) -> None:
        """Prepare to watch a run.

        Args:
            tokens: The number of different tokens that the model can write.
        """
        self._guess = math.log(tokens)
        self._last = 0.0

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Look at the mean loss since the last log, or at that of the whole run after its last step.

        Raises:
            UserError: If the loss has exploded.
        """
        found = logs or {}
        self._last = float(found.get("loss", self._last))
        worst = max(self._last, float(found.get("train_loss", 0.0)))
        if worst > EXPLODED * self._guess:
            raise UserError(
                f"the loss has exploded: {worst:.4g} at step {state.global_step}, where a blind guess has "
                f"{self._guess:.3g}",
                cause="the weights have grown without bound",
                remedy="lower trainer.learning_rate, or raise trainer.warmup; choose another --output",
            )

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Warn if the model has learnt nothing."""
        if self._last > _WORSE * self._guess and state.is_world_process_zero:
            err.note(
                f"the last loss, {self._last:.4g}, is worse than that of a blind guess, {self._guess:.3g}: the model "
                "has learnt nothing; lower trainer.learning_rate",
                label="warning",
            )
