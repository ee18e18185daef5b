"""Checking a manifest or a recipe before it is used."""

from collections.abc import Sequence
from pathlib import Path

from toolkit.canonical import Canvas
from toolkit.plan import make_plan
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
    plan = make_plan(recipe, Canvas())
    counts = ", ".join(f"{feed.name} {len(feed.source)}" for feed in plan.train.feeds)
    return f"{path}: the recipe is sound; pictures to train on: {counts}"


def describe_manifest(manifest: Manifest) -> str:
    """What a manifest holds, in one line."""
    known = manifest.overview()
    licenses = sorted({name or "not stated" for name in known.licenses.distinct()})
    return (
        f"{manifest.path}: {len(manifest)} pictures are sound; {known.posed.sum()} with poses, "
        f"{len(set(known.sequences.distinct()) - {''})} sequences; licences: {', '.join(licenses)}"
    )
