"""The one ``SFTTrainer`` run of a recipe: loss on the answer only, samples rendered when they are needed."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import torch
from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from toolkit.errors import UserError
from toolkit.families import Geometry, check_geometry
from toolkit.mixture import Mixture
from toolkit.progress import Bar
from toolkit.recipe import Recipe
from toolkit.vlm import Vlm, conversation


class CheckedCollator:
    """TRL's collator; every batch is checked to reach the vision tower at its own size.

    Raises:
        GeometryError: When a batch would not.
    """

    def __init__(self, vlm: Vlm) -> None:
        self._collate = DataCollatorForVisionLanguageModeling(vlm.processor, max_length=None, completion_only_loss=True)
        self._geometry: Geometry = vlm.geometry

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch of some rows (see ``toolkit.vlm.conversation``)."""
        images = [row["images"] for row in rows]
        batch = self._collate(rows)
        check_geometry(self._geometry, batch, images)
        return batch


class ShowProgress(TrainerCallback):
    """Moves a bar, and writes a line with loss and learning rate every so often."""

    def __init__(self, progress: Bar) -> None:
        self._bar = progress
        self._last = 0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """One more step."""
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
        """A line of numbers."""
        if logs and "loss" in logs and state.is_world_process_zero:
            line = f"step {state.global_step:>6} of {state.max_steps}  loss {float(logs['loss']):.4f}"
            self._bar.say(f"{line}  learning rate {float(logs.get('learning_rate', 0)):.2e}")


def make_trainer(vlm: Vlm, mixture: Mixture, recipe: Recipe, folder: Path, progress: Bar) -> SFTTrainer:
    """The trainer of a recipe.

    Args:
        vlm: The model, frozen or adapted as the recipe says.
        mixture: What it learns from.
        recipe: Every choice.
        folder: Where it keeps what it resumes from.
        progress: Is moved as it goes.

    Raises:
        UserError: If the recipe reports to something that is not installed.
    """
    settings = sft_config(recipe, folder)
    per_step = settings.per_device_train_batch_size * settings.gradient_accumulation_steps
    trainer = SFTTrainer(
        model=vlm.model,
        args=settings,
        train_dataset=rows(mixture, settings.max_steps * per_step * settings.world_size),
        processing_class=vlm.processor,
        data_collator=CheckedCollator(vlm),
        callbacks=[ShowProgress(progress)],
    )
    trainer.remove_callback(PrinterCallback)  # prints each log a second time
    return trainer


def rows(mixture: Mixture, count: int) -> datasets.Dataset:
    """Samples 0 to ``count`` of a Mixture as rows that are rendered when they are read.

    Only indices are stored, so skipping rows when a run is resumed renders nothing.
    """
    return datasets.Dataset.from_dict({"index": range(count)}).with_transform(Render(mixture))


@dataclass(frozen=True)
class Render:
    """Turns indices into rows; a class, so that worker processes can be handed it."""

    mixture: Mixture

    def __call__(self, batch: Mapping[str, Sequence[int]]) -> dict[str, list[Any]]:
        """Rows of a batch of indices, as columns."""
        samples = [self.mixture[index] for index in batch["index"]]
        turns = [conversation(sample.prompt, sample.images, sample.completion) for sample in samples]
        return {key: [turn[key] for turn in turns] for key in turns[0]}


def sft_config(recipe: Recipe, folder: Path) -> SFTConfig:
    """TRL's settings for a recipe.

    Raises:
        UserError: If the recipe reports to something that is not installed.
    """
    settings = recipe.trainer
    _check_installed(settings.report_to)
    gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(folder),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
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
        save_steps=settings.save_every,
        save_total_limit=2,
        report_to=list(settings.report_to) or "none",
        disable_tqdm=True,
        log_level="error",
        seed=recipe.seed,
        full_determinism=settings.full_determinism,
    )


def use_bfloat16(recipe: Recipe) -> bool:
    """Whether the forward pass runs in bfloat16."""
    if recipe.trainer.precision == "auto":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return recipe.trainer.precision == "bfloat16"


def _check_installed(packages: Sequence[str]) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"trainer.report_to names {package}, which is not installed",
                remedy=f"pip install {package}, or leave it out",
            )
