"""What averages hide, on answers written by hand; and the pictures of it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from toolkit.evaluation.reports.analysis import analyse
from toolkit.evaluation.reports.plots import save_figure
from toolkit.evaluation.sample_record import SampleRecord
from toolkit.qa.metrics import Accuracy, RelativeAccuracy


def record(task: str, truth: Any, value: Any, points: Sequence[dict[str, Any]], answer: str = "") -> SampleRecord:
    metric = RelativeAccuracy() if task != "relative_depth" else Accuracy()
    return SampleRecord(
        task=task,
        index=0,
        source="",
        images=({"name": "a", "id": "a", "sequence": ""},),
        sample_sha256="",
        cameras=((100, 100, 49.5, 49.5, 100, 100),),
        points=tuple(points),
        given={},
        prompt="",
        answer=answer or f"{value} m",
        probability=None,
        value=value,
        truth=truth,
        interval=None,
        scores=metric.score(truth, value),
    )


def depth(truth: float, value: float | None, around: list[float] | None = None, slant: float = 1.0) -> SampleRecord:
    """A question about a point whose distance is ``slant`` times its depth_z."""
    point = {"name": "red", "view": 0, "pixel": [1, 1], "depth_z": truth / slant, "distance": truth, "around": around}
    return record("metric_depth", truth, value, [point])


def order(near: float, far: float, right: bool) -> SampleRecord:
    points = [
        {"name": name, "distance": far, "depth_z": far, "pixel": [1, 1], "view": 0, "around": None}
        for name in ("a", "b")
    ]
    points[0]["distance"] = near
    return record("relative_depth", "a", "a" if right else "b", points)


def test_bands_by_hand() -> None:
    found = analyse([depth(1.5, 1.5), depth(1.6, 3.2), depth(1.9, None), depth(30, 15), depth(40, 40)])
    assert found.bands is not None
    near, far, edge = found.bands
    assert (near.low, near.high, near.count, near.delta1) == (1, 2, 3, pytest.approx(1 / 3))
    assert near.ratio == pytest.approx(1.5)  # the median of 1 and 2; the unread one has none
    assert (far.low, far.count, far.delta1, far.ratio) == (20, 1, 0, 0.5)
    assert edge.low == 40  # 40 begins a band


@pytest.mark.parametrize("power", [1.0, 0.65, 0.0])
def test_the_slope_is_the_power_of_the_compression(power: float) -> None:
    truths = np.geomspace(1, 50, 20)
    assert analyse([depth(t, 3 * t**power) for t in truths]).slope == pytest.approx(power)


def test_a_slope_needs_different_truths() -> None:
    assert math.isnan(analyse([depth(2, 2), depth(2, 3), depth(2, 1)]).slope or 0)


def test_digits_by_hand() -> None:
    digits = analyse([depth(1, 1.25), depth(1, 1.25), depth(1, 0.8), depth(1, None)]).digits
    assert digits is not None
    assert (digits.distinct, digits.answers) == (2, 3)
    assert digits.last == (0, 0, 0, 0, 0, 2, 0, 0, 1, 0)


def test_edges_and_flying_points_by_hand() -> None:
    found = analyse(
        [
            depth(2, 2.0, [2, 4]),  # on the near surface
            depth(4, 3.0, [2, 4]),  # flies
            depth(4, 3.9, [2, 4]),  # on the far surface, within 5 %
            depth(2, 9.0, [2, 4]),  # wrong, but beyond both
            depth(2, None, [2, 4]),  # not read: neither
            depth(3, 3.0, [2.9, 3.1]),
            depth(3, 9.0, [2.9, 3.1]),
            depth(3, 3.0, None),  # labels too sparse to tell
        ]
    ).edges
    assert found is not None
    assert (found.count, found.elsewhere) == (5, 2)
    assert (found.delta1, found.delta1_elsewhere) == (pytest.approx(2 / 5), 0.5)
    assert found.flying == 0.25


def test_flying_is_judged_along_the_principal_axis() -> None:
    # 30 degrees off the axis, 2 m of depth_z are 2.31 m away: an answer of 2.31 m lies on the surface.
    slant = 1 / math.cos(math.radians(30))
    found = analyse([depth(2 * slant, 2 * slant, [2, 4], slant)]).edges
    assert found is not None
    assert found.flying == 0


def test_order_by_gap_by_hand() -> None:
    found = analyse([order(1, 1.05, False), order(1, 1.2, True), order(1, 1.2, False), order(1, 3, True)]).order
    assert found is not None
    assert [(each.count, each.accuracy) for each in found if each.count] == [(1, 0), (2, 0.5), (1, 1)]


def test_motions_have_nothing_to_analyse() -> None:
    motion = record("relative_depth", "a", "a", [])
    assert analyse([motion]).order is None


def test_pictures_are_drawn_the_same_every_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    records = [depth(t, round(float(t * rng.lognormal(0, 0.2)), 2)) for t in np.geomspace(0.5, 60, 60)]
    for name in ("a.png", "b.png"):
        assert save_figure("metric_depth", "m", records, analyse(records), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    drawn = cv2.imread(str(tmp_path / "a.png"))
    assert drawn.shape[0] > 600 and drawn.std() > 10
    choices = [order(1, 1.2, True)] * 3
    assert save_figure("relative_depth", "", choices, analyse(choices), tmp_path / "c.png")
    assert not save_figure(
        "camera_pose", "", choices, analyse([record("relative_depth", "a", "a", [])]), tmp_path / "d.png"
    )
    assert not (tmp_path / "d.png").exists()
