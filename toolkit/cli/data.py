"""``toolkit data``: bringing data in, and looking at it before training on it."""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from toolkit.cli.options import Include, Json, Output, Overrides, RecipeName, console, print_json, recipe_of
from toolkit.config.build import open_source
from toolkit.config.load import load_recipe
from toolkit.data.manifest.manifest import load_manifest
from toolkit.data.statistics import Statistics, describe

if TYPE_CHECKING:
    from toolkit.config.recipe import Recipe
    from toolkit.data.convert.parallel.job import Outcome

MANIFESTS = (".jsonl", ".json", ".ndjson")
"""Endings of manifests; other files are recipes."""


def collect(given: str, overrides: Sequence[str], pictures: int) -> list[Statistics]:
    """The statistics of a manifest, or of all sources of a recipe.

    Args:
        given: A manifest, or a recipe's path or name.
        overrides: For a recipe, ``key=value``.
        pictures: Most pictures of a source whose depth is read.

    Raises:
        UserError: If it is faulty.
    """
    if Path(given).suffix in MANIFESTS:
        return [describe(given, load_manifest(Path(given), depth_type=None), pictures)]
    recipe = load_recipe(given, overrides)
    return [describe(name, open_source(settings), pictures) for name, settings in recipe.sources.items()]


data = typer.Typer(help="Bring data in, and look at it before training on it.", no_args_is_help=True)


@data.command("preview", epilog="Example: toolkit data preview recipes/all_tasks.yaml --count 12")
def data_preview(
    recipe: RecipeName,
    overrides: Overrides = None,
    count: Annotated[int, typer.Option(min=1, help="Samples to show.")] = 8,
    held_out: Annotated[bool, typer.Option("--held-out", help="Show what models are measured by.")] = False,
    output: Output = None,
    include: Include = None,
) -> None:
    """What the model will see: marked pictures, prompts, the tokens that carry loss, lengths, memory."""
    show_preview(recipe_of(recipe, overrides, include), count, output or Path("runs") / "preview", held_out)


@data.command("validate", epilog="Example: toolkit data validate data/manifest.jsonl")
def data_validate(
    path: Annotated[Path, typer.Argument(metavar="MANIFEST_OR_RECIPE")], overrides: Overrides = None
) -> None:
    """Check every line of a manifest, or a recipe and all that it names; all faults are reported."""
    from toolkit.config.validate import validate

    print(validate(path, overrides or []))


@data.command("audit", epilog="Example: toolkit data audit data/manifest.jsonl --frames 100 --json")
def data_audit(
    manifest: Annotated[Path, typer.Argument(help="A .jsonl file; its lines need not say their depth_type.")],
    frames: Annotated[int, typer.Option(min=1, help="Lines that are read whole, drawn by the seed.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample.")] = 0,
    output: Output = None,
    to_json: Json = False,
) -> None:
    """Find faults of labels without ground truth: verdicts with evidence, and a sheet of the worst frames."""
    from toolkit.data.audit.audit import audit
    from toolkit.utils.progress import err

    report = audit(manifest, frames, seed)
    if to_json:
        print_json(report.to_json())
    else:
        console().print(report.table())
    sheet = (output or Path("runs") / "audit") / f"{manifest.stem}.png"
    if report.save_sheet(sheet):
        err.print(f"wrote {sheet}, the worst frames")


@data.command("stats", epilog="Example: toolkit data stats data/manifest.jsonl --output stats.png")
def data_stats(
    path: Annotated[str, typer.Argument(metavar="MANIFEST_OR_RECIPE")],
    overrides: Overrides = None,
    output: Annotated[Path | None, typer.Option(help="Also draw it: a PNG.")] = None,
    pictures: Annotated[int, typer.Option(min=1, help="Most pictures a source whose depth is read.")] = 1000,
    json_: Json = False,
) -> None:
    """What data holds, source by source: depth, cameras, sequences, poses, licences, whom to name."""
    from toolkit.cli.data import collect

    found = collect(path, overrides or [], pictures)
    if output:
        from toolkit.data.statistics_plot import save_statistics

        save_statistics(found, output)
    if json_:
        print_json([each.to_json() for each in found])
        return
    print("\n\n".join(each.said() for each in found))
    if output:
        print(f"wrote {output}")


@data.command("split", epilog="Example: toolkit data split data/manifest.jsonl --share 0.2 --output data/parts")
def data_split(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST")],
    output: Annotated[Path, typer.Option(help="Folder for train.jsonl and held_out.jsonl.")],
    share: Annotated[float, typer.Option(help="Approximate share of the pictures held out.")] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Draws the sequences; training draws by 0.")] = 0,
    by_picture: Annotated[
        bool, typer.Option("--by-picture", help="A picture that states no sequence is one of its own.")
    ] = False,
) -> None:
    """Split a manifest into one to train on and one to measure on: sequences are never divided."""
    from toolkit.data.manifest.split import split_manifest

    for side in split_manifest(manifest, share, output, seed, by_picture):
        print(side.said())


@data.command("mix", epilog="Example: toolkit data mix recipes/all_tasks.yaml sampling=size")
def data_mix(
    recipe: RecipeName,
    overrides: Overrides = None,
    count: Annotated[int, typer.Option(min=1, help="Samples drawn of each source and task.")] = 200,
    processes: Annotated[int, typer.Option(min=1, help="How many train together.")] = 1,
    include: Include = None,
    json_: Json = False,
) -> None:
    """What a training run would see: per source and task the share, samples, epochs and the spread of distances."""
    from toolkit.config.build import make_plan
    from toolkit.modeling.checkpoint_contract import based, recipe_canvas
    from toolkit.training.mixture_summary import mix, table, totals

    settings = based(recipe_of(recipe, overrides, include))
    plan = make_plan(settings, recipe_canvas(settings))
    streams = mix(plan.train, count, processes)
    if json_:
        print_json([asdict(stream) for stream in streams])
        return
    console().print(table(streams))
    print("\n".join(["", *totals(streams)]))


@data.command("formats", epilog="Example: toolkit data formats kitti")
def data_formats(
    name: Annotated[str | None, typer.Argument(metavar="[FORMAT]", help="Show one: licence, expected folders.")] = None,
) -> None:
    """List the data sets that can be converted, or show one."""
    from toolkit.data.convert.registry import describe_format, describe_formats

    print(describe_format(name) if name else describe_formats())


@data.command("convert", epilog="Example: toolkit data convert kitti ~/kitti data/kitti --points 200 --workers 8")
def data_convert(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="A set's name: toolkit data formats lists them.")],
    source: Annotated[Path, typer.Argument(help="The set as downloaded and unpacked.")],
    dest: Annotated[Path, typer.Argument(help="Folder for manifest.jsonl.")],
    points: Annotated[int, typer.Option(min=1, help="Labels a picture, where depth is sampled.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the sampling.")] = 0,
    edge_margin: Annotated[int, typer.Option(min=0, help="Keep labels so many px from jumps of depth.")] = 0,
    images: Annotated[
        Literal["reference", "link", "copy"],
        typer.Option(help="Name the set's own files, link to them in DEST, or copy them there."),
    ] = "reference",
    split: Annotated[list[str] | None, typer.Option(help="Only this split; may be repeated.")] = None,
    camera: Annotated[list[str] | None, typer.Option(help="Only this camera; may be repeated.")] = None,
    license_: Annotated[str, typer.Option("--license", help="State another licence than the set's.")] = "",
    attribution: Annotated[str, typer.Option(help="Name others than the set's authors.")] = "",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one a CPU.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first pictures, for a quick look.")] = None,
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Convert one of N shares; merge them later.")] = None,
    skip_bad: Annotated[bool, typer.Option(help="Leave out what is missing or damaged.")] = False,
) -> None:
    """Make a manifest of a public data set, or of a plain folder; what was done before is not done again."""
    from toolkit.data.convert.base_format import Options
    from toolkit.data.convert.convert import convert
    from toolkit.data.convert.parallel.job import Job, parse_shard
    from toolkit.utils.progress import err

    options = Options(points, seed, edge_margin, images, tuple(split or ()), tuple(camera or ()), license_, attribution)
    share = parse_shard(shard) if shard else None
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    job = Job(form, source, dest, options, workers or cpus, limit, share, skip_bad)
    try:
        _print_outcome(convert(job), dest)
    except KeyboardInterrupt:
        err.print("interrupted; the same command goes on from what is done")
        sys.exit(130)


@data.command("merge", epilog="Example: toolkit data merge data/waymo")
def data_merge(
    dest: Annotated[Path, typer.Argument(help="The folder that all shards were converted to.")],
    skip_bad: Annotated[bool, typer.Option(help="Leave out what is missing or damaged.")] = False,
) -> None:
    """Join the shards that toolkit data convert --shard made, once all are done."""
    from toolkit.data.convert.parallel.merge import merge

    _print_outcome(merge(dest, skip_bad), dest)


def _print_outcome(outcome: "Outcome", dest: Path) -> None:
    from toolkit.data.convert.overlay import save_overlay
    from toolkit.data.convert.parallel.merge import FAULTS
    from toolkit.errors import UserErrors
    from toolkit.utils.progress import err

    for reason, count in sorted(outcome.skipped.items()):
        err.print(f"left out {count} pictures: {reason}")
    if outcome.faults:
        err.print(str(UserErrors(f"{dest}, left out (all are in {FAULTS})", outcome.faults)), markup=False)
    if outcome.manifest is None:
        print(f"{outcome.pictures} pictures of this shard are done; when all shards are: toolkit data merge {dest}")
        return
    if outcome.fresh:
        err.print(f"look at it: {save_overlay(outcome.manifest, outcome.pictures)}")
    print(f"{'wrote' if outcome.fresh else 'complete already:'} {outcome.manifest}: {outcome.pictures} pictures")


def show_preview(recipe: "Recipe", count: int, folder: Path, held_out: bool = False) -> None:
    """Write and describe what the model will see."""
    from toolkit.training.preview import describe, preview
    from toolkit.utils.files import make_folder

    make_folder(folder)
    shown = preview(recipe, count, held_out)
    written = shown.save(folder)
    for index, seen in enumerate(shown.seen):
        print(describe(index, seen))
    for path in written:
        print(f"wrote {path}")
    for line in shown.needs().lines() if shown.needs else ():
        print(line)
