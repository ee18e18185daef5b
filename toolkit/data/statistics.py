"""What data holds, source by source: how many pictures of what, how far things are, from which cameras, whose."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from toolkit.data.sources.source import Part, Source, Surveyed, overview
from toolkit.utils.arrays import Array
from toolkit.utils.plotting import sparkline
from toolkit.utils.progress import bar

PERCENTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)


_LABELS = 1000  # read of one picture at most, so that a depth map does not outweigh sparse points


_CAMERAS = 1000  # looked at


_BINS = 32


_NARROWEST = 1.2  # a histogram's largest depth is at least so many times its smallest


_SHOWN = 8  # licences and attributions that are printed


_SEED = 0


@dataclass(frozen=True)
class Depths:
    """How far labelled points are [m], as depth_z, in the pictures that were looked at.

    Attributes:
        pictures: How many were looked at.
        labels: How many labels these have.
        empty: How many of them have no valid label.
        percentiles: By the share in per cent.
        edges: Of the histogram's bins; equal widths on a logarithmic axis.
        counts: Of labels, up to 1000 drawn a picture.
    """

    pictures: int
    labels: int
    empty: int
    percentiles: dict[str, float]
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Statistics:
    """What one source holds.

    Attributes:
        name: Its name in the recipe, or the manifest's path.
        pictures: How many there are.
        known: For how many of them the next entries hold; all but of synthetic pictures, which are sampled.
        labelled: With depth.
        posed: With a pose.
        sequences: Recordings.
        alone: Pictures that state no recording.
        cameras: Different cameras.
        fields_of_view: Of these cameras, across and down [degrees], up to 1000 of them.
        licenses: Pictures by licence, "" where none is stated.
        attributions: Pictures by whom to name.
        depths: How far things are; None if nothing has depth.
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
    depths: Depths | None

    def to_json(self) -> dict[str, Any]:
        """It for machines; of the fields of view, smallest, middle and largest."""
        shares = np.percentile(self.fields_of_view, (0, 50, 100), axis=0).T
        views = {
            name: dict(zip(("min", "median", "max"), map(float, row), strict=True))
            for name, row in zip(("across", "down"), shares, strict=True)
        }
        return {**asdict(self), "fields_of_view": views}

    def said(self) -> str:
        """It as a person reads it."""
        lines = [f"{self.name}: {self.pictures} pictures"]
        if self.known < self.pictures:
            lines.append(f"  of {self.known} of them, drawn at random:")
        lines.append(f"  labels:       {self.labelled} with depth; {self.posed} with poses")
        alone = f"; {self.alone} pictures state none" if self.alone else ""
        lines.append(f"  sequences:    {self.sequences}{alone}")
        (across, down) = np.percentile(self.fields_of_view, (0, 100), axis=0).T
        lines.append(
            f"  cameras:      {self.cameras}; field of view {_range(across)} degrees across, {_range(down)} down"
        )
        lines += [f"  licences:     {_counted(self.licenses)}", f"  to be named:  {_counted(self.attributions)}"]
        return "\n".join([*lines, *(_describe(self.depths) if self.depths else ["  depth_z [m]:  none that is valid"])])


def describe(name: str, source: Source, pictures: int) -> Statistics:
    """The statistics of one source."""
    rng = np.random.default_rng(_SEED)
    chosen = np.sort(rng.choice(len(source), min(pictures, len(source)), replace=False))
    part = Part(source, chosen)
    whole = source if isinstance(source, Surveyed) and not source.alike else part  # drawn cameras are many
    known = overview(whole)
    sequences = known.sequences.counts()
    alone = sequences.pop("", 0)
    cameras = known.one_of_each_camera()
    return Statistics(
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
        depths=_depths(part, rng),
    )


def _depths(part: Part, rng: np.random.Generator) -> Depths | None:
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
    edges[0] = low  # not a rounding above it
    edges[-1] = max(edges[-1], depths.max())
    histogram = np.histogram(depths, edges)[0]
    return Depths(len(part), sum(counts), counts.count(0), shares, tuple(edges.tolist()), tuple(histogram.tolist()))


def _spaced(values: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the values, from all over."""
    return values[np.linspace(0, len(values) - 1, min(most, len(values))).astype(int)]


def _describe(depths: Depths) -> list[str]:
    empty = f"; {depths.empty} pictures have no valid one" if depths.empty else ""
    shares = "  ".join(f"{share} %: {value:.3g}" for share, value in depths.percentiles.items())
    return [
        f"  depth_z [m]:  {depths.labels} labels of {depths.pictures} pictures that were read{empty}",
        f"    {shares}",
        f"    {depths.edges[0]:.3g} {sparkline(depths.counts)} {depths.edges[-1]:.3g} (logarithmic)",
    ]


def _range(ends: Array) -> str:
    low, high = (f"{end:.3g}" for end in ends)
    return low if low == high else f"{low} to {high}"


def _counted(counts: dict[str, int]) -> str:
    order = sorted(counts.items(), key=lambda item: -item[1])
    said = [f"{name or 'not stated'} ({count})" for name, count in order[:_SHOWN]]
    return ", ".join([*said, *([f"and {len(order) - _SHOWN} more"] if len(order) > _SHOWN else [])])
