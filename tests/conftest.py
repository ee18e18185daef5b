"""Shared scenes: a small manifest on disk, and a recipe that trains in seconds."""

import json
import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import pytest
import torch
from PIL import Image

torch.set_num_threads(2)

WIDTH, HEIGHT, FOCAL = 120, 90, 100.0
DEPTH = 2.5  # metres: every scene here is a wall at this depth_z


def wall(seed: int = 0) -> np.ndarray:
    """A grey, textured picture without any mark's colour."""
    grey = np.random.default_rng(seed).integers(60, 180, (HEIGHT, WIDTH, 1), dtype=np.uint8)
    return np.repeat(grey, 3, axis=2)


def line(index: int, **changes: object) -> dict[str, object]:
    """A sound manifest line: a wall at DEPTH, the camera moved 0.2 m to the right a picture."""
    pose = np.eye(4)
    pose[0, 3] = 0.2 * index
    row: dict[str, object] = {
        "image": f"{index}.png",
        "intrinsics": [FOCAL, FOCAL, 59.5, 44.5, WIDTH, HEIGHT],
        "pixel_coords": [[u, v] for u in range(15, 110, 15) for v in range(15, 80, 15)],
        "depth": [DEPTH] * 35,
        "depth_type": "z",
        "world_from_camera": pose.tolist(),
        "sequence": f"walk {index // 4}",
        "license": "CC0-1.0",
    }
    row.update(changes)
    return {key: value for key, value in row.items() if value is not None}


def write_manifest(folder: Path, rows: list[dict[str, object]]) -> Path:
    """A manifest with its pictures."""
    for index in range(len(rows)):
        Image.fromarray(wall(index)).save(folder / f"{index}.png")
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Eight pictures of walls in two sequences, with poses."""
    return write_manifest(tmp_path, [line(index) for index in range(8)])


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


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """A recipe that trains in a second or two."""
    path = tmp_path / "quick.yaml"
    path.write_text(TINY)
    return path


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
