"""What the commands share: options, and the printing of results."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.errors import UserError
from toolkit.foreign_text import visible
from toolkit.utils.json import dump_json

if TYPE_CHECKING:
    from rich.console import Console

    from toolkit.config.recipe import Recipe


def parse_intrinsics(given: str) -> tuple[float, float, float, float]:
    """Parse the intrinsics fx, fy, cx, cy [px] from a text like ``FX,FY,CX,CY``.

    Raises:
        UserError: If the text is not four numbers.
    """
    try:
        fx, fy, cx, cy = (float(number) for number in given.split(","))
    except ValueError:
        raise UserError(
            f"--intrinsics {given}: these are not four numbers",
            remedy="write --intrinsics FX,FY,CX,CY in pixels",
        ) from None
    return fx, fy, cx, cy


RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a built-in recipe.")]

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]…", help="Replace settings: trainer.steps=50.")
]

Like = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|DIR|stock",
        help="What says how a model of others is asked: a published model, a checkpoint, or stock.",
    ),
]

Output = Annotated[Path | None, typer.Option(help="Output folder.")]
Include = Annotated[list[Path] | None, typer.Option(help="Python file with tasks of your own; may be repeated.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Run the Python files of the checkpoint and the recipe, and remember them.")
]
Force = Annotated[bool, typer.Option("--force", help="Write over files that this command did not write.")]
Known = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[,NAME]=LENGTH",
        help="A length that you measured: blue=2.4m from the camera, or blue,green=80cm between two points; it fixes "
        "the scale.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Device = Annotated[
    str, typer.Option(metavar="auto|cpu|cuda|cuda:1|mps", help="Where the weights are put; auto is a GPU of CUDA.")
]
Dtype = Annotated[
    str, typer.Option(metavar="auto|float32|bfloat16|float16", help="The type of the weights; auto keeps the files'.")
]
Quantize = Annotated[
    str | None, typer.Option(metavar="4bit|8bit", help="Shorten the weights, for a big model on a small GPU.")
]
_PAGE_WIDTH = 120  # columns of a table that goes into a file or a pipe


def say(text: str, end: str = "\n") -> None:
    """Print a text on stdout, and ``end`` behind it. Its control characters are shown."""
    print(visible(text), end=end)


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout. If stdout takes only ASCII, all other characters are escaped."""
    text = dump_json(value, indent=2)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    print(text)


def console() -> "Console":
    """The console for results."""
    from toolkit.utils.console import ForeignTextConsole

    out = ForeignTextConsole()
    if not out.is_terminal:
        out.width = _PAGE_WIDTH
    return out


def include_tasks(files: list[Path] | None, trust: bool = False) -> None:
    """Load the tasks in the user's Python files, and say whether others may run, too."""
    from toolkit.qa.tasks.registry import load_tasks
    from toolkit.qa.tasks.trust import let_run

    let_run(files or (), trust)
    if files:
        load_tasks(*files)


def recipe_of(name: str, overrides: list[str] | None, include: list[Path] | None, trust: bool) -> "Recipe":
    """Load a recipe, with the values that the command line replaces and the Python files that it adds."""
    from toolkit.config.load import load_recipe
    from toolkit.qa.tasks.trust import let_run

    let_run(include or (), trust)
    recipe = load_recipe(name, overrides or [])
    files = tuple(dict.fromkeys((*recipe.include, *(path.resolve() for path in include or []))))
    return recipe.model_copy(update={"include": files})
