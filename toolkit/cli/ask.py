"""``toolkit ask``: one question about one picture or two, or the same question about many points."""

import gc
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.cli.options import (
    Device,
    Dtype,
    Force,
    Include,
    Json,
    Known,
    Like,
    Quantize,
    Trust,
    console,
    include_tasks,
    print_json,
)
from toolkit.errors import UserError
from toolkit.modeling.placement import AUTO, Placement

if TYPE_CHECKING:
    from toolkit.inference.answer import Answer
    from toolkit.inference.asker import Asker
    from toolkit.inference.camera_source import CameraFlags
    from toolkit.inference.known_syntax import PointNames
    from toolkit.inference.scene import Scene
    from toolkit.utils.arrays import Array

Model = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|tiny|OWNER/NAME|openai:NAME@URL",
        help="A checkpoint, also one on the Hugging Face hub (OWNER/NAME or OWNER/NAME@REVISION), or a model on a "
        "server. The default is the newest run in runs/, else tiny.",
    ),
]

PointOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=U,V", help="A point, named by a colour, in pixels or in per cent (50%,40%)."),
]

Intrinsics = Annotated[str | None, typer.Option(metavar="FX,FY,CX,CY", help="The camera, in pixels.")]
TaskName = Annotated[str | None, typer.Option(help="Ask this task, whatever the words are.")]
_EXAMPLE = 'toolkit ask photo.jpg "how far is the red point"'
_LONGEST_QUESTION = 2000  # characters


def _parse_focal(given: str) -> float:
    """Parse the number of --focal."""
    return _parse_number("--focal", given, "pixels of this picture, or pass the field of view: --fov DEGREES")


def _parse_fov(given: str) -> float:
    """Parse the number of --fov."""
    return _parse_number("--fov", given, "degrees between the left and the right border, or pass --focal PX")


def _parse_number(flag: str, given: str, unit: str) -> float:
    try:
        return float(given)
    except ValueError:
        raise UserError(f"{flag} {given}: this is not a number", remedy=f"give a number alone, in {unit}") from None


Focal = Annotated[
    float | None, typer.Option(parser=_parse_focal, metavar="PX", help="Focal length in pixels of this picture.")
]

Fov = Annotated[
    float | None, typer.Option(parser=_parse_fov, metavar="DEGREES", help="Horizontal field of view in degrees.")
]


def ask(
    words: Annotated[list[str], typer.Argument(metavar="IMAGE [IMAGE] QUESTION", help="Pictures, then the question.")],
    model: Model = None,
    like: Like = None,
    point: PointOption = None,
    points: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Ask about all points in a file: one U,V per line, or JSON, or .npy."),
    ] = None,
    grid: Annotated[str | None, typer.Option(metavar="COLUMNSxROWS", help="Ask about a grid of points.")] = None,
    known: Known = None,
    intrinsics: Intrinsics = None,
    focal: Focal = None,
    fov: Fov = None,
    task: TaskName = None,
    raw: Annotated[bool, typer.Option("--raw", help="Ask in exactly your words, not in those of training.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Check the answer against the model's own depths.")] = False,
    save: Annotated[Path | None, typer.Option(metavar="PNG", help="Write the picture as the model saw it.")] = None,
    device: Device = AUTO,
    dtype: Dtype = AUTO,
    quantize: Quantize = None,
    force: Force = False,
    include: Include = None,
    trust: Trust = False,
    to_json: Json = False,
) -> None:
    """Ask a trained model about one picture, or about two."""
    from toolkit.cli.render import answers_to_json, print_answer, print_answers
    from toolkit.inference.known_syntax import names_in
    from toolkit.inference.point_syntax import parse_points
    from toolkit.inference.scene import open_scene

    images, question = _pictures_and_question(words, task)
    placement = Placement(device, dtype, quantize)
    named = parse_points(point or [])
    # All faults of the pictures, points and camera are found before the model is loaded, which may take minutes.
    scene = open_scene(images, camera_flags(intrinsics, focal, fov), named)
    lengths = known_lengths(known, scene)
    if points is not None and grid is not None:
        raise UserError("--points and --grid are given together", remedy="leave one out")
    if points is not None or grid is not None:
        _refuse_with_many(
            {
                "--point": named.keys() - names_in(lengths),
                "--raw": raw,
                "--check": check,
                "--save": save,
                "a second picture": images[1:],
            }
        )
        where = _make_grid(grid, scene.size) if grid is not None else _read_points(points, scene.size)
        asker = load_asker(model, include, like, trust, placement)
        if grid is not None:
            where = _shown_points(asker, scene, where, grid)
        answers = _ask_many(asker, scene, question, where, task, lengths)
        if to_json:
            print_json(answers_to_json(answers))
        else:
            print_answers(answers)
        return
    if save:
        _check_save(save, images, force)
    asker = load_asker(model, include, like, trust, placement)
    answer = asker.ask(scene, question, task=task, raw=raw, check=check, known=lengths)
    if save:
        from toolkit.utils.contact_sheet import save_png

        save_png(answer.shown, save, "ask")
    if to_json:
        print_json(answer.to_json())
    else:
        print_answer(answer, console())


def _pictures_and_question(words: Sequence[str], task: str | None) -> tuple[list[Path], str]:
    """Tell the pictures from the question, which comes last."""
    files = [os.path.isfile(word) for word in words]  # Path.is_file raises an error if a name is too long
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
            f"the question has {len(question)} characters", f"at most {_LONGEST_QUESTION} are taken", "use fewer words"
        )
    return [Path(word) for word in named], question


def _check_save(save: Path, images: Sequence[Path], force: bool) -> None:
    """Check that a PNG can be saved there, and what it would replace."""
    from toolkit.utils.contact_sheet import check_png
    from toolkit.utils.overwrite import check_overwrite

    for image in images:
        if save.exists() and save.samefile(image):
            raise UserError(f"--save {save}: this is the picture that is asked about", remedy="choose another name")
    if save.parent.exists() and not save.parent.is_dir():
        raise UserError(f"--save {save}: {save.parent} is not a folder", remedy="choose another place")
    check_png(save)
    check_overwrite([save], "ask", force)


def _read_points(file: Path | None, size: tuple[int, int]) -> "Array":
    """Read the points (N, 2) [px] in a file, for a picture of ``size`` (width, height)."""
    import numpy as np

    from toolkit.inference.point_syntax import parse_points_file

    return np.array([place.pixel(*size) for place in parse_points_file(file)] if file else [], dtype=np.float64)


def _make_grid(grid: str, size: tuple[int, int]) -> "Array":
    """The centres (N, 2) [px] of the cells of a grid like "16x12" in a picture of ``size`` (width, height)."""
    from toolkit.inference.points import grid_points, parse_grid

    return grid_points(*parse_grid(grid), *size)


def _ask_many(
    asker: "Asker", scene: "Scene", question: str, where: "Array", task: str | None, known: "dict[PointNames, float]"
) -> "list[Answer]":
    """Ask the same question about points (N, 2) [px], and show how far it is."""
    from toolkit.utils.progress import bar

    with bar("asking", len(where)) as progress:
        return asker.ask_many(scene, question, where, task=task, progress=progress.advance, known=known)


def _shown_points(asker: "Asker", scene: "Scene", where: "Array", grid: str) -> "Array":
    """The points (M, 2) of a grid, of all its points (N, 2) [px], that the canonical picture shows."""
    asker.check_focal(scene)
    held = asker.presenter.canonicalisation.holds(scene.frames[0].camera, where)
    if not held.any():
        raise UserError(
            f"--grid {grid}: the lens bends all of these points out of the picture that the model is shown",
            remedy="ask on a finer grid, or about points nearer to the middle: --points FILE",
        )
    if not held.all():
        bent = f"{len(where) - held.sum()} of {len(where)} points are left out: the lens bends them out of the picture"
        typer.echo(f"note: {bent} that the model is shown", err=True)
    return where[held]


def _refuse_with_many(given: Mapping[str, object]) -> None:
    """Refuse what has no meaning if many points are asked about: values by the words that a message has for them."""
    for name, value in given.items():
        if value:
            raise UserError(
                f"{name} cannot be given with --points or --grid",
                cause="these two ask the same about every point of one picture",
                remedy="leave it out",
            )


def known_lengths(known: list[str] | None, scene: "Scene") -> "dict[PointNames, float]":
    """The known lengths [m] that the user gives, after checking that their points can be found in the picture."""
    from toolkit.inference.known_syntax import names_in, parse_known
    from toolkit.inference.points import find_named

    lengths = parse_known(known or [], list(scene.points))
    find_named(names_in(lengths), scene.points, scene.frames[0])
    return lengths


def camera_flags(intrinsics: str | None, focal: float | None, fov: float | None) -> "CameraFlags":
    """What the user says about the camera."""
    from toolkit.cli.options import parse_intrinsics
    from toolkit.inference.camera_source import CameraFlags

    return CameraFlags(None if intrinsics is None else parse_intrinsics(intrinsics), focal, fov)


def load_asker(
    model: str | None, include: list[Path] | None, like: str | None, trust: bool, placement: Placement
) -> "Asker":
    """Load the model to ask, and before it the user's own tasks."""
    from toolkit.inference.asker import load

    include_tasks(include, trust)
    # The imports of torch and transformers make hundreds of thousands of objects that stay. The garbage collector would
    # go through all of them again and again, which takes a fifth of the whole time.
    gc.disable()
    try:
        return load(model, like, trust, **asdict(placement))
    finally:
        gc.freeze()
        gc.enable()
