"""Checking a manifest or a recipe before it is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.config.build import make_plan, make_questions
from toolkit.config.load import load_recipe
from toolkit.config.recipe import ManifestSource
from toolkit.data.frames.fingerprint import fingerprint
from toolkit.data.manifest.manifest import Manifest, load_manifest
from toolkit.geometry.canonical import Canvas
from toolkit.utils.progress import bar

_MANIFESTS = (".jsonl", ".json", ".ndjson")


_NAMED = 3  # pictures that are named in the summary


@dataclass(frozen=True)
class Contents:
    """What the pictures and depths of a manifest hold, once all are read.

    Attributes:
        nearest: The smallest depth_z [m]; infinite without labels.
        farthest: The largest [m].
        empty: Pictures whose depth map has no valid pixel.
        copies: Pictures that are another one's copy, under the same name or another.
    """

    nearest: float
    farthest: float
    empty: tuple[str, ...]
    copies: tuple[str, ...]

    def lines(self) -> list[str]:
        """It in words."""
        lines = []
        if self.nearest <= self.farthest:
            lines.append(f"depth_z: {self.nearest:.3g} to {self.farthest:.3g} m")
        if self.empty:
            lines.append(f"warning: {len(self.empty)} depth maps hold no valid depth: {_some(self.empty)}")
        if self.copies:
            lines.append(f"warning: {len(self.copies)} pictures are copies of others: {_some(self.copies)}")
        return lines


def validate(path: Path, overrides: Sequence[str] = ()) -> str:
    """What was checked, in a few lines.

    Args:
        path: A manifest (.jsonl) or a recipe.
        overrides: For a recipe, ``key=value``.

    Raises:
        UserError: With every fault that was found.
    """
    if path.suffix in _MANIFESTS:
        manifest = load_manifest(path, decode=True)
        return "\n".join([describe_manifest(manifest), *read_contents(manifest).lines()])
    recipe = load_recipe(path, overrides)
    if all(isinstance(source, ManifestSource) and source.held_out == 1 for source in recipe.sources.values()):
        questions = make_questions(recipe, Canvas())
        return f"{path}: the recipe is sound; pictures to measure on: {sum(map(len, questions.sources))}"
    plan = make_plan(recipe, Canvas())
    counts = ", ".join(f"{feed.name} {len(feed.source)}" for feed in plan.train.feeds)
    return f"{path}: the recipe is sound; pictures to train on: {counts}"


def read_contents(manifest: Manifest) -> Contents:
    """Read the depth of all pictures, and tell copies by their fingerprint (``toolkit.data.frames.fingerprint``)."""
    nearest, farthest = float("inf"), 0.0
    empty, copies, seen = [], [], set()
    with bar("reading depth", len(manifest)) as shown:
        for frame in manifest.frames:
            depth = frame.labels.read(frame.camera)[1] if frame.labels is not None else ()
            if len(depth):
                nearest, farthest = min(nearest, float(np.min(depth))), max(farthest, float(np.max(depth)))
            elif frame.labels is not None:
                empty.append(frame.name)
            key = fingerprint(frame.picture)
            if key in seen:
                copies.append(frame.name)
            seen.add(key)
            shown.advance()
    return Contents(nearest, farthest, tuple(empty), tuple(copies))


def _some(names: Sequence[str]) -> str:
    return ", ".join([*names[:_NAMED], *(["…"] if len(names) > _NAMED else [])])


def describe_manifest(manifest: Manifest) -> str:
    """What a manifest holds, in one line."""
    known = manifest.overview()
    licenses = sorted({name or "not stated" for name in known.licenses.distinct()})
    return (
        f"{manifest.path}: {len(manifest)} pictures are sound; {known.posed.sum()} with poses, "
        f"{len(set(known.sequences.distinct()) - {''})} sequences; licences: {', '.join(licenses)}"
    )
