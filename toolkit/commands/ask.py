"""``toolkit ask``: one question about one picture or two, or the same about many points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.commands.shared import Include, Json, console, include_tasks, print_json
from toolkit.errors import UserError

if TYPE_CHECKING:
    from toolkit.answers import Answer
    from toolkit.ask import Asker
    from toolkit.intrinsics import CameraFlags

Model = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|openai:NAME@URL", help="The checkpoint, by default the newest in runs/; or a model on a server."
    ),
]
Like = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The checkpoint that says how a model on a server is asked.")
]
Intrinsics = Annotated[str | None, typer.Option(metavar="FX,FY,CX,CY", help="The camera, in pixels.")]
Focal = Annotated[float | None, typer.Option(help="Focal length in pixels of this picture.")]
Fov = Annotated[float | None, typer.Option(help="Horizontal field of view in degrees.")]
TaskName = Annotated[str | None, typer.Option(help="Ask this task, whatever the words.")]


def ask(
    words: Annotated[list[str], typer.Argument(metavar="IMAGE [IMAGE] QUESTION", help="Pictures, then the question.")],
    model: Model = None,
    like: Like = None,
    point: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=U,V", help="A point, named by a colour, in pixels, or in per cent: 50%,40%."),
    ] = None,
    points: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ask about every point of a file: U,V a line, JSON or .npy.")
    ] = None,
    grid: Annotated[str | None, typer.Option(metavar="COLUMNSxROWS", help="Ask about a grid of points.")] = None,
    intrinsics: Intrinsics = None,
    focal: Focal = None,
    fov: Fov = None,
    task: TaskName = None,
    raw: Annotated[bool, typer.Option("--raw", help="Ask in your very words, not in those of training.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Check the answer against the model's own depths.")] = False,
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
    from toolkit.places import parse_points
    from toolkit.sheet import check_png, save_png
    from toolkit.show import as_csv, many_as_json, show_answer

    images, question = [Path(word) for word in words[:-1]], words[-1]
    camera = camera_flags(intrinsics, focal, fov)
    named = parse_points(point or [])
    if save:
        check_png(save)
    if points or grid:
        _refuse_with_many({"--point": named, "--raw": raw, "--check": check, "--save": save, "two": images[1:]})
        answers = _ask_many(load_asker(model, include, like), images[0], question, _Many(points, grid, camera, task))
        if as_json:
            print_json(many_as_json(answers))
        else:
            print(as_csv(answers), end="")
        return
    asker = load_asker(model, include, like)
    answer = asker.ask(images, question, points=named, camera=camera, task=task, raw=raw, check=check)
    if save:
        save_png(answer.shown, save)
    if as_json:
        print_json(answer.as_json())
    else:
        show_answer(answer, console())


@dataclass(frozen=True)
class _Many:
    """Which points the same question is asked about.

    Attributes:
        file: They stand in this file.
        grid: Or they are the middles of so many cells: "16x12".
        camera: What is known of the camera.
        task: Whose question it is, None to find it from the words.
    """

    file: Path | None
    grid: str | None
    camera: "CameraFlags"
    task: str | None


def _ask_many(asker: "Asker", image: Path, question: str, many: _Many) -> "list[Answer]":
    from toolkit.pictures import open_picture
    from toolkit.places import parse_points_file
    from toolkit.pointing import grid_points, parse_grid
    from toolkit.progress import bar

    opened = open_picture(image)
    if many.file:
        where: Sequence[Sequence[float]] = [place.pixel(*opened.size) for place in parse_points_file(many.file)]
    else:
        where = grid_points(*parse_grid(many.grid or ""), *opened.size).tolist()
    with bar("asking", len(where)) as progress:
        return asker.ask_many(opened, question, where, camera=many.camera, task=many.task, progress=progress.advance)


def _refuse_with_many(given: Mapping[str, object]) -> None:
    """Refuse what has no meaning where many points are asked about."""
    for name, value in given.items():
        if value:
            raise UserError(
                f"{name if name.startswith('--') else 'a second picture'} cannot be given with --points or --grid",
                cause="these ask the same about every point of one picture",
                remedy="leave it out",
            )


def camera_flags(intrinsics: str | None, focal: float | None, fov: float | None) -> "CameraFlags":
    """What the user says of the camera."""
    from toolkit.intrinsics import CameraFlags
    from toolkit.routing import parse_intrinsics

    return CameraFlags(None if intrinsics is None else parse_intrinsics(intrinsics), focal, fov)


def load_asker(model: str | None, include: list[Path] | None, like: Path | None) -> "Asker":
    """The model to ask; a user's own tasks are loaded before it."""
    from toolkit.ask import find_checkpoint, load

    named = model or find_checkpoint()
    include_tasks(include)
    return load(named, like)
