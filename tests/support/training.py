"""Recipes that train in seconds, and training that is interrupted."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.tiny_architectures import build_twin
from tests.support.walls import line, write_manifest
from toolkit.config.load import load_recipe
from toolkit.config.recipe import Recipe, TinySettings
from toolkit.modeling.vlm.load_vlm import vocabulary
from toolkit.modeling.vlm.tiny import build_tiny
from toolkit.modeling.vlm.vlm import cast_weights, save_vlm

TINY = """\
# toolkit train quick.yaml
model: {name: tiny-random, tiny: {picture: 32, patch: 8, width: 32, layers: 1}}
canonical: {focal: 26}
marker: {shape: dot, size: 2, colors: [red, blue, yellow]}
tasks: {metric_depth: 0.5, two_point_distance: 0.5}
sources:
  rooms: {kind: rooms, settings: {rooms: 50, views: 2, width: [32, 40], height: [32, 40]}, held_out_rooms: 10}
trainer: {steps: 6, batch_size: 4, learning_rate: 1e-3, save_every: 2, log_every: 2}
evaluation: {samples: 8, max_new_tokens: 8}
"""


def interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let training be interrupted before it takes the step after ``step``; what is returned undoes that."""
    from trl import SFTTrainer

    whole = SFTTrainer.training_step

    def interrupted(self: SFTTrainer, *args: object, **kwargs: object) -> torch.Tensor:
        if self.state.global_step == step:
            raise KeyboardInterrupt
        return whole(self, *args, **kwargs)

    monkeypatch.setattr(SFTTrainer, "training_step", interrupted)
    return lambda: monkeypatch.setattr(SFTTrainer, "training_step", whole)


def twin_recipe(name: str, folder: Path, *more: str) -> Recipe:
    """Four steps of an architecture's twin on a manifest."""
    vlm = build_twin(name)
    save_vlm(vlm, folder / "twin")
    manifest = write_manifest(folder, [line(index) for index in range(6)])
    (folder / "twin.yaml").write_text(
        f"model: {{name: {folder / 'twin'}}}\n"
        "canonical: {focal: 50}\nmarker: {shape: dot, size: 2}\n"
        "tasks: {metric_depth: 1, camera_pose: 1}\n"
        f"sources: {{walls: {{path: {manifest}}}}}\n"
        "trainer: {steps: 4, batch_size: 2, learning_rate: 1e-3, save_every: 2}\n"
        "evaluation: {samples: 0}\n"
    )
    return load_recipe(folder / "twin.yaml", more)


def save_bfloat16_base(folder: Path) -> Path:
    """Save a tiny model in bfloat16, as published models are; its folder is returned."""
    vlm = build_tiny(TinySettings(picture=32, patch=8, width=32, layers=1), vocabulary())
    cast_weights(vlm, torch.bfloat16)
    save_vlm(vlm, folder)
    return folder


QUICK = ["trainer.steps=1", "trainer.batch_size=2", "trainer.accumulate=1", "trainer.workers=0", "evaluation.samples=2"]
