"""Sound inputs, small and quick to read, that the kinds of the fuzzer mutate."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from toolkit.utils.arrays import Array, Pixels

WIDTH, HEIGHT, FOCAL = 48, 36, 40.0
RUN = "run"

ASK = ("ask", "0.png", "how far is the red point", "--point", "red=20,15", "--focal", "40")

CAMERA = {
    "intrinsics": [FOCAL, FOCAL, 23.5, 17.5, WIDTH, HEIGHT],
    "distortion": [-0.01, 0.001, 0, 0, 0],
    "depth_type": "z",
    "depth_scale": 0.001,
    "model": "opencv",
}

RECIPE = """\
model: {name: tiny-random, tiny: {picture: 32, patch: 8, width: 32, layers: 1}}
canonical: {focal: 26}
marker: {shape: dot, size: 2, colors: [red, blue, yellow]}
tasks: {metric_depth: 0.5, two_point_distance: 0.3, camera_pose: 0.2}
sources:
  rooms:
    kind: rooms
    settings: {rooms: 8, views: 2, width: [32, 40], height: [32, 40]}
    held_out_rooms: 4
  walls: {path: manifest.jsonl, depth_type: z, held_out: 0.5}
trainer: {steps: 1, batch_size: 1, accumulate: 1, learning_rate: 1e-3, save_every: 2, log_every: 2, workers: 0}
evaluation: {samples: 2, max_new_tokens: 8}
seed: 3
"""


def wall(seed: int) -> Pixels:
    """A grey picture (HEIGHT, WIDTH, 3) without a mark."""
    grey = np.random.default_rng(seed).integers(60, 180, (HEIGHT, WIDTH, 1), dtype=np.uint8)
    return np.repeat(grey, 3, axis=2)


def slope() -> Array:
    """A depth map (HEIGHT, WIDTH) [m] of a floor."""
    return np.broadcast_to(np.linspace(4.0, 1.5, HEIGHT)[:, None], (HEIGHT, WIDTH)).copy()


def rows() -> list[dict[str, Any]]:
    """Four lines of a manifest: points and depth maps, two sequences, poses."""
    found = []
    for index in range(4):
        pose = np.eye(4)
        pose[0, 3] = 0.2 * index
        points = {
            "pixel_coords": [[u, v] for u in range(6, 44, 12) for v in range(6, 32, 10)],
            "depth": [2.5] * 12,
        }
        labels = points if index % 2 else {"depth_map": "depth.png", "depth_scale": 0.001}
        found.append(
            {
                "image": f"{index}.png",
                "intrinsics": [FOCAL, FOCAL, 23.5, 17.5, WIDTH, HEIGHT],
                "distortion": [-0.01, 0.001, 0, 0, 0],
                **labels,
                "depth_type": "z",
                "world_from_camera": pose.tolist(),
                "sequence": f"walk {index // 2}",
                "license": "CC0-1.0",
                "attribution": "A. Walker",
            }
        )
    return found


def write_pictures() -> None:
    """Write four pictures and a depth map into the current folder."""
    for index in range(4):
        Image.fromarray(wall(index)).save(f"{index}.png")
    Image.fromarray((slope() * 1000).astype(np.uint16)).save("depth.png")


def write_folder(name: str) -> None:
    """Write a folder that ``toolkit data convert folder`` converts."""
    for part in ("images", "depth"):
        Path(name, part).mkdir(parents=True)
    Image.fromarray(wall(0)).save(f"{name}/images/0.png")
    Image.fromarray((slope() * 1000).astype(np.uint16)).save(f"{name}/depth/0.png")
    Path(name, "camera.json").write_text(json.dumps(CAMERA))


def write_recipe() -> None:
    """Write a recipe with its manifest and pictures into the current folder."""
    write_pictures()
    Path("manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    Path("recipe.yaml").write_text(RECIPE)


def write_run() -> None:
    """Train a tiny model for one step into the folder ``RUN`` of the current folder."""
    from toolkit.config.load import load_recipe
    from toolkit.training.train import train

    write_recipe()
    train(load_recipe(Path("recipe.yaml"), ["evaluation.samples=0"]), Path(RUN), "never")


def write_evaluation(folder: str) -> None:
    """Evaluate a constant answer into a folder of the current folder."""
    from toolkit.config.load import load_recipe
    from toolkit.evaluation.evaluate import EvaluationSetup, evaluate_recipe
    from toolkit.utils.files import make_folder

    write_recipe()
    make_folder(Path(folder))
    evaluate_recipe(None, load_recipe(Path("recipe.yaml"), []), EvaluationSetup("constant"), Path(folder))
