"""``toolkit ask``: one question about one picture or two, or the same about many points."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.cli.options import Include, Json, console, include_tasks, print_json
from toolkit.errors import UserError

if TYPE_CHECKING:
    from toolkit.inference.answer import Answer
    from toolkit.inference.asker import Asker
    from toolkit.inference.camera_source import CameraFlags
    from toolkit.inference.picture import Opened
    from toolkit.inference.points import Named
    from toolkit.utils.arrays import Array

Model = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|tiny|openai:NAME@URL",
        help="The checkpoint, by default the newest in runs/, else tiny, the toolkit's own; or one on a server.",
    ),
]


Like = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The checkpoint that says how a model on a server is asked.")
]


Intrinsics = Annotated[str | None, typer.Option(metavar="FX,FY,CX,CY", help="The camera, in pixels.")]


TaskName = Annotated[str | None, typer.Option(help="Ask this task, whatever the words.")]


_EXAMPLE = 'toolkit ask photo.jpg "how far is the red point"'


_LONGEST_QUESTION = 2000  # characters


def _pixels(given: str) -> float:
    """The number of --focal."""
    return _number("--focal", given, "pixels of this picture, or pass the field of view: --fov DEGREES")


def _degrees(given: str) -> float:
    """The number of --fov."""
    return _number("--fov", given, "degrees between the left and the right border, or pass --focal PX")


def _number(flag: str, given: str, unit: str) -> float:
    try:
        return float(given)
    except ValueError:
        raise UserError(f"{flag} {given}: this is not a number", remedy=f"give a number alone, in {unit}") from None


Focal = Annotated[
    float | None, typer.Option(parser=_pixels, metavar="PX", help="Focal length in pixels of this picture.")
]


Fov = Annotated[
    float | None, typer.Option(parser=_degrees, metavar="DEGREES", help="Horizontal field of view in degrees.")
]


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
    to_json: Json = False,
) -> None:
    """Ask a trained model about one picture, or about two."""
    from toolkit.cli.render import answers_to_json, show_answer, show_many
    from toolkit.inference.point_syntax import parse_points
    from toolkit.utils.contact_sheet import save_png

    images, question = _pictures_and_question(words, task)
    camera = camera_flags(intrinsics, focal, fov)
    named = parse_points(point or [])
    # All that can be wrong with what is asked is said before the model is loaded, which may take minutes.
    opened = open_pictures(images, camera, named)
    if points is not None and grid is not None:
        raise UserError("--points and --grid are given together", remedy="leave one out")
    if points is not None or grid is not None:
        _refuse_with_many({"--point": named, "--raw": raw, "--check": check, "--save": save, "two": images[1:]})
        many = _Many(points, grid, camera, task)
        where = many.where(opened[0].size)
        answers = _ask_many(load_asker(model, include, like), opened[0], question, where, many)
        if to_json:
            print_json(answers_to_json(answers))
        else:
            show_many(answers)
        return
    if save:
        _check_save(save, images)
    asker = load_asker(model, include, like)
    answer = asker.ask(opened, question, points=named, camera=camera, task=task, raw=raw, check=check)
    if save:
        save_png(answer.shown, save)
    if to_json:
        print_json(answer.to_json())
    else:
        show_answer(answer, console())


def _pictures_and_question(words: Sequence[str], task: str | None) -> tuple[list[Path], str]:
    """The pictures, and the question behind them."""
    files = [os.path.isfile(word) for word in words]  # Path.is_file raises where a name is too long to be one
    *named, question = words
    if files[-1] and not all(files):
        raise UserError("the question comes last", f"{question} is a file", f"write it like {_EXAMPLE}")
    if len(words) == 1 and not files[0] and " " in words[0]:
        raise UserError("the picture is missing", remedy=f"put it before the question: {_EXAMPLE}")
    if len(words) == 1 or files[-1]:
        raise UserError("the question is missing", remedy=f"put the question in quotes behind the picture: {_EXAMPLE}")
    if len(words) > 3 and all(files[:-1]):
        raise UserError(
            f"{len(named)} pictures are given", "a question is about one picture, or about two", "leave some out"
        )
    if len(words) > 3 or (len(words) == 3 and not files[1] and not Path(words[1]).suffix):
        raise UserError(
            f"{len(words)} words are given, not one or two pictures and a question",
            remedy=f"put the question in quotes: {_EXAMPLE}",
        )
    if not question.strip() and task is None:
        raise UserError("the question is empty", remedy=f"write it like {_EXAMPLE}; or say which --task is asked")
    if len(question) > _LONGEST_QUESTION:
        raise UserError(
            f"the question has {len(question)} characters", f"at most {_LONGEST_QUESTION} are taken", "ask in fewer"
        )
    return [Path(word) for word in named], question


def open_pictures(
    images: Sequence[Path], camera: "CameraFlags", points: "Mapping[str, Named] | None" = None
) -> "list[Opened]":
    """The pictures, with which the camera and the points, those of the first one, must go together."""
    from toolkit.inference.camera_source import camera_of
    from toolkit.inference.picture import open_picture
    from toolkit.inference.points import check_points

    opened = [open_picture(image) for image in images]
    cameras = [camera_of(each, camera).camera for each in opened]
    check_points(points or {}, cameras[0])
    return opened


def _check_save(save: Path, images: Sequence[Path]) -> None:
    from toolkit.utils.contact_sheet import check_png

    for image in images:
        if save.exists() and save.samefile(image):
            raise UserError(f"--save {save}: this is the picture that is asked about", remedy="choose another name")
    if save.parent.exists() and not save.parent.is_dir():
        raise UserError(f"--save {save}: {save.parent} is not a folder", remedy="choose another place")
    check_png(save)


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

    def where(self, size: tuple[int, int]) -> "Array":
        """The points (N, 2) [px] of a picture of ``size`` (width, height)."""
        import numpy as np

        from toolkit.inference.point_syntax import parse_points_file
        from toolkit.inference.points import grid_points, parse_grid

        if self.file:
            return np.array([place.pixel(*size) for place in parse_points_file(self.file)], dtype=np.float64)
        return grid_points(*parse_grid(self.grid or ""), *size)


def _ask_many(asker: "Asker", opened: "Opened", question: str, where: "Array", many: _Many) -> "list[Answer]":
    from toolkit.inference.camera_source import camera_of
    from toolkit.utils.progress import bar

    if many.grid:
        known = camera_of(opened, many.camera)
        asker.check_focal(opened.picture.name, known)
        held = asker.presenter.canonicalisation.holds(known.camera, where)
        if not held.any():
            raise UserError(
                f"--grid {many.grid}: the lens bends all of these points out of the picture that the model is shown",
                remedy="ask on a finer grid, or about points nearer to the middle: --points FILE",
            )
        if not held.all():
            bent = (
                f"{len(where) - held.sum()} of {len(where)} points are left out: the lens bends them out of the picture"
            )
            typer.echo(f"note: {bent} that the model is shown", err=True)
        where = where[held]
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
    from toolkit.cli.options import parse_intrinsics
    from toolkit.inference.camera_source import CameraFlags

    return CameraFlags(None if intrinsics is None else parse_intrinsics(intrinsics), focal, fov)


def load_asker(model: str | None, include: list[Path] | None, like: Path | None) -> "Asker":
    """The model to ask; a user's own tasks are loaded before it."""
    from toolkit.inference.asker import load

    include_tasks(include)
    return load(model, like)
