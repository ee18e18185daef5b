"""Pictures of an evaluation; they need matplotlib, the extra ``plots``."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.evaluation.analysis import Analysis, Band
from toolkit.evaluation.sample_record import Record
from toolkit.qa.metrics import GapAccuracy
from toolkit.utils.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _GREY, _RED = "#1f6fb4", "#8a8a8a", "#c0392b"


_WITHIN = 1.25


def save_figure(task: str, unit: str, records: Sequence[Record], found: Analysis, path: Path) -> bool:
    """Draw what a task's averages hide.

    Args:
        task: Its name.
        unit: Of its answers.
        records: The answers.
        found: What was found in them.
        path: The PNG.

    Returns:
        Whether there was anything to draw.
    """
    panels = _panels(unit, records, found)
    if not panels:
        return False
    from matplotlib.figure import Figure  # not pyplot, which wants a display and keeps figures alive

    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(5.2 * columns, 4.2 * rows), layout="constrained")
    figure.suptitle(task)
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        panel(axis)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110, metadata={"Software": ""})  # versions would change the bytes
    write_bytes(path, drawn.getvalue())
    return True


def _panels(unit: str, records: Sequence[Record], found: Analysis) -> list[Any]:
    panels: list[Any] = []
    if found.bands:
        bands = found.bands
        panels = [
            lambda axis: _scatter(axis, unit, records),
            lambda axis: _accuracy(axis, unit, bands),
            lambda axis: _bias(axis, unit, bands, found.slope),
        ]
    if found.digits and found.digits.answers:
        panels.append(lambda axis: _last_digits(axis, found))
    if found.order:
        order = found.order
        panels.append(lambda axis: _by_gap(axis, order))
    return panels


def _scatter(axis: "Axes", unit: str, records: Sequence[Record]) -> None:
    """Answers over truths, on logarithmic axes."""
    pairs = [(r.truth, r.value) for r in records if isinstance(r.value, int | float) and r.value > 0]
    truths = np.array([r.truth for r in records])
    limits = np.array([truths.min() / 1.5, truths.max() * 1.5])
    axis.fill_between(limits, limits / _WITHIN, limits * _WITHIN, color=_GREY, alpha=0.2, lw=0, label="within 1.25")
    axis.plot(limits, limits, color=_GREY, lw=1)
    if pairs:
        across, up = np.array(pairs).T
        axis.scatter(across, up, s=10, alpha=0.5, color=_BLUE, lw=0)
    axis.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set(xlabel=f"truth [{unit}]", ylabel=f"answer [{unit}]", title=f"{len(pairs)} of {len(records)} answers")
    axis.legend(frameon=False)


def _accuracy(axis: "Axes", unit: str, bands: Sequence[Band]) -> None:
    axis.bar(range(len(bands)), [band.delta1 for band in bands], color=_BLUE)
    _label_bands(axis, unit, bands)
    axis.set(ylim=(0, 1), ylabel="δ1", title="δ1 by distance")


def _bias(axis: "Axes", unit: str, bands: Sequence[Band], slope: float | None) -> None:
    axis.axhline(1, color=_GREY, lw=1)
    axis.plot(range(len(bands)), [band.ratio for band in bands], "o-", color=_RED)
    _label_bands(axis, unit, bands)
    said = f"; slope of logarithms {slope:.2f}" if slope is not None and math.isfinite(slope) else ""
    axis.set(ylabel="median of answer / truth", title=f"bias by distance{said}", yscale="log")
    ticks = [0.25, 0.5, 0.8, 1, 1.25, 2, 4]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()


def _label_bands(axis: "Axes", unit: str, bands: Sequence[Band]) -> None:
    ends = [f"{band.low:g}–{band.high:g}" if math.isfinite(band.high) else f"{band.low:g}+" for band in bands]
    axis.set_xticks(range(len(bands)), [f"{end}\nn={band.count}" for end, band in zip(ends, bands, strict=True)])
    axis.tick_params(axis="x", labelsize=8)
    axis.set_xlabel(f"truth [{unit}]")


def _last_digits(axis: "Axes", found: Analysis) -> None:
    digits = found.digits
    if digits is None:
        return
    axis.bar(range(10), np.array(digits.last) / max(1, digits.answers), color=_BLUE)
    axis.axhline(0.1, color=_GREY, lw=1)
    axis.set_xticks(range(10))
    axis.set(xlabel="last digit", ylabel="share", title=f"{digits.distinct} different among {digits.answers} answers")


def _by_gap(axis: "Axes", order: Sequence[GapAccuracy]) -> None:
    axis.bar(range(len(order)), [each.accuracy for each in order], color=_BLUE)
    axis.axhline(0.5, color=_GREY, lw=1)
    ends = [f"{e.low:.0%}–{e.high:.0%}" if math.isfinite(e.high) else f"{e.low:.0%}+" for e in order]
    axis.set_xticks(range(len(order)), [f"{end}\nn={e.count}" for end, e in zip(ends, order, strict=True)])
    axis.set(ylim=(0, 1), xlabel="gap of the two distances", ylabel="share in the right order", title="near or far")
