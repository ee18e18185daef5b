"""Draws the statistics of data; this needs matplotlib, from the extra ``plots``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.data.statistics import SourceStatistics
from toolkit.errors import UserError
from toolkit.foreign_text import one_line
from toolkit.utils.overwrite import check_overwrite
from toolkit.utils.plotting import INSTALL_PLOTS, can_draw, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _GREY = "#1f6fb4", "#8a8a8a"
_WIDTH, _HEIGHT = 5.2, 3.0  # the size of a panel [inches]
_LONGEST_TITLE = 40  # characters of a source's name
_COMMAND = "data stats"
_ENDING = ".png"


def save_statistics(found: Sequence[SourceStatistics], path: Path, force: bool = False) -> None:
    """Draw the depth and the fields of view of each source, with one row for each source.

    Args:
        found: The statistics of the sources.
        path: The PNG file to write.
        force: Whether a file of another origin may be written over.

    Raises:
        UserError: If matplotlib is not installed, the name of the file does not end in .png, or a file of another
            origin has it.
    """
    if path.suffix.lower() != _ENDING:
        raise UserError(f"{path}: the picture is a PNG", remedy="give a name that ends in .png")
    if not can_draw():
        raise UserError(f"{path}: pictures need matplotlib", remedy=INSTALL_PLOTS)
    check_overwrite([path], _COMMAND, force)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 * _WIDTH, _HEIGHT * len(found)), layout="constrained")
    for (left, right), each in zip(figure.subplots(len(found), 2, squeeze=False), found, strict=True):
        _draw_depths(left, each)
        _draw_views(right, each)
        for axis in (left, right):
            axis.spines[["top", "right"]].set_visible(False)
    write_figure(figure, path, _COMMAND)


def _draw_depths(axis: "Axes", found: SourceStatistics) -> None:
    title = f"{one_line(Path(found.name).name, _LONGEST_TITLE)}: {found.pictures} pictures, {found.sequences} sequences"
    axis.set_title(title, fontsize=10, parse_math=False)
    if found.depths is None:
        axis.text(0.5, 0.5, "no depth", ha="center", va="center", transform=axis.transAxes)
        return
    edges = np.array(found.depths.edges)
    shares = np.array(found.depths.counts) / sum(found.depths.counts)
    axis.bar(edges[:-1], shares, np.diff(edges), align="edge", color=_BLUE)
    axis.axvline(found.depths.percentiles["50"], color=_GREY, lw=1, label="median")
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    axis.set(xlabel="depth_z [m]", ylabel="share of labels")
    axis.legend(frameon=False)


def _draw_views(axis: "Axes", found: SourceStatistics) -> None:
    across, down = np.array(found.fields_of_view).T
    axis.scatter(across, down, s=18, alpha=0.5, color=_BLUE, lw=0)
    axis.set_title(f"{found.cameras} camera{'s' if found.cameras != 1 else ''}", fontsize=10)
    axis.set(xlabel="field of view across [degrees]", ylabel="down [degrees]", xlim=(0, 180), ylim=(0, 180))
