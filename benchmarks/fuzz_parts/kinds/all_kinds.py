"""All kinds of input, in the order of the tables."""

from benchmarks.fuzz_parts.kinds import (
    cameras,
    checkpoints,
    depth_files,
    manifests,
    options,
    pictures,
    questions,
    recipes,
    replies,
    templates,
)

KINDS = {
    module.KIND.name: module.KIND
    for module in (
        *(manifests, recipes, questions, pictures, depth_files),
        *(cameras, options, replies, checkpoints, templates),
    )
}
"""The kinds by their names."""
