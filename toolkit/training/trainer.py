"""The ``SFTTrainer`` of a recipe: loss on the answers only, and samples that are rendered when they are needed."""

import importlib.util
import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel
from torch import nn
from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import SFTConfig, SFTTrainer

from toolkit.config.recipe import Recipe, TrainerSettings
from toolkit.errors import UserError
from toolkit.modeling.bfloat16 import cpu_has_bfloat16
from toolkit.modeling.safe_loading import clear_errors
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.qa.mixture import Mixture
from toolkit.training.collator import FAULT, Collator, make_row
from toolkit.training.labelled_rows import select_labelled_rows, trl_selects_rows
from toolkit.training.saved_steps import begin_saving, remove_older
from toolkit.utils.interruption import asked_to_stop
from toolkit.utils.progress import Bar, processes
from toolkit.utils.system_errors import file_error

_SORTED_STEPS = 16  # the samples of this many steps are sorted together


class ProgressBarCallback(TrainerCallback):
    """Moves a progress bar, and writes a line with loss and learning rate at regular steps."""

    def __init__(self, progress: Bar) -> None:
        """Prepare to show progress.

        Args:
            progress: The progress bar, which counts steps.
        """
        self._bar = progress
        self._last = 0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Move the bar by one step."""
        self._bar.advance(state.global_step - max(self._last, state.global_step - 1))
        self._last = state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Write a line of numbers.

        Raises:
            UserError: If the loss is infinite or not a number.
        """
        if logs and not math.isfinite(float(logs.get("loss", 0.0))):
            raise UserError(
                f"the loss is not a finite number any more at step {state.global_step}",
                cause="the weights have grown without bound",
                remedy="lower trainer.learning_rate, or raise trainer.warmup; choose another --output",
            )
        if logs and "loss" in logs and state.is_world_process_zero:
            line = f"step {state.global_step:>6} of {state.max_steps}  loss {float(logs['loss']):.4f}"
            self._bar.say(f"{line}  learning rate {float(logs.get('learning_rate', 0)):.2e}")


def make_trainer(
    vlm: Vlm, mixture: Mixture, recipe: Recipe, folder: Path, callbacks: Sequence[TrainerCallback] = ()
) -> SFTTrainer:
    """The trainer of a recipe.

    Args:
        vlm: The model, with frozen parts and adapters as the recipe says.
        mixture: The mixture of samples that the model is trained on.
        recipe: The recipe of the run.
        folder: The folder for what an interrupted run resumes from.
        callbacks: Callbacks that are called while the model trains.

    Raises:
        UserError: If the recipe asks for a package that is not installed.
    """
    settings = sft_config(recipe, folder)
    per_step = settings.per_device_train_batch_size * settings.gradient_accumulation_steps
    trainer = _Trainer(
        model=vlm.model,
        args=settings,
        train_dataset=make_dataset(
            mixture, arrange_samples(mixture, settings.max_steps, per_step * settings.world_size), vlm
        ),
        processing_class=vlm.processor,
        data_collator=Collator(vlm, recipe.trainer.max_tokens),
        callbacks=list(callbacks),
    )
    trainer.remove_callback(PrinterCallback)  # it would print each log a second time
    # TRL's own loss divides by the number of tokens of all processes and accumulated batches, if it is told that
    # number. Transformers does not tell it for models that take no loss arguments (both Qwens); TRL never passes these
    # arguments to the model, so the number can be told for all models.
    trainer.model_accepts_loss_kwargs = True
    return trainer


class _Trainer(SFTTrainer):
    """TRL's trainer, which scores no token without loss, and raises the errors of worker processes as they were."""

    _has_computed = False

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Issue no warnings.

        The weights of a resumed run were loaded and checked before. They have other names in files, so that they would
        be reported as missing here.
        """

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load the weights of a saved step, which may be those of another model.

        Raises:
            UserError: If they cannot be loaded.
        """
        with clear_errors(resume_from_checkpoint):
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """The batches of one step.

        Raises:
            UserError: If a worker process could not make a batch.
        """
        try:
            batches, count = super().get_batch_samples(*args, **kwargs)
        except Exception:  # the signal that stops this process has ended its worker processes before
            if asked_to_stop() is not None and self.state.global_step and self.args.world_size == 1:
                self._save_checkpoint(self.model, trial=None)
            raise
        for batch in batches:
            if FAULT in batch:
                raise batch[FAULT]
        return batches, count

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Save a ``checkpoint-N``, and keep one more of the older ones.

        Transformers would remove those with the oldest times, which after a change of the clock may be the newest. If
        the new one cannot be saved, what was written of it is removed, and no other.
        """
        folder = Path(str(self.args.output_dir), f"checkpoint-{self.state.global_step}")
        if self.args.should_save:
            begin_saving(folder)
        try:
            super()._save_checkpoint(*args, **kwargs)
        except Exception:
            if self.args.should_save:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        if self.args.should_save:
            remove_older(folder)

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The loss of a batch, without logits of the tokens that carry none."""
        if trl_selects_rows(inputs["labels"].device):
            return self._plain_loss(model, inputs, *args, **kwargs)
        whole: Any = self.accelerator.unwrap_model(self.model)
        plain: Any = whole.get_base_model() if isinstance(whole, PeftModel) else whole
        with select_labelled_rows(plain, inputs) as chosen:
            return self._plain_loss(model, chosen, *args, **kwargs)

    def _plain_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """TRL's loss. At first, it shows whether the base model's files hold numbers that no model can compute with."""
        base: Any = self.model
        name = str(base.config.name_or_path)
        alone = self.args.world_size == 1  # the errors of several processes need their tracebacks
        with clear_errors(name) if name and alone and not self._has_computed else nullcontext():
            loss = super().compute_loss(model, inputs, *args, **kwargs)
        self._has_computed = True
        return loss


def arrange_samples(mixture: Mixture, steps: int, per_step: int) -> NDArray[np.int64]:
    """The order of a run's Samples, in which the Samples of one step have the same number of pictures if possible.

    A batch is padded to its longest row. A single question about two pictures would therefore double the work for a
    batch of questions about one picture. So the Samples of a few steps at a time are sorted by their number of
    pictures, and then these steps are shuffled.

    Args:
        mixture: The mixture that Samples are drawn from.
        steps: The number of steps of the run.
        per_step: The number of Samples of one step on all processes together.

    Returns:
        The indices of the Samples in their order (steps * per_step,); each index occurs once.
    """
    indices = np.arange(steps * per_step)
    if len({task.images for task, _ in mixture.tasks}) < 2:
        return indices
    pictures = np.array([mixture.pictures(index) for index in indices.tolist()])
    for start in range(0, len(indices), _SORTED_STEPS * per_step):
        window = slice(start, start + _SORTED_STEPS * per_step)
        ordered = start + np.argsort(pictures[window], kind="stable")
        rng = np.random.default_rng((mixture.seed, start))
        indices[window] = rng.permutation(ordered.reshape(-1, per_step)).ravel()
    return indices


def make_dataset(mixture: Mixture, indices: Sequence[int] | NDArray[np.int64], vlm: Vlm) -> datasets.Dataset:
    """The Samples of a Mixture as rows that are rendered when they are read.

    Only indices are stored, so nothing is rendered for rows that a resumed run skips.

    Args:
        mixture: The mixture that Samples are drawn from.
        indices: The indices (N,) of the Samples.
        vlm: The model that is trained; its image tokens may be taught patch words.
    """
    return datasets.Dataset.from_dict({"index": indices}).with_transform(RowRenderer(mixture, vlm.geometry.side))


@dataclass(frozen=True)
class RowRenderer:
    """Turns indices of Samples into rows. It is a class so that it can be sent to worker processes.

    Attributes:
        mixture: The mixture that Samples are drawn from.
        side: The side length [px] of the patch that one image token stands for.
    """

    mixture: Mixture
    side: int

    def __call__(self, batch: Mapping[str, Sequence[int]]) -> dict[str, list[Any]]:
        """The rows of a batch of indices, as columns."""
        try:
            rows = [make_row(self.mixture[index], self.side) for index in batch["index"]]
        except UserError as error:  # if it were raised in a worker process, it would arrive wrapped in a traceback
            return {FAULT: [error] * len(batch["index"])}
        except OSError as error:
            return {FAULT: [file_error(error.filename or "a file of the data", error, "read")] * len(batch["index"])}
        return {key: [row[key] for row in rows] for key in rows[0]}


def sft_config(recipe: Recipe, folder: Path) -> SFTConfig:
    """TRL's settings for a recipe.

    Args:
        recipe: The recipe of the run.
        folder: The folder for what an interrupted run resumes from.

    Raises:
        UserError: If the recipe asks for a package that is not installed.
    """
    settings = recipe.trainer
    _check_installed(settings.report_to)
    gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(folder),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=learning_rate(settings, processes()),
        lr_scheduler_type=settings.schedule,
        lr_scheduler_kwargs={"num_cycles": settings.cycles} if settings.schedule == "cosine_with_restarts" else {},
        warmup_steps=round(settings.warmup * settings.steps),
        max_grad_norm=settings.max_grad_norm,
        weight_decay=settings.weight_decay,
        bf16=use_bfloat16(recipe),
        use_cpu=not gpu,
        activation_checkpointing=settings.gradient_checkpointing,
        dataloader_num_workers=settings.workers,
        dataloader_persistent_workers=settings.workers > 0,
        dataloader_pin_memory=gpu,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        max_length=None,
        logging_steps=settings.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_steps=settings.save_every,
        report_to=list(settings.report_to) or "none",
        disable_tqdm=True,
        log_level="error",
        seed=recipe.seed,
        full_determinism=settings.full_determinism,
    )


def learning_rate(settings: TrainerSettings, processes: int) -> float:
    """The learning rate for the total batch. It scales with the batch's square root (Cai et al. 2025, section 4).

    Args:
        settings: The trainer's settings. Without a ``reference_batch``, the learning rate does not scale.
        processes: How many processes train together.
    """
    if settings.reference_batch is None:
        return settings.learning_rate
    total = settings.batch_size * settings.accumulate * processes
    return settings.learning_rate * math.sqrt(total / settings.reference_batch)


def use_bfloat16(recipe: Recipe) -> bool:
    """Whether the forward pass of a recipe's run is computed in bfloat16. A CPU that is slow in it computes float32."""
    if recipe.trainer.precision == "auto":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return recipe.trainer.precision == "bfloat16" and (torch.cuda.is_available() or cpu_has_bfloat16())


def _check_installed(packages: Sequence[str]) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"the recipe asks for {package}, which is not installed",
                remedy=f"pip install {package}, or take it out of trainer",
            )
