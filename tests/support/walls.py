"""Small manifests on disk: pictures of textured walls at one depth."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

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
