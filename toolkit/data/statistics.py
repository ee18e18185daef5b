"""Statistics of data, source by source: numbers of pictures, depths, cameras, recordings, licences and credits."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.data.sources.source import Source, SourcePart, SourceWithOverview, overview
from toolkit.foreign_text import one_line
from toolkit.utils.arrays import Array
from toolkit.utils.json import to_json
from toolkit.utils.plotting import sparkline
from toolkit.utils.progress import bar

PERCENTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)
"""The percentiles of depth that are reported."""

_LABELS = 1000  # labels of one picture that count, at most, so that a depth map does not outweigh sparse points
_CAMERAS = 1000  # cameras whose fields of view are reported, at most
_BINS = 32  # of the histogram of depth
_NARROWEST = 1.2  # the largest depth of a histogram is at least this many times its smallest
_SHOWN = 8  # licences and attributions that are printed, at most
_SEED = 0


@dataclass(frozen=True)
class DepthStatistics:
    """The z-depth of labelled points, in the pictures that were read.

    Attributes:
        pictures: The number of pictures that were looked at.
        labels: The number of their labels.
        empty: The number of labelled pictures that have no valid label.
        percentiles: The percentiles of z-depth [m], by the share in per cent.
        edges: The edges of the histogram's bins [m], which have equal widths on a logarithmic axis.
        counts: The number of labels in each bin; of each picture, up to 1000 labels are drawn.
    """

    pictures: int
    labels: int
    empty: int
    percentiles: dict[str, float]
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def to_text(self) -> str:
        """Three lines of text: the numbers, the percentiles and the histogram."""
        empty = f"; {self.empty} pictures have no valid one" if self.empty else ""
        shares = "  ".join(f"{share} %: {value:.3g}" for share, value in self.percentiles.items())
        return (
            f"  depth_z [m]:  {self.labels} labels of {self.pictures} pictures that were read{empty}\n"
            f"    {shares}\n"
            f"    {self.edges[0]:.3g} {sparkline(self.counts)} {self.edges[-1]:.3g} (logarithmic)"
        )


@dataclass(frozen=True)
class SourceStatistics:
    """The statistics of one source.

    Attributes:
        name: The name of the source in the recipe, or the path of the manifest.
        pictures: The number of pictures.
        known: The number of pictures that the following values are about: all, except for generators, whose pictures
            are sampled.
        labelled: The number of pictures with depth labels.
        posed: The number of pictures with a pose.
        sequences: The number of recordings.
        alone: The number of pictures that state no recording.
        cameras: The number of different cameras.
        fields_of_view: The horizontal and the vertical field of view [degrees] of up to 1000 cameras.
        licenses: The number of pictures by licence; "" stands for none.
        attributions: The number of pictures by the name that must be credited; "" stands for none.
        depths: The depth of labelled points, or None if there are no valid labels.
    """

    name: str
    pictures: int
    known: int
    labelled: int
    posed: int
    sequences: int
    alone: int
    cameras: int
    fields_of_view: tuple[tuple[float, float], ...]
    licenses: dict[str, int]
    attributions: dict[str, int]
    depths: DepthStatistics | None

    def to_json(self) -> dict[str, Any]:
        """The statistics as an object that JSON can hold, with the smallest, median and largest fields of view."""
        shares = np.percentile(self.fields_of_view, (0, 50, 100), axis=0).T
        views = {
            name: dict(zip(("min", "median", "max"), map(float, row), strict=True))
            for name, row in zip(("across", "down"), shares, strict=True)
        }
        return {**to_json(self), "fields_of_view": views}

    def to_text(self) -> str:
        """The statistics as lines of text."""
        lines = [f"{one_line(self.name)}: {self.pictures} pictures"]
        if self.known < self.pictures:
            lines.append(f"  of {self.known} of them, drawn at random:")
        lines.append(f"  labels:       {self.labelled} with depth; {self.posed} with poses")
        alone = f"; {self.alone} pictures state none" if self.alone else ""
        lines.append(f"  sequences:    {self.sequences}{alone}")
        across, down = map(_range_to_text, np.percentile(self.fields_of_view, (0, 100), axis=0).T)
        lines.append(f"  cameras:      {self.cameras}; field of view {across} degrees across, {down} down")
        lines += [
            f"  licences:     {_counts_to_text(self.licenses)}",
            f"  to be named:  {_counts_to_text(self.attributions)}",
            self.depths.to_text() if self.depths else "  depth_z [m]:  none that is valid",
        ]
        return "\n".join(lines)


def measure_statistics(name: str, source: Source, pictures: int) -> SourceStatistics:
    """Count what a source holds, and measure the depth of some of its pictures.

    Args:
        name: The name of the source in the recipe, or the path of the manifest.
        source: The source.
        pictures: The number of pictures whose depth is read, at most; they are drawn at random.
    """
    rng = np.random.default_rng(_SEED)
    chosen = np.sort(rng.choice(len(source), min(pictures, len(source)), replace=False))
    part = SourcePart(source, chosen)
    # All Frames count if that costs nothing, but a generator has too many cameras.
    whole = source if isinstance(source, SourceWithOverview) and not source.alike else part
    known = overview(whole)
    sequences = known.sequences.counts()
    alone = sequences.pop("", 0)
    cameras = known.one_of_each_camera()
    return SourceStatistics(
        name,
        pictures=len(source),
        known=len(whole),
        labelled=int(known.labelled.sum()),
        posed=int(known.posed.sum()),
        sequences=len(sequences),
        alone=alone,
        cameras=len(cameras),
        fields_of_view=tuple(whole.frame(int(index)).camera.fov for index in _spaced(cameras, _CAMERAS)),
        licenses=known.licenses.counts(),
        attributions=known.attributions.counts(),
        depths=_measure_depths(part, rng),
    )


def _measure_depths(part: SourcePart, rng: np.random.Generator) -> DepthStatistics | None:
    found: list[Array] = []
    counts: list[int] = []
    with bar("reading depth", len(part)) as shown:
        for index in range(len(part)):
            frame = part.frame(index)
            if frame.labels is not None:
                depth = frame.labels.read(frame.camera)[1]
                counts.append(len(depth))
                found.append(rng.choice(depth, min(_LABELS, len(depth)), replace=False) if len(depth) else depth)
            shown.advance()
    if not sum(counts):
        return None
    depths = np.concatenate(found)
    shares = dict(zip(map(str, PERCENTILES), np.percentile(depths, PERCENTILES).tolist(), strict=True))
    low = float(depths.min())
    edges = np.geomspace(low, max(float(depths.max()), low * _NARROWEST), _BINS + 1)
    edges[0] = low  # rounding may have put it above the least depth
    edges[-1] = max(edges[-1], depths.max())
    histogram = np.histogram(depths, edges)[0]
    return DepthStatistics(
        len(part), sum(counts), counts.count(0), shares, tuple(edges.tolist()), tuple(histogram.tolist())
    )


def _spaced(values: np.ndarray, most: int) -> np.ndarray:
    """At most ``most`` of the values (N,), evenly spaced among them."""
    return values[np.linspace(0, len(values) - 1, min(most, len(values))).astype(int)]


def _range_to_text(ends: Array) -> str:
    low, high = (f"{end:.3g}" for end in ends)
    return low if low == high else f"{low} to {high}"


def _counts_to_text(counts: dict[str, int]) -> str:
    """The words with the greatest counts, and how many more words there are."""
    order = sorted(counts.items(), key=lambda item: -item[1])
    shown = [f"{one_line(name) or 'not stated'} ({count})" for name, count in order[:_SHOWN]]
    return ", ".join([*shown, *([f"and {len(order) - _SHOWN} more"] if len(order) > _SHOWN else [])])
