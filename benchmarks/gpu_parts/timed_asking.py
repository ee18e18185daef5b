"""Many points of one picture, answered with the picture encoded once for all of them, and anew for each of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_parts.device import peak_memory, reset_peak_memory
from benchmarks.gpu_parts.plan import MODEL, PICTURES, Surroundings, Trial
from benchmarks.gpu_parts.timed_training import trial_recipe
from toolkit.config.build_presenter import make_presenter, make_tasks
from toolkit.data.frames.frame import Frame
from toolkit.data.manifest.manifest import load_manifest
from toolkit.inference.asker import Asker
from toolkit.inference.points import grid_points
from toolkit.modeling.predictor import Reply
from toolkit.modeling.vlm.vlm import Vlm, load_vlm
from toolkit.modeling.vlm.vlm_predictor import VlmPredictor
from toolkit.qa.sample import Sample

ANSWER_TOKENS = 24  # as in "<think>The point is around 12.34 m away from the camera.</think>12.34 m" and its end
QUESTION = "how far is it"
_COLUMNS = 16
_ALONE = 32  # points with a picture of their own that are answered at once


class CopyingPredictor(VlmPredictor):
    """A predictor that gives every question a copy of its picture, so that none can be shared."""

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """Give one Reply for each Sample, in order."""
        return super().answer([replace(each, images=tuple(map(np.copy, each.images))) for each in samples])


def time_asking(given: Surroundings, report: Callable[[dict[str, Any]], None]) -> None:
    """Ask 256 points both ways and report the figures. The slower way stops when the time is up.

    Args:
        given: What the part has to work with.
        report: Called with all figures so far, more than once.
    """
    frame = load_manifest(Path(given.folder) / PICTURES / "manifest.jsonl").frame(0)
    device, dtype = ("cuda", torch.bfloat16) if given.gpu else ("cpu", torch.float32)
    vlm = load_vlm(Path(given.folder) / MODEL, dtype=dtype, device=device)
    points = grid_points(_COLUMNS, _COLUMNS, frame.camera.width, frame.camera.height)
    figures: dict[str, Any] = {"answer_tokens": ANSWER_TOKENS}
    shared = _asker(vlm, given, VlmPredictor(vlm, "random", len(points), ANSWER_TOKENS), len(points))
    alone = _asker(vlm, given, CopyingPredictor(vlm, "random", _ALONE, ANSWER_TOKENS), _ALONE)
    for name, asked in (("shared", shared), ("alone", alone)):
        _ask(asked, frame, points[:2])  # warm-up
        reset_peak_memory()
        figures[name] = _time(asked, frame, points, given.until)
        report(figures)
    figures["times_faster"] = figures["shared"]["points_per_second"] / figures["alone"]["points_per_second"]
    report(figures)


def _asker(vlm: Vlm, given: Surroundings, predictor: VlmPredictor, at_once: int) -> Asker:
    """An Asker that words and shows questions as the recipe does, with coordinates in the text."""
    recipe = trial_recipe(Trial(questions=2), given)
    presenter = make_presenter(recipe, vlm.geometry.canvas)
    return Asker(predictor, presenter, {task.name: task for task, _ in make_tasks(recipe)}, at_once)


def _ask(asked: Asker, frame: Frame, points: np.ndarray) -> list[str]:
    """The answers about points (N, 2) [px] of a picture."""
    pixels = frame.picture.read()
    return [answer.text for answer in asked.ask_many(pixels, QUESTION, points, camera=frame.camera)]


def _time(asked: Asker, frame: Frame, points: np.ndarray, until: float) -> dict[str, Any]:
    """The figures of one way to answer about points (N, 2) [px], in parts of as many as are answered at once."""
    started, answered = time.perf_counter(), 0
    for start in range(0, len(points), asked.at_once):
        answered += len(_ask(asked, frame, points[start : start + asked.at_once]))
        if time.time() > until:
            break
    seconds = time.perf_counter() - started
    return {
        "points": answered,
        "at_once": asked.at_once,
        "seconds": seconds,
        "points_per_second": answered / seconds,
        **peak_memory(),
    }
