"""Each architecture's vision tower sees a canonical picture at exactly the canonical focal length."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.tiny_architectures import TWINS, build_twin
from toolkit.data.frames.frame import Frame
from toolkit.geometry.camera import Camera
from toolkit.geometry.canonical import Canonicalisation
from toolkit.modeling.vlm.vlm import Vlm, encode
from toolkit.qa.canonical_view import canonicalise

pytestmark = pytest.mark.slow

SIZES = (
    (1242, 375), (300, 500), (1936, 1216), (640, 480), (480, 640), (1280, 720), (720, 1280), (1600, 900),
    (1920, 1080), (1080, 1920), (3024, 4032), (540, 360), (333, 777), (641, 479), (97, 101), (1000, 1000),
    (2048, 1024), (512, 384), (1281, 721), (768, 1366),
)  # fmt: skip
FOCAL = 220.0
SIDE = 224  # of the twins that take squares
DEPTH = 4.0  # metres
SPREAD = 0.12  # metres: standard deviation of the blobs painted on the wall


class Wall:
    """A wall at DEPTH with four smooth bright blobs: two beside each other, two above each other."""

    name = "wall"

    def __init__(self, camera: Camera, blobs: np.ndarray) -> None:
        self._camera, self._blobs = camera, blobs

    def read(self) -> np.ndarray:
        camera = self._camera
        x = (np.arange(camera.width) - camera.cx) / camera.fx * DEPTH
        y = (np.arange(camera.height) - camera.cy) / camera.fy * DEPTH
        light = np.zeros((camera.height, camera.width))
        for bx, by in self._blobs:
            light += np.exp(-((y - by) ** 2) / 2 / SPREAD**2)[:, None] * np.exp(-((x - bx) ** 2) / 2 / SPREAD**2)
        return np.repeat(np.rint(20 + 215 * light).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def scene(width: int, height: int) -> tuple[Frame, np.ndarray]:
    """A frame with unequal focal lengths, and its blobs (4, 2) [m]: left, right, top, bottom."""
    camera = Camera(0.83 * max(width, height), 0.80 * max(width, height), 0.51 * width, 0.48 * height, width, height)
    reach_x, reach_y = (0.30 * size / focal * DEPTH for size, focal in ((width, camera.fx), (height, camera.fy)))
    reach = max(min(reach_x, reach_y), 0.45)
    blobs = np.array([[-reach, 0], [reach, 0], [0, -reach], [0, reach]])
    return Frame(Wall(camera, blobs), camera), blobs


def centre(pixels: np.ndarray, near: np.ndarray, radius: float) -> np.ndarray:
    """Centre of light (u, v) around a place."""
    v, u = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    light = np.where(np.hypot(u - near[0], v - near[1]) <= radius, pixels.astype(float) - 20, 0).clip(0)
    return np.array([(u * light).sum(), (v * light).sum()]) / light.sum()


def qwen(vlm: Vlm, batch: Mapping[str, Any]) -> torch.Tensor:
    """Qwen's list of patches put together again: (channels, height, width)."""
    _, rows, columns = batch["image_grid_thw"][0].tolist()
    merge, patch = vlm.geometry.merge, vlm.geometry.patch
    grid = batch["pixel_values"].reshape(rows // merge, columns // merge, merge, merge, 3, -1, patch, patch)
    return grid[:, :, :, :, :, 0].permute(4, 0, 2, 5, 1, 3, 6).reshape(3, rows * patch, columns * patch)


def plain(vlm: Vlm, batch: Mapping[str, Any]) -> torch.Tensor:
    """(channels, height, width) of the first picture, without padding."""
    pixels = batch["pixel_values"].reshape(-1, *batch["pixel_values"].shape[-3:])[0]
    width, height = vlm.geometry.seen(batch, vlm.geometry.patch)[0]
    return pixels[:, :height, :width]


READ: dict[str, Callable[[Vlm, Mapping[str, Any]], torch.Tensor]] = {"Qwen2.5-VL": qwen, "Qwen3-VL": qwen}


@pytest.fixture(scope="module", params=list(TWINS))
def vlm(request: pytest.FixtureRequest) -> Vlm:
    return build_twin(request.param, SIDE)


def test_pixels_per_metre_are_right_and_the_same_both_ways(vlm: Vlm) -> None:
    tower = READ.get(vlm.architecture.name, plain)
    for width, height in SIZES:
        frame, blobs = scene(width, height)
        canonicalisation = Canonicalisation(focal=FOCAL, canvas=vlm.geometry.canvas)
        view = canonicalise(frame, canonicalisation.window(frame.camera, None))
        seen = tower(vlm, encode(vlm, ["How far?"], [[view.pixels]]))[0].float().numpy()
        assert seen.shape == view.pixels.shape[:2], (width, height)
        low, high = float(seen.min()), float(seen.max())
        grey = (seen - low) / (high - low) * (view.pixels.max() - view.pixels.min()) + view.pixels.min()
        assert np.abs(grey - view.pixels[..., 0]).max() < 0.6, (width, height)
        places = view.camera.project(np.c_[blobs, np.full(4, DEPTH)])
        radius = 3.2 * SPREAD / DEPTH * FOCAL
        inside = view.camera.contains(places, radius) & (view.camera.contains(places, radius))
        if not inside.all():
            continue  # the window of a square canvas cuts the scene; its pixels were compared above
        left, right, top, bottom = (centre(grey, place, radius) for place in places)
        across = (right - left)[0] / (blobs[1] - blobs[0])[0] * DEPTH
        down = (bottom - top)[1] / (blobs[3] - blobs[2])[1] * DEPTH
        assert across == pytest.approx(FOCAL, rel=1e-3), (width, height)
        assert down == pytest.approx(FOCAL, rel=1e-3), (width, height)


def test_most_sizes_are_measured_and_not_cut() -> None:
    canvas = build_twin("Qwen3-VL").geometry.canvas
    whole = 0
    for width, height in SIZES:
        frame, blobs = scene(width, height)
        camera = Canonicalisation(focal=FOCAL, canvas=canvas).window(frame.camera, None)
        places = camera.project(np.c_[blobs, np.full(4, DEPTH)])
        whole += bool(camera.contains(places, 3.2 * SPREAD / DEPTH * FOCAL).all())
    assert whole >= 15
