"""``toolkit data``: commands that convert data, check it, and show it before a model is trained on it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from toolkit.cli.interrupted import if_interrupted
from toolkit.cli.options import (
    Force,
    Include,
    Json,
    Output,
    Overrides,
    RecipeName,
    Trust,
    console,
    print_json,
    recipe_of,
    say,
)
from toolkit.foreign_text import one_line

if TYPE_CHECKING:
    from toolkit.config.recipe import Recipe
    from toolkit.data.convert.parallel.job import ConvertOutcome
    from toolkit.data.statistics import SourceStatistics

MANIFESTS = (".jsonl", ".json", ".ndjson")
"""The endings of manifests; all other files are recipes."""


def collect_statistics(given: str, overrides: Sequence[str], pictures: int) -> "list[SourceStatistics]":
    """The statistics of a manifest, or of all sources of a recipe.

    Args:
        given: The path of a manifest, or the path or name of a recipe.
        overrides: Changes to the recipe, as ``key=value``.
        pictures: The largest number of pictures of each source whose depth is read.

    Raises:
        UserError: If the manifest or the recipe has faults.
    """
    from toolkit.config.build import open_source
    from toolkit.config.load import load_recipe
    from toolkit.data.manifest.manifest import load_manifest
    from toolkit.data.statistics import measure_statistics

    if Path(given).suffix in MANIFESTS:
        return [measure_statistics(given, load_manifest(Path(given), depth_type=None), pictures)]
    recipe = load_recipe(given, overrides)
    return [measure_statistics(name, open_source(settings), pictures) for name, settings in recipe.sources.items()]


data = typer.Typer(help="Bring data in, and look at it before training on it.", no_args_is_help=True)


@data.command("preview", epilog="Example: toolkit data preview recipes/all_tasks.yaml --count 12")
def data_preview(
    recipe: RecipeName,
    overrides: Overrides = None,
    count: Annotated[int, typer.Option(min=1, help="Samples to show.")] = 8,
    held_out: Annotated[bool, typer.Option("--held-out", help="Show the held-out samples.")] = False,
    output: Output = None,
    include: Include = None,
    trust: Trust = False,
    force: Force = False,
) -> None:
    """Show what the model will see: marked pictures, prompts, the tokens that carry loss, lengths, memory."""
    folder = output or Path("runs") / "preview"
    print_preview(recipe_of(recipe, overrides, include, trust), count, folder, held_out, force)


@data.command("validate", epilog="Example: toolkit data validate data/manifest.jsonl")
def data_validate(
    path: Annotated[Path, typer.Argument(metavar="MANIFEST_OR_RECIPE")],
    overrides: Overrides = None,
    trust: Trust = False,
) -> None:
    """Check every line of a manifest, or a recipe and everything that it names. All faults are reported together."""
    from toolkit.config.validate import validate
    from toolkit.qa.tasks.trust import let_run

    let_run(others=trust)
    say(validate(path, overrides or []))


@data.command("audit", epilog="Example: toolkit data audit data/manifest.jsonl --frames 100 --json")
def data_audit(
    manifest: Annotated[Path, typer.Argument(help="A .jsonl file. Its lines need not state their depth_type.")],
    frames: Annotated[int, typer.Option(min=1, help="How many random frames are read with their pictures.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="The seed that draws these frames.")] = 0,
    output: Output = None,
    json_: Json = False,
    force: Force = False,
) -> None:
    """Find faults in labels without ground truth: print verdicts with evidence, and draw the worst frames."""
    from toolkit.data.audit.audit import audit
    from toolkit.utils.overwrite import check_overwrite
    from toolkit.utils.progress import err

    sheet = (output or Path("runs") / "audit") / f"{manifest.stem}.png"
    check_overwrite([sheet], "data audit", force)
    report = audit(manifest, frames, seed)
    if json_:
        print_json(report.to_json())
    else:
        console().print(report.to_table())
    if report.save_sheet(sheet, force):
        err.print(f"wrote {one_line(sheet)}, the worst frames")


@data.command("stats", epilog="Example: toolkit data stats data/manifest.jsonl --output stats.png")
def data_stats(
    path: Annotated[str, typer.Argument(metavar="MANIFEST_OR_RECIPE")],
    overrides: Overrides = None,
    output: Annotated[Path | None, typer.Option(help="Also save a plot, as PNG.")] = None,
    pictures: Annotated[int, typer.Option(min=1, help="Read the depth of at most so many pictures per source.")] = 1000,
    json_: Json = False,
    force: Force = False,
) -> None:
    """Show what each source holds: depths, cameras, sequences, poses, licences, and attributions."""
    from toolkit.utils.overwrite import check_overwrite

    if output:
        check_overwrite([output], "data stats", force, [Path(path)])
    found = collect_statistics(path, overrides or [], pictures)
    if output:
        from toolkit.data.statistics_plot import save_statistics

        save_statistics(found, output, force)
    if json_:
        print_json([each.to_json() for each in found])
        return
    say("\n\n".join(each.to_text() for each in found))
    if output:
        say(f"wrote {one_line(output)}")


@data.command("split", epilog="Example: toolkit data split data/manifest.jsonl --share 0.2 --output data/parts")
def data_split(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST")],
    output: Annotated[Path, typer.Option(help="The folder for train.jsonl and held_out.jsonl.")],
    share: Annotated[float, typer.Option(help="The approximate share of pictures that are held out.")] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="The seed that draws the sequences; training uses 0.")] = 0,
    by_picture: Annotated[
        bool, typer.Option("--by-picture", help="Treat a picture without a sequence as a sequence of its own.")
    ] = False,
    force: Force = False,
) -> None:
    """Split a manifest into one for training and one that is held out. Sequences are never divided."""
    from toolkit.data.manifest.split import split_manifest

    for side in split_manifest(manifest, share, output, seed, by_picture, force):
        say(side.to_text())


@data.command("mix", epilog="Example: toolkit data mix recipes/all_tasks.yaml sampling=size")
def data_mix(
    recipe: RecipeName,
    overrides: Overrides = None,
    count: Annotated[int, typer.Option(min=1, help="Draw so many samples of each source and task.")] = 200,
    processes: Annotated[int, typer.Option(min=1, help="How many processes train together.")] = 1,
    include: Include = None,
    trust: Trust = False,
    json_: Json = False,
) -> None:
    """Show what a training run would see: per source and task the share, samples, epochs and spread of distances."""
    from toolkit.config.build import make_plan
    from toolkit.modeling.checkpoint_contract import adopt_base_contract, recipe_canvas
    from toolkit.training.dry_run.mixture_summary import summarise_mixture, to_table, totals_to_text
    from toolkit.utils.json import to_json

    settings = adopt_base_contract(recipe_of(recipe, overrides, include, trust))
    plan = make_plan(settings, recipe_canvas(settings))
    streams = summarise_mixture(plan.train, count, processes)
    if json_:
        print_json(to_json(streams))
        return
    console().print(to_table(streams))
    say(f"\n{totals_to_text(streams)}")


@data.command("formats", epilog="Example: toolkit data formats kitti")
def data_formats(
    name: Annotated[
        str | None, typer.Argument(metavar="[FORMAT]", help="Show one format: its licence and expected folders.")
    ] = None,
) -> None:
    """List the data sets that can be converted, or show one of them."""
    from toolkit.data.convert.registry import formats_to_text, get_format

    say(get_format(name).INFO.to_text() if name else formats_to_text())


@data.command("convert", epilog="Example: toolkit data convert kitti ~/kitti data/kitti --points 200 --workers 8")
def data_convert(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="The format; toolkit data formats lists them.")],
    source: Annotated[Path, typer.Argument(help="The data set as downloaded and unpacked.")],
    dest: Annotated[Path, typer.Argument(help="The folder for manifest.jsonl.")],
    points: Annotated[int, typer.Option(min=1, help="Labels per picture, if depth is sampled.")] = 100,
    seed: Annotated[int, typer.Option(help="The seed of the sampling.")] = 0,
    edge_margin: Annotated[int, typer.Option(min=0, help="Keep labels so many px away from jumps of depth.")] = 0,
    images: Annotated[
        Literal["reference", "link", "copy"],
        typer.Option(help="Refer to the pictures of the data set, link to them in DEST, or copy them there."),
    ] = "reference",
    split: Annotated[list[str] | None, typer.Option(help="Convert only this split; may be repeated.")] = None,
    camera: Annotated[list[str] | None, typer.Option(help="Convert only this camera; may be repeated.")] = None,
    license_: Annotated[str, typer.Option("--license", help="State a licence in place of the data set's.")] = "",
    attribution: Annotated[str, typer.Option(help="State an attribution in place of the data set's authors.")] = "",
    workers: Annotated[int | None, typer.Option(min=1, help="Number of processes; by default one per CPU.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Convert only the first pictures, for a quick look.")] = None,
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Convert one of N shares; merge them later.")] = None,
    skip_bad: Annotated[bool, typer.Option(help="Leave out what is missing or damaged.")] = False,
    force: Force = False,
) -> None:
    """Make a manifest of a public data set, or of a plain folder. What was converted before is not converted again."""
    from toolkit.data.convert.base_format import ConvertOptions
    from toolkit.data.convert.convert import convert
    from toolkit.data.convert.parallel.job import ConvertJob, parse_shard

    options = ConvertOptions(
        points, seed, edge_margin, images, tuple(split or ()), tuple(camera or ()), license_, attribution
    )
    share = parse_shard(shard) if shard else None
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    job = ConvertJob(form, source, dest, options, workers or cpus, limit, share, skip_bad, force)
    if_interrupted(lambda: f"what is converted is kept in {dest}")
    _print_outcome(convert(job), dest)


@data.command("merge", epilog="Example: toolkit data merge data/waymo")
def data_merge(
    dest: Annotated[Path, typer.Argument(help="The folder that all shards were converted to.")],
    skip_bad: Annotated[bool, typer.Option(help="Leave out what is missing or damaged.")] = False,
) -> None:
    """Join the shards that toolkit data convert --shard made, after all of them are done."""
    from toolkit.data.convert.parallel.merge import merge

    _print_outcome(merge(dest, skip_bad), dest)


def _print_outcome(outcome: "ConvertOutcome", dest: Path) -> None:
    """Print what was converted to ``dest``, and what was left out."""
    from toolkit.data.convert.draw_labels import save_overlay
    from toolkit.data.convert.parallel.merge import FAULTS
    from toolkit.errors import UserErrors
    from toolkit.utils.progress import err

    for reason, count in sorted(outcome.skipped.items()):
        err.print(f"left out {count} pictures: {one_line(reason)}")
    if outcome.faults:
        err.print(str(UserErrors(f"{dest}, left out (all are in {FAULTS})", outcome.faults)))
    if outcome.manifest is None:
        rest = f"when all shards are: toolkit data merge {one_line(dest)}"
        say(f"{outcome.pictures} pictures of this shard are done; {rest}")
        return
    if outcome.fresh:
        err.print(f"look at it: {one_line(save_overlay(outcome.manifest, outcome.pictures))}")
    done = "wrote" if outcome.fresh else "complete already:"
    say(f"{done} {one_line(outcome.manifest)}: {outcome.pictures} pictures")


def print_preview(recipe: "Recipe", count: int, folder: Path, held_out: bool = False, force: bool = False) -> None:
    """Save pictures of what the model will see, and print them as text.

    Args:
        recipe: The recipe.
        count: The number of samples.
        folder: The folder for the pictures.
        held_out: Whether the held-out samples are shown, and not those for training.
        force: Whether files of another origin may be written over.
    """
    from toolkit.training.dry_run.preview import check_preview_files, preview
    from toolkit.utils.files import make_folder

    check_preview_files(folder, force)
    make_folder(folder)
    samples = preview(recipe, count, held_out)
    written = samples.save(folder, force)
    say(samples.to_text())
    for path in written:
        say(f"wrote {one_line(path)}")
    if samples.estimate:
        say(samples.estimate().to_text())
