"""Checking a manifest or a recipe before it is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.config.build import check_trainable, make_plan, make_questions
from toolkit.config.load import load_recipe
from toolkit.config.recipe import ManifestSource
from toolkit.data.frames.fingerprint import fingerprint
from toolkit.data.frames.frame import Labels, SparseDepth
from toolkit.data.manifest.manifest import Manifest, load_manifest
from toolkit.foreign_text import one_line
from toolkit.geometry.canonical import Canvas
from toolkit.utils.progress import bar

_MANIFESTS = (".jsonl", ".json", ".ndjson")
_NAMED = 3  # how many pictures the summary names at most
_GUESSED = (
    "pictures have an EXIF orientation that no size shows; what their lines say is taken for that of the stored "
    "picture, and turned with it (if it is that of the upright one, store the picture upright, without the tag)"
)
_NORMALISED = (
    "all pixel_coords lie between 0 and 1, as if they were shares of the picture's size: multiply u by the width and v "
    "by the height, and subtract 0.5 from both"
)
_FAR, _NEAR = 1000.0, 0.05  # m; if no depth lies between these, the unit is hardly the metre


@dataclass(frozen=True)
class ManifestContents:
    """What was found in the pictures and depths of a manifest after all of them were read.

    Attributes:
        nearest: The smallest depth_z [m]; infinite if there are no labels.
        farthest: The largest depth_z [m]; 0 if there are no labels.
        empty: The names of the pictures that have labels, but no valid depth.
        copies: The names of the pictures that are copies of earlier ones, under the same name or another.
        guessed: The names of the pictures whose EXIF orientation no size shows, so that what their lines say is taken
            for that of the stored picture.
        normalised: Whether all labelled pixels of all pictures lie between 0 and 1, as shares of a picture's size do.
    """

    nearest: float
    farthest: float
    empty: tuple[str, ...]
    copies: tuple[str, ...]
    guessed: tuple[str, ...] = ()
    normalised: bool = False

    def to_text(self) -> str:
        """One line for each finding, as text for people; "" if there is none."""
        lines = []
        if self.nearest <= self.farthest:
            lines.append(f"depth_z: {self.nearest:.3g} to {self.farthest:.3g} m")
            if self.nearest > _FAR or self.farthest < _NEAR:
                lines.append("warning: these depths are unlikely: check the unit of depth, or depth_scale [m per unit]")
        if self.empty:
            lines.append(f"warning: {len(self.empty)} depth maps hold no valid depth: {_names_to_text(self.empty)}")
        if self.copies:
            lines.append(f"warning: {len(self.copies)} pictures are copies of others: {_names_to_text(self.copies)}")
        if self.guessed:
            lines.append(f"warning: {len(self.guessed)} {_GUESSED}: {_names_to_text(self.guessed)}")
        if self.normalised:
            lines.append(f"warning: {_NORMALISED}")
        return "\n".join(lines)


def validate(path: Path, overrides: Sequence[str] = ()) -> str:
    """Check a manifest or a recipe.

    Args:
        path: A manifest (.jsonl) or a recipe.
        overrides: Words like ``key=value``, which replace values of a recipe.

    Returns:
        What was found, as a few lines for people.

    Raises:
        UserError: If there are faults. It names all of them.
    """
    if path.suffix in _MANIFESTS:
        manifest = load_manifest(path, decode=True)
        return f"{manifest_to_text(manifest)}\n{read_contents(manifest).to_text()}".rstrip("\n")
    recipe = load_recipe(path, overrides)
    if all(isinstance(source, ManifestSource) and source.held_out == 1 for source in recipe.sources.values()):
        questions = make_questions(recipe, Canvas())
        return f"{one_line(path)}: the recipe is sound; pictures to measure on: {sum(map(len, questions.sources))}"
    check_trainable(recipe)
    plan = make_plan(recipe, Canvas())
    counts = ", ".join(f"{one_line(feed.name)} {len(feed.source)}" for feed in plan.train.feeds)
    return f"{one_line(path)}: the recipe is sound; pictures to train on: {counts}"


def read_contents(manifest: Manifest) -> ManifestContents:
    """Read the depth of all pictures, and find copies by their fingerprints (``toolkit.data.frames.fingerprint``)."""
    nearest, farthest = float("inf"), 0.0
    empty, copies, guessed, seen = [], [], [], set()
    points = _PointRange()
    with bar("reading depth", len(manifest)) as progress:
        for index, frame in enumerate(manifest.frames):
            depth = frame.labels.read(frame.camera)[1] if frame.labels is not None else ()
            if len(depth):
                nearest, farthest = min(nearest, float(np.min(depth))), max(farthest, float(np.max(depth)))
            elif frame.labels is not None:
                empty.append(frame.name)
            points.add(frame.labels)
            if manifest.turn(index).is_guessed(frame.camera):
                guessed.append(frame.name)
            key = fingerprint(frame.picture)
            if key in seen:
                copies.append(frame.name)
            seen.add(key)
            progress.advance()
    return ManifestContents(
        nearest, farthest, tuple(empty), tuple(copies), tuple(guessed), points.between_0_and_1 and points.broken
    )


@dataclass
class _PointRange:
    """Where the points of many pictures lie.

    Attributes:
        between_0_and_1: Whether all coordinates lie between 0 and 1 [px].
        broken: Whether one of them is not a whole number.
    """

    between_0_and_1: bool = True
    broken: bool = False

    def add(self, labels: Labels | None) -> None:
        """Add the labels of one picture; those that are no points are not looked at."""
        if isinstance(labels, SparseDepth) and self.between_0_and_1:
            self.between_0_and_1 = bool(np.all((labels.pixels >= 0) & (labels.pixels <= 1)))
            self.broken = self.broken or bool(np.any(labels.pixels != np.rint(labels.pixels)))


def _names_to_text(names: Sequence[str]) -> str:
    """The first few of some names."""
    return ", ".join([*map(one_line, names[:_NAMED]), *(["…"] if len(names) > _NAMED else [])])


def manifest_to_text(manifest: Manifest) -> str:
    """What a manifest holds, as one line for people."""
    known = manifest.overview()
    licenses = sorted({name or "not stated" for name in known.licenses.distinct()})
    return (
        f"{one_line(manifest.path)}: {len(manifest)} pictures are sound; {known.posed.sum()} with poses, "
        f"{len(set(known.sequences.distinct()) - {''})} sequences; licences: {', '.join(map(one_line, licenses))}"
    )
