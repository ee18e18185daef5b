"""The order of a run: every sample once, and questions about two pictures kept together, since padding costs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import get_scheduler

from tests.support.command import Run
from toolkit.config.load import load_recipe
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.geometry.canonical import Canonicalisation, Canvas
from toolkit.qa.mixture import Feed, Mixture
from toolkit.qa.sample import Presenter
from toolkit.qa.tasks.registry import get_task
from toolkit.training.trainer import arrange_samples, sft_config

STEPS, STEP, WINDOW = 100, 8, 16 * 8


def mixture(seed: int = 0, **shares: float) -> Mixture:
    feeds = (Feed("rooms", Rooms(RoomSettings(rooms=20, views=2))),)
    tasks = tuple((get_task(name), share) for name, share in shares.items())
    return Mixture(tasks, feeds, Presenter(Canonicalisation(focal=80, canvas=Canvas(square=96))), seed, 1000)


def pictures(drawn: Mixture, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([drawn.pictures(index) for index in indices.tolist()]).reshape(-1, STEP)


def test_pictures_are_counted_without_drawing() -> None:
    drawn = mixture(metric_depth=0.5, camera_pose=0.5)
    assert [drawn.pictures(index) for index in range(30)] == [len(drawn[index].images) for index in range(30)]
    with pytest.raises(IndexError):
        drawn.pictures(-1)


def test_steps_show_one_picture_or_two() -> None:
    drawn = mixture(metric_depth=0.7, camera_pose=0.3)
    order = arrange_samples(drawn, STEPS, STEP)
    assert np.array_equal(np.sort(order), np.arange(STEPS * STEP))
    for start in range(0, len(order), WINDOW):
        window = np.sort(order[start : start + WINDOW])
        assert np.array_equal(window, np.arange(start, start + len(window)))
    shown = pictures(drawn, order)
    mixed = (shown.min(axis=1) != shown.max(axis=1)).sum()
    assert mixed <= np.ceil(STEPS / 16)
    plain = pictures(drawn, np.arange(STEPS * STEP))
    assert (plain.min(axis=1) != plain.max(axis=1)).mean() > 0.8
    places = np.flatnonzero((shown == 2).all(axis=1)) % 16
    assert len(np.unique(places)) > 6  # not always at the end


def test_the_order_depends_on_the_seed_alone() -> None:
    shares = {"metric_depth": 0.7, "camera_pose": 0.3}
    order = arrange_samples(mixture(**shares), STEPS, STEP)
    assert np.array_equal(order, arrange_samples(mixture(**shares), STEPS, STEP))
    assert not np.array_equal(order, arrange_samples(mixture(seed=1, **shares), STEPS, STEP))


def test_the_learning_rate_falls_as_often_as_asked(tmp_path: Path) -> None:
    trainer = ["trainer.steps=40", "trainer.warmup=0.1", "trainer.schedule=cosine_with_restarts", "trainer.cycles=3"]
    settings = sft_config(load_recipe("depth_plus_distance", trainer), tmp_path)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=settings.learning_rate)
    schedule = get_scheduler(
        settings.lr_scheduler_type, optimizer, settings.warmup_steps, 40, settings.lr_scheduler_kwargs
    )
    rates = []
    for _ in range(40):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert [step for step in range(4, 40) if rates[step] == max(rates)] == [4, 16, 28]
    assert all(rates[step] < 0.05 * max(rates) for step in (15, 27, 39))


def test_where_all_show_as_many_the_order_stays() -> None:
    drawn = mixture(metric_depth=0.5, two_point_distance=0.5)
    assert np.array_equal(arrange_samples(drawn, STEPS, STEP), np.arange(STEPS * STEP))


@pytest.mark.parametrize("able", [True, False])
def test_a_cpu_computes_in_bfloat16_only_if_it_can(
    able: bool, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.training.trainer.cpu_has_bfloat16", lambda: able)
    for precision, expected in (("bfloat16", able), ("float32", False), ("auto", False)):
        recipe = load_recipe("depth_plus_distance", [f"trainer.precision={precision}"])
        assert sft_config(recipe, tmp_path).bf16 is expected
    code, out, err = run("train", "depth_plus_distance", "trainer.precision=bfloat16", "--dry-run")
    assert code == 0
    assert ("computes in float32" in out + err) is not able
