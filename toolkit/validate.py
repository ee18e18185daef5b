"""Checking a manifest or a recipe before it is used."""

from collections.abc import Sequence
from pathlib import Path

from toolkit.canonical import Canvas
from toolkit.plan import make_plan, make_questions
from toolkit.recipe import ManifestSource
from toolkit.recipe_file import load_recipe
from toolkit.sources.manifest import Manifest, load_manifest

_MANIFESTS = (".jsonl", ".json", ".ndjson")


def validate(path: Path, overrides: Sequence[str] = ()) -> str:
    """One line that says what was checked.

    Args:
        path: A manifest (.jsonl) or a recipe.
        overrides: For a recipe, ``key=value``.

    Raises:
        UserError: With every fault that was found.
    """
    if path.suffix in _MANIFESTS:
        return describe_manifest(load_manifest(path, decode=True))
    recipe = load_recipe(path, overrides)
    if all(isinstance(source, ManifestSource) and source.held_out == 1 for source in recipe.sources.values()):
        questions = make_questions(recipe, Canvas())
        return f"{path}: the recipe is sound; pictures to measure on: {sum(map(len, questions.sources))}"
    plan = make_plan(recipe, Canvas())
    counts = ", ".join(f"{feed.name} {len(feed.source)}" for feed in plan.train.feeds)
    return f"{path}: the recipe is sound; pictures to train on: {counts}"


def describe_manifest(manifest: Manifest) -> str:
    """What a manifest holds, in one line."""
    frames = manifest.frames
    posed = sum(frame.world_from_camera is not None for frame in frames)
    sequences = len({frame.sequence for frame in frames if frame.sequence})
    licenses = sorted({frame.license or "not stated" for frame in frames})
    return (
        f"{manifest.path}: {len(frames)} pictures are sound; {posed} with poses, {sequences} sequences; "
        f"licences: {', '.join(licenses)}"
    )
