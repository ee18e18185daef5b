"""The ``toolkit`` command: results on stdout, everything else on stderr; exit 0 done, 2 a user's mistake.

Imports that take time stand inside the commands, so that ``--help`` answers at once.
"""

import errno
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.errors import UserError

if TYPE_CHECKING:
    from toolkit.ask import Answer
    from toolkit.recipe import Recipe

app = typer.Typer(
    help="Fine-tune one vision-language model to answer metric 3D questions about pictures, and ask it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
data = typer.Typer(help="Look at the data before training on it.", no_args_is_help=True)
app.add_typer(data, name="data")

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a built-in recipe.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]…", help="Replace settings: trainer.steps=50.")
]
Include = Annotated[list[Path] | None, typer.Option(help="Python file with tasks of your own; may be repeated.")]
Output = Annotated[Path | None, typer.Option(help="Output folder.")]
_NOT_OUR_FAULT = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG, errno.EPIPE)
_PAGE = 120  # columns of a table that goes into a file or a pipe
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
        _print_table(trained.report.table())
    print(f"saved {trained.folder}")
    err.print(f'ask it: toolkit ask PICTURE "how far is the red point" --point red=U,V --model {trained.folder}')


@app.command("eval", epilog="Example: toolkit eval runs/all_tasks recipes/all_tasks.yaml --limit 50")
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A folder that toolkit train wrote.")],
    recipe: RecipeName,
    overrides: Overrides = None,
    predictor: Annotated[str, typer.Option(help="vlm (the checkpoint) or constant.")] = "vlm",
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
    if output:
        make_folder(output)
    report = measure_checkpoint(checkpoint, settings, predictor)
    report.save(folder)
    err.print(f"wrote {folder}")
    if as_json:
        _print_json(report.as_json())
    else:
        _print_table(report.table())


@app.command(
    epilog='Example: toolkit ask photo.jpg "how far is the red point" --point red=320,240 --focal 1100. '
    'Two pictures: toolkit ask a.jpg b.jpg "how far has the camera moved between these images" --fov 65',
)
def ask(
    words: Annotated[list[str], typer.Argument(metavar="IMAGE [IMAGE] QUESTION", help="Pictures, then the question.")],
    model: Annotated[Path | None, typer.Option(help="The checkpoint; by default the newest in runs/.")] = None,
    point: Annotated[
        list[str] | None, typer.Option(metavar="NAME=U,V", help="A point, named by a colour, in pixels.")
    ] = None,
    intrinsics: Annotated[str | None, typer.Option(metavar="FX,FY,CX,CY", help="The camera, in pixels.")] = None,
    focal: Annotated[float | None, typer.Option(help="Focal length in pixels of this picture.")] = None,
    fov: Annotated[float | None, typer.Option(help="Horizontal field of view in degrees.")] = None,
    task: Annotated[str | None, typer.Option(help="Ask this task, whatever the words.")] = None,
    save: Annotated[Path | None, typer.Option(metavar="PNG", help="Write the picture as the model saw it.")] = None,
    include: Include = None,
    as_json: Json = False,
) -> None:
    """Ask a trained model about one picture, or about two."""
    if len(words) not in (2, 3):
        raise UserError(
            f"{len(words)} words are given, not one or two pictures and a question",
            remedy='put the question in quotes: toolkit ask photo.jpg "how far is the red point"',
        )
    from toolkit.ask import Asked, check_png, find_checkpoint
    from toolkit.ask import ask as answer_to
    from toolkit.intrinsics import CameraFlags
    from toolkit.routing import parse_intrinsics, parse_points

    camera = CameraFlags(None if intrinsics is None else parse_intrinsics(intrinsics), focal, fov)
    asked = Asked([Path(word) for word in words[:-1]], words[-1], parse_points(point or []), camera, task)
    if save:
        check_png(save)
    folder = find_checkpoint(model)
    _include(include)
    from toolkit.checkpoint import load_checkpoint

    answer = answer_to(load_checkpoint(folder), asked)
    if save:
        from toolkit.sheet import save_png

        save_png(answer.shown, save)
    if as_json:
        _print_json({**answer.as_json(), "model": str(folder)})
    else:
        _print_answer(answer, folder)


@app.command(epilog="Example: toolkit export runs/all_tasks exported/all_tasks")
def export(
    checkpoint: Annotated[Path, typer.Argument(help="A folder that toolkit train wrote, or a training/checkpoint-N.")],
    dest: Annotated[Path, typer.Argument(help="A new folder.")],
    include: Include = None,
) -> None:
    """Write a plain model folder, LoRA adapters merged, and prove that it answers as before."""
    _include(include)
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
    _include(include)
    from toolkit.registry import get_task, task_names
    from toolkit.routing import describe_needs

    tasks = [get_task(name)] if name else [get_task(each) for each in task_names()]
    if as_json:
        _print_json([task.describe() for task in tasks])
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
        _print_json({each: recipe_summary(each) for each in recipe_names()})
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
        _print_json(found)
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


@data.command("audit", epilog="Example: toolkit data audit data/manifest.jsonl --frames 100 --json")
def data_audit(
    manifest: Annotated[Path, typer.Argument(help="A .jsonl file; its lines need not say their depth_type.")],
    frames: Annotated[int, typer.Option(min=1, help="Lines that are read whole, drawn by the seed.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample.")] = 0,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Find faults of labels without ground truth: verdicts with evidence, and a sheet of the worst frames."""
    from toolkit.audit import audit
    from toolkit.progress import err

    report = audit(manifest, frames, seed)
    if as_json:
        _print_json(report.as_json())
    else:
        _print_table(report.table())
    sheet = (output or Path("runs") / "audit") / f"{manifest.stem}.png"
    if report.save_sheet(sheet):
        err.print(f"wrote {sheet}, the worst frames")


def _recipe(name: str, overrides: list[str] | None, include: list[Path] | None) -> "Recipe":
    from toolkit.recipe_file import load_recipe

    recipe = load_recipe(name, overrides or [])
    files = tuple(dict.fromkeys((*recipe.include, *(path.resolve() for path in include or []))))
    return recipe.model_copy(update={"include": files})


def _include(files: list[Path] | None) -> None:
    from toolkit.registry import load_tasks

    for path in files or []:
        load_tasks(path)


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


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _print_table(table: Any) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = _PAGE
    console.print(table)


def _print_answer(answer: "Answer", folder: Path) -> None:
    from toolkit.progress import err

    print(answer.said or f"the answer cannot be read: {answer.text!r}")
    camera = ", ".join(f"{value:g}" for value in answer.camera[0])
    err.print(f"  asked    {answer.task}: {answer.prompt}")
    for name, place in answer.points.items():
        u, v = place["pixel"]
        err.print(f"  point    {name} at ({u:g}, {v:g}), from {place['source']}")
    err.print(f"  camera   {camera} (fx, fy, cx, cy, width, height), from {answer.camera_source}")
    err.print(f"  model    {folder}")
    for warning in answer.warnings:
        err.print(f"[bold yellow]warning:[/] {warning}")
