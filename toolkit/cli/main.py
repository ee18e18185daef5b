"""The ``toolkit`` command. Results go to stdout, everything else to stderr. It exits with 0, or 2 for a user's mistake.

Imports that take time are inside the commands, so that ``--help`` answers at once.
"""

import io
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NoReturn

import typer

from toolkit.cli.ask import ask
from toolkit.cli.cloud import cloud
from toolkit.cli.data import data, print_preview
from toolkit.cli.interrupted import if_interrupted, told_when_interrupted
from toolkit.cli.last_net import ForeignWordsGroup, show_hidden_characters
from toolkit.cli.models import models
from toolkit.cli.options import (
    Device,
    Dtype,
    Force,
    Include,
    Json,
    Like,
    Output,
    Overrides,
    Quantize,
    RecipeName,
    Trust,
    console,
    include_tasks,
    print_json,
    recipe_of,
    say,
)
from toolkit.errors import UserError, wrapped
from toolkit.foreign_text import one_line, visible
from toolkit.inference.caveats import is_shipped
from toolkit.modeling.placement import AUTO, Placement
from toolkit.utils.interruption import asked_to_stop
from toolkit.utils.resources import TINY
from toolkit.utils.system_errors import system_error

app = typer.Typer(
    cls=ForeignWordsGroup,
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

app.command(epilog="Example: toolkit models facebook/DepthLM")(models)

_READER_GONE = 141  # the exit code of programs that SIGPIPE ends, such as those before `| head`


def _print_version(asked: bool) -> None:
    """Print the version of the toolkit, and exit."""
    if asked:
        from toolkit.utils.versions import TOOLKIT, version_of

        say(f"{TOOLKIT} {version_of(TOOLKIT)}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The options of the whole program. The help text of the program is given above, to ``typer.Typer``."""


def main() -> None:
    """Run the command line.

    For a user's mistake, print problem, cause and remedy, and exit with 2. If a signal stops the program, say what is
    kept, and exit with 130 (Ctrl-C), 143 (SIGTERM) or 129 (SIGHUP).
    """
    with told_when_interrupted():
        _run()


def _run() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be valid text
    show_hidden_characters()
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:  # it is None if it was closed before the start
                sys.stdout.flush()
    except UserError as error:
        if asked_to_stop() is None:  # otherwise it is a consequence of the signal, which is told instead
            _print_error(error)
        sys.exit(2)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer and rich take this for an error
            sys.exit(_READER_GONE)
        raise
    except OSError as error:
        _end_refused(error)


def _end_refused(error: OSError) -> NoReturn:
    """Exit after an error of the operating system; one that is a fault of the program is raised again."""
    if error.filename is None:
        _discard_output()
    if isinstance(error, BrokenPipeError):
        sys.exit(_READER_GONE)
    refused = system_error(error.filename or "the output", error, "used" if error.filename else "written")
    if refused is None:
        raise error
    _print_error(refused)
    sys.exit(2)


def _print_error(error: UserError) -> None:
    """Print an error. On a terminal, its lines are wrapped between words."""
    text = f"error: {error}"
    if sys.stderr is None:
        return  # print would take stdout instead
    if sys.stderr.isatty():
        text = wrapped(text, shutil.get_terminal_size().columns)
    with suppress(OSError):  # its disk is full, or its reader is gone
        print(visible(text), file=sys.stderr)


def _discard_output() -> None:
    """Discard the output that could not be written; otherwise the interpreter tries to write it again at the end."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command(epilog="Example: toolkit train recipes/depth_plus_distance.yaml trainer.steps=200 --output runs/first")
def train(
    recipe: RecipeName,
    overrides: Overrides = None,
    output: Output = None,
    resume: Annotated[str, typer.Option(help="auto, never, or a checkpoint to continue from.")] = "auto",
    include: Include = None,
    trust: Trust = False,
    force: Force = False,
    dry_run: Annotated[bool, typer.Option(help="Show what would be trained on, and stop.")] = False,
) -> None:
    """Train one model on a recipe's mixture of tasks, and measure it on held-out pictures."""
    settings = recipe_of(recipe, overrides, include, trust)
    folder = output or settings.output or Path("runs") / Path(recipe).stem
    if dry_run:
        print_preview(settings, 8, folder / "preview", force=force)
        return
    if_interrupted(lambda: _saved_steps(folder), () if resume == "auto" else ("--resume", "auto"))
    from toolkit.training.train import train as run
    from toolkit.utils.progress import err, is_first_process

    trained = run(settings, folder, resume, force)
    if not is_first_process():
        return
    rate = trained.samples / max(trained.seconds, 1e-9)
    err.print(f"trained on {trained.samples} samples in {trained.seconds:.0f} s, {rate:.1f} samples/s")
    err.print(f"{trained.moved:.1%} of the trainable weights moved")
    if trained.report:
        console().print(trained.report.to_table())
    say(f"saved {one_line(trained.folder)}")
    named = one_line(shlex.quote(str(trained.folder)))
    err.print(f'ask it: toolkit ask PICTURE "how far is the red point" --point red=U,V --model {named}')


def _saved_steps(run: Path) -> str:
    """What an interrupted run keeps. The trainer's state is the last file of each saved step."""
    if (run / "toolkit.json").is_file():
        return f"{run} is finished"
    saved = [path.parent.name for path in run.glob("training/checkpoint-*/trainer_state.json")]
    last = max((int(name.rpartition("-")[2]) for name in saved), default=0)
    return f"the first {last} steps are saved" if last else "no step is saved yet"


@app.command("eval", epilog="Example: toolkit eval runs/all_tasks recipes/all_tasks.yaml --limit 50")
def evaluate(
    checkpoint: Annotated[
        str,
        typer.Argument(
            help="A folder of toolkit train or of a downloaded model, tiny, or OWNER/NAME of a model on the Hugging "
            "Face hub; - takes the recipe's settings."
        ),
    ],
    recipe: RecipeName,
    overrides: Overrides = None,
    like: Like = None,
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
        typer.Option(
            metavar="NAME,…", help="Ask these tasks instead of the recipe's; general stands for ordinary questions."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="The number of questions for each task, for a quick look.")
    ] = None,
    device: Device = AUTO,
    dtype: Dtype = AUTO,
    quantize: Quantize = None,
    output: Output = None,
    include: Include = None,
    trust: Trust = False,
    force: Force = False,
    to_json: Json = False,
) -> None:
    """Measure a checkpoint on a recipe's held-out pictures, and compare it with the best constant answer."""
    from toolkit.evaluation.ranks import joined_ranks

    placement = Placement(device, dtype, quantize)
    with joined_ranks() as ranks:
        settings = recipe_of(
            recipe, [*(overrides or []), *([f"evaluation.samples={limit}"] if limit else [])], include, trust
        )
        from toolkit.config.build import recipe_with_tasks
        from toolkit.evaluation.evaluate import EvaluationSetup, evaluate_recipe
        from toolkit.modeling.checkpoint_contract import read_contract, with_own_tasks
        from toolkit.modeling.fetch_model import fetch_model
        from toolkit.modeling.find_contract import is_stock
        from toolkit.utils.files import make_folder
        from toolkit.utils.progress import err

        measured = None if checkpoint == "-" else fetch_model(checkpoint, weights=False)
        named = tasks.split(",") if tasks else []
        if measured is not None and not is_stock(measured):
            read_contract(measured)  # before anything is written into its folder
            settings = with_own_tasks(measured, settings, named)
        if named:
            settings = recipe_with_tasks(settings, named)
        words = [*named, *(["like", like] if like else [])]
        folder = output or _report_folder(measured, recipe, words, " ".join([predictor, *placement.words]), limit)
        if_interrupted(lambda: f"{_count_kept(folder)} answers are kept in {folder}")
        make_folder(folder)
        setup = EvaluationSetup(predictor, check, allow_overlap, ranks, like, placement)
        report = evaluate_recipe(measured, settings, setup, folder, force)
    if not ranks.is_first:
        return
    err.print(f"wrote {one_line(folder)}")
    if to_json:
        print_json(report.to_json())
    else:
        console().print(report.to_table())


def _count_kept(folder: Path) -> int:
    """The number of answers that an interrupted evaluation keeps: one a line, below the first line of each file."""
    return sum(max(0, path.read_bytes().count(b"\n") - 1) for path in folder.glob("samples.part*.jsonl"))


def _report_folder(measured: Path | None, recipe: str, more: Sequence[str], predictor: str, limit: int | None) -> Path:
    """The folder for the report of an evaluation whose output the user does not name."""
    from toolkit.modeling.fetch_model import hub_name
    from toolkit.modeling.find_contract import is_stock

    shipped = measured is not None and is_shipped(measured)  # nothing may be written into the toolkit's own folder
    words = [
        *([f"first-{limit}"] if limit else []),
        *([TINY] if shipped else []),
        Path(recipe).stem,
        *map(_file_name, more),
        _file_name(predictor),
    ]
    name = "-".join(words)
    if measured is None or shipped:
        return Path("runs") / "evaluation" / name
    if (shared := hub_name(measured)) or is_stock(measured):  # others made it, and their folder stays as it is
        return Path("evaluations") / _file_name(shared or measured.resolve().name) / name
    return measured / "evaluation" / name


def _file_name(text: str) -> str:
    """A text as the name of a file: letters, digits, dots, dashes and underscores, beginning with none of the dots."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")


@app.command("compare", epilog="Example: toolkit compare runs/a/evaluation/mine-vlm runs/b/evaluation/mine-vlm")
def compare_reports(
    reports: Annotated[list[Path], typer.Argument(help="Folders that toolkit eval wrote; the first is the reference.")],
    number: Annotated[
        list[str] | None, typer.Option(help="A number to compare, such as rmse; may be repeated.")
    ] = None,
    include: Include = None,
    to_json: Json = False,
) -> None:
    """Compare evaluations side by side, with paired differences on the questions that all of them asked."""
    include_tasks(include)
    from toolkit.evaluation.reports.compare import compare, read_evaluation
    from toolkit.qa.tasks.registry import get_task, task_names
    from toolkit.utils.progress import err

    tasks = {name: get_task(name) for name in task_names()}
    found = compare([read_evaluation(path, tasks) for path in reports], tasks, number or ())
    if to_json:
        print_json(found.to_json())
        return
    console().print(found.to_table())
    for name, count in zip(found.names, found.left_out, strict=True):
        if count:
            err.print(f"{one_line(name)}: {count} questions were not asked of all others and are left out")


@app.command("rescore", epilog="Example: toolkit rescore runs/a/evaluation/mine-vlm")
def rescore_samples(
    folder: Annotated[Path, typer.Argument(help="A folder that toolkit eval wrote.")],
    include: Include = None,
    to_json: Json = False,
) -> None:
    """Read and score the answers of an evaluation again, without a model, and write its report again."""
    include_tasks(include)
    from toolkit.evaluation.rescore import rescore

    report = rescore(folder)
    if to_json:
        print_json(report.to_json())
    else:
        console().print(report.to_table())


@app.command(
    epilog="Example: toolkit export runs/all_tasks exported/all_tasks. "
    "To share a run: toolkit export runs/all_tasks --push-to-hub OWNER/NAME"
)
def export(
    checkpoint: Annotated[
        str,
        typer.Argument(help="A folder that toolkit train wrote, a training/checkpoint-N in it, tiny, or OWNER/NAME."),
    ],
    dest: Annotated[
        Path | None, typer.Argument(help="The folder to write. It may be left out with --push-to-hub.")
    ] = None,
    push_to_hub: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Send the model to this repository on the Hugging Face hub."),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Let everybody see that repository.")] = False,
    include: Include = None,
    trust: Trust = False,
    force: Force = False,
) -> None:
    """Write a plain model folder, with LoRA adapters merged, and prove that the model answers as before."""
    if dest is None and push_to_hub is None:
        example = f"toolkit export {checkpoint} FOLDER"
        raise UserError("the folder to write is missing", remedy=f"{example}, or --push-to-hub OWNER/NAME")
    if public and push_to_hub is None:
        raise UserError("--public says who may see a repository, and none is given", remedy="--push-to-hub OWNER/NAME")
    include_tasks(include, trust)
    from toolkit.modeling.fetch_model import fetch_model
    from toolkit.training.export import export as run
    from toolkit.training.push_to_hub import HubTarget, license_note
    from toolkit.utils.progress import err

    target = HubTarget(push_to_hub, public, force) if push_to_hub is not None else None
    if target:
        target.check()  # before the work
    with _export_folder(dest) as folder:
        exported = run(fetch_model(checkpoint, weights=False), folder, force, push_to_hub or "")
        adapter = "adapter merged" if exported.adapter else "no adapter to merge"
        done = f"wrote {one_line(exported.folder)}" if dest else "exported"
        say(f"{done}: {adapter}; logits differ by {exported.difference:.2%} of their spread")
        if target:
            if note := license_note(exported.folder):
                err.note(note)
            say(f"shared ({'public' if public else 'private'}): {target.push(exported.folder, exported.files)}")
            err.print(f'ask it: toolkit ask PICTURE "how far is the red point" --point red=U,V --model {push_to_hub}')


@contextmanager
def _export_folder(dest: Path | None) -> Iterator[Path]:
    """The folder that an export writes: the user's, or one in the current folder that is deleted at the end."""
    if dest is not None:
        yield dest
        return
    with TemporaryDirectory(prefix=".export-", dir=Path.cwd()) as scratch:
        yield Path(scratch, "model")


@app.command("tasks", epilog="Example: toolkit tasks travel_time")
def list_tasks(
    name: Annotated[str | None, typer.Argument(help="Show one task.")] = None,
    include: Include = None,
    to_json: Json = False,
) -> None:
    """List the tasks, or show one with its phrasings."""
    include_tasks(include)
    from toolkit.qa.tasks.registry import get_task, task_names
    from toolkit.qa.tasks.routing import needs_to_text

    tasks = [get_task(name)] if name else [get_task(each) for each in task_names()]
    template = tasks[0].words.path.read_text(encoding="utf-8") if name else ""
    if to_json:
        print_json([task.to_json() for task in tasks])
        return
    for task in tasks:
        about = task.to_json()
        say(f"{task.name:<25} {needs_to_text(task):<25} {about['summary']}")
    if template:
        say(template)


@app.command("recipes", epilog="Example: toolkit recipes depth_plus_distance > mine.yaml")
def list_recipes(
    name: Annotated[str | None, typer.Argument(help="Print one recipe.")] = None, to_json: Json = False
) -> None:
    """List the built-in recipes, or print one to start from."""
    from toolkit.config.load import load_recipe, read_recipe, recipe_names, recipe_summary

    if name and to_json:
        print_json(load_recipe(name).model_dump(mode="json"))
    elif name:
        say(read_recipe(name), end="")
    elif to_json:
        print_json({each: recipe_summary(each) for each in recipe_names()})
    else:
        for each in recipe_names():
            say(f"{each:<34}{recipe_summary(each)}")


@app.command("env", epilog="Example: toolkit env --json")
def show_env(to_json: Json = False) -> None:
    """Print versions and devices, for a bug report."""
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
            say(f"{name:<14}{', '.join(value) or 'none' if isinstance(value, list) else value}")
