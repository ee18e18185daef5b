"""The ``toolkit`` command: results on stdout, everything else on stderr; exit 0 done, 2 a user's mistake.

Imports that take time stand inside the commands, so that ``--help`` answers at once.
"""

import errno
import io
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.ask import ask
from toolkit.cli.cloud import cloud
from toolkit.cli.data import data, show_preview
from toolkit.cli.options import (
    Include,
    Json,
    Output,
    Overrides,
    RecipeName,
    console,
    include_tasks,
    print_json,
    recipe_of,
)
from toolkit.errors import UserError, wrapped
from toolkit.inference.caveats import is_shipped
from toolkit.utils.resources import TINY, model_folder

app = typer.Typer(
    help="Fine-tune one vision-language model to answer metric 3D questions about pictures, and ask it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(data, name="data")

app.command(
    epilog='Example: toolkit ask photo.jpg "how far is the red point" --point red=320,240 --focal 1100. '
    'Two pictures: toolkit ask a.jpg b.jpg "how far has the camera moved between these images" --fov 65. '
    'Many points: toolkit ask photo.jpg "how far is it" --grid 16x12',
)(ask)
app.command(
    epilog="Example: toolkit cloud photo.jpg -o photo.ply --focal 1100. "
    "From a depth map: toolkit cloud photo.jpg -o truth.ply --depth depth.png --depth-type z"
)(cloud)


_NOT_OUR_FAULT = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG, errno.EPIPE)


def main() -> None:
    """Run the command line; a user's mistake prints problem, cause and remedy, and exits with 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:  # it is None where it was closed before the start
                sys.stdout.flush()
    except UserError as error:
        _say(error)
        sys.exit(2)
    except OSError as error:
        if error.errno not in _NOT_OUR_FAULT:
            raise
        if error.filename is None:
            _drop_output()
        if error.errno == errno.EPIPE:
            sys.exit(1)  # as in `| head`: who reads has enough, and typer, which meets most of these, exits so
        _say(UserError(f"{error.filename or 'the output'}: {error.strerror}"))
        sys.exit(2)


def _say(error: UserError) -> None:
    """Print an error; on a terminal, in lines of whole words."""
    text = f"error: {error}"
    if sys.stderr is not None and sys.stderr.isatty():
        text = wrapped(text, shutil.get_terminal_size().columns)
    print(text, file=sys.stderr)


def _drop_output() -> None:
    """Send what could not be written nowhere, or the interpreter would try again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    settings = recipe_of(recipe, overrides, include)
    folder = output or settings.output or Path("runs") / Path(recipe).stem
    if dry_run:
        show_preview(settings, 8, folder / "preview")
        return
    from toolkit.training.train import train as run
    from toolkit.utils.progress import err, is_first_process

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
    checkpoint: Annotated[
        str,
        typer.Argument(
            help="A folder that toolkit train wrote, or of a downloaded model, or tiny; - takes the recipe's settings."
        ),
    ],
    recipe: RecipeName,
    overrides: Overrides = None,
    predictor: Annotated[
        str,
        typer.Option(
            metavar="KIND", help="vlm, constant, constant:TEXT, depth:NAME, openai:NAME@URL or file:ANSWERS.jsonl."
        ),
    ] = "vlm",
    check: Annotated[bool, typer.Option("--check", help="Check answers against the model's own depths.")] = False,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Measure even on pictures that were trained on; the report says so.")
    ] = False,
    tasks: Annotated[
        str | None,
        typer.Option(metavar="NAME,…", help="Ask these in place of the recipe's; general: ordinary questions."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Questions a task, for a quick look.")] = None,
    output: Output = None,
    include: Include = None,
    to_json: Json = False,
) -> None:
    """Measure a checkpoint on a recipe's held-out pictures, beside the best constant answer."""
    settings = recipe_of(recipe, [*(overrides or []), *([f"evaluation.samples={limit}"] if limit else [])], include)
    if tasks:
        from toolkit.config.build import asking

        settings = asking(settings, tasks.split(","))
    from toolkit.evaluation.evaluate import How, is_stock, measure
    from toolkit.modeling.checkpoint_contract import read_contract
    from toolkit.utils.files import make_folder
    from toolkit.utils.progress import err

    asked = None if checkpoint == "-" else Path(model_folder(checkpoint))
    if asked is not None and not is_stock(asked):
        read_contract(asked)  # before anything is written into its folder
    short = re.sub(r"[^\w.-]+", "-", predictor).strip("-")
    ours = asked is not None and is_shipped(asked)  # its folder is not the user's to write in
    cut = [f"first-{limit}"] if limit else []
    named = "-".join([*cut, *([TINY] if ours else []), Path(recipe).stem, *(tasks.split(",") if tasks else []), short])
    folder = output or (Path("runs") if asked is None or ours else asked) / "evaluation" / named
    make_folder(folder)
    report = measure(asked, settings, How(predictor, check, allow_overlap), folder)
    err.print(f"wrote {folder}")
    if to_json:
        print_json(report.to_json())
    else:
        console().print(report.table())


@app.command("compare", epilog="Example: toolkit compare runs/a/evaluation/mine-vlm runs/b/evaluation/mine-vlm")
def compare_reports(
    reports: Annotated[list[Path], typer.Argument(help="Folders that toolkit eval wrote; the first is the reference.")],
    number: Annotated[list[str] | None, typer.Option(help="Which number to compare, such as rmse; may repeat.")] = None,
    include: Include = None,
    to_json: Json = False,
) -> None:
    """Put evaluations side by side, with paired differences on the questions that all were asked."""
    include_tasks(include)
    from toolkit.evaluation.compare import compare, read_entry
    from toolkit.qa.registry import get_task, task_names
    from toolkit.utils.progress import err

    tasks = {name: get_task(name) for name in task_names()}
    found = compare([read_entry(path, tasks) for path in reports], tasks, number or ())
    if to_json:
        print_json(found.to_json())
        return
    console().print(found.table())
    for name, count in zip(found.names, found.left_out, strict=True):
        if count:
            err.print(f"{name}: {count} questions were not asked of all others and are left out")


@app.command("rescore", epilog="Example: toolkit rescore runs/a/evaluation/mine-vlm")
def rescore_samples(
    folder: Annotated[Path, typer.Argument(help="A folder that toolkit eval wrote.")],
    include: Include = None,
    to_json: Json = False,
) -> None:
    """Read and score the answers of an evaluation again, without a model; the report is written anew."""
    include_tasks(include)
    from toolkit.evaluation.rescore import rescore

    report = rescore(folder)
    if to_json:
        print_json(report.to_json())
    else:
        console().print(report.table())


@app.command(epilog="Example: toolkit export runs/all_tasks exported/all_tasks")
def export(
    checkpoint: Annotated[
        str, typer.Argument(help="A folder that toolkit train wrote, a training/checkpoint-N in it, or tiny.")
    ],
    dest: Annotated[Path, typer.Argument(help="A new folder.")],
    include: Include = None,
) -> None:
    """Write a plain model folder, LoRA adapters merged, and prove that it answers as before."""
    include_tasks(include)
    from toolkit.training.export import export as run

    exported = run(Path(model_folder(checkpoint)), dest)
    merged = "adapter merged" if exported.adapter else "no adapter to merge"
    print(f"wrote {exported.folder}: {merged}; logits differ by {exported.difference:.2%} of their spread")


@app.command("tasks", epilog="Example: toolkit tasks travel_time")
def list_tasks(
    name: Annotated[str | None, typer.Argument(help="Show one task.")] = None,
    include: Include = None,
    to_json: Json = False,
) -> None:
    """List the tasks, or show one with its phrasings."""
    include_tasks(include)
    from toolkit.qa.registry import get_task, task_names
    from toolkit.qa.routing import describe_needs

    tasks = [get_task(name)] if name else [get_task(each) for each in task_names()]
    template = tasks[0].words.path.read_text(encoding="utf-8") if name else ""
    if to_json:
        print_json([task.describe() for task in tasks])
        return
    for task in tasks:
        about = task.describe()
        print(f"{task.name:<25} {describe_needs(task):<25} {about['summary']}")
    if template:
        print(template)


@app.command("recipes", epilog="Example: toolkit recipes depth_plus_distance > mine.yaml")
def list_recipes(
    name: Annotated[str | None, typer.Argument(help="Print one recipe.")] = None, to_json: Json = False
) -> None:
    """List the built-in recipes, or print one to start from."""
    from toolkit.config.load import find_recipe, recipe_names, recipe_summary

    if name:
        print(find_recipe(name).read_text(encoding="utf-8"), end="")
    elif to_json:
        print_json({each: recipe_summary(each) for each in recipe_names()})
    else:
        for each in recipe_names():
            print(f"{each:<34}{recipe_summary(each)}")


@app.command("env", epilog="Example: toolkit env --json")
def show_env(to_json: Json = False) -> None:
    """Versions and devices, for a bug report."""
    import platform

    import torch

    from toolkit.utils.versions import versions

    found = {
        "python": platform.python_version(),
        **versions(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "cpu threads": torch.get_num_threads(),
    }
    if to_json:
        print_json(found)
    else:
        for name, value in found.items():
            print(f"{name:<14}{', '.join(value) or 'none' if isinstance(value, list) else value}")
