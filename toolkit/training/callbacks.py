"""Evaluation while a model trains: results on held-out pictures as it goes, and the best weights kept."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from toolkit.config.recipe import Recipe
from toolkit.errors import UserError, did_you_mean
from toolkit.evaluation.report import Report
from toolkit.modeling.vlm.vlm import Vlm, save_vlm
from toolkit.qa.registry import get_task
from toolkit.utils.files import write_text
from toolkit.utils.progress import err

BEST = "best"
"""Subfolder of a run's training folder with the best weights so far."""


_STATE = "best.json"


_COUNTS = ("answered",)  # higher where more is answered, right or wrong


@dataclass(frozen=True)
class Best:
    """The best evaluation so far.

    Attributes:
        step: After how many steps.
        score: What it reached.
        by: Which number this is.
    """

    step: int
    score: float
    by: str


def read_best(training: Path) -> Best | None:
    """The best evaluation of a run, None before the first."""
    try:
        return Best(**json.loads((training / _STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def forget_best(training: Path) -> None:
    """Remove what another run, which was never saved and is not gone on from, held for its best."""
    (training / _STATE).unlink(missing_ok=True)
    shutil.rmtree(training / BEST, ignore_errors=True)


def score_of(report: Report, by: str) -> float:
    """The number that weights are compared by.

    Args:
        report: An evaluation.
        by: ``task.number``, such as ``metric_depth.delta1``; "" for the mean of all tasks' headlines.

    Raises:
        UserError: If the report has no such number, or higher is not better.
    """
    if not by:
        return fmean(task.metrics[task.headline] for task in report.tasks)
    numbers = {f"{task.task}.{key}": value for task in report.tasks for key, value in task.metrics.items()}
    rising = _rising(report)
    if by in numbers and by not in rising:
        raise UserError(
            f"evaluation.best_by: {by} does not say which weights are the best",
            cause="it is a count, or an error of those questions that were answered: to answer fewer would look better",
            remedy=f"name a share of right answers: {', '.join(sorted(rising))}",
        )
    if by not in numbers:
        raise UserError(f"evaluation.best_by: {by!r} is not measured", remedy=did_you_mean(by, rising))
    return numbers[by]


def _rising(report: Report) -> set[str]:
    """The shares of right answers: a right one has more of them than one that cannot be read."""
    found = set()
    for name, truth in {record.task: record.truth for record in report.records}.items():
        metric = get_task(name).metric
        right, unread = metric.score(truth, truth), metric.score(truth, None)
        found |= {f"{name}.{key}" for key in right if right[key] > unread[key] and key not in _COUNTS}
    return found


class Monitor(TrainerCallback):
    """Evaluates before the first step and every so many, and keeps the best weights."""

    def __init__(self, recipe: Recipe, vlm: Vlm, training: Path, evaluate: Callable[[Vlm], Report]) -> None:
        """Watch a run.

        Args:
            recipe: Its evaluation settings are followed.
            vlm: The model that trains.
            training: The run's training folder.
            evaluate: Measures a model on the held-out pictures.
        """
        self._settings = recipe.evaluation
        self._steps = recipe.trainer.steps
        self._vlm = vlm
        self._training = training
        self._evaluate = evaluate

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Measure the base, which what follows is compared with."""
        if self._watches and state.global_step == 0 and state.is_world_process_zero:
            self._measure(0)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Evaluate, if it is time; the first process does it alone."""
        every = self._settings.every or self._steps
        due = self._watches and (state.global_step % every == 0 or state.global_step == self._steps)
        if due and state.is_world_process_zero:
            self._measure(state.global_step)

    @property
    def _watches(self) -> bool:
        return self._settings.every is not None and self._settings.samples > 0

    def _measure(self, step: int) -> None:
        report = self._evaluate(self._vlm)
        score = score_of(report, self._settings.best_by)
        report.save(self._training / "evaluation" / f"step-{step}")
        best = read_best(self._training)
        by = self._settings.best_by or "mean of headlines"
        leads = math.isfinite(score) and (best is None or best.by != by or score > best.score)
        if self._settings.keep == "best" and leads:
            self._save(Best(step, score, by))
        for task in report.tasks:
            low, high = task.intervals[task.headline]
            err.print(
                f"step {step:>6} of {self._steps}  {task.task} {task.headline} {task.metrics[task.headline]:.3f} "
                f"[{low:.3f}, {high:.3f}], best constant {task.constant.metrics[task.headline]:.3f}",
                markup=False,
            )

    def _save(self, best: Best) -> None:
        """Keep the weights, then what says that they are the best."""
        folder = self._training / BEST
        if hasattr(self._vlm.model, "peft_config"):
            self._vlm.model.save_pretrained(str(folder))
        else:
            save_vlm(self._vlm, folder)
        write_text(self._training / _STATE, json.dumps(asdict(best)))
