"""A training run through the recipe, timed step by step. The figures are those of the steps after the warm-up."""

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import SaveStrategy
from trl import SFTTrainer

from benchmarks.gpu_parts.device import between, mark, now, peak_memory, reset_peak_memory
from benchmarks.gpu_parts.flops import Flops, forward_flops, training_flops
from benchmarks.gpu_parts.plan import MODEL, PICTURES, WARM_UP, Surroundings, Trial
from toolkit.config.build import RunPlan, make_plan
from toolkit.config.load import load_recipe
from toolkit.config.recipe import Recipe
from toolkit.modeling.vlm.load_vlm import prepare_training
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.training.collator import IGNORED, Collator
from toolkit.training.open_run_model import open_base
from toolkit.training.trainer import make_dataset, make_trainer

RECIPE = "depthlm_qwen2_5_vl_3b"
_LOADED = 8  # samples that are rendered to measure the loader
_TWIN = (  # about a seventh of the recipe's sizes
    "canonical.focal=150",
    "canonical.crop={width: [150, 210], height: [105, 180]}",
    "marker.size=3",
    "trainer.workers=0",
    "trainer.batch_size=4",
)


@dataclass(frozen=True)
class Batch:
    """What one batch asks of the model, in tensors that are read only after the run, so that no step waits for them.

    Attributes:
        lengths: The number of tokens of each sample (samples,).
        padded: The number of tokens, with padding.
        grids: The patches of each picture along time, height and width (pictures, 3).
        answers: The number of answers.
        taught: The number of tokens that carry loss.
    """

    lengths: torch.Tensor
    padded: int
    grids: torch.Tensor
    answers: torch.Tensor
    taught: torch.Tensor

    @classmethod
    def of(cls, inputs: dict[str, Any]) -> "Batch":
        """What a batch of the collator holds. Each answer is one run of tokens that carry loss."""
        taught = inputs["labels"] != IGNORED
        starts = taught[:, 1:] & ~taught[:, :-1]
        mask = inputs["attention_mask"]
        return cls(mask.sum(dim=1), mask.numel(), inputs["image_grid_thw"], starts.sum(), taught.sum())

    def flops(self, config: Any) -> Flops:
        """The operations of its forward pass."""
        return forward_flops(config, self.lengths.tolist(), self.grids.tolist(), int(self.taught))


class StepClock(TrainerCallback):
    """Stamps the end of every step, and ends the run in time."""

    def __init__(self, until: float) -> None:
        """Prepare to watch a run, which begins no step that would end after ``until`` [s of ``time.time``]."""
        self.stamps: list[float] = []
        self.losses: list[float] = []
        self._until = until

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stamp the start of the first step."""
        self.stamps.append(now())

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stamp the end of a step, when the device has finished it."""
        self.stamps.append(now())
        control.should_training_stop |= time.time() + self.stamps[-1] - self.stamps[-2] > self._until

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """Keep the losses."""
        self.losses += [float(logs["loss"])] if "loss" in logs else []


class Meter:
    """Watches a trainer: what its batches hold, how long it waits for them, and how long the vision tower takes."""

    def __init__(self, trainer: SFTTrainer, tower: torch.nn.Module) -> None:
        """Begin to watch a trainer.

        Args:
            trainer: The trainer.
            tower: The vision tower of its model.
        """
        self.batches: list[Batch] = []
        self.waits: list[float] = []
        self._trainer = trainer
        self._passes: list[tuple[Any, Any]] = []
        self._hooks = [
            tower.register_forward_pre_hook(lambda *_: self._passes.append((mark(), None))),
            tower.register_forward_hook(self._end_pass),
        ]
        self._fetch = trainer.get_batch_samples
        trainer.get_batch_samples = self._timed_fetch

    def vision_seconds(self) -> list[float]:
        """How long each forward pass of the vision tower took [s]."""
        return [between(start, end) for start, end in self._passes]

    def detach(self) -> None:
        """Stop watching."""
        for hook in self._hooks:
            hook.remove()
        self._trainer.get_batch_samples = self._fetch

    def _end_pass(self, *_: Any) -> None:
        self._passes[-1] = (self._passes[-1][0], mark())

    def _timed_fetch(self, *args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        batches, count = self._fetch(*args, **kwargs)
        self.waits.append(time.perf_counter() - started)
        self.batches += map(Batch.of, batches)
        return batches, count


def time_training(trial: Trial, given: Surroundings, report: Callable[[dict[str, Any]], None]) -> None:
    """Train by the recipe and report the figures. A batch that does not fit into memory is halved.

    The samples of a step stay as many as in the recipe, in more batches.

    Args:
        trial: The training run.
        given: What it has to work with.
        report: Called with all figures so far, more than once.
    """
    started = time.perf_counter()
    recipe = trial_recipe(trial, given)
    learner = prepare_training(open_base(recipe), recipe.model)
    plan = make_plan(recipe, learner.geometry.canvas)
    figures: dict[str, Any] = {"load_seconds": time.perf_counter() - started}
    figures["loader"] = _measure_loader(learner, plan, recipe)
    report(figures)
    figures["too_large_batches"] = []
    for sized in _smaller_batches(recipe, given.batch_size):
        try:
            figures |= _fit(learner, plan, sized, Path(given.folder), given.until)
        except torch.OutOfMemoryError:
            figures["too_large_batches"].append(sized.trainer.batch_size)
            report(figures)
        else:
            report(figures)
            return
        _release(learner)
    raise MemoryError("not even a batch of one sample fits into the memory of the device")


def trial_recipe(trial: Trial, given: Surroundings) -> Recipe:
    """The recipe of a training run, with the model and the pictures of the benchmark."""
    folder = Path(given.folder)
    changes = [
        f"model.name={folder / MODEL}",
        f"model.attention={trial.attention}",
        f"sources={{pictures: {{path: {folder / PICTURES / 'manifest.jsonl'}}}}}",
        f"questions_per_image={trial.questions}",
        f"trainer.steps={trial.steps}",
        "trainer.log_every=1",
    ]
    changes += ["reference=text"] if trial.questions > 1 else []
    changes += ["model.lora.rank=16"] if trial.lora else []
    return load_recipe(RECIPE, [*changes, *(() if given.gpu else _TWIN)])


def _smaller_batches(recipe: Recipe, largest: int) -> Iterator[Recipe]:
    """The recipe with batches of at most ``largest`` samples, then with batches of half the size, down to one."""
    per_step = recipe.trainer.batch_size * recipe.trainer.accumulate
    size = min(largest, recipe.trainer.batch_size)
    while size:
        settings = recipe.trainer.model_copy(update={"batch_size": size, "accumulate": per_step // size})
        yield recipe.model_copy(update={"trainer": settings})
        size //= 2


def _fit(learner: Vlm, plan: RunPlan, recipe: Recipe, folder: Path, until: float) -> dict[str, Any]:
    """Train, without saving anything, and return the figures."""
    clock = StepClock(until)
    trainer = make_trainer(learner, plan.train, recipe, folder / "training", [clock])
    trainer.args.save_strategy = SaveStrategy.NO
    meter = Meter(trainer, _vision_tower(learner))
    reset_peak_memory()
    try:
        trainer.train()
    finally:
        meter.detach()
    return {
        "batch_size": recipe.trainer.batch_size,
        "accumulate": recipe.trainer.accumulate,
        "fsdp": bool(trainer.is_fsdp_enabled),
        "deepspeed": bool(trainer.is_deepspeed_enabled),
        "precision": "bfloat16" if trainer.args.bf16 else "float32",
        "first_and_last_loss": [clock.losses[0], clock.losses[-1]],
        **peak_memory(),
        **summarise(clock, meter, learner.model.config, recipe),
    }


def summarise(clock: StepClock, meter: Meter, config: Any, recipe: Recipe) -> dict[str, Any]:
    """The figures of the steps after the warm-up.

    Args:
        clock: The stamps of the run.
        meter: What was seen of its batches.
        config: The configuration of the model.
        recipe: The recipe of the run.
    """
    steps = len(clock.stamps) - 1
    left_out = min(recipe.trainer.steps // WARM_UP, steps - 1)
    per_step = recipe.trainer.accumulate
    batches = meter.batches[left_out * per_step :]
    times = [end - start for start, end in zip(clock.stamps[left_out:], clock.stamps[left_out + 1 :], strict=False)]
    seconds = sum(times)
    forward = [batch.flops(config) for batch in batches]
    lora = recipe.model.lora is not None
    work = [training_flops(each, lora) for each in forward]
    answers = sum(int(batch.answers) for batch in batches)
    samples = sum(len(batch.lengths) for batch in batches)
    tokens = sum(int(batch.lengths.sum()) for batch in batches)
    patches = sum(int(batch.grids.prod(dim=1).sum()) for batch in batches)
    total = sum(each.total for each in work)
    return {
        "steps": steps,
        "steps_left_out": left_out,
        "seconds_per_step": times,
        "median_seconds_per_step": median(times),
        "answers_per_second": answers / seconds,
        "samples_per_second": samples / seconds,
        "tokens_per_second": tokens / seconds,
        "answers_per_sample": answers / samples,
        "tokens_per_sample": tokens / samples,
        "patches_per_sample": patches / samples,
        "padding_share": 1 - tokens / sum(batch.padded for batch in batches),
        "waiting_for_samples_share": sum(meter.waits[left_out:steps]) / seconds,
        "vision_forward_share": sum(meter.vision_seconds()[left_out * per_step :]) / seconds,
        "model_flops_per_step": total / len(times),
        "model_flops_per_second": total / seconds,
        "model_flops_shares": {
            part: sum(getattr(each, part) for each in work) / total for part in ("vision", "language", "head")
        },
    }


def _measure_loader(learner: Vlm, plan: RunPlan, recipe: Recipe) -> dict[str, float]:
    """How fast this process alone renders samples and makes a batch of them."""
    dataset = make_dataset(plan.train, list(range(_LOADED + 1)), learner)
    collate = Collator(learner, recipe.trainer.max_tokens)
    collate([dataset[_LOADED]])
    started = time.perf_counter()
    rows: Sequence[Any] = [dataset[index] for index in range(_LOADED)]
    rendered = time.perf_counter()
    collate(rows)
    collated = time.perf_counter()
    return {
        "samples_per_second": _LOADED / (collated - started),
        "rendering_seconds_per_sample": (rendered - started) / _LOADED,
        "collating_seconds_per_sample": (collated - rendered) / _LOADED,
        "workers": recipe.trainer.workers,
        "cores": os.cpu_count() or 0,
    }


def _vision_tower(learner: Vlm) -> torch.nn.Module:
    """The vision tower of a model, with or without adapters."""
    return next(module for name, module in learner.model.named_modules() if name.split(".")[-1] == "visual")


def _release(learner: Vlm) -> None:
    """Free what a run that did not fit has left on the device."""
    learner.model.zero_grad(set_to_none=True)
    gc.collect()
    torch.cuda.empty_cache()
