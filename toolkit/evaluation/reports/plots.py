"""Figures of an evaluation. They need matplotlib, which the extra ``plots`` installs."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.evaluation.reports.analysis import Analysis, TruthBand
from toolkit.evaluation.sample_record import SampleRecord
from toolkit.foreign_text import one_line
from toolkit.qa.metrics import GapAccuracy
from toolkit.qa.metrics.relative_error import DELTA1_FACTOR
from toolkit.utils.plotting import write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _GREY, _RED = "#1f6fb4", "#8a8a8a", "#c0392b"


def save_figure(task: str, unit: str, records: Sequence[SampleRecord], found: Analysis, path: Path) -> bool:
    """Draw a figure of what the averages of a task hide.

    Args:
        task: The name of the task.
        unit: The unit of its answers.
        records: The records of its answers.
        found: The analysis of these records.
        path: The PNG file that is written.

    Returns:
        Whether there was anything to draw; if not, no file is written.
    """
    panels = _panels(unit, records, found)
    if not panels:
        return False
    from matplotlib.figure import Figure  # pyplot would need a display, and would keep figures in memory

    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(5.2 * columns, 4.2 * rows), layout="constrained")
    figure.suptitle(one_line(task), parse_math=False)
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        panel(axis)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    write_figure(figure, path, "eval")
    return True


def _panels(unit: str, records: Sequence[SampleRecord], found: Analysis) -> list[Callable[["Axes"], None]]:
    """A function for each panel of the figure, which draws it on its axes."""
    panels: list[Callable[[Axes], None]] = []
    if found.bands:
        bands = found.bands
        panels = [
            lambda axis: _plot_answers(axis, unit, records),
            lambda axis: _plot_accuracy(axis, unit, bands),
            lambda axis: _plot_bias(axis, unit, bands, found.slope),
        ]
    if found.digits and found.digits.answers:
        panels.append(lambda axis: _plot_last_digits(axis, found))
    if found.order:
        order = found.order
        panels.append(lambda axis: _plot_order_by_gap(axis, order))
    return panels


def _plot_answers(axis: "Axes", unit: str, records: Sequence[SampleRecord]) -> None:
    """Plot answers over true values, on logarithmic axes."""
    from matplotlib.ticker import LogLocator

    pairs = [(r.truth, r.value) for r in records if isinstance(r.value, int | float) and r.value > 0]
    truths = np.array([r.truth for r in records])
    limits = np.array([truths.min() / 1.5, truths.max() * 1.5])
    axis.fill_between(
        limits, limits / DELTA1_FACTOR, limits * DELTA1_FACTOR, color=_GREY, alpha=0.2, lw=0, label="within 1.25"
    )
    axis.plot(limits, limits, color=_GREY, lw=1)
    if pairs:
        across, up = np.array(pairs).T
        axis.scatter(across, up, s=10, alpha=0.5, color=_BLUE, lw=0)
    axis.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
    for scale in (axis.xaxis, axis.yaxis):
        scale.set_minor_locator(LogLocator(subs=(2, 5)))  # all digits would not find room side by side
        scale.set_major_formatter("{x:g}")
        scale.set_minor_formatter("{x:g}")
    axis.set(xlabel=f"truth [{unit}]", ylabel=f"answer [{unit}]", title=f"{len(pairs)} of {len(records)} answers")
    axis.legend(frameon=False)


def _plot_accuracy(axis: "Axes", unit: str, bands: Sequence[TruthBand]) -> None:
    axis.bar(range(len(bands)), [band.delta1 for band in bands], color=_BLUE)
    _label_bands(axis, unit, bands)
    axis.set(ylim=(0, 1), ylabel="δ1", title="δ1 by distance")


def _plot_bias(axis: "Axes", unit: str, bands: Sequence[TruthBand], slope: float | None) -> None:
    axis.axhline(1, color=_GREY, lw=1)
    axis.plot(range(len(bands)), [band.ratio for band in bands], "o-", color=_RED)
    _label_bands(axis, unit, bands)
    slope_text = f"; slope of logarithms {slope:.2f}" if slope is not None and math.isfinite(slope) else ""
    axis.set(ylabel="median of answer / truth", title=f"bias by distance{slope_text}", yscale="log")
    ticks = [0.25, 0.5, 0.8, 1, 1.25, 2, 4]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()


def _label_bands(axis: "Axes", unit: str, bands: Sequence[TruthBand]) -> None:
    ends = [f"{band.low:g}–{band.high:g}" if math.isfinite(band.high) else f"{band.low:g}+" for band in bands]
    axis.set_xticks(range(len(bands)), [f"{end}\nn={band.count}" for end, band in zip(ends, bands, strict=True)])
    axis.tick_params(axis="x", labelsize=8)
    axis.set_xlabel(f"truth [{unit}]")


def _plot_last_digits(axis: "Axes", found: Analysis) -> None:
    digits = found.digits
    if digits is None:
        return
    axis.bar(range(10), np.array(digits.last) / max(1, digits.answers), color=_BLUE)
    axis.axhline(0.1, color=_GREY, lw=1)
    axis.set_xticks(range(10))
    axis.set(xlabel="last digit", ylabel="share", title=f"{digits.distinct} different among {digits.answers} answers")


def _plot_order_by_gap(axis: "Axes", order: Sequence[GapAccuracy]) -> None:
    axis.bar(range(len(order)), [each.accuracy for each in order], color=_BLUE)
    axis.axhline(0.5, color=_GREY, lw=1)
    ends = [f"{e.low:.0%}–{e.high:.0%}" if math.isfinite(e.high) else f"{e.low:.0%}+" for e in order]
    axis.set_xticks(range(len(order)), [f"{end}\nn={e.count}" for end, e in zip(ends, order, strict=True)])
    axis.set(ylim=(0, 1), xlabel="gap of the two distances", ylabel="share in the right order", title="near or far")
