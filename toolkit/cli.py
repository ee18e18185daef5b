"""The ``toolkit`` command: results on stdout, everything else on stderr; exit 0 done, 2 a user's mistake.

Imports that take time stand inside the commands, so that ``--help`` answers at once.
"""

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from toolkit.commands.ask import ask
from toolkit.commands.shared import Include, Json, console, include_tasks, print_json
from toolkit.errors import UserError

if TYPE_CHECKING:
    from toolkit.convert.job import Outcome
    from toolkit.recipe import Recipe

app = typer.Typer(
    help="Fine-tune one vision-language model to answer metric 3D questions about pictures, and ask it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
data = typer.Typer(help="Bring data in, and look at it before training on it.", no_args_is_help=True)
app.add_typer(data, name="data")

app.command(
    epilog='Example: toolkit ask photo.jpg "how far is the red point" --point red=320,240 --focal 1100. '
    'Two pictures: toolkit ask a.jpg b.jpg "how far has the camera moved between these images" --fov 65. '
    'Many points: toolkit ask photo.jpg "how far is it" --grid 16x12',
)(ask)

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a built-in recipe.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]…", help="Replace settings: trainer.steps=50.")
]
Output = Annotated[Path | None, typer.Option(help="Output folder.")]
_NOT_OUR_FAULT = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG, errno.EPIPE)


def main() -> None:
    """Run the command line; a user's mistake prints problem, cause and remedy, and exits with 2."""
    try:
        app()
        sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in _NOT_OUR_FAULT:
            raise
        print(f"error: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        sys.exit(2)


@app.command(epilog="Example: toolkit train recipes/depth_plus_distance.yaml trainer.steps=200 --output runs/first")
def train(
    recipe: RecipeName,
    overrides: Overrides = None,
    output: Output = None,
    resume: Annotated[str, typer.Option(help="auto, never, or a checkpoint to go on from.")] = "auto",
    include: Include = None,
    dry_run: Annotated[bool, typer.Option(help="Show what would be trained on, and stop.")] = False,
) -> None:
    """Train one model on a recipe's mixture of tasks, and measure it on held-out pictures."""
    settings = _recipe(recipe, overrides, include)
    folder = output or settings.output or Path("runs") / Path(recipe).stem
    if dry_run:
        _show_preview(settings, 8, folder / "preview")
        return
    from toolkit.progress import err, is_first_process
    from toolkit.train import train as run

    try:
        trained = run(settings, folder, resume)
    except KeyboardInterrupt:
        err.print("interrupted; the same command goes on from the last saved step")
        sys.exit(130)
    if not is_first_process():
        return
    rate = trained.samples / max(trained.seconds, 1e-9)
    err.print(f"trained on {trained.samples} samples in {trained.seconds:.0f} s, {rate:.1f} samples/s")
    err.print(f"{trained.moved:.1%} of the trainable weights moved")
    if trained.report:
        console().print(trained.report.table())
    print(f"saved {trained.folder}")
    err.print(f'ask it: toolkit ask PICTURE "how far is the red point" --point red=U,V --model {trained.folder}')


@app.command("eval", epilog="Example: toolkit eval runs/all_tasks recipes/all_tasks.yaml --limit 50")
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A folder that toolkit train wrote.")],
    recipe: RecipeName,
    overrides: Overrides = None,
    predictor: Annotated[str, typer.Option(help="vlm (the checkpoint) or constant.")] = "vlm",
    check: Annotated[bool, typer.Option("--check", help="Check answers against the model's own depths.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Questions a task, for a quick look.")] = None,
    output: Output = None,
    include: Include = None,
    as_json: Json = False,
) -> None:
    """Measure a checkpoint on a recipe's held-out pictures, beside the best constant answer."""
    settings = _recipe(recipe, [*(overrides or []), *([f"evaluation.samples={limit}"] if limit else [])], include)
    from toolkit.measure import measure_checkpoint
    from toolkit.progress import err
    from toolkit.storage import make_folder

    folder = output or checkpoint / "evaluation" / f"{Path(recipe).stem}-{predictor}"
    make_folder(folder)
    report = measure_checkpoint(checkpoint, settings, predictor, check, folder)
    err.print(f"wrote {folder}")
    if as_json:
        print_json(report.as_json())
    else:
        console().print(report.table())


@app.command(epilog="Example: toolkit export runs/all_tasks exported/all_tasks")
def export(
    checkpoint: Annotated[Path, typer.Argument(help="A folder that toolkit train wrote, or a training/checkpoint-N.")],
    dest: Annotated[Path, typer.Argument(help="A new folder.")],
    include: Include = None,
) -> None:
    """Write a plain model folder, LoRA adapters merged, and prove that it answers as before."""
    include_tasks(include)
    from toolkit.export import export as run

    exported = run(checkpoint, dest)
    merged = "adapter merged" if exported.adapter else "no adapter to merge"
    print(f"wrote {exported.folder}: {merged}; logits differ by {exported.difference:.2%} of their spread")


@app.command("tasks", epilog="Example: toolkit tasks travel_time")
def list_tasks(
    name: Annotated[str | None, typer.Argument(help="Show one task.")] = None,
    include: Include = None,
    as_json: Json = False,
) -> None:
    """List the tasks, or show one with its phrasings."""
    include_tasks(include)
    from toolkit.registry import get_task, task_names
    from toolkit.routing import describe_needs

    tasks = [get_task(name)] if name else [get_task(each) for each in task_names()]
    if as_json:
        print_json([task.describe() for task in tasks])
        return
    for task in tasks:
        about = task.describe()
        print(f"{task.name:<25} {describe_needs(task):<25} {about['summary']}")
    if name:
        print(tasks[0].template_path().read_text(encoding="utf-8"))


@app.command("recipes", epilog="Example: toolkit recipes depth_plus_distance > mine.yaml")
def list_recipes(
    name: Annotated[str | None, typer.Argument(help="Print one recipe.")] = None, as_json: Json = False
) -> None:
    """List the built-in recipes, or print one to start from."""
    from toolkit.recipe_file import find_recipe, recipe_names, recipe_summary

    if name:
        print(find_recipe(name).read_text(encoding="utf-8"), end="")
    elif as_json:
        print_json({each: recipe_summary(each) for each in recipe_names()})
    else:
        for each in recipe_names():
            print(f"{each:<34}{recipe_summary(each)}")


@app.command("env", epilog="Example: toolkit env --json")
def show_env(as_json: Json = False) -> None:
    """Versions and devices, for a bug report."""
    import platform

    import torch

    from toolkit.checkpoint import versions

    found = {
        "python": platform.python_version(),
        **versions(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "cpu threads": torch.get_num_threads(),
    }
    if as_json:
        print_json(found)
    else:
        for name, value in found.items():
            print(f"{name:<14}{', '.join(value) or 'none' if isinstance(value, list) else value}")


@data.command("preview", epilog="Example: toolkit data preview recipes/all_tasks.yaml --count 12")
def data_preview(
    recipe: RecipeName,
    overrides: Overrides = None,
    count: Annotated[int, typer.Option(min=1, help="Samples to show.")] = 8,
    output: Output = None,
    include: Include = None,
) -> None:
    """What the model will see: marked pictures, prompts, the tokens that carry loss, lengths."""
    _show_preview(_recipe(recipe, overrides, include), count, output or Path("runs") / "preview")


@data.command("validate", epilog="Example: toolkit data validate data/manifest.jsonl")
def data_validate(
    path: Annotated[Path, typer.Argument(metavar="MANIFEST_OR_RECIPE")], overrides: Overrides = None
) -> None:
    """Check every line of a manifest, or a recipe and all that it names; all faults are reported."""
    from toolkit.validate import validate

    print(validate(path, overrides or []))


@data.command("formats", epilog="Example: toolkit data formats kitti")
def data_formats(
    name: Annotated[str | None, typer.Argument(metavar="[FORMAT]", help="Show one: licence, expected folders.")] = None,
) -> None:
    """List the data sets that can be converted, or show one."""
    from toolkit.convert.registry import describe_format, describe_formats

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
    from toolkit.convert import Options
    from toolkit.convert.job import Job, parse_shard
    from toolkit.convert.run import convert
    from toolkit.progress import err

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
    from toolkit.convert.joining import merge

    _print_outcome(merge(dest, skip_bad), dest)


def _print_outcome(outcome: "Outcome", dest: Path) -> None:
    from toolkit.convert.joining import FAULTS
    from toolkit.convert.overlay import save_overlay
    from toolkit.errors import UserErrors
    from toolkit.progress import err

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


def _recipe(name: str, overrides: list[str] | None, include: list[Path] | None) -> "Recipe":
    from toolkit.recipe_file import load_recipe

    recipe = load_recipe(name, overrides or [])
    files = tuple(dict.fromkeys((*recipe.include, *(path.resolve() for path in include or []))))
    return recipe.model_copy(update={"include": files})


def _show_preview(recipe: "Recipe", count: int, folder: Path) -> None:
    from toolkit.preview import describe, preview
    from toolkit.storage import make_folder

    make_folder(folder)
    shown = preview(recipe, count)
    written = shown.save(folder)
    for index, seen in enumerate(shown.seen):
        print(describe(index, seen))
    for path in written:
        print(f"wrote {path}")
