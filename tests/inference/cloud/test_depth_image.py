"""Tests of ``toolkit.inference.cloud.depth_image``: that colours and labels say the same."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.errors import UserError
from toolkit.inference.cloud.depth_image import UNKNOWN, ColorScale, colored, draw_depth, save_depth_picture
from toolkit.inference.cloud.depth_map import DepthMap


def ramp(near: float, far: float, height: int = 400, width: int = 500) -> DepthMap:
    depth = np.geomspace(far, near, height)[:, None].repeat(width, axis=1)
    depth[:30] = np.nan
    return DepthMap(depth, "z")


@pytest.mark.parametrize(
    ("scale", "labels"),
    [
        (ColorScale(1.95, 2.05, False), ["1.96", "1.98", "2.00", "2.02", "2.04"]),
        (ColorScale(2.0, 3.0, False), ["2.0", "2.2", "2.4", "2.6", "2.8", "3.0"]),
        (ColorScale(90.0, 340.0, False), ["100", "150", "200", "250", "300"]),
        (ColorScale(0.6, 61.0, True), ["1", "2", "5", "10", "20", "50"]),
        (ColorScale(9.0, 45.0, True), ["9", "10", "15", "20", "25", "30", "40"]),
        (ColorScale(0.04, 25_000.0, True), ["0.1", "1", "10", "100", "1000", "10000"]),
    ],
)
def test_ticks_are_round_depths_within_the_scale(scale: ColorScale, labels: list[str]) -> None:
    assert [label for _, label in scale.ticks()] == labels
    assert all(float(label) == pytest.approx(tick) for tick, label in scale.ticks())


@pytest.mark.parametrize("high", [1.0, 1.01, 1.3, 2, 3.9, 4.1, 7, 30, 80, 1e3, 1e5])
@pytest.mark.parametrize("low", [0.04, 0.5, 0.99, 1.0, 3.0, 7.7, 12.0, 950.0])
def test_every_scale_has_ticks(low: float, high: float) -> None:
    assert 3 <= len(ColorScale.of(np.array([low] * 50 + [low * high] * 50)).ticks()) <= 9


def test_a_scale_spans_six_decades_at_most() -> None:
    scale = ColorScale.of(np.array([1e-9] * 50 + [1e9] * 50))
    assert (scale.low, scale.high) == pytest.approx((1e3, 1e9)) and len(scale.ticks()) == 7


@pytest.mark.parametrize(("high", "logarithmic", "middle"), [(3.0, False, 2.0), (9.0, True, 3.0)])
def test_wide_ranges_are_logarithmic(high: float, logarithmic: bool, middle: float) -> None:
    scale = ColorScale.of(np.array([1.0] * 50 + [high] * 50))
    assert scale.logarithmic is logarithmic and (scale.low, scale.high) == pytest.approx((1.0, high))
    assert float(scale.share(middle)) == pytest.approx(0.5) and float(scale.depth(np.array(0.5))) == pytest.approx(
        middle
    )
    assert scale.share(np.array([0.01, 1e4])).tolist() == [0, 1]


def test_a_few_outliers_do_not_take_the_colours() -> None:
    scale = ColorScale.of(np.concatenate([np.linspace(2, 3, 1000), [1e5]]))
    assert not scale.logarithmic and scale.high < 3


def test_near_is_red_far_is_blue_unknown_is_grey() -> None:
    near, middle, far, unknown = colored(np.array([[1.0, 2.0, 3.0, np.nan]]), ColorScale(1.0, 3.0, False))[0].astype(
        int
    )
    assert near[0] > 150 > 50 > near[2] and far[2] > 150 > 80 > far[0] and middle[1] == max(middle)
    assert tuple(unknown) == UNKNOWN
    everything = colored(np.geomspace(1, 100, 4000)[None], ColorScale(1.0, 100.0, True)).astype(int)
    assert np.abs(everything - UNKNOWN).max(axis=-1).min() > 30


@pytest.mark.parametrize(("near", "far"), [(2.0, 3.5), (0.5, 30.0)])
def test_the_bar_has_the_colour_of_each_label_at_its_tick(near: float, far: float) -> None:
    shown = ramp(near, far)
    scale = ColorScale.of(shown.depth[np.isfinite(shown.depth)])
    drawn = np.asarray(draw_depth(shown)).astype(int)
    np.testing.assert_array_equal(drawn[:, :500], colored(shown.depth, scale))
    column = 500 + 3 * 13  # the first right of the bar
    rows = np.flatnonzero((drawn[80:, column + 1] < 60).all(axis=-1)) + 80  # below the title
    ticks = [tick for tick, _ in scale.ticks()][::-1]
    assert len(rows) == len(ticks)
    for row, tick in zip(rows, ticks, strict=True):
        expected = colored(np.array([[tick]]), scale)[0, 0].astype(int)
        assert np.abs(drawn[row, column - 3] - expected).max() <= 8


def test_the_legend_says_which_depth_it_is() -> None:
    shown = ramp(1.0, 3.0)
    z, distance = (np.asarray(draw_depth(DepthMap(shown.depth, kind))) for kind in ("z", "euclidean"))
    np.testing.assert_array_equal(z[:, :500], distance[:, :500])
    assert z.shape != distance.shape or (z[:60, 500:] != distance[:60, 500:]).any()


def test_the_legend_stays_inside_its_panel() -> None:
    for shown in (ramp(1.0, 3.0), ramp(0.01, 1e5, 1200, 100), ramp(950.0, 955.0, 360, 50)):
        drawn = np.asarray(draw_depth(shown))
        assert (drawn[:, -3:] == 255).all() and (drawn[:3, shown.depth.shape[1] :] == 255).all()
        assert (drawn[-3:, shown.depth.shape[1] :] == 255).all()


def test_small_maps_are_enlarged_without_smoothing() -> None:
    drawn = np.asarray(draw_depth(DepthMap(np.array([[1.0, 2.0], [3.0, np.nan]]), "z")))
    assert drawn.shape[0] == 360
    assert len(np.unique(drawn[:, :360].reshape(-1, 3), axis=0)) == 4 and (drawn[180:, 180:360] == UNKNOWN).all()


def test_pictures_are_written(tmp_path: Path) -> None:
    save_depth_picture(ramp(1.0, 3.0), tmp_path / "deep" / "a.png")
    with Image.open(tmp_path / "deep" / "a.png") as image:
        assert image.format == "PNG" and image.height == 400 and image.width > 600


def test_a_map_without_depth_cannot_be_shown(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be shown"):
        save_depth_picture(DepthMap(np.full((3, 4), np.nan), "z"), tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
